//! Moves what is mapped in a range to other addresses (mremap). First all that a move needs is made, which can fail: private tables
//! on both sides. Then the descriptors move, which cannot. Where both addresses lie alike in what a level-3 table translates, whole
//! tables move by one entry, shared or not: a table does not know its addresses.

use crate::addr::{Frame, Level, PageRange, VirtAddr};
use crate::descriptor::Descriptor;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::{Portion, STEP_COST, behind, cost_of};
use crate::range::slots;
use crate::table::{Tables, link, new_table};

/// What of a range one level-3 table translates.
struct Part {
    table: Frame,
    range: PageRange,
    /// Where its first page moves to.
    target: VirtAddr,
    /// The table moves as a whole.
    is_whole: bool,
}

impl Tables {
    /// The first part of `from`, which is not empty, that is moved to `to` at once.
    pub(crate) fn moved_at_once<M: Mmu>(
        &self,
        memory: &Memory<M>,
        from: PageRange,
        to: VirtAddr,
        most: Portion,
    ) -> PageRange {
        let (mut at, mut left) = (from.start(), most.entries);
        while at < from.end() && left > 0 {
            let (part, next) = self.part_at(memory, from, at, to);
            left = left.saturating_sub(part.map_or(STEP_COST, |part| part.cost(memory)));
            at = next;
        }
        PageRange::between(from.start(), at).unwrap_or(from)
    }

    /// Makes ready what lies in `from` for its move to `to`, where nothing is mapped. Out of memory: nothing that a program could see
    /// has changed.
    pub(crate) fn prepare_move<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        from: PageRange,
        to: VirtAddr,
    ) -> Result<(), NoMemory> {
        let mut at = from.start();
        while at < from.end() {
            let (part, next) = self.part_at(memory, from, at, to);
            match part {
                Some(part) if part.is_whole => {
                    self.make_private(memory, part.range.start(), Level::L2)?;
                    self.make_level_2(memory, part.target)?;
                }
                Some(part) => self.prepare_pages(memory, &part)?,
                None => {}
            }
            at = next;
        }
        Ok(())
    }

    /// Moves what [`Tables::prepare_move`] made ready.
    ///
    /// One flush, at the end: until then other threads may reach a page at either address, and it is the same page. Its
    /// reference, or that of its table, moves along and is dropped by nobody (I5).
    pub(crate) fn move_range<M: Mmu>(&mut self, memory: &Memory<M>, from: PageRange, to: VirtAddr) {
        let mut at = from.start();
        while at < from.end() {
            let (part, next) = self.part_at(memory, from, at, to);
            match part {
                Some(part) if part.is_whole => self.move_table(memory, &part),
                Some(part) => self.move_pages(memory, &part),
                None => {}
            }
            at = next;
        }
        self.flush(memory);
    }

    /// What of `from` lies behind `at` in one level-3 table, if there is one, and where to go on.
    fn part_at<M: Mmu>(
        &self,
        memory: &Memory<M>,
        from: PageRange,
        at: VirtAddr,
        to: VirtAddr,
    ) -> (Option<Part>, VirtAddr) {
        let path = self.walk(memory, at);
        let next = behind(path, at).min(from.end());
        let target = VirtAddr(to.0 + (at.0 - from.start().0));
        let found = path.l3.zip(PageRange::between(at, next));
        let part = found.map(|(table, range)| Part {
            table,
            range,
            target,
            is_whole: range.len() == Level::L2.span()
                && target.0.is_multiple_of(Level::L2.span())
                && self.walk(memory, target).l3.is_none(),
        });
        (part, next)
    }

    /// Makes a private level-2 table on the path to `address`.
    fn make_level_2<M: Mmu>(&mut self, memory: &Memory<M>, address: VirtAddr) -> Result<(), NoMemory> {
        let index = address.index(Level::L1);
        if memory.mmu().load(self.root, index).is_valid() {
            return self.make_private(memory, address, Level::L2);
        }
        let table = new_table(memory)?;
        self.used.insert(index);
        self.fill_table(memory, self.root, index, Descriptor::table(table));
        Ok(())
    }

    /// A private table here, and those that its pages go to.
    fn prepare_pages<M: Mmu>(&mut self, memory: &Memory<M>, part: &Part) -> Result<(), NoMemory> {
        self.make_private(memory, part.range.start(), Level::L3)?;
        let Some(table) = self.walk(memory, part.range.start()).l3 else {
            return Ok(());
        };
        let mut ready = None;
        for (index, page) in slots(table, memory, Level::L3, part.base(), part.range) {
            let target = part.target_of(page);
            let wanted = Some(target.0 >> Level::L2.shift());
            if ready != wanted && !memory.mmu().load(table, index).is_nothing() {
                self.make_path(memory, target, None)?;
                ready = wanted;
            }
        }
        Ok(())
    }

    fn move_table<M: Mmu>(&self, memory: &Memory<M>, part: &Part) {
        let here = self.walk(memory, part.range.start()).l2;
        let there = self.walk(memory, part.target).l2;
        if let (Some(here), Some(there)) = (here, there) {
            if memory.frames().occupancy(part.table).is_write_protected()
                || memory.frames().occupancy(here).is_write_protected()
            {
                // The mark stands in the table above as well (I4).
                memory.frames().mark_write_protected(there);
            }
            take_over(
                memory,
                (here, part.range.start().index(Level::L2)),
                (there, part.target.index(Level::L2)),
            );
        }
    }

    fn move_pages<M: Mmu>(&self, memory: &Memory<M>, part: &Part) {
        let (mut there, mut translated) = (None, None);
        for (index, page) in slots(part.table, memory, Level::L3, part.base(), part.range) {
            let target = part.target_of(page);
            if memory.mmu().load(part.table, index).is_nothing() {
                continue;
            }
            if translated != Some(target.0 >> Level::L2.shift()) {
                there = self.walk(memory, target).l3;
                translated = Some(target.0 >> Level::L2.shift());
            }
            if let Some(there) = there {
                take_over(memory, (part.table, index), (there, target.index(Level::L3)));
            }
        }
    }
}

impl Part {
    /// The first address that the table translates.
    fn base(&self) -> VirtAddr {
        VirtAddr(self.range.start().0 & !(Level::L2.span() - 1))
    }

    fn target_of(&self, page: VirtAddr) -> VirtAddr {
        VirtAddr(self.target.0 + (page.0 - self.range.start().0))
    }

    /// In entries.
    fn cost<M: Mmu>(&self, memory: &Memory<M>) -> usize {
        const OF_A_WHOLE_ONE: usize = 16;
        if self.is_whole {
            OF_A_WHOLE_ONE
        } else {
            cost_of(memory, self.table)
        }
    }
}

/// Moves an entry, valid or swapped, between private tables, to where there is none.
fn take_over<M: Mmu>(memory: &Memory<M>, (from, from_index): (Frame, usize), (to, to_index): (Frame, usize)) {
    let entry = memory.mmu().load(from, from_index);
    if entry.is_swapped() {
        memory.frames().mark_swapped(to);
    }
    memory.mmu().store(from, from_index, Descriptor::INVALID);
    memory
        .frames()
        .update_occupancy(from, |occupancy| occupancy.without(1));
    link(memory, to, to_index, entry);
}
