//! The end of a space, or of what a long range took from one (`deferred_tables`), in pieces: there may be work for millions of
//! instructions, between which others must run.
//!
//! Nothing is flushed here. Deferred tables were, before they came here; a space that ends is in no TTBR0, so nobody walks its tables; what TLBs still hold is under an ASID that
//! serves no other space before a roll-over has flushed it (`asid`). So a frame may be free, and another's, while a
//! table that waits here still has its old descriptor (I5). A table that others share is one reference less and
//! is left as it is; the tables that wait here have none left, so no count of theirs can rise again. Nothing is allocated (I7).

use crate::addr::{Frame, Level};
use crate::area_map::AreaMap;
use crate::descriptor::Descriptor;
use crate::entry_set::EntrySet;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::space::AddressSpace;
use crate::table::{self, Tables, ValidInGroup, valid_in_group};
use core::ops::Range;

/// What is left of a space that ends, or of a range. Dropped before its end, it does the rest at once.
#[must_use = "dropped, it releases everything in one piece"]
pub struct Release<'a, M: Mmu> {
    memory: &'a Memory<M>,
    /// `None`: all is done.
    root: Option<Frame>,
    /// The root's entries that may be valid.
    used: EntrySet,
    /// Those of them that have not been looked at, but for the rest of a group.
    left: EntrySet,
    /// What is left of the group.
    group: ValidInGroup,
    open: Option<Open>,
    /// The root of a tree whose turn comes after.
    next: Option<Frame>,
    /// The areas, which come first: those of the space, and those that a range took from it.
    areas: [AreaMap; 2],
    has_areas: bool,
}

/// A level-2 table whose last reference is gone, and its entries that have not been looked at.
struct Open {
    table: Frame,
    used: Range<usize>,
    left: Range<usize>,
}

impl AddressSpace {
    /// [`AddressSpace::release`] in pieces. The space's contract is the same; no lock is needed, nobody else knows the space.
    pub fn begin_release<M: Mmu>(mut self, memory: &Memory<M>) -> Release<'_, M> {
        self.end_locking(memory);
        let mut release = Release::new(self.tables, memory);
        release.areas = [self.areas, self.retired.unwrap_or_default()];
        release.has_areas = true;
        release
    }
}

impl<'a, M: Mmu> Release<'a, M> {
    /// Ends the tree: no processor walks it any more, and its ASID is not used again before a roll-over has flushed it.
    pub(crate) fn new(mut tables: Tables, memory: &'a Memory<M>) -> Release<'a, M> {
        let (root, used, next) = (tables.root, tables.used, tables.deferred.take());
        core::mem::forget(tables);
        Release {
            memory,
            root: Some(root),
            used,
            left: used,
            group: ValidInGroup::default(),
            open: None,
            next,
            areas: Default::default(),
            has_areas: false,
        }
    }

    /// Ends the tree below `root`, which nobody walks nor knows (`deferred_tables`).
    #[cold]
    pub(crate) fn of_deferred(
        root: Option<Frame>,
        areas: Option<AreaMap>,
        memory: &'a Memory<M>,
    ) -> Release<'a, M> {
        let mut release = Release {
            memory,
            root: None,
            used: EntrySet::default(),
            left: EntrySet::default(),
            group: ValidInGroup::default(),
            open: None,
            next: root,
            areas: [areas.unwrap_or_default(), AreaMap::default()],
            has_areas: true,
        };
        release.turn_to_next();
        release
    }

    fn turn_to_next(&mut self) {
        self.root = self.next.take();
        self.used = EntrySet::default();
        if let Some(root) = self.root {
            let used = self.memory.frames().occupancy(root).used();
            used.for_each(|index| self.used.insert(index));
        }
        self.left = self.used;
    }

    /// Does one piece, at most a level-3 table and its 512 pages, or some hundred areas; whether something is left.
    pub fn release_some(&mut self) -> bool {
        if self.has_areas {
            self.has_areas = self.areas.iter_mut().any(AreaMap::drop_some);
            if self.has_areas {
                return true;
            }
        }
        let Some(root) = self.root else { return false };
        let (memory, frames) = (self.memory, self.memory.frames());
        if let Some(open) = &mut self.open {
            match first_valid(memory, open.table, &mut open.left) {
                Some(entry) => table::release(memory, entry.frame(), Level::L3),
                None => {
                    table::free(memory, open.table, open.used.clone());
                    self.open = None;
                }
            }
        } else if let Some(entry) = self.next_of_root(root) {
            self.open(entry);
        } else {
            // Nobody else refers to a root.
            frames.drop_reference(root);
            memory.mmu().clear_groups(root, self.used.groups());
            frames.free_zeros(memory.mmu(), root);
            self.turn_to_next();
        }
        self.root.is_some()
    }

    /// The next valid entry of the root.
    #[inline(always)]
    fn next_of_root(&mut self, root: Frame) -> Option<Descriptor> {
        loop {
            if let Some(index) = self.group.next() {
                return Some(self.memory.mmu().load(root, index));
            }
            self.group = valid_in_group(self.memory, root, self.left.take_first()?);
        }
    }

    /// Drops the root's reference to a level-2 table. What it holds is ours if that was the last.
    fn open(&mut self, entry: Descriptor) {
        let frames = self.memory.frames();
        if !frames.drop_reference(entry.frame()) {
            return;
        }
        let (table, occupancy) = (entry.frame(), frames.occupancy(entry.frame()));
        if occupancy.valid() == 0 {
            frames.free_zeros(self.memory.mmu(), table);
        } else {
            self.open = Some(Open {
                table,
                used: occupancy.used(),
                left: occupancy.used(),
            });
        }
    }
}

impl<M: Mmu> Drop for Release<'_, M> {
    fn drop(&mut self) {
        while self.release_some() {}
    }
}

/// The first valid entry of `table` in `left`, and what is left behind it. A gap is passed over by groups.
#[inline(always)]
fn first_valid<M: Mmu>(memory: &Memory<M>, table: Frame, left: &mut Range<usize>) -> Option<Descriptor> {
    let mmu = memory.mmu();
    while let Some(index) = left.next() {
        let entry = mmu.load(table, index);
        if entry.is_valid() {
            return Some(entry);
        }
        while left.start.is_multiple_of(GROUP)
            && left.len() >= GROUP
            && !Descriptor::united(&mmu.load_group(table, left.start / GROUP)).is_valid()
        {
            left.start += GROUP;
        }
    }
    None
}
