//! Pipes: pipe(7). A ring of page frames, 16 if nobody asks for more or less; bytes are numbered, `head..tail` are in it.
//!
//! Bytes are copied between user memory and the frames with the pipe's lock held, at most [`PIPE_BUF`] at once, by copies that
//! give up at a fault. Who has to serve one leaves the pipe in the middle of its transfer ([`State::is_reader_away`],
//! [`State::is_writer_away`]), and nobody else begins one that way until it is back: what is written or read together stays
//! together.
//!
//! Of many blocked readers one is woken when the pipe gets its first bytes, and of many writers one when there is room for any of
//! them ([`PIPE_BUF`] bytes). Who was woken and leaves some of it wakes the next ([`Transfer::passes_on`]); who was woken and goes
//! away has the next woken in its place (`wait`). The end of the other side is handed on the same way, for it is never used up.
//! After a transfer that was away all are woken: some may have come for what it has left, and some for its end.

mod end;
mod size;
mod slots;
mod transfer;

use alloc::sync::Arc;

use crate::fallible;
use crate::sync::{Mutex, MutexGuard, rank};
use abi::Errno;
use abi::file::PIPE_BUF;
use end::PipeEnd;
use mm::{Frame, NoMemory, PAGE_SIZE};
use slots::Slots;
use transfer::{Step, Transfer};

use super::file_owner::Listeners;
pub use size::{MAX_UNPRIVILEGED, rounded};

use super::object::Object;
use crate::memory::FrameHandle;
use crate::user_memory::{Sink, Source};
use crate::wait::WaitQueue;

/// A pipe.
pub struct Pipe {
    state: Mutex<State, { rank::PIPE }>,
    /// Woken when there is something to read, the last writer went, or a reader came back.
    readable: WaitQueue,
    /// Woken when there is room, the last reader went, or a writer came back.
    writable: WaitQueue,
    /// Woken when an end is opened.
    opened: WaitQueue,
    /// Whose owners are told of what can be read, and of room (`O_ASYNC`).
    readers: Listeners,
    writers: Listeners,
}

struct State {
    slots: Slots,
    /// A frame between two uses.
    spare: Option<FrameHandle>,
    head: u64,
    tail: u64,
    /// What the capacity counts from: `head`, in an empty pipe; else the start of its page, which takes nothing more once it was
    /// read in part.
    base: u64,
    readers: u32,
    writers: u32,
    /// How often an end was opened, for opens that wait for the other end.
    reader_opens: u64,
    writer_opens: u64,
    /// A reader, a writer left in the middle of a transfer to serve a fault.
    is_reader_away: bool,
    is_writer_away: bool,
    /// What that writer has already put behind `tail`; nobody reads it before all of it is there.
    ahead: u64,
}

/// Which way an open end goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Out of the pipe.
    Read,
    /// Into the pipe.
    Write,
    /// Both, with `O_RDWR` on a named pipe.
    Both,
}

impl Direction {
    fn reads(self) -> bool {
        self != Direction::Write
    }

    fn writes(self) -> bool {
        self != Direction::Read
    }
}

impl Pipe {
    /// A pipe with no end open. `ENOMEM`.
    pub fn new() -> Result<Arc<Self>, Errno> {
        let state = State {
            slots: Slots::new(),
            spare: None,
            head: 0,
            tail: 0,
            base: 0,
            readers: 0,
            writers: 0,
            reader_opens: 0,
            writer_opens: 0,
            is_reader_away: false,
            is_writer_away: false,
            ahead: 0,
        };
        fallible::arc_with(|| Pipe {
            state: Mutex::new(state),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            opened: WaitQueue::new(),
            readers: Listeners::new(),
            writers: Listeners::new(),
        })
    }

    /// Opens an end at once: pipe2(2). `ENOMEM`.
    pub fn open_end(self: &Arc<Self>, direction: Direction) -> Result<Arc<dyn Object>, Errno> {
        let mut state = self.state.lock();
        state.readers += u32::from(direction.reads());
        state.writers += u32::from(direction.writes());
        state.reader_opens += u64::from(direction.reads());
        state.writer_opens += u64::from(direction.writes());
        let writers_seen = if state.writers > 0 {
            u64::MAX
        } else {
            state.writer_opens
        };
        drop(state);
        self.opened.wake_all();
        // One that finds no memory is dropped here, and closed by that.
        Ok(fallible::arc(PipeEnd {
            pipe: self.clone(),
            direction,
            writers_seen,
        })?)
    }

    /// Opens an end of a named pipe: fifo(7). Waits for the other end unless `is_nonblocking`; then writing without a
    /// reader is `ENXIO`.
    pub fn open_named(
        self: &Arc<Self>,
        direction: Direction,
        is_nonblocking: bool,
    ) -> Result<Arc<dyn Object>, Errno> {
        if direction == Direction::Write && is_nonblocking && self.state.lock().readers == 0 {
            return Err(Errno::ENXIO);
        }
        let (readers_before, writers_before) = {
            let state = self.state.lock();
            (state.reader_opens, state.writer_opens)
        };
        let end = self.open_end(direction)?;
        let is_met = || {
            let state = self.state.lock();
            let is_met = match direction {
                Direction::Read => state.writers > 0 || state.writer_opens != writers_before,
                Direction::Write => state.readers > 0 || state.reader_opens != readers_before,
                Direction::Both => true,
            };
            is_met.then_some(())
        };
        if !is_nonblocking {
            self.opened.wait_until(is_met)?;
        }
        Ok(end)
    }

    /// read(2): waits for bytes and takes what is there.
    fn read(&self, is_nonblocking: bool, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut transfer = Transfer::of(to.room());
        let take = |transfer: &mut Transfer| self.take_bytes(to, transfer);
        let result = transfer.run(&self.readable, is_nonblocking, take);
        if transfer.is_away() {
            self.state.lock().is_reader_away = false;
            self.readable.wake_all();
        } else if transfer.passes_on() {
            self.readable.wake_one();
        }
        result
    }

    /// write(2): waits for room until all is written. At most [`PIPE_BUF`] bytes are written together or not at all.
    fn write(&self, is_nonblocking: bool, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut transfer = Transfer::of(from.left());
        let together = if transfer.left <= PIPE_BUF {
            transfer.left
        } else {
            1
        };
        let put = |transfer: &mut Transfer| self.put_bytes(from, together, transfer);
        let result = transfer.run(&self.writable, is_nonblocking, put);
        if transfer.is_away() {
            self.state.lock().forget_writer();
            self.writable.wake_all();
        } else if transfer.passes_on() {
            self.writable.wake_one();
        }
        result
    }

    /// Reads the next bytes, of one page at most. `None` if there are none yet.
    #[inline]
    fn take_bytes(&self, to: &mut dyn Sink, transfer: &mut Transfer) -> Option<Step> {
        let state = self.state.lock();
        if state.len() == 0 {
            return (transfer.done > 0 || state.writers == 0).then_some(Step::End);
        }
        self.take_from(state, to, transfer)
    }

    /// Reads the next bytes, and wakes a writer if there was too little room for some and now is enough for any. `None` while another reader is away. Not inlined where
    /// a reader looks in vain before it sleeps.
    #[inline(never)]
    fn take_from(
        &self,
        mut state: MutexGuard<'_, State, { rank::PIPE }>,
        to: &mut dyn Sink,
        transfer: &mut Transfer,
    ) -> Option<Step> {
        let was_away = transfer.is_away();
        if state.is_reader_away && !was_away {
            return None;
        }
        let (frame, offset, len) = state.first_bytes(transfer.left)?;
        let was_tight = state.room() < PIPE_BUF;
        transfer.fault = None;
        let copied = to.try_put_frame(frame, offset, len, &mut transfer.fault);
        transfer.note(copied);
        let emptied = state.consume(copied);
        state.is_reader_away = transfer.is_away();
        transfer.leaves_some = state.len() > 0 || state.writers == 0;
        let is_loosened = was_tight && state.room() >= PIPE_BUF;
        drop(state);
        drop(emptied);
        if is_loosened {
            self.writable.wake_one();
        }
        if was_away {
            self.readable.wake_all();
        }
        Some(transfer.step())
    }

    /// Writes what there is room for, [`PIPE_BUF`] bytes at most, and wakes a reader if there was nothing to read. `None` if there
    /// is no room yet for what must be written `together`.
    fn put_bytes(&self, from: &mut dyn Source, together: usize, transfer: &mut Transfer) -> Option<Step> {
        let mut state = self.state.lock();
        let was_away = transfer.is_away();
        if state.readers == 0 {
            return Some(Step::NoReader);
        }
        if state.is_writer_away && !was_away || state.room() < together.min(transfer.left) {
            return None;
        }
        let was_empty = state.len() == 0;
        let step = state.fill(from, transfer);
        state.is_writer_away = transfer.is_away();
        transfer.leaves_some = state.room() >= PIPE_BUF;
        drop(state);
        if was_empty {
            self.readable.wake_one();
        }
        if was_away {
            self.writable.wake_all();
        }
        Some(step)
    }

    fn close(&self, direction: Direction) {
        let mut state = self.state.lock();
        state.readers -= u32::from(direction.reads());
        state.writers -= u32::from(direction.writes());
        let (is_unread, is_unwritten) = (state.readers == 0, state.writers == 0);
        let emptied = (is_unread && is_unwritten).then(|| state.clear());
        drop(state);
        drop(emptied);
        if is_unwritten {
            self.readable.wake_one();
        }
        if is_unread {
            self.writable.wake_one();
        }
    }
}

impl State {
    fn len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    /// Bytes that can be written. A page that was read in part takes no more before all is read: [`State::rewind`].
    #[inline]
    fn room(&self) -> usize {
        self.slots.capacity() - (self.tail - page_start(self.head)) as usize
    }

    /// The next bytes to read, of which there are some: frame, offset, length.
    fn first_bytes(&self, wanted: usize) -> Option<(Frame, usize, usize)> {
        let offset = self.head as usize % PAGE_SIZE;
        let len = self.len().min(PAGE_SIZE - offset).min(wanted);
        let frame = self.slots.get(self.head)?.frame();
        Some((frame, offset, len))
    }

    /// The frame to put the byte of that number into.
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

    /// In an empty pipe the next byte goes to the start of the page again.
    #[inline]
    fn rewind(&mut self) {
        if self.tail == self.head && self.ahead == 0 {
            self.head = page_start(self.head);
            self.tail = self.head;
        }
    }

    /// Writes what there is room for, [`PIPE_BUF`] bytes at most: all of them, or none yet.
    fn fill(&mut self, from: &mut dyn Source, transfer: &mut Transfer) -> Step {
        let count = transfer.left.min(PIPE_BUF).min(self.room());
        transfer.fault = None;
        while self.ahead < count as u64 {
            let at = self.tail + self.ahead;
            let Ok(frame) = self.frame_at(at) else {
                self.forget_writer();
                return Step::NoMemory;
            };
            let offset = at as usize % PAGE_SIZE;
            let len = (count - self.ahead as usize).min(PAGE_SIZE - offset);
            self.ahead += from.try_take_into_frame(frame, offset, len, &mut transfer.fault) as u64;
            if transfer.is_away() {
                return Step::Fault;
            }
        }
        self.tail += core::mem::take(&mut self.ahead);
        transfer.note(count);
        Step::Moved
    }

    /// The writer that was away will not come back: what it put is lost.
    fn forget_writer(&mut self) {
        self.is_writer_away = false;
        self.ahead = 0;
        if self.head == self.tail {
            self.base = self.head;
        }
    }

    /// The reader took `count` bytes, all from one page. Gives back a frame that is no longer needed.
    fn consume(&mut self, count: usize) -> Option<FrameHandle> {
        let read = self.head;
        self.head += count as u64;
        if page_start(self.head) == page_start(read) {
            self.rewind();
            return None;
        }
        let frame = self.slots.place(read).take();
        if self.spare.is_none() {
            self.spare = frame;
            return None;
        }
        frame
    }

    /// Nobody has it open any more: the bytes are lost.
    fn clear(&mut self) -> Slots {
        self.head = self.tail;
        self.base = self.head;
        core::mem::replace(&mut self.slots, Slots::new())
    }
}

/// The number of the first byte of the page that the byte of that number lies in.
#[inline]
fn page_start(position: u64) -> u64 {
    position & !(PAGE_SIZE as u64 - 1)
}
