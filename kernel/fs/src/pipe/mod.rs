//! Pipes: pipe(7). A ring of page frames, 16 if nobody asks for more or less; bytes are numbered, `head..tail` are in it.
//!
//! Bytes are copied between user memory and the frames with the pipe's lock held, at most [`PIPE_BUF`] at once, by copies that
//! give up at a fault. Who has to serve one leaves the pipe in the middle of its transfer ([`READER_AWAY`],
//! [`WRITER_AWAY`]), and nobody else begins one that way until it is back: what is written or read together stays
//! together.
//!
//! Of many blocked readers one is woken when the pipe gets its first bytes, and of many writers one when there is room for any of
//! them ([`PIPE_BUF`] bytes). Who was woken and leaves some of it wakes the next (`finish` of both ways); who was woken and goes
//! away has the next woken in its place (`wait`). The end of the other side is handed on the same way, for it is never used up.
//! After a transfer that was away all are woken: some may have come for what it has left, and some for its end.

mod end;
mod file;
mod frames;
mod packets;
mod pages;
mod reading;
mod size;
mod slots;
mod splice;
mod transfer;
mod writing;

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{OpenFlags, PIPE_BUF};
use end::PipeEnd;
use lock::{Mutex, MutexGuard, rank};
use memory::fallible;
use mm::PAGE_SIZE;
use slots::Slots;

pub use file::{of, register, unnamed};
pub use frames::{FrameSink, FrameSource};
pub use size::{MAX_UNPRIVILEGED, rounded};
pub use splice::Taking;
use vfs::file_owner::Listeners;

use memory::FrameHandle;
use sched::wait::WaitQueue;
use vfs::file_ops::FileOps;

/// A pipe.
pub struct Pipe {
    state: Mutex<PipeState, { rank::PIPE }>,
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

struct PipeState {
    slots: Slots,
    /// A frame between two uses.
    spare: Option<FrameHandle>,
    head: u64,
    tail: u64,
    /// The number behind the last byte that there is room for: a capacity behind the start of the page of `head`, which takes
    /// nothing more once it was read in part.
    end: u64,
    /// What keeps transfers from the short way: some of [`READER_AWAY`] and its kin.
    special: u8,
    readers: u32,
    writers: u32,
    /// How often an end was opened, for opens that wait for the other end.
    reader_opens: u64,
    writer_opens: u64,
    /// What a writer that is away has already put behind `tail`; nobody reads it before all of it is there.
    ahead: u64,
}

/// A reader left in the middle of a transfer to serve a fault.
const READER_AWAY: u8 = 1;
/// A writer left in the middle of a transfer to serve a fault.
const WRITER_AWAY: u8 = 2;
/// There are pages that are filled in part only: `packets`.
const PACKETS: u8 = 4;
/// Owners of files that read are told of what is written (`O_ASYNC`).
const READERS_TOLD: u8 = 8;
/// Owners of files that write are told of what is read.
const WRITERS_TOLD: u8 = 16;
/// Somebody watches the readers' end, and is told of each write.
const READERS_WATCHED: u8 = 32;

/// The pipe, locked.
type Locked<'a> = MutexGuard<'a, PipeState, { rank::PIPE }>;

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
    /// A pipe with no end open.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>, Errno> {
        let state = PipeState {
            slots: Slots::new(),
            spare: None,
            head: 0,
            tail: 0,
            end: slots::USUAL_CAPACITY as u64,
            special: 0,
            readers: 0,
            writers: 0,
            reader_opens: 0,
            writer_opens: 0,
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

    /// Opens an end at once: pipe2(2).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open_end(self: &Arc<Self>, direction: Direction) -> Result<Arc<dyn FileOps>, Errno> {
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

    /// Opens an end of a named pipe: fifo(7). Waits for the other end, but with `O_NONBLOCK` among `flags`.
    ///
    /// # Errors
    /// `ENXIO`: to be written, with `O_NONBLOCK`, and nobody reads. `ENOMEM`, or an interrupted wait.
    pub fn open_named(
        self: &Arc<Self>,
        direction: Direction,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        let is_nonblocking = flags.contains(OpenFlags::O_NONBLOCK);
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

    /// Who is told of bytes and of room was changed.
    fn note_listeners(&self) {
        let mut state = self.state.lock();
        let (readers, writers) = (self.readers.exist(), self.writers.exist());
        state.special &= !(READERS_TOLD | WRITERS_TOLD);
        state.special |= (u8::from(readers) * READERS_TOLD) | (u8::from(writers) * WRITERS_TOLD);
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

impl PipeState {
    fn len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    /// Bytes that can be written. A page that was read in part takes no more before all is read: [`PipeState::rewind`].
    #[inline]
    fn room(&self) -> usize {
        (self.end - self.tail) as usize
    }

    /// Whether there is room for whatever must be written together.
    #[inline]
    fn is_roomy(&self) -> bool {
        self.room() >= PIPE_BUF || self.len() == 0
    }

    /// The pipe is empty: the next byte goes to the start of the page again.
    #[inline]
    fn rewind(&mut self) {
        self.head = page_start(self.head);
        self.tail = self.head;
    }

    /// All of the page with that byte was read. Gives back a frame that is no longer needed.
    #[inline]
    fn leave_page(&mut self, position: u64) -> Option<FrameHandle> {
        self.end += PAGE_SIZE as u64;
        let frame = self.slots.place(position).take();
        if self.spare.is_none() {
            self.spare = frame;
            return None;
        }
        frame
    }

    /// Nobody has it open any more: the bytes are lost.
    fn clear(&mut self) -> Slots {
        self.special &= !PACKETS;
        self.head = self.tail;
        let emptied = core::mem::replace(&mut self.slots, Slots::new());
        self.end = page_start(self.head) + self.slots.capacity() as u64;
        emptied
    }
}

/// The number of the first byte of the page that the byte of that number lies in.
#[inline]
fn page_start(position: u64) -> u64 {
    position & !(PAGE_SIZE as u64 - 1)
}
