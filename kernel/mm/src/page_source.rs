//! Objects whose pages can be mapped. Their pages may have to be waited for, which nobody does under the lock of an address space:
//! a fault that meets such a page is [`Outcome::Deferred`](crate::Outcome::Deferred), and [`AddressSpace::awaited_page`] says what
//! to wait for when the lock is free again.

use crate::addr::{Frame, VirtAddr};
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::AddressSpace;
use crate::swap::{Slot, SwapDevice};
use alloc::sync::Arc;
use core::ops::Range;

/// Why a source could not give a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// Beyond the end of the object: SIGBUS.
    BeyondEnd,
    /// No frame for it.
    NoMemory,
    /// The object's filesystem is full, which no memory of others helps: SIGBUS.
    NoSpace,
    /// It is on its way, from a disk for example. Whoever wants it releases the space's lock, waits
    /// ([`PageSource::wait_for_page`]) and looks at everything anew.
    NotYet,
}

/// Why pages of an object were not removed, or not from everybody who maps them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemoveError {
    /// The object is not of that kind.
    NotSupported,
    /// Somebody has forbidden that the object changes.
    Forbidden,
    /// There was no memory for a copy of a table.
    NoMemory,
    /// The process is to end.
    Interrupted,
}

/// Why pages of an object could not be written to its device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteBackError {
    /// The device failed.
    Device,
    /// It is full.
    NoSpace,
}

/// The sleep ended because the thread is to end. What was waited for may not be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// What identifies an object in /proc/PID/maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileIdentity {
    /// Device number as Linux encodes it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// Pages that are asked for at once by [`PageSource::pages_at_hand`].
pub const AT_HAND: usize = 16;

/// An object whose pages can be mapped: a file of the in-memory tree, shared anonymous memory.
pub trait PageSource: Send + Sync {
    /// The frame of page `index` of the object, with one reference added for the caller. Called with an address space's lock
    /// held: takes only the object's own lock, never touches user memory, and never sleeps.
    ///
    /// # Errors
    /// [`PageError::NotYet`]: it has to be waited for, which is begun. Else what [`PageError`] says.
    fn page(&self, index: u64) -> Result<Frame, PageError>;

    /// Gives the frames of those of [`AT_HAND`] pages from `first` on that are there and whose bit in `wanted` is set, that of the
    /// page `first` + n being bit n: each with one reference added for the caller, in its place in `found`. Makes no page and
    /// begins to wait for none; there are none behind the end of the object. Called as [`PageSource::page`]. A source that gives
    /// none is asked for each page by itself.
    fn pages_at_hand(&self, _first: u64, _wanted: u16, _found: &mut [Option<Frame>; AT_HAND]) {}

    /// Sleeps until it is worthwhile to ask for page `index` again: it has come, it cannot be had, the object has become shorter.
    /// Returns at once if it need not be waited for. No lock may be held. A source that never answers [`PageError::NotYet`] has
    /// nothing to wait for.
    ///
    /// # Errors
    /// [`Interrupted`]: the thread is to end.
    fn wait_for_page(&self, _index: u64) -> Result<(), Interrupted> {
        Ok(())
    }

    /// Numbers for /proc/PID/maps.
    fn identity(&self) -> FileIdentity;

    /// Gives `write` the path for /proc/PID/maps, in one piece or several. No lock may be held.
    fn name(&self, write: &mut dyn FnMut(&[u8]));

    /// A number that no other object has at the same time, by which its pages are taken from whoever maps them
    /// ([`AddressSpace::revoke`](crate::AddressSpace::revoke)); 0 if that never happens.
    fn object(&self) -> usize {
        0
    }

    /// Makes pages of the object zeros and takes them from whoever maps them (madvise(2), MADV_REMOVE). No lock may be held.
    ///
    /// # Errors
    /// What [`RemoveError`] says.
    fn remove_pages(&self, _pages: Range<u64>) -> Result<(), RemoveError> {
        Err(RemoveError::NotSupported)
    }

    /// A call has changed the object, not a store to a mapping. A file notes when, and has the mode then that `new_mode` makes of its
    /// mode and its group. No lock may be held.
    fn note_change(&self, _new_mode: &dyn Fn(u32, u32) -> u32) {}

    /// Whether the object has a frame for page `index` already (mincore(2) asks).
    fn has_page(&self, _index: u64) -> bool {
        true
    }

    /// Whether whoever mapped the object shared may write to it: mprotect(2) asks. A file that was opened for reading only
    /// says no.
    fn may_write(&self) -> bool {
        true
    }

    /// Whether its bytes may be executed: mprotect(2) asks. A file of a mount without programs says no.
    fn may_execute(&self) -> bool {
        true
    }

    /// A page was made for a write of a shared mapping. Called as [`PageSource::page`].
    fn note_write(&self) {}

    /// Returns when what was stored to these pages stays, if the object lies on a device: msync(2). No lock may be held.
    ///
    /// # Errors
    /// What [`WriteBackError`] says, once for each error.
    fn write_back(&self, _pages: Range<u64>) -> Result<(), WriteBackError> {
        Ok(())
    }

    /// What shmdt(2) needs to know, if its mappings are attachments of System V shared memory.
    fn attachment(&self) -> Option<&dyn Attachment> {
        None
    }
}

/// Shared memory that is attached and detached as a whole.
pub trait Attachment {
    /// How many pages it has.
    fn pages(&self) -> u64;

    /// A process has detached it. Called with no lock held.
    fn note_detached(&self, process: u32);
}

/// A page that a fault has to wait for.
pub struct AwaitedPage(Awaited);

enum Awaited {
    OfObject { source: Arc<dyn PageSource>, index: u64 },
    Swapped { device: Arc<dyn SwapDevice>, slot: Slot },
}

impl AwaitedPage {
    /// Sleeps until the fault may be looked at anew, from its start: meanwhile the area may have gone, or changed. No lock may be
    /// held.
    ///
    /// # Errors
    /// [`Interrupted`]: the thread is to end.
    pub fn wait(&self) -> Result<(), Interrupted> {
        match &self.0 {
            Awaited::OfObject { source, index } => source.wait_for_page(*index),
            Awaited::Swapped { device, slot } => device.wait_for_page(*slot),
        }
    }
}

impl AddressSpace {
    /// The page, swapped or of an object, that belongs at `address` now: what a deferred fault waits for, without the space's lock.
    /// `None`: there is none any more, and the fault is looked at anew at once.
    pub fn awaited_page<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr) -> Option<AwaitedPage> {
        if let Some(slot) = self.swapped_page(memory, address) {
            let device = memory.swap().device(slot)?;
            return Some(AwaitedPage(Awaited::Swapped { device, slot }));
        }
        let (source, index) = self.areas.find(address)?.source_page(address)?;
        let source = Arc::clone(source);
        Some(AwaitedPage(Awaited::OfObject { source, index }))
    }
}
