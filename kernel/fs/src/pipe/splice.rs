//! Between a pipe and another file without a program's memory: splice(2), tee(2), vmsplice(2).
//!
//! A file may be waited for, so the pipe is not locked while it is read or written: whoever splices is a reader or writer that is away
//! ([`READER_AWAY`], [`WRITER_AWAY`]), and nobody else goes that way until it is back. What comes from a file has pages of its own,
//! which may be filled in part (`packets`). Between two pipes whole pages go from one to the other, and only what is not read to the
//! end of a page, or lies in the middle of one, is copied.

use abi::Errno;
use mm::PAGE_SIZE;
use sched::scheduler;
use vfs::caller::{Caller, IoFailure};
use vfs::file_ops::Io;
use vfs::file_owner::Event;

use super::frames::{FramePiece, FrameSink, FrameSource, PAGES};
use super::slots::Part;
use super::{Locked, Pipe, READER_AWAY, READERS_TOLD, WRITER_AWAY, WRITERS_TOLD};

/// What becomes of the bytes of the pipe that they come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taking {
    /// They are there no longer: splice(2).
    Moved,
    /// They stay: tee(2).
    Copied,
}

/// What a file gives, and what one takes, told by how many bytes it was.
type Give<'a> = &'a mut dyn FnMut(&mut FrameSink) -> Result<usize, Errno>;
type Take<'a> = &'a mut dyn FnMut(&mut FrameSource<'_>) -> Result<usize, Errno>;

impl Pipe {
    /// Waits for room, and puts there what `give` puts into frames, `most` bytes at most.
    ///
    /// # Errors
    /// `EPIPE`: nobody reads. `EAGAIN`, an interrupted wait, `ENOMEM`; those of `give`.
    pub fn splice_in(
        &self,
        caller: &Caller<'_>,
        io: &Io,
        most: usize,
        give: Give<'_>,
    ) -> Result<usize, Errno> {
        let room = self.wait_for_room(caller, io, |mut state| {
            state.slots.allow_parts().map_err(|_| Errno::ENOMEM)?;
            state.special |= WRITER_AWAY;
            Ok(state.fresh_pages() * PAGE_SIZE)
        })?;
        let mut sink = FrameSink::new(most.min(room).min(PAGES * PAGE_SIZE));
        let given = give(&mut sink);
        let filled = sink.filled();
        let mut state = self.state.lock();
        state.special &= !WRITER_AWAY;
        let mut rest = filled;
        let mut replaced = [const { None }; PAGES];
        for (frame, place) in sink.into_frames().into_iter().zip(&mut replaced) {
            let len = rest.min(PAGE_SIZE);
            rest -= len;
            *place = state.push_page(
                frame,
                Part {
                    len,
                    is_packet: false,
                },
            );
        }
        drop(state);
        drop(replaced);
        if filled > 0 {
            self.note_filled();
        }
        self.writable.wake_all();
        given.map(|_| filled)
    }

    /// Waits for bytes, and gives them to `take` until it has `most` or there are no more.
    ///
    /// # Errors
    /// `EAGAIN`, an interrupted wait, `ENOMEM`; those of `take`, if it took nothing.
    pub fn splice_out(&self, io: &Io, most: usize, take: Take<'_>) -> Result<usize, Errno> {
        let mut done = 0;
        while done < most {
            let mut step = || {
                scheduler::cond_resched_killable()?;
                self.take_pieces(io, most - done, IfEmpty::of(done), take)
            };
            match step() {
                Ok(0) => break,
                Ok(taken) => done += taken,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// One step of [`Pipe::splice_out`]; 0 if there is nothing.
    fn take_pieces(&self, io: &Io, most: usize, if_empty: IfEmpty, take: Take<'_>) -> Result<usize, Errno> {
        let mut pieces = [FramePiece::NONE; PAGES];
        let reserve = |mut state: Locked<'_>| {
            state.special |= READER_AWAY;
            state.pieces(most, &mut pieces)
        };
        let Some(count) = self.wait_for_bytes(io, if_empty, reserve)? else {
            return Ok(0);
        };
        let result = take(&mut FrameSource::new(&pieces[..count]));
        let mut emptied = [const { None }; PAGES];
        let mut state = self.state.lock();
        state.special &= !READER_AWAY;
        let mut rest = *result.as_ref().unwrap_or(&0);
        for place in &mut emptied {
            if rest == 0 || state.len() == 0 {
                break;
            }
            let len = rest.min(state.front().0);
            *place = state.advance(len);
            rest -= len;
        }
        drop(state);
        drop(emptied);
        if result.as_ref().is_ok_and(|&taken| taken > 0) {
            self.note_taken();
        }
        self.readable.wake_all();
        result
    }

    /// Moves or copies up to `most` bytes to `other`, another pipe: waits until one has bytes and the other room, and then takes what
    /// goes at once.
    ///
    /// # Errors
    /// `EPIPE`: nobody reads there. `EAGAIN`, an interrupted wait, `ENOMEM`.
    pub fn splice_to(
        &self,
        other: &Pipe,
        caller: &Caller<'_>,
        io: &Io,
        most: usize,
        taking: Taking,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        // Behind what was copied.
        let mut next = 0;
        while done < most {
            if done == 0 {
                let has_bytes = self.wait_for_bytes(io, IfEmpty::Wait, |_| ())?;
                other.wait_for_room(caller, io, |_| Ok(()))?;
                if has_bytes.is_none() {
                    return Ok(0);
                }
            }
            match self.pass_pages(other, most - done, &mut next, taking) {
                Err(error) if done == 0 => return Err(error),
                // Another was faster: they are waited for again.
                Ok(0) if done == 0 => {}
                Ok(0) | Err(_) => break,
                Ok(passed) => done += passed,
            }
            match scheduler::cond_resched_killable() {
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        Ok(done)
    }

    /// One step of [`Pipe::splice_to`]: [`PAGES`] pages at most. Those that are copied begin with the byte of the number `next`.
    fn pass_pages(&self, other: &Pipe, most: usize, next: &mut u64, taking: Taking) -> Result<usize, Errno> {
        let mut freed = [const { (None, None) }; PAGES];
        let (mut from, mut to) = self.lock_both(other);
        if from.special & READER_AWAY != 0 || to.special & WRITER_AWAY != 0 {
            return Ok(0);
        }
        to.slots.allow_parts().map_err(|_| Errno::ENOMEM)?;
        let mut done = 0;
        let mut result = Ok(());
        let mut at = match taking {
            Taking::Moved => from.head,
            Taking::Copied => from.head.max(*next),
        };
        for (replaced, emptied) in &mut freed {
            if at >= from.tail || done == most || to.fresh_pages() == 0 || to.readers == 0 {
                break;
            }
            let (rest, part) = from.front_at(at);
            let len = rest.min(most - done);
            let frame = if taking == Taking::Moved && from.is_page_of_its_own(at, len) {
                from.slots.place(at).take()
            } else {
                from.copy_of(at, len)
            };
            let Some(frame) = frame else {
                result = Err(Errno::ENOMEM);
                break;
            };
            let is_packet = part.is_some_and(|part| part.is_packet);
            *replaced = to.push_page(frame, Part { len, is_packet });
            done += len;
            if taking == Taking::Moved {
                *emptied = from.advance(len);
                at = from.head;
            } else {
                at = from.position_behind(at, len);
            }
        }
        *next = at;
        drop(to);
        drop(from);
        drop(freed);
        if done == 0 {
            return result.map(|()| 0);
        }
        other.note_filled();
        if taking == Taking::Moved {
            self.note_taken();
        }
        Ok(done)
    }

    /// Both, locked; whoever takes two takes the one that lies lower first.
    fn lock_both<'a>(&'a self, other: &'a Pipe) -> (Locked<'a>, Locked<'a>) {
        if core::ptr::from_ref(self) < core::ptr::from_ref(other) {
            let first = self.state.lock();
            (first, other.state.lock_second())
        } else {
            let first = other.state.lock();
            (self.state.lock_second(), first)
        }
    }

    /// Waits for bytes that nobody else is reading, and does `then` with them; `None`: there are none, and nobody writes, or it does not
    /// wait.
    fn wait_for_bytes<R>(
        &self,
        io: &Io,
        if_empty: IfEmpty,
        mut then: impl FnMut(Locked<'_>) -> R,
    ) -> Result<Option<R>, Errno> {
        let mut look = || {
            let state = self.state.lock();
            if state.len() == 0 {
                let is_over = state.writers == 0 || if_empty == IfEmpty::Return;
                return is_over.then_some(None);
            }
            (state.special & READER_AWAY == 0).then(|| Some(then(state)))
        };
        if io.is_nonblocking() {
            return look().ok_or(Errno::EAGAIN);
        }
        Ok(self.readable.wait_until(look)?)
    }

    /// Waits for room that nobody else is filling, and does `then` with it.
    fn wait_for_room<R>(
        &self,
        caller: &Caller<'_>,
        io: &Io,
        mut then: impl FnMut(Locked<'_>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut look = || {
            let mut state = self.state.lock();
            if state.readers == 0 {
                caller.note_failure(IoFailure::BrokenPipe);
                return Some(Err(Errno::EPIPE));
            }
            if state.special & WRITER_AWAY != 0 {
                return None;
            }
            if state.len() == 0 {
                state.rewind();
            }
            (state.fresh_pages() > 0).then(|| then(state))
        };
        if io.is_nonblocking() {
            return look().unwrap_or(Err(Errno::EAGAIN));
        }
        self.writable.wait_until(look)?
    }

    /// There is something to read, or more.
    fn note_filled(&self) {
        let is_told = self.state.lock().special & READERS_TOLD != 0;
        self.readable.wake_all();
        if is_told {
            self.readers.tell(Event::Input, scheduler::cond_resched);
        }
    }

    /// There is room, or more.
    fn note_taken(&self) {
        let is_told = self.state.lock().special & WRITERS_TOLD != 0;
        self.writable.wake_all();
        if is_told {
            self.writers.tell(Event::Output, scheduler::cond_resched);
        }
    }
}

/// What is done where there are no bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfEmpty {
    Wait,
    Return,
}

impl IfEmpty {
    /// Who has some does not wait for more.
    fn of(done: usize) -> IfEmpty {
        if done == 0 { IfEmpty::Wait } else { IfEmpty::Return }
    }
}
