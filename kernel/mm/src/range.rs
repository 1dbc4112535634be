//! Edits of whole ranges in a tree: take rights away, move pages elsewhere. (To drop what is mapped: `clear`.) Each first makes
//! every table that it will edit private, which can fail; the edit itself cannot.

use crate::addr::{Frame, Level, PAGE_SIZE, PageRange, TABLE_ENTRIES, VirtAddr};
use crate::area::Area;
use crate::descriptor::Descriptor;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::portion::behind;
use crate::table::{Tables, link};

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

    /// Moves what is mapped in `from` to the pages from `to` on, where nothing is mapped. Out of memory: nothing has moved.
    ///
    /// One flush, at the end: until then other threads may reach a page at either address, and it is the same page. Its
    /// reference moves along and is dropped by nobody (I5).
    pub(crate) fn move_range<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        from: PageRange,
        to: VirtAddr,
    ) -> Result<(), NoMemory> {
        self.make_range_private(memory, from)?;
        let mut pages = MappedPages {
            from,
            next: from.start(),
        };
        while let Some((_, page)) = pages.next(self, memory) {
            self.make_path(memory, VirtAddr(to.0 + (page.0 - from.start().0)), None)?;
        }
        let mut pages = MappedPages {
            from,
            next: from.start(),
        };
        while let Some((table, page)) = pages.next(self, memory) {
            let target = VirtAddr(to.0 + (page.0 - from.start().0));
            if let Some(target_table) = self.walk(memory, target).l3 {
                let descriptor = memory.mmu().load(table, page.index(Level::L3));
                memory
                    .mmu()
                    .store(table, page.index(Level::L3), Descriptor::INVALID);
                memory.frames().update_shape(table, |shape| shape.without(1));
                link(memory, target_table, target.index(Level::L3), descriptor);
            }
        }
        self.flush(memory);
        Ok(())
    }
}

/// Walks over the mapped pages of a range; stays right while pages behind it are taken out.
struct MappedPages {
    from: PageRange,
    next: VirtAddr,
}

impl MappedPages {
    /// The next mapped page and the level-3 table that maps it.
    fn next<M: Mmu>(&mut self, tables: &Tables, memory: &Memory<M>) -> Option<(Frame, VirtAddr)> {
        while self.next < self.from.end() {
            let page = self.next;
            let path = tables.walk(memory, page);
            let span = match (path.l2, path.l3) {
                (None, _) => Level::L1.span(),
                (_, None) => Level::L2.span(),
                _ => PAGE_SIZE as u64,
            };
            self.next = VirtAddr((page.0 & !(span - 1)) + span);
            if let Some(table) = path.l3.filter(|_| path.leaf.is_valid()) {
                return Some((table, page));
            }
        }
        None
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
    let used = memory.frames().shape(table).used();
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
