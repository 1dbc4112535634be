//! What is kept of one page.

use bitflags::bitflags;
use core::cell::Cell;
use memory::FrameHandle;

bitflags! {
    /// What is so of a page.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct PageFlags: u8 {
        /// Its bytes have not come yet.
        const COMING = 1 << 0;
        /// It is to be written back.
        const DIRTY = 1 << 1;
        /// It is being written back.
        const WRITING = 1 << 2;
        /// Somebody has looked at it since the last round.
        const ACCESSED = 1 << 3;
        /// It was given to a mapping that may store to it.
        const MAY_BE_STORED_TO = 1 << 4;
    }
}

/// One page of a file.
pub struct CachedPage {
    /// Its bytes.
    pub frame: FrameHandle,
    /// What is so of it; for the holder of the file's lock.
    pub flags: Cell<PageFlags>,
}

impl CachedPage {
    /// A page with these flags.
    pub fn new(frame: FrameHandle, flags: PageFlags) -> CachedPage {
        CachedPage {
            frame,
            flags: Cell::new(flags),
        }
    }

    /// Whether some of these flags are set.
    pub fn has(&self, flags: PageFlags) -> bool {
        self.flags.get().intersects(flags)
    }

    /// Sets flags.
    pub fn set(&self, flags: PageFlags) {
        self.flags.set(self.flags.get() | flags);
    }

    /// Clears flags.
    pub fn clear(&self, flags: PageFlags) {
        self.flags.set(self.flags.get() - flags);
    }

    /// Whether it can be given back without a loss.
    pub fn is_clean(&self) -> bool {
        !self.has(PageFlags::COMING | PageFlags::DIRTY | PageFlags::WRITING)
    }
}
