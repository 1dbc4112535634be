//! Descriptors taken out of a table while some TLB may still hold them. The reference that such a descriptor carries is a
//! hostage: it can be had only by flushing (I5). A hostage that is forgotten is a bug, and panics when dropped.

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
    /// corrects the parent's shape.
    pub(crate) fn take<M: Mmu>(memory: &Memory<M>, parent: Frame, index: usize, below: Level) -> Hostage {
        Hostage {
            old: swap_out(memory, parent, index),
            below: Some(below),
        }
    }

    /// Breaks leaf `index` of `table` (private). The caller makes it again or corrects the table's shape.
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

    /// The descriptor with its reference, for whoever flushes: into a batch before, into another table after.
    fn ransom(self) -> Descriptor {
        let old = self.old;
        core::mem::forget(self);
        old
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

/// Up to [`Batch::CAPACITY`] hostages of one space that share a flush. They are held as what they are made of, so that an
/// empty place costs nothing.
#[must_use = "broken descriptors' references must be released after a flush"]
pub(crate) struct Batch {
    descriptors: [Descriptor; Batch::CAPACITY],
    below: [Option<Level>; Batch::CAPACITY],
    len: usize,
    /// The only page among them, as long as there is just one and no table.
    single: Option<VirtAddr>,
}

impl Batch {
    /// Hostages held at most.
    pub(crate) const CAPACITY: usize = 32;

    /// No hostages.
    pub(crate) fn new() -> Batch {
        Batch {
            descriptors: [Descriptor::INVALID; Batch::CAPACITY],
            below: [None; Batch::CAPACITY],
            len: 0,
            single: None,
        }
    }

    /// Whether the next hostage needs a [`Batch::release`] first.
    pub(crate) fn is_full(&self) -> bool {
        self.len == Batch::CAPACITY
    }

    /// Adds a hostage that translated `address` (and more, if it is a table).
    pub(crate) fn add(&mut self, hostage: Hostage, address: VirtAddr) {
        self.single = (self.len == 0 && hostage.below.is_none()).then_some(address);
        self.below[self.len] = hostage.below;
        self.descriptors[self.len] = hostage.ransom();
        self.len += 1;
    }

    /// One flush, then every reference is dropped.
    pub(crate) fn release<M: Mmu>(&mut self, memory: &Memory<M>, tag: AsidTag) {
        self.flush(memory, tag);
        self.take().for_each(|hostage| hostage.release(memory));
    }

    /// One flush, then every descriptor goes with its reference to `place`, in the order of [`Batch::add`].
    pub(crate) fn ransom<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        tag: AsidTag,
        mut place: impl FnMut(usize, Descriptor),
    ) {
        self.flush(memory, tag);
        self.take()
            .enumerate()
            .for_each(|(index, hostage)| place(index, hostage.ransom()));
    }

    fn flush<M: Mmu>(&self, memory: &Memory<M>, tag: AsidTag) {
        match self.single {
            _ if self.len == 0 || !tag.has_run() => {}
            Some(address) => memory.flush_page(tag.asid(), address),
            None => memory.flush_asid(tag.asid()),
        }
    }

    fn take(&mut self) -> impl Iterator<Item = Hostage> {
        let len = core::mem::take(&mut self.len);
        self.single = None;
        let held = self.descriptors[..len].iter().zip(&self.below[..len]);
        held.map(|(old, below)| Hostage {
            old: *old,
            below: *below,
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        assert!(
            self.len == 0,
            "I5: {} descriptors were broken and forgotten before a flush",
            self.len
        );
    }
}
