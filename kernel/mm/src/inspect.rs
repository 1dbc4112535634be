//! A look at a space without changing it: what /proc/PID/{pagemap,smaps,translation,statm} and /proc/kpagecount show.

use crate::addr::{Asid, Frame, Level, PAGE_SHIFT, PageRange, VirtAddr};
use crate::descriptor::Descriptor;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::portion::behind;
use crate::range::{slots, slots_of};
use crate::space::AddressSpace;
use crate::table::{Path, valid_in_group};
use crate::table_copy::groups_of;

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
    /// The product of the counts of the tables on the path that are shared; 1 if none is.
    pub path_sharers: u32,
    /// Nobody else maps it: its count is 1 and no table on the path is shared.
    pub is_exclusive: bool,
    /// It is the shared zero frame.
    pub is_zero: bool,
    /// It is a page of an object, not a private copy ([`Frames::note_object`](crate::Frames::note_object)).
    pub is_of_object: bool,
}

impl MappedPage {
    /// By how many the page is to be divided so that all shares of it together are one page: its references, but for that of
    /// its object, and those of each shared table on the path.
    pub fn sharers(&self) -> u64 {
        let own = u64::from(self.count) - u64::from(self.is_of_object && self.count > 1);
        own * u64::from(self.path_sharers)
    }
}

/// Entries that one call of a walk looks at, roughly: it is made under the space's lock.
const MOST_ENTRIES: usize = 1024;

impl AddressSpace {
    /// The root, and how the TLB tags what comes from it (0: never ran).
    pub fn translation_root(&self) -> (Frame, Asid) {
        (self.tables.root(), self.tables.tag.asid())
    }

    /// The page at `address`, if one is mapped.
    pub fn page<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Option<MappedPage> {
        let path = self.tables.walk(memory, address);
        path.leaf.is_valid().then(|| {
            mapped_page(
                memory,
                address.page_start(),
                path.leaf,
                path_sharers(memory, &path),
            )
        })
    }

    /// Visits the lowest mapped pages of `range`, at most two tables full of them, and returns where to go on: the end of the
    /// range when all have been visited.
    pub fn visit_pages<M: Mmu>(
        &self,
        memory: &Memory<M>,
        range: PageRange,
        mut visit: impl FnMut(MappedPage),
    ) -> VirtAddr {
        let (mut at, mut entries) = (range.start(), 0);
        while at < range.end() && entries < MOST_ENTRIES {
            let path = self.tables.walk(memory, at);
            let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
            entries += WALK;
            if let Some(table) = path.l3 {
                let sharers = path_sharers(memory, &path);
                for (index, address) in slots(table, memory, Level::L3, base, range) {
                    entries += 1;
                    let leaf = memory.mmu().load(table, index);
                    if leaf.is_valid() {
                        visit(mapped_page(memory, address, leaf, sharers));
                    }
                }
            }
            let level = if path.l2.is_some() { Level::L2 } else { Level::L1 };
            at = VirtAddr((at.0 & !(level.span() - 1)) + level.span());
        }
        at.min(range.end())
    }

    /// [`AddressSpace::visit_pages`] for who asks only how many pages of their objects are mapped: that, and where to go on.
    pub fn count_object_pages<M: Mmu>(&self, memory: &Memory<M>, range: PageRange) -> (u64, VirtAddr) {
        let (mut at, mut entries, mut pages) = (range.start(), 0, 0);
        let is_of_object = memory.frames().object_test();
        while at < range.end() && entries < MOST_ENTRIES {
            let path = self.tables.walk(memory, at);
            entries += WALK;
            if let Some(table) = path.l3 {
                let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
                let slots = slots_of(table, memory, Level::L3, base, range);
                entries += slots.len();
                for group in groups_of(slots.clone()) {
                    let leaves = memory.mmu().load_group(table, group);
                    for (nth, leaf) in leaves.into_iter().enumerate() {
                        let is_meant = leaf.is_valid() && slots.contains(&(group * GROUP + nth));
                        pages += u64::from(is_meant && is_of_object(leaf.frame()));
                    }
                }
            }
            at = behind(path, at);
        }
        (pages, at.min(range.end()))
    }

    /// Sets the byte of each mapped page of `range`: `states` has one for each page. Of a table in which everything is valid
    /// between the first and the last entry nothing is read.
    pub fn note_mapped<M: Mmu>(&self, memory: &Memory<M>, range: PageRange, states: &mut [u8]) {
        let mut at = range.start();
        while at < range.end() {
            let path = self.tables.walk(memory, at);
            let base = VirtAddr(at.0 & !(Level::L2.span() - 1));
            if let Some(table) = path.l3 {
                let occupancy = memory.frames().occupancy(table);
                let is_dense = occupancy.valid() == occupancy.used().len() && !occupancy.may_have_swapped();
                let state = |address: VirtAddr| ((address.0 - range.start().0) >> PAGE_SHIFT) as usize;
                let mut slots = slots(table, memory, Level::L3, base, range);
                if !is_dense {
                    for (index, address) in slots {
                        states[state(address)] |= u8::from(memory.mmu().load(table, index).is_valid());
                    }
                } else if let Some((_, first)) = slots.next() {
                    let others = slots.count();
                    states[state(first)..][..=others].fill(1);
                }
            }
            let level = if path.l2.is_some() { Level::L2 } else { Level::L1 };
            at = VirtAddr((at.0 & !(level.span() - 1)) + level.span());
        }
    }

    /// Visits every mapped page of `range`, lowest first.
    pub fn for_each_page<M: Mmu>(
        &self,
        memory: &Memory<M>,
        range: PageRange,
        mut visit: impl FnMut(MappedPage),
    ) {
        let mut rest = Some(range);
        while let Some(range) = rest.filter(|range| !range.is_empty()) {
            let at = self.visit_pages(memory, range, &mut visit);
            rest = PageRange::between(at, range.end());
        }
    }

    /// Visits valid entries from the one that `from` names on, each table's before those of the tables below it, until `visit`
    /// answers `false`; that entry's place is returned, to begin with next time, and `None` at the end.
    pub fn visit_entries<M: Mmu>(
        &self,
        memory: &Memory<M>,
        from: EntryPlace,
        visit: impl FnMut(Entry) -> bool,
    ) -> Option<EntryPlace> {
        self.visit_down_to(Level::L3, memory, from, visit)
    }

    /// [`AddressSpace::visit_entries`] for those alone that point to tables.
    pub fn visit_table_entries<M: Mmu>(
        &self,
        memory: &Memory<M>,
        from: EntryPlace,
        visit: impl FnMut(Entry) -> bool,
    ) -> Option<EntryPlace> {
        self.visit_down_to(Level::L2, memory, from, visit)
    }

    fn visit_down_to<M: Mmu>(
        &self,
        lowest: Level,
        memory: &Memory<M>,
        from: EntryPlace,
        mut visit: impl FnMut(Entry) -> bool,
    ) -> Option<EntryPlace> {
        let mut walk = EntryWalk {
            memory,
            lowest,
            from,
            visit: &mut visit,
        };
        walk.table(self.tables.root(), Level::L1, VirtAddr(0))
    }

    /// Visits every valid entry.
    pub fn for_each_entry<M: Mmu>(&self, memory: &Memory<M>, mut visit: impl FnMut(Entry)) {
        let end = self.visit_entries(memory, EntryPlace::FIRST, |entry| {
            visit(entry);
            true
        });
        debug_assert_eq!(end, None, "inspect: nobody stopped the walk");
    }

    /// Adds up the pages that are mapped, from the level-3 tables' counts, without a look at a page; zero-frame mappings
    /// included. Looks at some tables from `from` on: the sum, and where to go on, or `None` at the end.
    pub fn count_resident<M: Mmu>(&self, memory: &Memory<M>, from: VirtAddr) -> (u64, Option<VirtAddr>) {
        let root = self.tables.root();
        let (mut pages, mut entries) = (0, 0);
        let valid = self.valid_of_root(memory);
        for l1 in valid.filter(|&l1| l1 >= from.index(Level::L1)) {
            let upper = memory.mmu().load(root, l1);
            let base = (l1 as u64) << Level::L1.shift();
            entries += 1;
            if entries >= MOST_ENTRIES {
                return (pages, Some(VirtAddr(base)));
            }
            for l2 in memory.frames().occupancy(upper.frame()).used() {
                let lower = memory.mmu().load(upper.frame(), l2);
                if lower.is_valid() {
                    let occupancy = memory.frames().occupancy(lower.frame());
                    pages += occupancy.valid() as u64;
                    if occupancy.may_have_swapped() {
                        pages -= swapped_in(memory, lower.frame());
                        entries += occupancy.used().len();
                    }
                }
                entries += 1;
            }
        }
        (pages, None)
    }

    /// Tables, the root among them: from the level-2 tables' counts.
    pub fn count_tables<M: Mmu>(&self, memory: &Memory<M>) -> u64 {
        let root = self.tables.root();
        let mut tables = 1;
        for l1 in self.valid_of_root(memory) {
            let upper = memory.mmu().load(root, l1);
            tables += 1 + memory.frames().occupancy(upper.frame()).valid() as u64;
        }
        tables
    }

    /// The indices of the root's valid entries. Those alone are asked that may be: the first and the last program address lie far apart.
    #[inline(always)]
    fn valid_of_root<M: Mmu>(&self, memory: &Memory<M>) -> impl Iterator<Item = usize> {
        let (root, groups) = (self.tables.root(), self.tables.used.groups());
        groups.flat_map(move |group| valid_in_group(memory, root, group))
    }

    /// Pages mapped, all at once.
    pub fn resident_pages<M: Mmu>(&self, memory: &Memory<M>) -> u64 {
        let (mut sum, mut from) = (0, Some(VirtAddr(0)));
        while let Some(at) = from {
            let (pages, next) = self.count_resident(memory, at);
            sum += pages;
            from = next;
        }
        sum
    }

    /// Adds to `counts` how often this space maps each of the frames from `first` on. Looks at some pages from `from` on, and
    /// returns where to go on.
    pub fn count_mappings<M: Mmu>(
        &self,
        memory: &Memory<M>,
        from: PageRange,
        first: Frame,
        counts: &mut [u32],
    ) -> VirtAddr {
        self.visit_pages(memory, from, |page| {
            let offset = page.descriptor.frame().0.wrapping_sub(first.0) as usize;
            if let Some(count) = counts.get_mut(offset) {
                *count += 1;
            }
        })
    }
}

/// The swapped entries of a level-3 table.
#[cold]
fn swapped_in<M: Mmu>(memory: &Memory<M>, table: Frame) -> u64 {
    let used = memory.frames().occupancy(table).used();
    used.filter(|&index| memory.mmu().load(table, index).is_swapped())
        .count() as u64
}

/// What a walk from the root counts for, in entries.
const WALK: usize = 4;

/// The place of an entry in the order of [`AddressSpace::visit_entries`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EntryPlace {
    /// The first address that it translates.
    pub address: VirtAddr,
    /// The level of the table that it stands in.
    pub level: Level,
}

impl EntryPlace {
    /// That of the first entry.
    pub const FIRST: EntryPlace = EntryPlace {
        address: VirtAddr(0),
        level: Level::L1,
    };
}

fn mapped_page<M: Mmu>(
    memory: &Memory<M>,
    address: VirtAddr,
    descriptor: Descriptor,
    path_sharers: u32,
) -> MappedPage {
    let frame = descriptor.frame();
    let count = memory.frames().count(frame);
    MappedPage {
        address,
        descriptor,
        count,
        path_sharers,
        is_exclusive: count == 1 && path_sharers == 1,
        is_zero: frame == memory.zero_frame(),
        is_of_object: memory.frames().is_of_object(frame),
    }
}

/// Tables are shared only where their descriptors say so (I1).
fn path_sharers<M: Mmu>(memory: &Memory<M>, path: &Path) -> u32 {
    let tables = [path.l2, path.l3].into_iter().flatten();
    tables
        .map(|table| memory.frames().count(table))
        .fold(1, |product, count| product.saturating_mul(count.max(1)))
}

/// A walk through the valid entries of a tree.
struct EntryWalk<'a, M: Mmu, V> {
    memory: &'a Memory<M>,
    /// The entries of tables of this level are the last that are looked at.
    lowest: Level,
    from: EntryPlace,
    visit: &'a mut V,
}

impl<M: Mmu, V: FnMut(Entry) -> bool> EntryWalk<'_, M, V> {
    /// A table, and those below it; where the walk was stopped.
    fn table(&mut self, table: Frame, level: Level, base: VirtAddr) -> Option<EntryPlace> {
        let memory = self.memory;
        let first = (self.from.address.0.saturating_sub(base.0) >> level.shift()) as usize;
        let used = memory.frames().occupancy(table).used();
        for index in used.skip_while(|&index| index < first) {
            let descriptor = memory.mmu().load(table, index);
            if !descriptor.is_valid() {
                continue;
            }
            let address = VirtAddr(base.0 + ((index as u64) << level.shift()));
            let place = EntryPlace { address, level };
            let entry = Entry {
                level,
                index,
                address,
                descriptor,
                count: memory.frames().count(descriptor.frame()),
            };
            if place >= self.from && !(self.visit)(entry) {
                return Some(place);
            }
            let below = level.below().filter(|&below| below <= self.lowest);
            let stopped = below.and_then(|below| self.table(descriptor.frame(), below, address));
            if stopped.is_some() {
                return stopped;
            }
        }
        None
    }
}
