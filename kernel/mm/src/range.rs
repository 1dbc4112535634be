//! Edits of whole ranges in a tree: other rights. (To drop what is mapped: `clear`; to move it: `moving`.) Each first makes
//! every table that it will edit private, which can fail; the edit itself cannot.

use crate::addr::{Frame, Level, PageRange, TABLE_ENTRIES, VirtAddr};
use crate::area::{Area, Sharing};
use crate::descriptor::Descriptor;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::portion::behind;
use crate::sync::Ordering;
use crate::table::Tables;
use core::ops::Range;

impl Tables {
    /// Makes every existing level-3 table in `range` private. Out of memory: nothing that a program could see has changed.
    pub(crate) fn make_range_private<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        range: PageRange,
    ) -> Result<(), NoMemory> {
        let mut at = range.start();
        while at < range.end() {
            let path = self.walk(memory, at);
            if path.l3.is_some() {
                self.make_private(memory, at, Level::L3)?;
            }
            at = behind(path, at);
        }
        Ok(())
    }

    /// Gives every page in `range` that is mapped in `area` by way of private tables the area's rights, that to write only where nobody
    /// else has the page: the others get it by a fault. Whether anything has changed; the caller flushes the ASID then.
    ///
    /// Where rights are to go, all tables are private (see [`Tables::make_range_private`]).
    pub(crate) fn set_rights<M: Mmu>(&self, memory: &Memory<M>, area: &Area, range: PageRange) -> bool {
        let range = area.range().intersection(range);
        let rights = Rights::of(area);
        let (mut at, mut has_changed) = (range.start(), false);
        while at < range.end() {
            let path = self.walk(memory, at);
            if let (Some(table), false) = (path.l3, path.is_write_disabled) {
                let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
                has_changed |= rights.set(memory, table, slots_of(table, memory, Level::L3, base, range));
            }
            at = behind(path, at);
        }
        has_changed
    }
}

/// The rights that the pages of an area are to have.
struct Rights {
    /// A page with them, but for that to write.
    leaf: Descriptor,
    /// They may be written by who has the page alone.
    is_writable: bool,
    /// A page belongs to everybody who maps it.
    is_shared: bool,
}

impl Rights {
    fn of(area: &Area) -> Rights {
        Rights {
            leaf: area.leaf(Frame(0)),
            is_writable: area.protection.write,
            is_shared: area.sharing == Sharing::Shared,
        }
    }

    /// Gives them to the entries in `slots` of `table`, a group at once where that is one thing to decide; whether any has changed.
    fn set<M: Mmu>(&self, memory: &Memory<M>, table: Frame, slots: Range<usize>) -> bool {
        let (mut index, mut has_changed) = (slots.start, false);
        while index < slots.end {
            let is_whole = index.is_multiple_of(GROUP) && slots.end - index >= GROUP;
            match is_whole
                .then(|| self.set_group(memory, table, index / GROUP))
                .flatten()
            {
                Some(changed) => {
                    has_changed |= changed;
                    index += GROUP;
                }
                None => {
                    let end = (index / GROUP + 1) * GROUP;
                    for index in index..end.min(slots.end) {
                        has_changed |= self.set_page(memory, table, index);
                    }
                    index = end;
                }
            }
        }
        has_changed
    }

    /// [`Rights::set`] of a group that is full of pages which the space has alone, where the right to write is given, and none of
    /// which becomes executable; whether any has changed.
    #[inline(always)]
    fn set_group<M: Mmu>(&self, memory: &Memory<M>, table: Frame, group: usize) -> Option<bool> {
        let old = memory.mmu().load_group(table, group);
        if !Descriptor::common(&old).is_valid() || self.leaf.is_page_executable() {
            return None;
        }
        let mut leaf = self.leaf;
        if self.is_writable {
            let is_own = || {
                let counts = memory.frames().records().counts_of(&old);
                counts.iter().all(|count| count.load(Ordering::Acquire) == 1)
            };
            if !self.is_shared && !is_own() {
                return None;
            }
            leaf = leaf.with_write();
        }
        let new = old.map(|old| leaf.pointing_to(old.frame()));
        let changes = old
            .iter()
            .zip(&new)
            .fold(0, |bits, (old, new)| bits | (old.0 ^ new.0));
        if changes != 0 {
            memory.mmu().store_group(table, group, new);
        }
        Some(changes != 0)
    }

    /// [`Rights::set`] of one entry.
    #[inline(never)]
    fn set_page<M: Mmu>(&self, memory: &Memory<M>, table: Frame, index: usize) -> bool {
        let old = memory.mmu().load(table, index);
        if !old.is_valid() {
            if old.is_swapped() {
                // It comes back with these.
                memory.mmu().store(table, index, self.leaf.swapped_to(old.slot()));
            }
            return false;
        }
        let frame = old.frame();
        let is_own = || old.is_page_writable() || self.is_shared || memory.frames().count(frame) == 1;
        let mut new = self.leaf.pointing_to(frame);
        if self.is_writable && is_own() {
            new = new.with_write();
        }
        if new == old {
            return false;
        }
        if new.is_page_executable() && !old.is_page_executable() {
            memory.frames().make_executable(memory.mmu(), frame);
        }
        memory.mmu().store(table, index, new);
        true
    }
}

/// The used entries of `table` (of `level`, translating from `base` on) that `range` touches, each with the first address that
/// it translates.
pub(crate) fn slots<M: Mmu>(
    table: Frame,
    memory: &Memory<M>,
    level: Level,
    base: VirtAddr,
    range: PageRange,
) -> impl Iterator<Item = (usize, VirtAddr)> {
    slots_of(table, memory, level, base, range)
        .map(move |index| (index, VirtAddr(base.0 + ((index as u64) << level.shift()))))
}

/// The indices of [`slots`].
#[inline]
pub(crate) fn slots_of<M: Mmu>(
    table: Frame,
    memory: &Memory<M>,
    level: Level,
    base: VirtAddr,
    range: PageRange,
) -> Range<usize> {
    let used = memory.frames().occupancy(table).used();
    let first = range.start().0.saturating_sub(base.0) >> level.shift();
    let last = range
        .end()
        .0
        .saturating_sub(base.0)
        .div_ceil(level.span())
        .min(TABLE_ENTRIES as u64);
    used.start.max(first as usize)..used.end.min(last as usize)
}
