//! A look at a space without changing it: what /proc/PID/{pagemap,smaps,translation,statm} and /proc/kpagecount show.

use crate::addr::{Asid, Frame, Level, PageRange, TABLE_ENTRIES, USER_END, VirtAddr};
use crate::descriptor::Descriptor;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::range::for_each_table;
use crate::space::AddressSpace;

/// One valid entry of a tree.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The level of the table it stands in.
    pub level: Level,
    /// Its index in that table.
    pub index: usize,
    /// The first address that it translates.
    pub address: VirtAddr,
    /// The descriptor.
    pub descriptor: Descriptor,
    /// References to the frame that it points to.
    pub count: u32,
}

/// One mapped page.
#[derive(Clone, Copy, Debug)]
pub struct MappedPage {
    /// Its address.
    pub address: VirtAddr,
    /// Its leaf.
    pub descriptor: Descriptor,
    /// References to its frame.
    pub count: u32,
    /// Nobody else maps it: its count is 1 and no table on the path is shared.
    pub is_exclusive: bool,
    /// It is the shared zero frame.
    pub is_zero: bool,
}

impl AddressSpace {
    /// The root, and how the TLB tags what comes from it (0: never ran).
    pub fn translation_root(&self) -> (Frame, Asid) {
        (self.tables.root(), self.tables.tag.asid())
    }

    /// The page at `address`, if one is mapped.
    pub fn page<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Option<MappedPage> {
        let path = self.tables.walk(memory, address);
        path.leaf
            .is_valid()
            .then(|| mapped_page(memory, address.page_start(), path.leaf, path.is_shared))
    }

    /// Visits every mapped page of `range`, lowest first.
    pub fn for_each_page<M: Mmu>(
        &self,
        memory: &Memory<M>,
        range: PageRange,
        mut visit: impl FnMut(MappedPage),
    ) {
        for_each_table(&self.tables, memory, range, |table, base| {
            let is_shared = self.tables.walk(memory, base).is_shared;
            for index in memory.frames().shape(table).used() {
                let leaf = memory.mmu().load(table, index);
                let address = VirtAddr(base.0 + ((index as u64) << Level::L3.shift()));
                if leaf.is_valid() && range.contains(address) {
                    visit(mapped_page(memory, address, leaf, is_shared));
                }
            }
        });
    }

    /// Visits every valid entry, each table's before those of the tables below it.
    pub fn for_each_entry<M: Mmu>(&self, memory: &Memory<M>, mut visit: impl FnMut(Entry)) {
        visit_table(memory, self.tables.root(), Level::L1, VirtAddr(0), &mut visit);
    }

    /// Pages mapped: the sum of the level-3 tables' counts, without a look at a page. Zero-frame mappings included.
    pub fn resident_pages<M: Mmu>(&self, memory: &Memory<M>) -> u64 {
        let mut pages = 0;
        if let Some(all) = PageRange::new(VirtAddr(0), USER_END) {
            for_each_table(&self.tables, memory, all, |table, _| {
                pages += memory.frames().shape(table).valid() as u64;
            });
        }
        pages
    }

    /// Adds to `counts` how often this space maps each of the frames from `first` on.
    pub fn count_mappings<M: Mmu>(&self, memory: &Memory<M>, first: Frame, counts: &mut [u32]) {
        if let Some(all) = PageRange::new(VirtAddr(0), USER_END) {
            self.for_each_page(memory, all, |page| {
                let offset = page.descriptor.frame().0.wrapping_sub(first.0) as usize;
                if let Some(count) = counts.get_mut(offset) {
                    *count += 1;
                }
            });
        }
    }
}

fn mapped_page<M: Mmu>(
    memory: &Memory<M>,
    address: VirtAddr,
    descriptor: Descriptor,
    is_path_shared: bool,
) -> MappedPage {
    let count = memory.frames().count(descriptor.frame());
    let is_zero = descriptor.frame() == memory.zero_frame();
    MappedPage {
        address,
        descriptor,
        count,
        is_exclusive: count == 1 && !is_path_shared,
        is_zero,
    }
}

fn visit_table<M: Mmu>(
    memory: &Memory<M>,
    table: Frame,
    level: Level,
    base: VirtAddr,
    visit: &mut impl FnMut(Entry),
) {
    for index in 0..TABLE_ENTRIES {
        let descriptor = memory.mmu().load(table, index);
        if !descriptor.is_valid() {
            continue;
        }
        let address = VirtAddr(base.0 + ((index as u64) << level.shift()));
        let count = memory.frames().count(descriptor.frame());
        visit(Entry {
            level,
            index,
            address,
            descriptor,
            count,
        });
        if let Some(below) = level.below() {
            visit_table(memory, descriptor.frame(), below, address, visit);
        }
    }
}
