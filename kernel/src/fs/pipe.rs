//! Pipes: pipe(7). A ring of 16 page frames; bytes are numbered since the pipe's beginning, `head..tail` are in it.
//!
//! Bytes are copied between user memory and a frame with no spin lock held: the [`Turn`]s keep other readers and other
//! writers out meanwhile. The reader alone moves `head` and gives frames back, the writer alone moves `tail` and puts
//! frames in, so neither pulls a frame from under the other.

mod end;

use alloc::sync::Arc;

use crate::sync::{Mutex, rank};
use abi::Errno;
use abi::file::PIPE_BUF;
use abi::signal::Signal;
use end::PipeEnd;
use mm::{Frame, PAGE_SIZE};

use super::object::Object;
use super::turn::Turn;
use crate::memory::FrameHandle;
use crate::user_memory::{Sink, Source};
use crate::wait::WaitQueue;

const SLOTS: usize = 16;
/// Bytes that a pipe holds.
pub const CAPACITY: usize = SLOTS * PAGE_SIZE;

/// A pipe.
pub struct Pipe {
    state: Mutex<State, { rank::PIPE }>,
    reader: Turn,
    writer: Turn,
    /// Woken when there is something to read, or the last writer went.
    readable: WaitQueue,
    /// Woken when there is room, or the last reader went.
    writable: WaitQueue,
    /// Woken when an end is opened.
    opened: WaitQueue,
}

struct State {
    slots: [Option<FrameHandle>; SLOTS],
    /// A frame between two uses.
    spare: Option<FrameHandle>,
    head: u64,
    tail: u64,
    readers: u32,
    writers: u32,
    /// How often an end was opened, for opens that wait for the other end.
    reader_opens: u64,
    writer_opens: u64,
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
    /// A pipe with no end open.
    pub fn new() -> Arc<Self> {
        let state = State {
            slots: [const { None }; SLOTS],
            spare: None,
            head: 0,
            tail: 0,
            readers: 0,
            writers: 0,
            reader_opens: 0,
            writer_opens: 0,
        };
        Arc::new(Pipe {
            state: Mutex::new(state),
            reader: Turn::new(),
            writer: Turn::new(),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            opened: WaitQueue::new(),
        })
    }

    /// Opens an end at once: pipe2(2).
    pub fn open_end(self: &Arc<Self>, direction: Direction) -> Arc<dyn Object> {
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
        Arc::new(PipeEnd {
            pipe: self.clone(),
            direction,
            writers_seen,
        })
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
        let end = self.open_end(direction);
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

    /// The next bytes to read: frame, offset, length.
    fn readable_piece(&self, wanted: usize) -> Option<(Frame, usize, usize)> {
        let state = self.state.lock();
        let offset = state.head as usize % PAGE_SIZE;
        let len = state.len().min(PAGE_SIZE - offset).min(wanted);
        let frame = state.slots[slot(state.head)].as_ref()?.frame();
        (len > 0).then_some((frame, offset, len))
    }

    /// The next bytes to write: frame, offset, length; `None` if there is no room. `ENOMEM`.
    fn writable_piece(&self, wanted: usize) -> Result<Option<(Frame, usize, usize)>, Errno> {
        let mut state = self.state.lock();
        let offset = state.tail as usize % PAGE_SIZE;
        let len = state.room().min(PAGE_SIZE - offset).min(wanted);
        if len == 0 {
            return Ok(None);
        }
        let index = slot(state.tail);
        if state.slots[index].is_none() {
            state.slots[index] = match state.spare.take() {
                Some(spare) => Some(spare),
                None => Some(FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?),
            };
        }
        Ok(state.slots[index]
            .as_ref()
            .map(|frame| (frame.frame(), offset, len)))
    }

    /// Reads what is there, up to the room in `to`, and wakes writers if there was little room. The caller holds the
    /// reader's turn.
    fn take_bytes(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        let (mut done, mut was_tight) = (0, false);
        while to.room() > 0
            && let Some((frame, offset, len)) = self.readable_piece(to.room())
        {
            match to.put_frame(frame, offset, len) {
                Ok(copied) => {
                    done += copied;
                    let (given_back, tight) = {
                        let mut state = self.state.lock();
                        let tight = state.room() < PIPE_BUF;
                        (state.consume(copied), tight)
                    };
                    was_tight |= tight;
                    drop(given_back);
                    if copied < len {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        if was_tight {
            self.writable.wake_all();
        }
        Ok(done)
    }

    /// Writes what there is room for, up to what is left in `from`, and wakes readers if there was nothing to read. The
    /// caller holds the writer's turn.
    fn put_bytes(&self, from: &mut dyn Source) -> Result<usize, Errno> {
        let (mut done, mut was_empty) = (0, false);
        let result = loop {
            if from.left() == 0 {
                break Ok(());
            }
            let moved = self.writable_piece(from.left()).and_then(|piece| match piece {
                Some((frame, offset, len)) => from.take_into_frame(frame, offset, len),
                None => Ok(0),
            });
            match moved {
                Ok(0) => break Ok(()),
                Ok(copied) => {
                    let mut state = self.state.lock();
                    was_empty |= state.len() == 0;
                    state.tail += copied as u64;
                    done += copied;
                }
                Err(error) => break Err(error),
            }
        };
        if was_empty {
            self.readable.wake_all();
        }
        if done > 0 { Ok(done) } else { result.map(|()| 0) }
    }

    fn read(&self, is_nonblocking: bool, to: &mut dyn Sink) -> Result<usize, Errno> {
        if to.room() == 0 {
            return Ok(0);
        }
        loop {
            {
                let _turn = self.reader.take()?;
                let done = self.take_bytes(to)?;
                if done > 0 {
                    return Ok(done);
                }
            }
            let is_changed = || {
                let state = self.state.lock();
                (state.len() > 0 || state.writers == 0).then_some(state.len() > 0)
            };
            let has_bytes = if is_nonblocking {
                is_changed().ok_or(Errno::EAGAIN)?
            } else {
                self.readable.wait_until(is_changed)?
            };
            if !has_bytes {
                return Ok(0);
            }
        }
    }

    fn write(&self, is_nonblocking: bool, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut done = 0;
        while from.left() > 0 {
            match self.write_some(is_nonblocking, from) {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Waits for room and fills it. At most [`PIPE_BUF`] bytes are written at once or not at all.
    fn write_some(&self, is_nonblocking: bool, from: &mut dyn Source) -> Result<usize, Errno> {
        let needed = if from.left() <= PIPE_BUF { from.left() } else { 1 };
        loop {
            {
                let _turn = self.writer.take()?;
                let (readers, room) = {
                    let state = self.state.lock();
                    (state.readers, state.room())
                };
                if readers == 0 {
                    super::raise(Signal::SIGPIPE);
                    return Err(Errno::EPIPE);
                }
                if room >= needed {
                    return self.put_bytes(from);
                }
            }
            if is_nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.writable.wait_until(|| {
                let state = self.state.lock();
                (state.room() >= needed || state.readers == 0).then_some(())
            })?;
        }
    }

    fn close(&self, direction: Direction) {
        let emptied = {
            let mut state = self.state.lock();
            state.readers -= u32::from(direction.reads());
            state.writers -= u32::from(direction.writes());
            if state.readers == 0 && state.writers == 0 {
                state.clear()
            } else {
                Default::default()
            }
        };
        drop(emptied);
        self.readable.wake_all();
        self.writable.wake_all();
    }
}

impl State {
    fn len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    fn room(&self) -> usize {
        CAPACITY - self.len()
    }

    /// The reader took `count` bytes, all from one page. Gives back a frame that is no longer needed.
    fn consume(&mut self, count: usize) -> Option<FrameHandle> {
        let page = self.head / PAGE_SIZE as u64;
        let index = slot(self.head);
        self.head += count as u64;
        let is_left = self.head / PAGE_SIZE as u64 != page;
        // The writer may have come round to the start of the same frame.
        let is_reused = self.tail / PAGE_SIZE as u64 >= page + SLOTS as u64;
        if !is_left || is_reused {
            return None;
        }
        let frame = self.slots[index].take();
        if self.spare.is_none() {
            self.spare = frame;
            return None;
        }
        frame
    }

    /// Nobody has it open any more: the bytes are lost.
    fn clear(&mut self) -> [Option<FrameHandle>; SLOTS] {
        self.head = self.tail;
        core::mem::take(&mut self.slots)
    }
}

fn slot(position: u64) -> usize {
    (position / PAGE_SIZE as u64) as usize % SLOTS
}
