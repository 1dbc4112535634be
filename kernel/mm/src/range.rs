//! Edits of whole ranges in a tree: take rights away. (To drop what is mapped: `clear`; to move it: `moving`.) Each first makes
//! every table that it will edit private, which can fail; the edit itself cannot.

use crate::addr::{Frame, Level, PageRange, TABLE_ENTRIES, VirtAddr};
use crate::area::Area;
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

    /// Takes from every page in `range` that is mapped in `area` the rights that the area does not give. The level-3 tables are private (see
    /// [`Tables::make_range_private`]); the caller flushes the ASID.
    pub(crate) fn restrict<M: Mmu>(&self, memory: &Memory<M>, area: &Area, range: PageRange) {
        let range = area.range().intersection(range);
        for_each_table(self, memory, range, |table, base| {
            for (index, _) in slots(table, memory, Level::L3, base, range) {
                let old = memory.mmu().load(table, index);
                if !old.is_valid() {
                    continue;
                }
                let mut new = area.leaf(old.frame());
                if area.protection.execute && !old.is_page_executable() {
                    memory.frames().make_executable(memory.mmu(), old.frame());
                }
                if old.is_page_writable() && area.protection.write {
                    new = new.with_write();
                }
                memory.mmu().store(table, index, new);
            }
        });
    }
}

/// Calls `visit` with each level-3 table that translates part of `range`, and with the address that the table begins at.
pub(crate) fn for_each_table<M: Mmu>(
    tables: &Tables,
    memory: &Memory<M>,
    range: PageRange,
    mut visit: impl FnMut(Frame, VirtAddr),
) {
    let mut at = range.start();
    while at < range.end() {
        let path = tables.walk(memory, at);
        let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
        if let Some(table) = path.l3 {
            visit(table, base);
        }
        at = behind(path, at);
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
