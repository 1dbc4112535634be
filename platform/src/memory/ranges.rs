//! A small sorted set of physical address ranges, in place: what is left of RAM when everything reserved is taken away.
//! It is needed before there is a heap.

use core::ops::Range;

/// Ranges that a set can hold. Boards have a handful; a set that is full drops the smallest range rather than fail.
const CAPACITY: usize = 64;

/// Disjoint, non-empty ranges in rising order.
#[derive(Clone)]
pub(crate) struct Ranges {
    list: [(u64, u64); CAPACITY],
    len: usize,
}

impl Ranges {
    /// No range.
    pub(crate) const fn new() -> Ranges {
        Ranges {
            list: [(0, 0); CAPACITY],
            len: 0,
        }
    }

    /// The ranges, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.list[..self.len].iter().map(|&(start, end)| start..end)
    }

    /// Bytes in all ranges.
    pub(crate) fn bytes(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// From the start of the first range to the end of the last.
    pub(crate) fn span(&self) -> Option<Range<u64>> {
        let list = &self.list[..self.len];
        Some(list.first()?.0..list.last()?.1)
    }

    /// The longest range.
    pub(crate) fn longest(&self) -> Option<Range<u64>> {
        self.iter().max_by_key(|range| range.end - range.start)
    }

    /// Adds what `range` holds and the set does not.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        self.remove(range.clone());
        self.insert(range.start, range.end);
        self.merge();
    }

    /// Takes `range` out.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let old = self.clone();
        self.len = 0;
        for kept in old.iter() {
            self.insert(kept.start, kept.end.min(range.start));
            self.insert(kept.start.max(range.end), kept.end);
        }
    }

    /// Puts a range at its place; it overlaps none. An empty one is ignored.
    fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if self.len == CAPACITY {
            self.drop_smallest_below(end - start);
        }
        if self.len == CAPACITY {
            return;
        }
        let at = self.list[..self.len].partition_point(|&(other, _)| other < start);
        self.list.copy_within(at..self.len, at + 1);
        self.list[at] = (start, end);
        self.len += 1;
    }

    /// Makes room by dropping the smallest range, if it is smaller than `bytes`.
    fn drop_smallest_below(&mut self, bytes: u64) {
        let size = |&(start, end): &(u64, u64)| end - start;
        let smallest = self.list[..self.len]
            .iter()
            .enumerate()
            .min_by_key(|(_, range)| size(range));
        if let Some((at, range)) = smallest
            && size(range) < bytes
        {
            self.list.copy_within(at + 1..self.len, at);
            self.len -= 1;
        }
    }

    /// Joins ranges that touch.
    fn merge(&mut self) {
        let mut kept = 0;
        for at in 1..self.len {
            if self.list[kept].1 == self.list[at].0 {
                self.list[kept].1 = self.list[at].1;
            } else {
                kept += 1;
                self.list[kept] = self.list[at];
            }
        }
        self.len = self.len.min(kept + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn set(ranges: &[Range<u64>]) -> Ranges {
        let mut set = Ranges::new();
        ranges.iter().for_each(|range| set.add(range.clone()));
        set
    }

    fn list(set: &Ranges) -> Vec<Range<u64>> {
        set.iter().collect()
    }

    #[test]
    fn overlapping_and_touching_ranges_become_one() {
        let ranges = set(&[10..20, 30..40, 15..32, 40..41]);
        assert_eq!(list(&ranges), [Range { start: 10, end: 41 }]);
        assert_eq!(ranges.bytes(), 31);
    }

    #[test]
    fn a_hole_splits() {
        let mut ranges = set(&[0..100, 200..310]);
        ranges.remove(50..60);
        ranges.remove(90..250);
        ranges.remove(7..7);
        assert_eq!(list(&ranges), [0..50, 60..90, 250..310]);
        assert_eq!(ranges.longest(), Some(250..310));
        assert_eq!(ranges.span(), Some(0..310));
        assert_eq!(Ranges::new().span(), None);
    }

    #[test]
    fn a_full_set_keeps_the_larger_ranges() {
        let mut ranges = Ranges::new();
        (0..CAPACITY as u64).for_each(|n| ranges.add(n * 10..n * 10 + 1));
        ranges.add(5000..6000);
        assert_eq!(ranges.iter().count(), CAPACITY);
        assert_eq!(ranges.longest(), Some(5000..6000));
        assert_eq!(ranges.bytes(), 1000 + CAPACITY as u64 - 1);
    }
}
