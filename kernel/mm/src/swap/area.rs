//! The slots of one area: their records, and which are free. The records lie in pieces, for an area may have millions.

use super::{Record, Slot, SwapDevice, SwapUsage};
use crate::fallible;
use crate::frames::NoMemory;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Records that lie together.
const PIECE: usize = 128;

pub(super) struct SlotArea {
    pieces: Vec<Vec<Record>>,
    slots: u32,
    used: u32,
    /// Slots from this one on were never used.
    fresh: u32,
    /// The first of the others that are free, by way of `behind` of their records.
    free: Option<u32>,
    pub(super) priority: i16,
    /// Pages may go there.
    pub(super) is_open: bool,
    pub(super) device: Arc<dyn SwapDevice>,
}

impl SlotArea {
    pub(super) fn new(slots: u32, priority: i16, device: Arc<dyn SwapDevice>) -> Result<SlotArea, NoMemory> {
        let count = (slots as usize).div_ceil(PIECE);
        let mut pieces = fallible::with_room(count)?;
        for _ in 0..count {
            let mut piece = fallible::with_room(PIECE)?;
            (0..PIECE).for_each(|_| fallible::push(&mut piece, Record::default()));
            fallible::push(&mut pieces, piece);
        }
        Ok(SlotArea {
            pieces,
            slots,
            used: 0,
            fresh: 0,
            free: None,
            priority,
            is_open: true,
            device,
        })
    }

    pub(super) fn record(&mut self, offset: u32) -> &mut Record {
        assert!(offset < self.slots, "swap: slot {offset} of {}", self.slots);
        &mut self.pieces[offset as usize / PIECE][offset as usize % PIECE]
    }

    pub(super) fn has_free(&self) -> bool {
        self.used < self.slots
    }

    /// A slot that was free.
    pub(super) fn take_free(&mut self) -> Option<u32> {
        let offset = match self.free {
            Some(offset) => {
                self.free = self.record(offset).behind.map(Slot::offset);
                offset
            }
            None if self.fresh < self.slots => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        self.used += 1;
        Some(offset)
    }

    /// The slot is free.
    pub(super) fn give_back(&mut self, offset: u32) {
        let next = self.free.map(|next| Slot::new(0, next));
        *self.record(offset) = Record {
            behind: next,
            ..Record::default()
        };
        self.free = Some(offset);
        self.used -= 1;
    }

    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Slots that were ever used lie below.
    pub(super) fn reached(&self) -> u32 {
        self.fresh
    }

    pub(super) fn usage(&self) -> SwapUsage {
        SwapUsage {
            slots: u64::from(self.slots),
            used: u64::from(self.used),
        }
    }
}
