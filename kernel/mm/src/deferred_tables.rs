//! Deferred free of whole tables that a range took with it: hung into a tree that no processor walks, to be released in pieces
//! when the space's lock is no longer held ([`AddressSpace::take_deferred`], `release`).

use crate::addr::{Frame, Level, TABLE_ENTRIES, VirtAddr};
use crate::descriptor::Descriptor;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::release::Release;
use crate::space::AddressSpace;
use crate::table::{link, new_table, release};

/// The root of the tree of tables that wait, if there are any. Each hangs where it was, flushed, with the reference that it had.
#[derive(Default)]
pub(crate) struct DeferredTables {
    root: Option<Frame>,
}

impl AddressSpace {
    /// Whether there is anything for [`AddressSpace::take_deferred`].
    #[inline]
    pub fn has_deferred(&self) -> bool {
        self.tables.deferred.root.is_some() || self.retired.is_some()
    }

    /// What operations on ranges have left to release. The space's lock guards the taking, not the release. Whoever does not
    /// ask leaves it to the next one who does, at last to the release of the space.
    pub fn take_deferred<'a, M: Mmu>(&mut self, memory: &'a Memory<M>) -> Option<Release<'a, M>> {
        let (root, areas) = (self.tables.deferred.take(), self.retired.take());
        (root.is_some() || areas.is_some()).then(|| Release::of_deferred(root, areas, memory))
    }
}

impl DeferredTables {
    /// The root of the tree, which is the caller's.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Frame> {
        self.root.take()
    }

    /// The table of the tree in which tables of `level` that translate from `start` on hang.
    fn parent<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        level: Level,
        start: VirtAddr,
    ) -> Result<Frame, NoMemory> {
        let root = match self.root {
            Some(root) => root,
            None => *self.root.insert(new_table(memory)?),
        };
        match level {
            Level::L2 => Ok(root),
            _ => carrier(memory, root, start),
        }
    }
}

/// The level-2 table on the way to `address` in the tree of deferred tables. One that others share is none of ours to write to.
fn carrier<M: Mmu>(memory: &Memory<M>, root: Frame, address: VirtAddr) -> Result<Frame, NoMemory> {
    let index = address.index(Level::L1);
    let entry = memory.mmu().load(root, index);
    if !entry.is_valid() {
        let table = new_table(memory)?;
        link(memory, root, index, Descriptor::table(table));
        Ok(table)
    } else if entry.is_table_writable() {
        Ok(entry.frame())
    } else {
        Err(NoMemory)
    }
}

/// Decides what becomes of the tables of one range.
pub(crate) struct TableFree<'a> {
    deferred: &'a mut DeferredTables,
    /// Pages that may still be released at once.
    left: usize,
    /// The deferred table in which the last one was hung, and the index in the root that leads to it, beyond all for the root.
    found: Option<(usize, Frame)>,
}

impl TableFree<'_> {
    /// For one range.
    pub(crate) fn new(deferred: &mut DeferredTables) -> TableFree<'_> {
        TableFree {
            deferred,
            left: TABLE_ENTRIES,
            found: None,
        }
    }

    /// So many pages have been released at once.
    pub(crate) fn note_pages(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
    }

    /// Drops the reference of `entry`, which pointed to a table of `level` that translated from `start` on: at once if that is
    /// little work, else it is deferred.
    pub(crate) fn free<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        entry: Descriptor,
        level: Level,
        start: VirtAddr,
    ) {
        let (frames, table) = (memory.frames(), entry.frame());
        let is_ours = frames.count(table) == 1;
        let pages = match level {
            Level::L3 if !is_ours => 0,
            Level::L3 => frames.occupancy(table).valid(),
            _ if is_ours && frames.occupancy(table).valid() == 0 => 0,
            // Nobody knows what is below.
            _ => usize::MAX,
        };
        if let Some(left) = self.left.checked_sub(pages) {
            self.left = left;
        } else if self.hang(memory, entry, level, start).is_ok() {
            return;
        }
        release(memory, table, level);
    }

    /// Hangs `entry`, which points to a table of `level` that translates from `start` on. Out of memory, or if something hangs
    /// there: the reference is still the caller's.
    fn hang<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        entry: Descriptor,
        level: Level,
        start: VirtAddr,
    ) -> Result<(), NoMemory> {
        let (way, index) = match level {
            Level::L2 => (TABLE_ENTRIES, start.index(Level::L1)),
            _ => (start.index(Level::L1), start.index(Level::L2)),
        };
        let parent = match self.found {
            Some((found, parent)) if found == way => parent,
            _ => self.deferred.parent(memory, level, start)?,
        };
        self.found = Some((way, parent));
        if memory.mmu().load(parent, index).is_valid() {
            return Err(NoMemory);
        }
        link(memory, parent, index, entry);
        Ok(())
    }
}
