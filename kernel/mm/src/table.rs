//! The translation table tree of one space: walk it, make a path private, edit leaves, tear it down.
//!
//! The rules (`count` of a table or page frame = descriptors that point to it + kernel references):
//!
//! * **I1** `count > 1` means that every descriptor to it is write-disabled: APTable\[1\] for a table, AP\[2\] for a page. Pages
//!   of MAP_SHARED areas are the exception: their writes are meant for everybody.
//! * **I2** a page can be written only where every table on the path and the frame itself have count 1 (or it is a
//!   MAP_SHARED page). So a table whose descriptor lacks APTable\[1\] is *private*; one that has it and count 1, on a private
//!   path, is *regainable*; else it is *shared*.
//! * **I3** a shared table never changes, but for write protection: write access is taken from its descriptors, by a plain store of the
//!   same value whoever does it, so that two sharers may write-protect at once. And its pages may go out and come back while
//!   nobody else is at work on any space (`evict`).
//! * **I4** the `write_protected` mark of a table says that other ASIDs may have cached its descriptors with write access.
//! * **I5** a reference is dropped only after the flush: a descriptor taken out of a table becomes a [`Hostage`], or is parked
//!   in its place (`hostage`), and its reference can only be had by flushing.

use crate::addr::{Frame, Level, PAGE_SIZE, VirtAddr};
use crate::asid::AsidTag;
use crate::deferred_tables::DeferredTables;
use crate::descriptor::Descriptor;
use crate::entry_set::EntrySet;
use crate::events::Event;
use crate::frames::NoMemory;
use crate::hostage::Hostage;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::occupancy::Occupancy;
use crate::release::Release;
use crate::table_release::{release_pages, release_swapped};
use core::ops::Range;

/// The tables of one space. Caller holds the space's lock for every method.
pub(crate) struct Tables {
    pub(crate) root: Frame,
    /// The root's entries that may be valid: a bound.
    pub(crate) used: EntrySet,
    /// Under which ASID this tree is walked. Not run yet: no TLB can hold anything of it, so nothing is ever flushed.
    pub(crate) tag: AsidTag,
    /// Tables that are out of the tree and wait to be released.
    pub(crate) deferred: DeferredTables,
}

/// What a walk met on its way to one page.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// The level-2 table, if there is one.
    pub(crate) l2: Option<Frame>,
    /// The level-3 table, if there is one.
    pub(crate) l3: Option<Frame>,
    /// The page's descriptor; invalid if a table is missing.
    pub(crate) leaf: Descriptor,
    /// The private and regainable tables end above the leaf: somebody else reaches it through a shared table.
    pub(crate) is_shared: bool,
    /// Some table on the path is write-disabled.
    pub(crate) is_write_disabled: bool,
}

impl Tables {
    /// An empty tree.
    pub(crate) fn new<M: Mmu>(memory: &Memory<M>) -> Result<Tables, NoMemory> {
        Ok(Tables {
            root: new_table(memory)?,
            used: EntrySet::default(),
            tag: AsidTag::default(),
            deferred: DeferredTables::default(),
        })
    }

    /// The tree below the root of a forked child, whose entries are all among those of its parent, `used`.
    #[inline(always)]
    pub(crate) fn forked(root: Frame, used: EntrySet) -> Tables {
        Tables {
            root,
            used,
            tag: AsidTag::default(),
            deferred: DeferredTables::default(),
        }
    }

    /// The root, for TTBR0_EL1.
    #[inline]
    pub(crate) fn root(&self) -> Frame {
        self.root
    }

    /// Follows the tables to `address`.
    #[inline]
    pub(crate) fn walk<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Path {
        let mmu = memory.mmu();
        let mut path = Path {
            l2: None,
            l3: None,
            leaf: Descriptor::INVALID,
            is_shared: false,
            is_write_disabled: false,
        };
        let l1_entry = mmu.load(self.root, address.index(Level::L1));
        if !l1_entry.is_valid() {
            return path;
        }
        path.pass(memory, l1_entry);
        path.l2 = Some(l1_entry.frame());
        let l2_entry = mmu.load(l1_entry.frame(), address.index(Level::L2));
        if !l2_entry.is_valid() {
            return path;
        }
        path.pass(memory, l2_entry);
        path.l3 = Some(l2_entry.frame());
        path.leaf = mmu.load(l2_entry.frame(), address.index(Level::L3));
        path
    }

    /// Stores the descriptor of a table where there was none; its reference belongs to the table above from now on. What it
    /// points to is visible to every walker before the descriptor is.
    pub(crate) fn fill_table<M: Mmu>(&self, memory: &Memory<M>, table: Frame, index: usize, new: Descriptor) {
        memory.dsb_ishst();
        memory.mmu().store(table, index, new);
        memory.dsb_ishst();
        memory
            .frames()
            .update_occupancy(table, |occupancy| occupancy.with(index));
    }

    /// Stores the descriptor of a page where there was none; its reference belongs to the table from now on. Who finds the
    /// page finds its bytes.
    #[inline]
    pub(crate) fn fill<M: Mmu>(&self, memory: &Memory<M>, table: Frame, index: usize, new: Descriptor) {
        memory.mmu().dmb_ishst();
        memory.mmu().store(table, index, new);
        memory.mmu().dsb_ishst();
        memory.count(Event::Fill);
        memory
            .frames()
            .update_occupancy(table, |occupancy| occupancy.with(index));
    }

    /// Replaces the page of leaf `index` in `table` (private) by another one: break before make, then the old reference.
    pub(crate) fn replace_page<M: Mmu>(
        &self,
        memory: &Memory<M>,
        table: Frame,
        address: VirtAddr,
        new: Descriptor,
    ) {
        let index = address.index(Level::L3);
        Hostage::take_leaf(memory, table, index).release_after_address_flush(memory, self.tag, address);
        memory.mmu().store(table, index, new);
        memory.dsb_ishst();
    }

    /// Flushes this space's ASID everywhere, if it ever ran.
    pub(crate) fn flush<M: Mmu>(&self, memory: &Memory<M>) {
        if self.tag.has_run() {
            memory.flush_asid(self.tag.asid());
        }
    }

    /// Ends the tree: no processor walks it any more, and the ASID is not used again before a roll-over has flushed it.
    pub(crate) fn release<M: Mmu>(self, memory: &Memory<M>) {
        drop(Release::new(self, memory));
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        panic!(
            "a tree of tables was dropped instead of released: root {:?}",
            self.root
        );
    }
}

impl Path {
    /// Notes the descriptor of a table on the way.
    #[inline]
    fn pass<M: Mmu>(&mut self, memory: &Memory<M>, entry: Descriptor) {
        if !entry.is_table_writable() {
            self.is_write_disabled = true;
            self.is_shared |= memory.frames().count(entry.frame()) != 1;
        }
    }
}

/// Stores a descriptor into a table that no walker reaches yet.
pub(crate) fn link<M: Mmu>(memory: &Memory<M>, table: Frame, index: usize, descriptor: Descriptor) {
    memory.mmu().store(table, index, descriptor);
    memory
        .frames()
        .update_occupancy(table, |occupancy| occupancy.with(index));
}

/// The indices of the valid entries of a group of `table`, lowest first, as they are now.
#[inline(always)]
pub(crate) fn valid_in_group<M: Mmu>(memory: &Memory<M>, table: Frame, group: usize) -> ValidInGroup {
    let entries = memory.mmu().load_group(table, group);
    ValidInGroup {
        first: group * GROUP,
        valid: (0..GROUP).fold(0, |bits, nth| bits | u32::from(entries[nth].is_valid()) << nth),
    }
}

/// See [`valid_in_group`].
#[derive(Clone, Copy, Default)]
pub(crate) struct ValidInGroup {
    first: usize,
    /// A bit for each that is left.
    valid: u32,
}

impl Iterator for ValidInGroup {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let nth = self.valid.trailing_zeros() as usize;
        self.valid &= self.valid.wrapping_sub(1);
        (nth < GROUP).then_some(self.first + nth)
    }
}

/// An empty table with one reference.
pub(crate) fn new_table<M: Mmu>(memory: &Memory<M>) -> Result<Frame, NoMemory> {
    // A frame's record comes as that of an empty table.
    const _: () = assert!(Occupancy::EMPTY.word() == 0);
    memory.frames().allocate(memory.mmu())
}

/// Drops one reference to a table of `level`; the last one releases what it holds, and so on down. After the flush (I5).
pub(crate) fn release<M: Mmu>(memory: &Memory<M>, table: Frame, level: Level) {
    let frames = memory.frames();
    if !frames.drop_reference(table) {
        return;
    }
    let occupancy = frames.occupancy(table);
    if occupancy.valid() == 0 {
        // Whatever was in it has been cleared.
        frames.free_zeros(memory.mmu(), table);
        return;
    }
    let Some(below) = level.below() else {
        if occupancy.may_have_swapped() {
            release_swapped(memory, table, occupancy.used());
        }
        return release_pages(memory, table, occupancy.used());
    };
    for index in occupancy.used() {
        let entry = memory.mmu().load(table, index);
        if entry.is_valid() {
            release(memory, entry.frame(), below);
        }
    }
    free(memory, table, occupancy.used());
}

/// Whether a table with entries in `used` only is cleared when it ends, if that is less work than zeroing the next one.
#[inline]
pub(crate) fn is_cleared(used: &Range<usize>) -> bool {
    const FEW: usize = 32;
    used.len() <= FEW
}

/// Frees a table whose references are gone. `used`: where there is anything in it.
#[inline]
pub(crate) fn free<M: Mmu>(memory: &Memory<M>, table: Frame, used: Range<usize>) {
    let (mmu, frames) = (memory.mmu(), memory.frames());
    if is_cleared(&used) {
        mmu.clear_entries(table, used);
        frames.free_zeros(mmu, table);
    } else {
        frames.free(mmu, table);
    }
}

const _: () = assert!(PAGE_SIZE == crate::addr::TABLE_ENTRIES * size_of::<Descriptor>());
