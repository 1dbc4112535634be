//! The places of a pipe's frames: as many as fit beside the pipe, or a list of their own for a pipe that was made larger.

use alloc::vec::Vec;
use core::ops::Range;

use mm::{NoMemory, PAGE_SIZE};

use memory::FrameHandle;

/// Places that a pipe begins with.
const USUAL: usize = 16;
/// Bytes that they hold.
pub(super) const USUAL_CAPACITY: usize = USUAL * PAGE_SIZE;

/// How much of a page is filled, where the rest of it is not used: up to a packet, or by one.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) len: usize,
    /// It is read by one read(2), or cut off.
    pub(super) is_packet: bool,
}

/// A ring of places for frames, by the number of a byte in them.
pub(super) struct Slots {
    usual: [Option<FrameHandle>; USUAL],
    /// In their stead, if there are more.
    further: Vec<Option<FrameHandle>>,
    /// By place: pages that are filled in part. Empty before there was one.
    parts: Vec<Option<Part>>,
    /// One less than the bytes that they hold, which is a power of 2.
    mask: usize,
}

impl Slots {
    /// As many as a pipe begins with, all empty.
    pub(super) const fn new() -> Self {
        Slots {
            usual: [const { None }; USUAL],
            further: Vec::new(),
            parts: Vec::new(),
            mask: USUAL_CAPACITY - 1,
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
        if self.mask < USUAL_CAPACITY {
            self.usual[place / PAGE_SIZE].as_ref()
        } else {
            self.further[place / PAGE_SIZE].as_ref()
        }
    }

    /// The place for the byte of that number.
    #[inline]
    pub(super) fn place(&mut self, position: u64) -> &mut Option<FrameHandle> {
        let place = position as usize & self.mask;
        if self.mask < USUAL_CAPACITY {
            &mut self.usual[place / PAGE_SIZE]
        } else {
            &mut self.further[place / PAGE_SIZE]
        }
    }

    /// How much of the page with that byte is filled, if there is something to say about it.
    pub(super) fn part(&self, position: u64) -> Option<Part> {
        *self.parts.get((position as usize & self.mask) / PAGE_SIZE)?
    }

    /// Notes how much of the page with that byte is filled. [`Slots::allow_parts`] came before.
    pub(super) fn set_part(&mut self, position: u64, part: Option<Part>) {
        if let Some(place) = self.parts.get_mut((position as usize & self.mask) / PAGE_SIZE) {
            *place = part;
        }
    }

    /// From now on pages may be filled in part.
    pub(super) fn allow_parts(&mut self) -> Result<(), NoMemory> {
        if self.parts.is_empty() {
            let count = self.capacity() / PAGE_SIZE;
            self.parts.try_reserve_exact(count).map_err(|_| NoMemory)?;
            self.parts.resize_with(count, || None);
        }
        Ok(())
    }

    /// Moves the pages of these numbers to other places, all or none.
    pub(super) fn move_to(&mut self, others: &mut Slots, pages: Range<u64>) -> Result<(), NoMemory> {
        if !self.parts.is_empty() {
            others.allow_parts()?;
        }
        for start in pages.map(|page| page * PAGE_SIZE as u64) {
            *others.place(start) = self.place(start).take();
            others.set_part(start, self.part(start));
        }
        Ok(())
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
