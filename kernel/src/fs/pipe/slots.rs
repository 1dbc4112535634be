//! The places of a pipe's frames: as many as fit beside the pipe, or a list of their own for a pipe that was made larger.

use alloc::vec::Vec;

use mm::NoMemory;

use crate::memory::FrameHandle;

/// Places that a pipe begins with.
pub(super) const USUAL: usize = 16;

/// A ring of places for frames, by the number of the page.
pub(super) struct Slots {
    usual: [Option<FrameHandle>; USUAL],
    /// In their stead, if there are more.
    further: Vec<Option<FrameHandle>>,
    /// How many there are, a power of 2.
    count: usize,
}

impl Slots {
    /// As many as a pipe begins with, all empty.
    pub(super) const fn new() -> Self {
        Slots {
            usual: [const { None }; USUAL],
            further: Vec::new(),
            count: USUAL,
        }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What stands at the place of a page.
    #[inline]
    pub(super) fn get(&self, page: u64) -> Option<&FrameHandle> {
        let index = page as usize & (self.count - 1);
        let place = if self.count <= USUAL {
            &self.usual[index % USUAL]
        } else {
            &self.further[index]
        };
        place.as_ref()
    }

    /// The place of a page.
    #[inline]
    pub(super) fn place(&mut self, page: u64) -> &mut Option<FrameHandle> {
        let index = page as usize & (self.count - 1);
        if self.count <= USUAL {
            &mut self.usual[index % USUAL]
        } else {
            &mut self.further[index]
        }
    }

    /// Empty places, `count` of them, which is a power of 2.
    pub(super) fn with_count(count: usize) -> Result<Self, NoMemory> {
        let mut slots = Slots {
            count,
            ..Slots::new()
        };
        if count > USUAL {
            slots.further.try_reserve_exact(count).map_err(|_| NoMemory)?;
            slots.further.resize_with(count, || None);
        }
        Ok(slots)
    }
}
