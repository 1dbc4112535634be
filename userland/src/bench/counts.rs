//! What a kernel counts of itself: the lines of /proc/vmstat that tell what a deed did, and the contention of locks in
//! /proc/lock_stat. Kernels without them give no counts.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::runtime::Result;
use crate::runtime::file::File;
use crate::runtime::memory::{Mapping, PAGE, Sharing};

/// The beginnings of the names that are reported, of hundreds that Linux has.
const NAMES: [&str; 6] = ["pgfault", "cow_", "zero_", "tlbi_", "dsb_", "bytes_"];

/// Room for both files as text.
const ROOM: usize = 16 * PAGE;

/// The open files, and shared memory to read them into: reading so takes no fault and no memory of the heap, which right
/// after a fork would be counted as well.
pub struct Reader {
    files: Vec<(File, Parse)>,
    texts: Mapping,
    /// What reading itself adds to the counters.
    own: Counts,
}

type Parse = fn(&mut Counts, &str);

impl Reader {
    /// Opens those of the files that this kernel has.
    pub fn new() -> Result<Reader> {
        let known: [(&str, Parse); 2] = [
            ("/proc/vmstat", Counts::add_events),
            ("/proc/lock_stat", Counts::add_locks),
        ];
        let open = |(path, parse)| Some((File::read_only(path).ok()?, parse));
        let files: Vec<_> = known.into_iter().filter_map(open).collect();
        let texts = Mapping::anonymous(2 * files.len().max(1) * ROOM, Sharing::Shared)?;
        texts.store_pages(texts.pages(), 0);
        let mut reader = Reader {
            files,
            texts,
            own: Counts::default(),
        };
        reader.own = reader.during(|| ()).1;
        Ok(reader)
    }

    /// Counts how the counters grow during a deed.
    pub fn during<T>(&self, deed: impl FnOnce() -> T) -> (T, Counts) {
        let before = self.read(0);
        let result = deed();
        let after = self.read(1);
        let grown = self.parse(&after, 1).since(&self.parse(&before, 0));
        (result, grown.without(&self.own))
    }

    /// Reads the files, the first or the second time; the length of each text.
    fn read(&self, time: usize) -> [usize; 2] {
        let mut lengths = [0; 2];
        for (index, ((file, _), length)) in self.files.iter().zip(&mut lengths).enumerate() {
            let place = (2 * index + time) * ROOM;
            let rest = |length| {
                self.texts
                    .read_at(file, length as u64, place + length, ROOM - length)
            };
            while let Ok(count @ 1..) = rest(*length) {
                *length += count;
            }
        }
        lengths
    }

    fn parse(&self, lengths: &[usize; 2], time: usize) -> Counts {
        let mut counts = Counts::default();
        for (index, ((_, parse), &length)) in self.files.iter().zip(lengths).enumerate() {
            let bytes = self.texts.copy((2 * index + time) * ROOM, length);
            parse(&mut counts, &String::from_utf8_lossy(&bytes));
        }
        counts
    }
}

/// How much each of the kernel's counters grew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Lines `name number`.
    fn add_events(&mut self, text: &str) {
        for line in text.lines() {
            let Some((name, number)) = line.split_once(' ') else {
                continue;
            };
            if NAMES.iter().any(|start| name.starts_with(start))
                && let Ok(number) = number.trim().parse()
            {
                self.0.insert(name.to_string(), number);
            }
        }
    }

    /// A line of column names, then lines of a lock's name, how often it was waited for, how many turns that took, and
    /// the longest wait: how often for each lock, and the turns of all.
    fn add_locks(&mut self, text: &str) {
        for line in text.lines().skip(1) {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            let mut number = || words.pop().and_then(|word| word.parse::<u64>().ok());
            let (Some(_longest), Some(spins), Some(waits)) = (number(), number(), number()) else {
                continue;
            };
            self.0.insert(alloc::format!("lock_{}", words.join("-")), waits);
            *self.0.entry("lock_spins".to_string()).or_default() += spins;
        }
    }

    /// How much each has grown since `before`.
    fn since(&self, before: &Counts) -> Counts {
        let grown = self.0.iter().map(|(name, value)| {
            let old = before.0.get(name).copied().unwrap_or(0);
            (name.clone(), value.saturating_sub(old))
        });
        Counts(grown.collect())
    }

    /// Less what `own` holds.
    fn without(self, own: &Counts) -> Counts {
        let less = |(name, value): (String, u64)| {
            let own = own.0.get(&name).copied().unwrap_or(0);
            (name, value.saturating_sub(own))
        };
        Counts(self.0.into_iter().map(less).collect())
    }

    /// These.
    pub fn of<const N: usize>(named: [(&str, u64); N]) -> Counts {
        Counts(named.map(|(name, value)| (name.to_string(), value)).into())
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Counts) {
        for (name, value) in &other.0 {
            *self.0.entry(name.clone()).or_default() += value;
        }
    }

    /// Those that are not zero, per operation: `name=1.25,name=3.00`.
    pub fn text(&self, operations: u64) -> String {
        let mut text = String::new();
        for (name, &value) in self.0.iter().filter(|(_, value)| **value > 0) {
            let separator = if text.is_empty() { "" } else { "," };
            let hundredths = value * 100 / operations.max(1);
            text += &alloc::format!("{separator}{name}={}.{:02}", hundredths / 100, hundredths % 100);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_subtracted() {
        let mut before = Counts::default();
        before.add_events("nr_free_pages 7\ntlbi_asid 5\ncow_copied 1\npgfault 9\n");
        let mut after = Counts::default();
        after.add_events("tlbi_asid 8\ncow_copied 1\npgfault 19\n");
        assert_eq!(after.since(&before).text(4), "pgfault=2.50,tlbi_asid=0.75");
    }

    #[test]
    fn what_reading_costs_is_taken_away() {
        let (mut grown, mut own) = (Counts::default(), Counts::default());
        grown.add_events("bytes_user 2003\ndsb_total 3\n");
        own.add_events("bytes_user 2000\ndsb_total 0\n");
        assert_eq!(grown.without(&own).text(1), "bytes_user=3.00,dsb_total=3.00");
    }

    #[test]
    fn waits_for_locks_are_counted() {
        let mut counts = Counts::default();
        counts.add_locks(
            "class name contentions spins spins-max\nrun queue 1 20 9\nspace 2 30 9\nheap 0 0 0\n",
        );
        assert_eq!(
            counts.text(1),
            "lock_run-queue=1.00,lock_space=2.00,lock_spins=50.00"
        );
    }
}
