//! Writing to a pipe.

use abi::file::PIPE_BUF;
use mm::{Frame, NoMemory, PAGE_SIZE};

use super::transfer::{Transfer, TransferStep, Way};
use super::{Locked, Pipe, PipeState, READERS_TOLD, READERS_WATCHED, WRITER_AWAY};
use memory::FrameHandle;
use sched::scheduler;
use sched::wait::WaitQueue;
use uaccess::Source;
use vfs::caller::{Caller, IoFailure};
use vfs::file_owner::Event;

/// A write(2): waits for room until all is written. At most [`PIPE_BUF`] bytes are written together or not at all.
pub(super) struct Writing<'a> {
    pub(super) pipe: &'a Pipe,
    caller: &'a Caller<'a>,
    pub(super) from: &'a mut dyn Source,
    /// Bytes for which there must be room.
    together: usize,
}

impl<'a> Way<'a> for Writing<'a> {
    #[inline]
    fn queue(&self) -> &'a WaitQueue {
        &self.pipe.writable
    }

    #[inline]
    fn step(&mut self, transfer: &mut Transfer) -> Result<TransferStep, Locked<'a>> {
        let mut state = self.pipe.state.lock();
        if state.readers == 0 {
            return Ok(TransferStep::NoReader);
        }
        if state.special != 0 {
            return self.step_specially(state, transfer);
        }
        if state.len() == 0 {
            state.rewind();
        }
        self.put(state, transfer)
    }

    /// Only looks: the step is made at one place.
    fn step_again(&mut self, _transfer: &mut Transfer) -> Option<TransferStep> {
        let state = self.pipe.state.lock();
        let has_room = state.len() == 0 || state.room() >= self.together;
        let is_free = state.special & WRITER_AWAY == 0 && has_room;
        (is_free || state.readers == 0).then_some(TransferStep::Ready)
    }

    fn give_up(&mut self) {
        let mut state = self.pipe.state.lock();
        state.special &= !WRITER_AWAY;
        state.ahead = 0;
        drop(state);
        self.pipe.writable.wake_all();
    }

    #[cold]
    fn note_no_reader(&self) {
        self.caller.note_failure(IoFailure::BrokenPipe);
    }

    fn finish(&mut self, transfer: &Transfer) {
        if transfer.has_slept() && self.pipe.leaves_room() {
            self.pipe.writable.wake_one();
        }
        if transfer.tells() {
            self.pipe.readers.tell(Event::Input, scheduler::cond_resched);
        }
    }
}

impl<'a> Writing<'a> {
    /// Of `len` bytes.
    #[inline]
    pub(super) fn new(pipe: &'a Pipe, caller: &'a Caller<'a>, from: &'a mut dyn Source, len: usize) -> Self {
        let together = if len <= PIPE_BUF { len } else { 1 };
        Writing {
            pipe,
            caller,
            from,
            together,
        }
    }

    /// Writes what there is room for, [`PIPE_BUF`] bytes at most, and wakes a reader if there was nothing to read.
    #[inline(always)]
    fn put(&mut self, mut state: Locked<'a>, transfer: &mut Transfer) -> Result<TransferStep, Locked<'a>> {
        let was_empty = state.len() == 0;
        if state.room() < self.together {
            return Err(state);
        }
        let most = transfer.left;
        let step = state.fill(self.from, most, transfer);
        drop(state);
        if was_empty {
            self.pipe.readable.wake_one();
        }
        Ok(step)
    }

    /// As [`Way::step`], where something is not as usual and there are readers.
    #[cold]
    fn step_specially(
        &mut self,
        mut state: Locked<'a>,
        transfer: &mut Transfer,
    ) -> Result<TransferStep, Locked<'a>> {
        let was_away = transfer.is_away();
        if !state.admits_writer(transfer) {
            return Err(state);
        }
        if state.len() == 0 && !was_away {
            state.rewind();
        }
        let is_further = state.special & READERS_WATCHED != 0 && state.len() > 0;
        let step = self.put(state, transfer);
        if is_further && matches!(step, Ok(TransferStep::Moved)) {
            // Sleepers were woken by the first bytes.
            self.pipe.readable.note_change();
        }
        if was_away {
            self.pipe.writable.wake_all();
        }
        step
    }
}

impl Pipe {
    /// Whether there is something for the next writer: room, or nobody who reads.
    fn leaves_room(&self) -> bool {
        let state = self.state.lock();
        state.is_roomy() || state.readers == 0
    }
}

impl PipeState {
    /// Whether that writer may go on: no other one is away.
    pub(super) fn admits_writer(&mut self, transfer: &mut Transfer) -> bool {
        let was_away = transfer.fault.take().is_some();
        if self.special & WRITER_AWAY != 0 && !was_away {
            return false;
        }
        self.special &= !WRITER_AWAY;
        if self.special & READERS_TOLD != 0 {
            transfer.tell_later();
        }
        true
    }

    /// Writes what there is room for, `most` and [`PIPE_BUF`] bytes at most: all of them, or none yet.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        from: &mut dyn Source,
        most: usize,
        transfer: &mut Transfer,
    ) -> TransferStep {
        let count = most.min(PIPE_BUF).min(self.room());
        let offset = self.tail as usize % PAGE_SIZE;
        // Mostly it is one piece, and goes to a page that is there.
        if self.ahead == 0
            && count <= PAGE_SIZE - offset
            && let Some(frame) = self.slots.get(self.tail)
        {
            self.ahead = from.try_take_into_frame(frame.frame(), offset, count, &mut transfer.fault) as u64;
        }
        if self.ahead == count as u64 {
            self.end_step(count, transfer)
        } else {
            self.fill_further(from, count, transfer)
        }
    }

    /// As [`PipeState::fill`], `count` bytes, some of which are there or have met a fault.
    #[inline(never)]
    fn fill_further(&mut self, from: &mut dyn Source, count: usize, transfer: &mut Transfer) -> TransferStep {
        let mut ahead = core::mem::take(&mut self.ahead);
        loop {
            if transfer.is_away() {
                self.ahead = ahead;
                self.special |= WRITER_AWAY;
                return TransferStep::Fault;
            }
            if ahead == count as u64 {
                return self.end_step(count, transfer);
            }
            let at = self.tail + ahead;
            let Ok(frame) = self.frame_at(at) else {
                return TransferStep::NoMemory;
            };
            let offset = at as usize % PAGE_SIZE;
            let len = (count - ahead as usize).min(PAGE_SIZE - offset);
            ahead += from.try_take_into_frame(frame, offset, len, &mut transfer.fault) as u64;
        }
    }

    /// The next `count` bytes are there.
    #[inline(always)]
    fn end_step(&mut self, count: usize, transfer: &mut Transfer) -> TransferStep {
        self.ahead = 0;
        self.tail += count as u64;
        transfer.note(count);
        TransferStep::Moved
    }

    /// The frame to put the byte of that number into.
    #[inline]
    fn frame_at(&mut self, position: u64) -> Result<Frame, NoMemory> {
        let place = self.slots.place(position);
        if let Some(frame) = place {
            return Ok(frame.frame());
        }
        let fresh = match self.spare.take() {
            Some(spare) => spare,
            None => FrameHandle::allocate()?,
        };
        Ok(place.insert(fresh).frame())
    }
}
