//! Packets: pipe2(2), `O_DIRECT`. What is written together, a page at most, has a page of its own; a read(2) gets one of them, or
//! the beginning of one, whose rest is lost.

use abi::file::PIPE_BUF;
use mm::{NoMemory, PAGE_SIZE};

use super::reading::Reading;
use super::slots::Part;
use super::transfer::{Transfer, TransferStep, Way};
use super::writing::Writing;
use super::{Locked, PACKETS, PipeState, READERS_WATCHED, WRITER_AWAY, page_start};
use memory::FrameHandle;
use sched::wait::WaitQueue;
use uaccess::Source;

/// A write(2) of packets: of [`PIPE_BUF`] bytes each, the last of what is left.
pub(super) struct WritingPackets<'a>(pub(super) Writing<'a>);

impl<'a> Way<'a> for WritingPackets<'a> {
    fn queue(&self) -> &'a WaitQueue {
        self.0.queue()
    }

    fn step(&mut self, transfer: &mut Transfer) -> Result<TransferStep, Locked<'a>> {
        let mut state = self.0.pipe.state.lock();
        if state.readers == 0 {
            return Ok(TransferStep::NoReader);
        }
        let was_away = transfer.is_away();
        if !state.admits_writer(transfer) {
            return Err(state);
        }
        let was_empty = state.len() == 0;
        let is_watched = state.special & READERS_WATCHED != 0;
        let step = match state.behind_others(transfer) {
            Some(len) => state.fill(self.0.from, len, transfer),
            None if !was_away && state.begin_packet().is_err() => TransferStep::NoMemory,
            None if state.room() < PIPE_BUF => return Err(state),
            None => state.fill_packet(self.0.from, transfer),
        };
        drop(state);
        if was_empty {
            self.0.pipe.readable.wake_one();
        } else if is_watched {
            self.0.pipe.readable.note_change();
        }
        if was_away {
            self.0.pipe.writable.wake_all();
        }
        Ok(step)
    }

    fn step_again(&mut self, _transfer: &mut Transfer) -> Option<TransferStep> {
        let state = self.0.pipe.state.lock();
        let is_free = state.special & WRITER_AWAY == 0 && state.is_roomy();
        (is_free || state.readers == 0).then_some(TransferStep::Ready)
    }

    fn give_up(&mut self) {
        self.0.give_up();
    }

    fn note_no_reader(&self) {
        self.0.note_no_reader();
    }

    fn finish(&mut self, transfer: &Transfer) {
        self.0.finish(transfer);
    }
}

impl<'a> Reading<'a> {
    /// As `take`, of a page that is filled in part.
    pub(super) fn take_part(
        &mut self,
        mut state: Locked<'a>,
        transfer: &mut Transfer,
        part: Part,
    ) -> TransferStep {
        let read = state.head;
        let rest = part.len - read as usize % PAGE_SIZE;
        let Some((frame, offset, len)) = state.first_bytes(transfer.left.min(rest)) else {
            return TransferStep::End;
        };
        let room_before = state.room();
        let copied = self.to.try_put_frame(frame, offset, len, &mut transfer.fault);
        transfer.note(copied);
        state.head += copied as u64;
        let is_over = !transfer.is_away() && (part.is_packet || copied == rest);
        let emptied = is_over.then(|| state.leave_part(read)).flatten();
        match self.leave(state, emptied, room_before, transfer) {
            TransferStep::Moved if part.is_packet => TransferStep::End,
            step => step,
        }
    }
}

impl PipeState {
    /// What is less than a page goes behind bytes that are no packet and leave it room, and is none then (as on Linux).
    fn behind_others(&self, transfer: &Transfer) -> Option<usize> {
        let (used, len) = (self.tail as usize % PAGE_SIZE, transfer.left % PAGE_SIZE);
        let fits = self.len() > 0 && used > 0 && used + len <= PAGE_SIZE;
        (fits && len > 0).then_some(len)
    }

    /// The next byte goes to the start of a page. The page before it is filled in part, perhaps.
    pub(super) fn begin_packet(&mut self) -> Result<(), NoMemory> {
        self.slots.allow_parts()?;
        if self.len() == 0 {
            self.rewind();
        }
        let len = self.tail as usize % PAGE_SIZE;
        if len > 0 {
            self.end_page(Part {
                len,
                is_packet: false,
            });
        }
        Ok(())
    }

    /// As [`PipeState::fill`], of the page that the packet has to itself.
    fn fill_packet(&mut self, from: &mut dyn Source, transfer: &mut Transfer) -> TransferStep {
        let len = transfer.left.min(PIPE_BUF);
        let step = self.fill(from, len, transfer);
        if matches!(step, TransferStep::Moved) {
            self.end_page(Part { len, is_packet: true });
        }
        step
    }

    /// The page of the last byte gets no more.
    pub(super) fn end_page(&mut self, part: Part) {
        let start = page_start(self.tail - 1);
        self.slots.set_part(start, Some(part));
        self.special |= PACKETS;
        self.tail = start + PAGE_SIZE as u64;
    }

    /// The page with that byte was read, or is not to be read any further.
    pub(super) fn leave_part(&mut self, position: u64) -> Option<FrameHandle> {
        self.slots.set_part(position, None);
        self.head = page_start(position) + PAGE_SIZE as u64;
        if self.head == self.tail {
            self.special &= !PACKETS;
        }
        self.leave_page(position)
    }

    /// Bytes that can be read.
    pub(super) fn unread(&self) -> usize {
        if self.special & PACKETS == 0 {
            return self.len();
        }
        let size = PAGE_SIZE as u64;
        let pages = (page_start(self.head)..self.tail).step_by(PAGE_SIZE);
        let ends = pages.map(|start| {
            let whole = size.min(self.tail - start);
            self.slots.part(start).map_or(whole, |part| part.len as u64)
        });
        ends.sum::<u64>() as usize - self.head as usize % PAGE_SIZE
    }
}
