//! What the arguments ask for.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::runtime::system;

/// `bench [marks|lines] [cycles] [all] [sizes=MIB,MIB...] [repeats=N] [ROW...]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Memory sizes, in MiB, of the rows that are measured at several.
    pub sizes: Vec<usize>,
    /// How often a deed is repeated; at large sizes less often.
    pub repeats: usize,
    /// Deeds are done between marks and not measured; before each a line of standard input is waited for.
    pub is_marking: bool,
    /// Deeds are done several times between marks, the first time with empty caches, for a machine that counts lines: the rows of
    /// [`super::lines`]. Nothing is waited for.
    pub counts_lines: bool,
    /// The processor's own counters are read, too: the kernel must let programs do that (`pmu=programs`).
    pub counts_cycles: bool,
    /// Crowds of every size, not only those that are quickly made.
    pub has_all_crowds: bool,
    /// Names of rows; none means all.
    pub rows: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sizes: [0, 1, 16, 64, 256, 1024, 2048, 4096].to_vec(),
            repeats: 11,
            is_marking: false,
            counts_lines: false,
            counts_cycles: false,
            has_all_crowds: false,
            rows: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the words behind the program's name; the word that is wrong, if one is. A lone `--` is passed over.
    pub fn parse(words: &[&str]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for word in words.iter().filter(|word| !word.is_empty() && **word != "--") {
            settings.read(word).ok_or_else(|| word.to_string())?;
        }
        Ok(settings)
    }

    /// Takes in one word; `None` if it is not understood.
    fn read(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            Some(("sizes", list)) => self.sizes = numbers(list)?,
            Some(("repeats", number)) => self.repeats = number.parse().ok().filter(|&repeats| repeats > 0)?,
            Some(_) => return None,
            None if word == "marks" => self.is_marking = true,
            None if word == "lines" => (self.is_marking, self.counts_lines) = (true, true),
            None if word == "cycles" => self.counts_cycles = true,
            None if word == "all" => self.has_all_crowds = true,
            None => self.rows.push(word.to_string()),
        }
        Some(())
    }

    /// Whether a row is asked for.
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }

    /// Beside how many others a row is measured: those that are quickly made, and with `all` more; in ascending order.
    pub fn crowds(&self, quick: &[usize], more: &[usize]) -> Vec<usize> {
        let more = if self.has_all_crowds { more } else { &[] };
        let mut crowds = [quick, more].concat();
        crowds.sort_unstable();
        crowds
    }

    /// Those of the sizes that the free memory has room for, with some to spare for tables and copies.
    pub fn sizes_that_fit(&self) -> Vec<usize> {
        let free = system::information().map_or(0, |memory| memory.freeram * u64::from(memory.mem_unit));
        let fits = |&size: &usize| (size as u64 * 17 / 16 + 32) << 20 <= free;
        self.sizes.iter().copied().filter(fits).collect()
    }

    /// How often to repeat at this size: a GiB takes its time.
    pub fn repeats_at(&self, mebibytes: usize) -> usize {
        if mebibytes >= 1024 {
            self.repeats.min(3)
        } else {
            self.repeats
        }
    }
}

fn numbers(list: &str) -> Option<Vec<usize>> {
    list.split(',').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_or_named() {
        let settings = Settings::parse(&["--", "sizes=0,16", "repeats=3", "fork", ""]).unwrap();
        assert_eq!(
            (settings.sizes.as_slice(), settings.repeats),
            ([0, 16].as_slice(), 3)
        );
        assert!(settings.wants("fork") && !settings.wants("vfork"));
        assert!(Settings::default().wants("anything"));
        assert_eq!(settings.crowds(&[10, 1000], &[100]), [10, 1000]);
        let all = Settings::parse(&["all"]).unwrap();
        assert_eq!(all.crowds(&[10, 1000], &[100]), [10, 100, 1000]);
        for wrong in ["sizes=", "sizes=1,x", "repeats=0", "rounds=1"] {
            assert_eq!(Settings::parse(&[wrong]), Err(wrong.to_string()));
        }
    }
}
