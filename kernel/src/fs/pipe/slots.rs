//! The places of a pipe's frames: as many as fit beside the pipe, or a list of their own for a pipe that was made larger.

use alloc::vec::Vec;

use mm::{NoMemory, PAGE_SIZE};

use crate::memory::FrameHandle;

/// Places that a pipe begins with.
pub(super) const USUAL: usize = 16;

/// A ring of places for frames, by the number of a byte in them.
pub(super) struct Slots {
    usual: [Option<FrameHandle>; USUAL],
    /// In their stead, if there are more.
    further: Vec<Option<FrameHandle>>,
    /// One less than the bytes that they hold, which is a power of 2.
    mask: usize,
}

impl Slots {
    /// As many as a pipe begins with, all empty.
    pub(super) const fn new() -> Self {
        Slots {
            usual: [const { None }; USUAL],
            further: Vec::new(),
            mask: USUAL * PAGE_SIZE - 1,
        }
    }

    /// Bytes that they hold.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// What stands at the place for the byte of that number.
    #[inline]
    pub(super) fn get(&self, position: u64) -> Option<&FrameHandle> {
        let place = position as usize & self.mask;
        if self.mask < USUAL * PAGE_SIZE {
            self.usual[place / PAGE_SIZE].as_ref()
        } else {
            self.further[place / PAGE_SIZE].as_ref()
        }
    }

    /// The place for the byte of that number.
    #[inline]
    pub(super) fn place(&mut self, position: u64) -> &mut Option<FrameHandle> {
        let place = position as usize & self.mask;
        if self.mask < USUAL * PAGE_SIZE {
            &mut self.usual[place / PAGE_SIZE]
        } else {
            &mut self.further[place / PAGE_SIZE]
        }
    }

    /// Empty places for `capacity` bytes, which is a power of 2, a page at least.
    pub(super) fn with_capacity(capacity: usize) -> Result<Self, NoMemory> {
        let mut slots = Slots {
            mask: capacity - 1,
            ..Slots::new()
        };
        let count = capacity / PAGE_SIZE;
        if count > USUAL {
            slots.further.try_reserve_exact(count).map_err(|_| NoMemory)?;
            slots.further.resize_with(count, || None);
        }
        Ok(slots)
    }
}
