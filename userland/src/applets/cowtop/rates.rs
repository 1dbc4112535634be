//! How often things happen: counters of /proc/vmstat, and what they have grown by.

use alloc::format;
use alloc::string::String;

use crate::runtime::file;

/// What is counted: its name on the screen, and the counters of /proc/vmstat that are added up for it.
const COUNTED: [(&str, &[&str]); 6] = [
    ("faults", &["pgfault"]),
    ("copied", &["cow_copied"]),
    ("reused", &["cow_regained", "cow_regained_in_bulk"]),
    ("tables copied", &["cow_tables_copied"]),
    ("TLBI", &["tlbi_total"]),
    ("forks", &["forks"]),
];

/// The counters at one time; `None`: this kernel has it not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters([Option<u64>; COUNTED.len()]);

impl Counters {
    /// As they are now.
    pub fn now() -> Counters {
        Counters::parse(&file::read_text("/proc/vmstat").unwrap_or_default())
    }

    fn parse(text: &str) -> Counters {
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse::<u64>().ok())
        };
        Counters(COUNTED.map(|(_, names)| names.iter().map(|name| value(name)).sum()))
    }

    /// What was added since.
    pub fn since(&self, before: &Counters) -> Counters {
        let mut grown = *self;
        for (new, old) in grown.0.iter_mut().zip(before.0) {
            *new = new.zip(old).map(|(new, old)| new.saturating_sub(old));
        }
        grown
    }

    /// So many in a second, of those in so many nanoseconds.
    pub fn a_second(&self, nanoseconds: u64) -> Counters {
        let rate = |count: u64| {
            let scaled = u128::from(count) * 1_000_000_000 + u128::from(nanoseconds / 2);
            (scaled / u128::from(nanoseconds.max(1))) as u64
        };
        Counters(self.0.map(|count| count.map(rate)))
    }

    /// `faults 12, copied 3`: with a unit behind each number.
    pub fn text(&self, unit: &str) -> String {
        let mut text = String::new();
        for ((name, _), count) in COUNTED.iter().zip(self.0) {
            let separator = if text.is_empty() { "" } else { "  " };
            text += &match count {
                Some(count) => format!("{separator}{name} {count}{unit}"),
                None => format!("{separator}{name} -"),
            };
        }
        text
    }

    /// What happened, without what did not: `: faults 1, copied 1`, or nothing.
    pub fn told(&self) -> String {
        let happened = COUNTED.iter().zip(self.0).filter_map(|((name, _), count)| {
            let count = count.filter(|count| *count > 0)?;
            Some(format!("{name} {count}"))
        });
        let words: alloc::vec::Vec<String> = happened.collect();
        match words.is_empty() {
            true => String::new(),
            false => format!(": {}", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_and_compared() {
        let old = Counters::parse(
            "pgfault 10\ncow_copied 1\ncow_regained 2\ncow_regained_in_bulk 3\ntlbi_total 7\n",
        );
        let new = Counters::parse(
            "pgfault 16\ncow_copied 2\ncow_regained 2\ncow_regained_in_bulk 4\ntlbi_total 7\n",
        );
        let grown = new.since(&old);
        assert_eq!(
            grown.a_second(2_000_000_000).text("/s"),
            "faults 3/s  copied 1/s  reused 1/s  tables copied -  TLBI 0/s  forks -"
        );
        assert_eq!(grown.told(), ": faults 6, copied 1, reused 1");
        assert_eq!(old.since(&new).told(), "");
    }
}
