//! Descriptors taken out of a table while some TLB may still hold them. The reference that such a descriptor carries is a
//! hostage: it can be had only by flushing (I5). A hostage that is forgotten is a bug, and panics when dropped.
//!
//! One descriptor is held as a value, a [`Hostage`]. The many of a range stay where they are, *parked* ([`Parked`]): bit 0 clear,
//! the rest as it was. The space's lock is held from the parking until the last is taken out, so nobody else sees one.

use crate::addr::{Frame, Level, VirtAddr};
use crate::asid::AsidTag;
use crate::descriptor::Descriptor;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::table;

/// One descriptor that was valid and is no longer in its table.
#[must_use = "a broken descriptor's reference must be released after a flush"]
pub(crate) struct Hostage {
    old: Descriptor,
    /// The level of the table it pointed to; `None`: a page.
    below: Option<Level>,
}

impl Hostage {
    /// Breaks entry `index` of `parent` (private), which points to a table of level `below`. The caller makes it again or
    /// corrects the parent's occupancy.
    pub(crate) fn take<M: Mmu>(memory: &Memory<M>, parent: Frame, index: usize, below: Level) -> Hostage {
        Hostage {
            old: swap_out(memory, parent, index),
            below: Some(below),
        }
    }

    /// Breaks leaf `index` of `table` (private). The caller makes it again or corrects the table's occupancy.
    pub(crate) fn take_leaf<M: Mmu>(memory: &Memory<M>, table: Frame, index: usize) -> Hostage {
        Hostage {
            old: swap_out(memory, table, index),
            below: None,
        }
    }

    /// Flushes everything of the space's ASID, then drops the reference.
    pub(crate) fn release_after_asid_flush<M: Mmu>(self, memory: &Memory<M>, tag: AsidTag) {
        if tag.has_run() {
            memory.flush_asid(tag.asid());
        }
        self.release(memory);
    }

    /// Flushes what translates `address` at all levels, then drops the reference. Enough where all that any TLB may hold by
    /// way of this descriptor is either about `address` or as good as new.
    pub(crate) fn release_after_address_flush<M: Mmu>(
        self,
        memory: &Memory<M>,
        tag: AsidTag,
        address: VirtAddr,
    ) {
        if tag.has_run() {
            memory.flush_address(tag.asid(), address);
        }
        self.release(memory);
    }

    fn release<M: Mmu>(self, memory: &Memory<M>) {
        let frame = self.old.frame();
        let below = self.below;
        core::mem::forget(self);
        match below {
            Some(level) => table::release(memory, frame, level),
            None => memory.frames().release(memory.mmu(), frame),
        }
    }
}

impl Drop for Hostage {
    fn drop(&mut self) {
        panic!("I5: {:?} was broken and forgotten before a flush", self.old);
    }
}

fn swap_out<M: Mmu>(memory: &Memory<M>, table: Frame, index: usize) -> Descriptor {
    let old = memory.mmu().load(table, index);
    memory.mmu().store(table, index, Descriptor::INVALID);
    old
}

/// Entries parked in the private tables of one space: any number of them shares a flush. They are hostages in place, a walker
/// sees nothing there, and the reference is still the table's.
#[must_use = "parked entries must be flushed, and then taken out"]
pub(crate) struct Parked {
    entries: usize,
    /// What the last of them translated, if it was a page.
    page: Option<VirtAddr>,
}

/// What was parked has been flushed: its references can be had.
pub(crate) struct Flushed(());

impl Parked {
    /// No entries.
    pub(crate) fn none() -> Parked {
        Parked {
            entries: 0,
            page: None,
        }
    }

    /// Parks `entry`, which is entry `index` of `table` (private). The caller corrects the table's occupancy when it takes it out.
    #[inline]
    pub(crate) fn park<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        table: Frame,
        index: usize,
        entry: Descriptor,
        page: Option<VirtAddr>,
    ) {
        memory.mmu().store(table, index, entry.parked());
        self.entries += 1;
        self.page = page;
    }

    /// So many swapped pages go too. No TLB knows them; there is something to take out.
    pub(crate) fn note_swapped(&mut self, count: usize) {
        self.entries += count;
        if count > 0 {
            self.page = None;
        }
    }

    /// One flush for all of them; `None`: there are none.
    pub(crate) fn flush<M: Mmu>(mut self, memory: &Memory<M>, tag: AsidTag) -> Option<Flushed> {
        let entries = core::mem::take(&mut self.entries);
        if tag.has_run() {
            match (entries, self.page) {
                (0, _) => {}
                (1, Some(address)) => memory.flush_page(tag.asid(), address),
                _ => memory.flush_asid(tag.asid()),
            }
        }
        (entries > 0).then_some(Flushed(()))
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        assert!(
            self.entries == 0,
            "I5: {} descriptors were parked and forgotten before a flush",
            self.entries
        );
    }
}

impl Flushed {
    /// Takes entry `index` of `table` out if it is parked; as it was before, its reference is the caller's.
    #[inline]
    pub(crate) fn take<M: Mmu>(&self, memory: &Memory<M>, table: Frame, index: usize) -> Option<Descriptor> {
        let entry = memory.mmu().load(table, index);
        entry.is_parked().then(|| {
            memory.mmu().store(table, index, Descriptor::INVALID);
            entry.unparked()
        })
    }
}
