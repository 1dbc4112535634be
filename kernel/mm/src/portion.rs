//! How much of a long range is worked on under one hold of a space's lock. Between two holds others run.

use crate::addr::{Frame, Level, PageRange, VirtAddr};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::AddressSpace;
use crate::table::{Path, Tables};

/// What is worked on at once, at most; but always one area, and what one level-3 table translates.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Areas.
    pub areas: usize,
    /// Entries of tables.
    pub entries: usize,
}

impl Portion {
    /// What takes less than a quarter of a millisecond.
    pub const USUAL: Portion = Portion {
        areas: 48,
        entries: 1024,
    };
    /// The same where areas are looked at only.
    pub const LOOKED_AT: Portion = Portion {
        areas: 1024,
        entries: 1024,
    };
    /// The least.
    pub const LEAST: Portion = Portion { areas: 1, entries: 1 };
}

impl AddressSpace {
    /// The first part of `range`, which is not empty, with so many areas.
    pub fn areas_at_once(&self, range: PageRange, most: Portion) -> PageRange {
        if range.pages() <= most.areas as u64 {
            return range;
        }
        let next = self.areas.overlapping(range).nth(most.areas);
        let end = next.map_or(range.end(), |area| area.range().start());
        PageRange::between(range.start(), end).unwrap_or(range)
    }
}

impl Tables {
    /// The first part of `range`, which is not empty, below which there are so many entries.
    pub(crate) fn entries_at_once<M: Mmu>(
        &self,
        memory: &Memory<M>,
        range: PageRange,
        most: Portion,
    ) -> PageRange {
        let (mut at, mut left) = (range.start(), most.entries);
        while at < range.end() && left > 0 {
            let path = self.walk(memory, at);
            let cost = path.l3.map_or(STEP_COST, |table| cost_of(memory, table));
            left = left.saturating_sub(cost);
            at = behind(path, at);
        }
        PageRange::between(range.start(), at.min(range.end())).unwrap_or(range)
    }
}

/// What a step over nothing costs, in entries.
pub(crate) const STEP_COST: usize = 1;

/// What a level-3 table costs, in entries.
pub(crate) fn cost_of<M: Mmu>(memory: &Memory<M>, table: Frame) -> usize {
    const OF_ITSELF: usize = 24;
    OF_ITSELF + memory.frames().occupancy(table).used().len()
}

/// Where the next level-3 table would begin behind `at`, to which `path` leads. Nothing is below a missing table.
pub(crate) fn behind(path: Path, at: VirtAddr) -> VirtAddr {
    let span = if path.l2.is_some() {
        Level::L2.span()
    } else {
        Level::L1.span()
    };
    VirtAddr((at.0 & !(span - 1)) + span)
}
