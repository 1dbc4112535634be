//! Edits of whole ranges in a tree: other rights. (To drop what is mapped: `clear`; to move it: `moving`.) Each first makes
//! every table that it will edit private, which can fail; the edit itself cannot.

use crate::addr::{Frame, Level, PageRange, TABLE_ENTRIES, VirtAddr};
use crate::area::{Area, Sharing};
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::behind;
use crate::table::Tables;

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
        let (mut at, mut has_changed) = (range.start(), false);
        while at < range.end() {
            let path = self.walk(memory, at);
            if let (Some(table), false) = (path.l3, path.is_write_disabled) {
                let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
                for (index, _) in slots(table, memory, Level::L3, base, range) {
                    has_changed |= set_page_rights(memory, area, table, index);
                }
            }
            at = behind(path, at);
        }
        has_changed
    }
}

/// [`Tables::set_rights`] of entry `index` of `table`.
fn set_page_rights<M: Mmu>(memory: &Memory<M>, area: &Area, table: Frame, index: usize) -> bool {
    let old = memory.mmu().load(table, index);
    if !old.is_valid() {
        return false;
    }
    let frame = old.frame();
    let is_own =
        || old.is_page_writable() || area.sharing == Sharing::Shared || memory.frames().count(frame) == 1;
    let mut new = area.leaf(frame);
    if area.protection.write && is_own() {
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

/// The used entries of `table` (of `level`, translating from `base` on) that `range` touches, each with the first address that
/// it translates.
pub(crate) fn slots<M: Mmu>(
    table: Frame,
    memory: &Memory<M>,
    level: Level,
    base: VirtAddr,
    range: PageRange,
) -> impl Iterator<Item = (usize, VirtAddr)> {
    let used = memory.frames().occupancy(table).used();
    let first = range.start().0.saturating_sub(base.0) >> level.shift();
    let last = range
        .end()
        .0
        .saturating_sub(base.0)
        .div_ceil(level.span())
        .min(TABLE_ENTRIES as u64);
    (used.start.max(first as usize)..used.end.min(last as usize))
        .map(move |index| (index, VirtAddr(base.0 + ((index as u64) << level.shift()))))
}
