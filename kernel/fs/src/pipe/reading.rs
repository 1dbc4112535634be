//! Reading a pipe.

use abi::file::PIPE_BUF;
use mm::{Frame, PAGE_SIZE};

use super::transfer::{Transfer, TransferStep, Way};
use super::{Locked, Pipe, PipeState, READER_AWAY, WRITERS_TOLD, page_start};
use memory::FrameHandle;
use sched::scheduler;
use sched::wait::WaitQueue;
use uaccess::Sink;
use vfs::file_owner::Event;

/// A read(2): waits for bytes and takes what is there.
pub(super) struct Reading<'a> {
    pub(super) pipe: &'a Pipe,
    pub(super) to: &'a mut dyn Sink,
}

impl<'a> Way<'a> for Reading<'a> {
    #[inline]
    fn queue(&self) -> &'a WaitQueue {
        &self.pipe.readable
    }

    #[inline]
    fn step(&mut self, transfer: &mut Transfer) -> Result<TransferStep, Locked<'a>> {
        let state = self.pipe.state.lock();
        if state.len() == 0 {
            let is_over = transfer.done > 0 || state.writers == 0;
            return if is_over {
                Ok(TransferStep::End)
            } else {
                Err(state)
            };
        }
        if state.special != 0 {
            return self.step_specially(state, transfer);
        }
        let most = transfer.left;
        Ok(self.take(state, transfer, most))
    }

    #[inline]
    fn step_again(&mut self, transfer: &mut Transfer) -> Option<TransferStep> {
        self.step(transfer).ok()
    }

    fn give_up(&mut self) {
        self.pipe.state.lock().special &= !READER_AWAY;
        self.pipe.readable.wake_all();
    }

    #[inline]
    fn finish(&mut self, transfer: &Transfer) {
        if transfer.has_slept() && transfer.leaves_some {
            self.pipe.readable.wake_one();
        }
        if transfer.tells() {
            self.pipe.writers.tell(Event::Output, scheduler::cond_resched);
        }
    }
}

impl<'a> Reading<'a> {
    /// Reads the next bytes, `most` and of one page at most, and wakes a writer if there was too little room for some and now
    /// is enough for any. Not inlined where a reader looks in vain before it sleeps.
    #[inline(never)]
    fn take(&mut self, mut state: Locked<'a>, transfer: &mut Transfer, most: usize) -> TransferStep {
        let Some((frame, offset, len)) = state.first_bytes(most) else {
            return TransferStep::End;
        };
        let room_before = state.room();
        let copied = self.to.try_put_frame(frame, offset, len, &mut transfer.fault);
        transfer.note(copied);
        let emptied = state.consume(copied);
        self.leave(state, emptied, room_before, transfer)
    }

    /// Lets others have the pipe. `room_before`: bytes that there was room for before this reader took some.
    #[inline(always)]
    pub(super) fn leave(
        &self,
        mut state: Locked<'a>,
        emptied: Option<FrameHandle>,
        room_before: usize,
        transfer: &mut Transfer,
    ) -> TransferStep {
        if transfer.is_away() {
            state.special |= READER_AWAY;
        }
        transfer.leaves_some = state.len() > 0 || state.writers == 0;
        let is_loosened = room_before < PIPE_BUF && state.is_roomy();
        drop(state);
        drop(emptied);
        if is_loosened {
            self.pipe.writable.wake_one();
        }
        if transfer.is_away() {
            TransferStep::Fault
        } else {
            TransferStep::Moved
        }
    }

    /// As [`Way::step`], where something is not as usual and there are bytes.
    #[cold]
    fn step_specially(
        &mut self,
        mut state: Locked<'a>,
        transfer: &mut Transfer,
    ) -> Result<TransferStep, Locked<'a>> {
        let was_away = transfer.fault.take().is_some();
        if state.special & READER_AWAY != 0 && !was_away {
            return Err(state);
        }
        state.special &= !READER_AWAY;
        if state.special & WRITERS_TOLD != 0 {
            transfer.tell_later();
        }
        let step = match state.slots.part(state.head) {
            Some(part) => self.take_part(state, transfer, part),
            None => self.take(state, transfer, transfer.left),
        };
        if was_away {
            self.pipe.readable.wake_all();
        }
        Ok(step)
    }
}

impl PipeState {
    /// The next bytes to read: frame, offset, length. There are some.
    #[inline]
    pub(super) fn first_bytes(&self, most: usize) -> Option<(Frame, usize, usize)> {
        let offset = self.head as usize % PAGE_SIZE;
        let len = self.len().min(PAGE_SIZE - offset).min(most);
        let frame = self.slots.get(self.head)?.frame();
        Some((frame, offset, len))
    }

    /// The reader took `count` bytes, all from one page. Gives back a frame that is no longer needed.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) -> Option<FrameHandle> {
        let read = self.head;
        self.head += count as u64;
        if page_start(self.head) == page_start(read) {
            return None;
        }
        self.leave_page(read)
    }
}
