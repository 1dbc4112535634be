//! Pages on their way to a slot and back. Whoever moves them holds no lock meanwhile; the slot's record says that it is under way.

use super::{Content, Slot, State, Swap};
use crate::addr::Frame;
use crate::frames::Frames;
use crate::mmu::Mmu;
use crate::page_source::{PageError, WriteBackError};

/// A page that is being written: to be finished by [`Swap::finish_write`]. Its frame is held, and does not change.
#[must_use = "the writing is to be finished"]
#[derive(Debug)]
pub struct Outgoing {
    /// Where to.
    pub slot: Slot,
    /// What.
    pub frame: Frame,
}

/// Who is first in line.
#[must_use = "the writing is to be finished"]
#[derive(Debug)]
pub enum NextInLine {
    /// A page, which is the caller's to write.
    Page(Outgoing),
    /// It is further behind: those in front are still mapped.
    Later,
    /// The line is empty.
    Nobody,
}

/// What is to be done for a slot's page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Nothing: it is cached, or nobody needs it any more.
    NotNeeded,
    /// Somebody else reads it.
    UnderWay,
    /// The caller reads it, and says so by [`Swap::finish_read`].
    Begun,
}

/// Slots that [`Swap::drop_unused`] looks at under one hold of the lock.
const LOOKED_AT: u32 = 128;
/// Frames that it gives back at once, at most.
const DROPPED: usize = 16;

impl Swap {
    /// The page that has been waiting longest to be written and that nobody maps, which the caller writes. It looks at the first of the
    /// line, some of them.
    pub fn begin_write(&self, frames: &Frames) -> NextInLine {
        let mut state = self.0.lock();
        for _ in 0..LOOKED_AT {
            let Some(slot) = state.take_first() else {
                return NextInLine::Nobody;
            };
            let record = state.record(slot);
            match record.frame {
                Some(frame) if frames.count(frame) == 1 => {
                    record.content = Content::InWriting;
                    frames.share(frame);
                    return NextInLine::Page(Outgoing { slot, frame });
                }
                _ => record.content = Content::StillMapped,
            }
        }
        NextInLine::Later
    }

    /// The page stands in its slot, or could not be written. The frame if it is needed no more, with the cache's reference to it, which
    /// the caller releases. What could not be written stays cached; for want of room ([`WriteBackError::NoSpace`]) it is in line again.
    pub fn finish_write(
        &self,
        frames: &Frames,
        mmu: &impl Mmu,
        outgoing: Outgoing,
        outcome: Result<(), WriteBackError>,
    ) -> Option<Frame> {
        let Outgoing { slot, frame } = outgoing;
        let mut state = self.0.lock();
        let record = state.record(slot);
        record.content = outcome.map_or(Content::Unwritable, |()| Content::Stored);
        let gone = if record.count == 0 {
            state.forget(frames, slot)
        } else if outcome == Err(WriteBackError::NoSpace) {
            state.put_in_line(slot);
            None
        } else {
            state.uncache_unused(frames, slot, 2)
        };
        drop(state);
        frames.release(mmu, frame);
        gone
    }

    /// Begins to read the page of a slot.
    pub fn begin_read(&self, slot: Slot) -> Reading {
        let mut state = self.0.lock();
        let is_known = state.areas[slot.area()]
            .as_ref()
            .is_some_and(|area| slot.offset() < area.reached());
        if !is_known {
            return Reading::NotNeeded;
        }
        let record = state.record(slot);
        match record.content {
            Content::InReading => Reading::UnderWay,
            Content::Stored if record.frame.is_none() && record.count > 0 => {
                record.content = Content::InReading;
                Reading::Begun
            }
            _ => Reading::NotNeeded,
        }
    }

    /// Whether somebody reads the page of a slot.
    pub fn is_being_read(&self, slot: Slot) -> bool {
        let mut state = self.0.lock();
        let area = state.areas[slot.area()].as_ref();
        let is_known = area.is_some_and(|area| slot.offset() < area.reached());
        is_known && state.record(slot).content == Content::InReading
    }

    /// The slot's page has been read into a frame, whose reference the cache takes; or it could not be read: for want
    /// of memory, or because the device failed ([`PageError::BeyondEnd`]), which somebody is told.
    pub fn finish_read(
        &self,
        frames: &Frames,
        mmu: &impl Mmu,
        slot: Slot,
        outcome: Result<Frame, PageError>,
    ) {
        let mut state = self.0.lock();
        let record = state.record(slot);
        let frame = outcome.ok();
        record.content = match outcome {
            Ok(_) | Err(PageError::NoMemory | PageError::NotYet) => Content::Stored,
            Err(PageError::BeyondEnd | PageError::NoSpace) => Content::Unreadable,
        };
        record.frame = frame;
        let count = record.count;
        if let Some(frame) = frame {
            frames.set_swap_slot(frame, Some(slot));
            state.cached += 1;
        }
        if count == 0 {
            let gone = state.forget(frames, slot);
            drop(state);
            if let Some(frame) = gone {
                frames.release(mmu, frame);
            }
        }
    }

    /// Gives back frames of pages that stand in their slots and that nobody maps: some of `most`; how many. Those that have lost their
    /// last mapping and were not written yet are put in line. Looks at some slots from where it left off, and says whether it has come
    /// round.
    pub fn drop_unused(&self, frames: &Frames, mmu: &impl Mmu, most: usize) -> (usize, bool) {
        let mut unused = [None; DROPPED];
        let (mut dropped, mut is_round) = (0, false);
        let mut state = self.0.lock();
        if state.cached == state.line.len {
            // All that is cached is in line: the common case while pages go out for the first time.
            return (0, true);
        }
        for _ in 0..LOOKED_AT {
            if dropped == most.min(DROPPED) {
                break;
            }
            let Some(slot) = state.next_of_hand() else {
                is_round = true;
                break;
            };
            state.line_up_if_unmapped(frames, slot);
            if let Some(frame) = state.uncache_unused(frames, slot, 1) {
                unused[dropped] = Some(frame);
                dropped += 1;
            }
        }
        drop(state);
        unused
            .into_iter()
            .flatten()
            .for_each(|frame| frames.release(mmu, frame));
        (dropped, is_round)
    }
}

impl State {
    /// Unties a frame that stands in its slot and that nobody holds but for `holders`; its reference is the caller's.
    fn uncache_unused(&mut self, frames: &Frames, slot: Slot, holders: u32) -> Option<Frame> {
        let record = self.record(slot);
        let is_stored = record.content == Content::Stored;
        let frame = record
            .frame
            .filter(|frame| is_stored && frames.count(*frame) == holders)?;
        self.uncache(frames, slot).filter(|uncached| *uncached == frame)
    }

    /// A page that was still mapped when its turn came, and is not any more, waits in line again.
    fn line_up_if_unmapped(&mut self, frames: &Frames, slot: Slot) {
        let record = self.record(slot);
        let is_lone = record.frame.is_some_and(|frame| frames.count(frame) == 1);
        if record.content == Content::StillMapped && is_lone {
            self.put_in_line(slot);
        }
    }

    /// The slot that the hand points to, which moves on; `None`: it has come round.
    fn next_of_hand(&mut self) -> Option<Slot> {
        loop {
            let slot = Slot(self.hand);
            if slot.area() >= Slot::AREAS {
                self.hand = 0;
                return None;
            }
            match &self.areas[slot.area()] {
                Some(area) if slot.offset() < area.reached() => {
                    self.hand += 1;
                    return Some(slot);
                }
                _ => self.hand = Slot::new(slot.area() + 1, 0).0,
            }
        }
    }
}
