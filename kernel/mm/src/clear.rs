//! Drops what is mapped in a range, however long, under one flush (munmap, brk, MADV_DONTNEED, mmap over what is there).
//!
//! 1. What can fail: the at most two paths at the ends of the range are made private. All between them goes by whole entries.
//! 2. Every entry that goes is *parked* where it stands: no walker sees it any more, its reference stays with the table.
//! 3. One flush.
//! 4. The same entries are taken out. Pages and small tables are released at once; whole tables that hold more are hung
//!    into a tree of their own, the `DeferredTables`, for whoever holds no lock to release in pieces.
//!
//! No more than the entries of five tables are touched in this, so the space's lock is held for a short time.

use crate::addr::{Frame, Level, PageRange, VirtAddr};
use crate::deferred_tables::TableFree;
use crate::descriptor::Descriptor;
use crate::frames::{FreeChain, NoMemory};
use crate::hostage::{Flushed, Parked};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::range::slots;
use crate::table::{Path, Tables, release};

impl Tables {
    /// Drops everything mapped in `range`. Tables that are covered whole go by clearing one entry, shared or not; only the at
    /// most two paths at the ends are made private. Out of memory: everything is still mapped.
    pub(crate) fn clear_range<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
    ) -> Result<(), NoMemory> {
        let ready = self.make_clearable(memory, range)?;
        self.clear(memory, ready);
        Ok(())
    }

    /// Allocates what [`Tables::clear`] of `range` needs, which cannot fail then. Out of memory: nothing that a program could see
    /// has changed.
    pub(crate) fn make_clearable<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
    ) -> Result<Clearable, NoMemory> {
        if range.is_empty() {
            return Ok(Clearable::Nothing);
        }
        if is_in_one_table(range) && range.len() < Level::L2.span() {
            let path = self.private_path(memory, range.start())?;
            return Ok(match (path.l2, path.l3) {
                (Some(l2), Some(l3)) => Clearable::Inside(range, l2, l3),
                _ => Clearable::Nothing,
            });
        }
        self.make_edges_private(memory, range)?;
        Ok(Clearable::Across(range))
    }

    /// Drops everything mapped in a range.
    #[inline]
    pub(crate) fn clear<M: Mmu>(&mut self, memory: &Memory<M>, ready: Clearable) {
        match ready {
            Clearable::Nothing => {}
            Clearable::Inside(range, l2, l3) => self.clear_in_one_table(memory, range, l2, l3),
            Clearable::Across(range) => self.clear_across(memory, range),
        }
    }

    /// [`Tables::clear`] of what several tables translate.
    fn clear_across<M: Mmu>(&mut self, memory: &Memory<M>, range: PageRange) {
        let all = Part {
            table: self.root(),
            level: Level::L1,
            base: VirtAddr(0),
            range,
        };
        let mut parked = Parked::none();
        all.park(memory, &mut parked);
        if let Some(flushed) = parked.flush(memory, self.tag) {
            all.take_out(memory, &flushed, &mut TableFree::new(&mut self.deferred));
        }
    }

    /// The path to `at`, private as far as there is one.
    fn private_path<M: Mmu>(&mut self, memory: &Memory<M>, at: VirtAddr) -> Result<Path, NoMemory> {
        let path = self.walk(memory, at);
        if path.l3.is_some() && path.is_write_disabled {
            self.make_private(memory, at, Level::L3)?;
            return Ok(self.walk(memory, at));
        }
        Ok(path)
    }

    /// [`Tables::clear`] of part of what one level-3 table translates: as most ranges are, so with one walk, and no recursion.
    fn clear_in_one_table<M: Mmu>(&mut self, memory: &Memory<M>, range: PageRange, l2: Frame, l3: Frame) {
        let (frames, at) = (memory.frames(), range.start());
        let leaves = Part {
            table: l3,
            level: Level::L3,
            base: VirtAddr(at.0 & !(Level::L2.span() - 1)),
            range,
        };
        let mut parked = Parked::none();
        let is_empty = leaves.park(memory, &mut parked);
        let is_alone = is_empty && frames.occupancy(l2).valid() == 1;
        let above = [(is_empty, l2, Level::L2), (is_alone, self.root(), Level::L1)];
        for (goes, table, level) in above {
            if goes {
                let index = at.index(level);
                parked.park(memory, table, index, memory.mmu().load(table, index), None);
            }
        }
        if let Some(flushed) = parked.flush(memory, self.tag) {
            leaves.take_out(memory, &flushed, &mut TableFree::new(&mut self.deferred));
            for (goes, table, level) in above {
                if goes
                    && let (Some(entry), Some(below)) =
                        (flushed.take(memory, table, at.index(level)), level.below())
                {
                    frames.update_occupancy(table, |occupancy| occupancy.without(1));
                    release(memory, entry.frame(), below);
                }
            }
        }
    }

    /// Makes private what [`Tables::clear_range`] of `range`, which is not empty, would edit: after this it cannot fail. Out of
    /// memory: nothing that a program could see has changed.
    pub(crate) fn make_edges_private<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
    ) -> Result<(), NoMemory> {
        for (edge, inside) in [
            (range.start(), range.start()),
            (range.end(), VirtAddr(range.end().0 - 1)),
        ] {
            if !edge.0.is_multiple_of(Level::L2.span()) {
                self.make_private(memory, inside, Level::L3)?;
                if is_in_one_table(range) {
                    break;
                }
            } else if !edge.0.is_multiple_of(Level::L1.span()) {
                self.make_private(memory, inside, Level::L2)?;
            }
        }
        Ok(())
    }
}

/// A range of which everything mapped can be dropped without an allocation.
#[must_use]
pub(crate) enum Clearable {
    /// Nothing is mapped there.
    Nothing,
    /// It lies in what one level-3 table translates: the tables of levels 2 and 3 on the way.
    Inside(PageRange, Frame, Frame),
    /// It may lie in what several tables translate.
    Across(PageRange),
}

/// A private table, and what of the range it translates.
#[derive(Clone, Copy)]
struct Part {
    table: Frame,
    level: Level,
    /// The first address that the table translates.
    base: VirtAddr,
    range: PageRange,
}

impl Part {
    /// What of the range lies below `entry`, which translates from `start` on; `None` if that is all of it, or a page.
    #[inline]
    fn below(self, entry: Descriptor, start: VirtAddr) -> Option<Part> {
        let level = self.level.below()?;
        let is_covered = self.range.start() <= start && start.0 + self.level.span() <= self.range.end().0;
        (!is_covered).then(|| Part {
            table: entry.frame(),
            level,
            base: start,
            ..self
        })
    }

    /// Parks the entries that lie in the range, and those of tables below that nothing is left in. Whether that is so here.
    fn park<M: Mmu>(self, memory: &Memory<M>, parked: &mut Parked) -> bool {
        let mut count = 0;
        for (index, start) in slots(self.table, memory, self.level, self.base, self.range) {
            let entry = memory.mmu().load(self.table, index);
            let goes = entry.is_valid()
                && self
                    .below(entry, start)
                    .is_none_or(|part| part.park(memory, parked));
            if goes {
                let page = (self.level == Level::L3).then_some(start);
                parked.park(memory, self.table, index, entry, page);
                count += 1;
            }
        }
        let occupancy = memory.frames().occupancy(self.table);
        if occupancy.may_have_swapped() {
            let swapped = self.swapped(memory).count();
            parked.note_swapped(swapped);
            count += swapped;
        }
        occupancy.valid() == count
    }

    /// The indices of the swapped entries in the range.
    fn swapped<M: Mmu>(self, memory: &Memory<M>) -> impl Iterator<Item = usize> {
        let slots = slots(self.table, memory, self.level, self.base, self.range);
        slots
            .map(|(index, _)| index)
            .filter(move |index| memory.mmu().load(self.table, *index).is_swapped())
    }

    /// Takes out the swapped entries in the range; how many. No TLB knows them.
    #[cold]
    fn take_out_swapped<M: Mmu>(self, memory: &Memory<M>) -> usize {
        let mut count = 0;
        for index in self.swapped(memory) {
            let entry = memory.mmu().load(self.table, index);
            memory.mmu().store(self.table, index, Descriptor::INVALID);
            memory.swap().release(memory.frames(), memory.mmu(), entry.slot());
            count += 1;
        }
        count
    }

    /// Takes the parked entries out, from the pages up.
    fn take_out<M: Mmu>(self, memory: &Memory<M>, flushed: &Flushed, table_free: &mut TableFree<'_>) {
        let Some(level) = self.level.below() else {
            return table_free.note_pages(self.take_out_pages(memory, flushed));
        };
        let mut count = 0;
        for (index, start) in slots(self.table, memory, self.level, self.base, self.range) {
            let entry = memory.mmu().load(self.table, index);
            if entry == Descriptor::INVALID {
                continue;
            }
            if let Some(part) = self.below(entry, start) {
                part.take_out(memory, flushed, table_free);
            }
            if let Some(table) = flushed.take(memory, self.table, index) {
                table_free.free(memory, table, level, start);
                count += 1;
            }
        }
        memory
            .frames()
            .update_occupancy(self.table, |occupancy| occupancy.without(count));
    }

    /// [`Part::take_out`] of pages; how many.
    fn take_out_pages<M: Mmu>(self, memory: &Memory<M>, flushed: &Flushed) -> usize {
        let (mmu, frames) = (memory.mmu(), memory.frames());
        let (mut chain, mut count) = (FreeChain::default(), 0);
        for (index, _) in slots(self.table, memory, self.level, self.base, self.range) {
            if let Some(page) = flushed.take(memory, self.table, index) {
                frames.release_into(mmu, page.frame(), &mut chain);
                count += 1;
            }
        }
        frames.free_chain(mmu, chain);
        if frames.occupancy(self.table).may_have_swapped() {
            count += self.take_out_swapped(memory);
        }
        frames.update_occupancy(self.table, |occupancy| occupancy.without(count));
        count
    }
}

/// Whether one level-3 table translates all of `range`, which is not empty.
fn is_in_one_table(range: PageRange) -> bool {
    range.start().0 >> Level::L2.shift() == (range.end().0 - 1) >> Level::L2.shift()
}
