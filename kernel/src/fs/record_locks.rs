//! Record locks of one file: fcntl(2), "Advisory record locking". Ranges of bytes and who holds them; no waiting here.

use alloc::vec::Vec;

/// What a lock keeps out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Exclusive locks.
    Shared,
    /// All locks.
    Exclusive,
}

/// One lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// The process that holds it.
    pub owner: u32,
    /// What it keeps out.
    pub kind: Kind,
    /// First byte.
    pub first: u64,
    /// Last byte; `u64::MAX` is the end of the file, wherever that is.
    pub last: u64,
}

impl Record {
    fn meets(&self, other: &Record) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn excludes(&self, other: &Record) -> bool {
        self.owner != other.owner
            && self.meets(other)
            && (self.kind == Kind::Exclusive || other.kind == Kind::Exclusive)
    }

    /// What of `self` lies before and behind `other`.
    fn without(&self, other: &Record) -> [Option<Record>; 2] {
        let before = (self.first < other.first).then(|| Record {
            last: other.first - 1,
            ..*self
        });
        let behind = (self.last > other.last).then(|| Record {
            first: other.last + 1,
            ..*self
        });
        [before, behind]
    }
}

/// The record locks of a file.
#[derive(Default)]
pub struct Records(Vec<Record>);

impl Records {
    /// No locks.
    pub const fn new() -> Self {
        Records(Vec::new())
    }

    /// A lock that stands in the way of `wanted`.
    pub fn obstacle(&self, wanted: &Record) -> Option<Record> {
        self.0.iter().find(|held| held.excludes(wanted)).copied()
    }

    /// Sets `wanted`, in place of what its owner holds there. The caller has asked for obstacles.
    pub fn set(&mut self, wanted: Record) {
        self.clear(&wanted);
        let mut merged = wanted;
        self.0.retain(|held| {
            let is_same = held.owner == merged.owner && held.kind == merged.kind;
            let is_adjacent = held.last.checked_add(1) == Some(merged.first)
                || merged.last.checked_add(1) == Some(held.first);
            if is_same && is_adjacent {
                merged.first = merged.first.min(held.first);
                merged.last = merged.last.max(held.last);
            }
            !(is_same && is_adjacent)
        });
        self.0.push(merged);
    }

    /// Gives up what the owner of `range` holds there.
    pub fn clear(&mut self, range: &Record) {
        let mut kept = Vec::with_capacity(self.0.len() + 1);
        for held in &self.0 {
            if held.owner == range.owner && held.meets(range) {
                kept.extend(held.without(range).into_iter().flatten());
            } else {
                kept.push(*held);
            }
        }
        self.0 = kept;
    }

    /// Gives up all that a process holds; whether there was anything.
    pub fn release(&mut self, owner: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held.owner != owner);
        self.0.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(owner: u32, kind: Kind, first: u64, last: u64) -> Record {
        Record {
            owner,
            kind,
            first,
            last,
        }
    }

    #[test]
    fn shared_locks_live_together_and_exclusive_ones_do_not() {
        let mut records = Records::new();
        records.set(lock(1, Kind::Shared, 0, 99));
        assert_eq!(records.obstacle(&lock(2, Kind::Shared, 50, 60)), None);
        assert_eq!(
            records.obstacle(&lock(2, Kind::Exclusive, 50, 60)),
            Some(lock(1, Kind::Shared, 0, 99))
        );
        assert_eq!(
            records.obstacle(&lock(1, Kind::Exclusive, 50, 60)),
            None,
            "never one's own"
        );
    }

    #[test]
    fn unlocking_the_middle_leaves_both_sides() {
        let mut records = Records::new();
        records.set(lock(1, Kind::Exclusive, 0, u64::MAX));
        records.clear(&lock(1, Kind::Exclusive, 10, 19));
        assert_eq!(records.obstacle(&lock(2, Kind::Shared, 10, 19)), None);
        assert_eq!(
            records.obstacle(&lock(2, Kind::Shared, 9, 9)),
            Some(lock(1, Kind::Exclusive, 0, 9))
        );
        assert_eq!(
            records.obstacle(&lock(2, Kind::Shared, 20, 20)),
            Some(lock(1, Kind::Exclusive, 20, u64::MAX))
        );
    }

    #[test]
    fn neighbours_of_one_kind_become_one() {
        let mut records = Records::new();
        records.set(lock(1, Kind::Shared, 0, 9));
        records.set(lock(1, Kind::Shared, 10, 19));
        assert_eq!(records.0, [lock(1, Kind::Shared, 0, 19)]);
        records.set(lock(1, Kind::Exclusive, 5, 6));
        assert_eq!(records.0.len(), 3);
        assert!(records.release(1) && records.0.is_empty() && !records.release(1));
    }
}
