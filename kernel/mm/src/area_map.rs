//! All areas of a space: a sorted list behind an `Arc`, so that fork shares it in O(1) and the first change after that copies
//! it.

use crate::addr::{PageRange, USER_END, VirtAddr};
use crate::area::Area;
use alloc::vec::Vec;
use core::ops::Range;

/// All areas of a space, sorted, without overlaps.
#[derive(Clone, Default)]
pub struct AreaMap {
    areas: Vec<Area>,
}

impl AreaMap {
    /// The areas from the lowest address on.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.areas.iter()
    }

    /// The areas that end above `address`, lowest first.
    pub fn iter_from(&self, address: VirtAddr) -> impl Iterator<Item = &Area> {
        self.areas[self.first_ending_after(address)..].iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The area that holds `address`.
    #[inline]
    pub fn find(&self, address: VirtAddr) -> Option<&Area> {
        self.areas
            .get(self.first_ending_after(address))
            .filter(|area| area.range.contains(address))
    }

    /// The area that holds `address`, and its index; `guess` is where it is likely to be.
    #[inline]
    pub(crate) fn find_near(&self, guess: usize, address: VirtAddr) -> Option<(usize, &Area)> {
        match self.areas.get(guess) {
            Some(area) if area.range.contains(address) => Some((guess, area)),
            _ => {
                let index = self.first_ending_after(address);
                let area = self.areas.get(index)?;
                area.range.contains(address).then_some((index, area))
            }
        }
    }

    /// Index of the first area whose end lies beyond `address`.
    #[inline]
    fn first_ending_after(&self, address: VirtAddr) -> usize {
        self.areas.partition_point(|area| area.range.end() <= address)
    }

    /// The indices of the areas that overlap `range`.
    pub(crate) fn indices(&self, range: PageRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let start = self.first_ending_after(range.start());
        let inside = self.areas[start..]
            .iter()
            .take_while(|area| area.range.start() < range.end());
        start..start + inside.count()
    }

    /// Whether no page of `range` belongs to an area.
    pub fn is_free(&self, range: PageRange) -> bool {
        let next = self.areas.get(self.first_ending_after(range.start()));
        range.is_empty() || next.is_none_or(|area| area.range.start() >= range.end())
    }

    /// The areas that overlap `range`.
    pub fn overlapping(&self, range: PageRange) -> &[Area] {
        &self.areas[self.indices(range)]
    }

    /// Whether every page of `range` belongs to some area.
    pub fn covers(&self, range: PageRange) -> bool {
        self.covered_end(range) == range.end()
    }

    /// Where the first hole in `range` begins; its end if there is none.
    pub fn covered_end(&self, range: PageRange) -> VirtAddr {
        let mut at = range.start();
        for area in self.overlapping(range) {
            if area.range.start() > at {
                return at;
            }
            at = area.range.end().min(range.end());
        }
        at
    }

    /// The first area that begins above `address`.
    pub fn next_above(&self, address: VirtAddr) -> Option<&Area> {
        self.areas
            .get(self.areas.partition_point(|area| area.range.start() <= address))
    }

    /// The last area that ends at or below `address`.
    pub fn next_below(&self, address: VirtAddr) -> Option<&Area> {
        let after = self.first_ending_after(address);
        after.checked_sub(1).map(|index| &self.areas[index])
    }

    /// The highest gap of `len` bytes (whole pages) that ends at or below `below` and begins at or above `above`.
    pub fn gap_below(&self, below: VirtAddr, len: u64, above: VirtAddr) -> Option<PageRange> {
        let mut end = below.min(VirtAddr(USER_END));
        for area in self.areas.iter().rev() {
            if area.range.start() >= end {
                continue;
            }
            if area.range.end() <= end && end.0 - area.range.end().0 >= len {
                break;
            }
            end = area.range.start();
        }
        let start = VirtAddr(end.0.checked_sub(len)?);
        (start >= above).then(|| PageRange::new(start, len)).flatten()
    }

    /// Adds an area where there is none, joined with its neighbours where they are the same.
    pub(crate) fn insert(&mut self, area: Area) {
        debug_assert!(self.is_free(area.range), "areas: {:?} overlaps", area.range);
        let at = self.first_ending_after(area.range.start());
        let (before, after) = self.areas.split_at_mut(at);
        if let Some(before) = before.last_mut().filter(|before| before.continues_with(&area)) {
            before.range = before.range.joined(area.range);
            self.join(at);
        } else if let Some(after) = after.first_mut().filter(|after| area.continues_with(after)) {
            after.range = area.range.joined(after.range);
            after.backing = area.backing;
        } else {
            self.areas.insert(at, area);
        }
    }

    /// Joins the area at `index` to the one before it if it is more of the same.
    fn join(&mut self, index: usize) {
        if index == 0
            || index >= self.areas.len()
            || !self.areas[index - 1].continues_with(&self.areas[index])
        {
            return;
        }
        let next = self.areas.remove(index).range;
        let before = &mut self.areas[index - 1];
        before.range = before.range.joined(next);
    }

    /// Takes `range`, which overlaps the areas at `indices` and no others, out of the map; areas partly inside are split.
    pub(crate) fn remove(&mut self, range: PageRange, indices: Range<usize>) {
        if let [area] = &mut self.areas[indices.clone()] {
            let is_to_start = range.start() <= area.range.start();
            let is_to_end = area.range.end() <= range.end();
            if is_to_start && is_to_end {
                self.areas.remove(indices.start);
                return;
            }
            if is_to_end {
                area.range = area.range.up_to(range.start());
                return;
            }
        }
        self.take(range);
    }

    /// As [`AreaMap::remove`]; returns what was inside.
    pub(crate) fn take(&mut self, range: PageRange) -> Vec<Area> {
        let indices = self.indices(range);
        let inside: Vec<Area> = self.areas[indices.clone()]
            .iter()
            .map(|area| area.part(range))
            .collect();
        let mut outside = Vec::new();
        for area in &self.areas[indices.clone()] {
            let before = PageRange::between(area.range.start(), range.start());
            let after = PageRange::between(range.end(), area.range.end());
            outside.extend(
                [before, after]
                    .into_iter()
                    .flatten()
                    .filter(|r| !r.is_empty())
                    .map(|r| area.part(r)),
            );
        }
        self.areas.splice(indices, outside);
        inside
    }

    /// Changes the area that begins at `start` to begin at `lower` instead (stack growth).
    pub(crate) fn grow_down(&mut self, start: VirtAddr, lower: VirtAddr) {
        let index = self.first_ending_after(start);
        let area = &mut self.areas[index];
        area.range = PageRange::between(lower, area.range.end()).unwrap_or(area.range);
    }
}
