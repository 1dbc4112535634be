//! Reading from and writing to the terminal.

use abi::Errno;
use abi::terminal::{TOSTOP, VMIN, VTIME};

use super::driver::Ending;
use super::{Terminal, TerminalState};
use sched::SleepingMutexGuard;
use sched::scheduler;
use sched::time;
use uaccess::{Sink, Source};
use vfs::file_ops::Io;

/// Bytes typed that are taken under one hold of the lock.
const PIECE: usize = 256;
/// Bytes written under one hold of the lock, and then sent without it. Input is looked after between two pieces.
const OUTPUT_PIECE: usize = 16;
/// Most bytes that become of one: a tab as blanks.
const MOST_OF_ONE: usize = 8;
/// The unit of VTIME, in nanoseconds.
const TENTH: u64 = time::SECOND / 10;

/// What VMIN and VTIME ask for: termios(3), noncanonical mode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Terms {
    least: usize,
    /// Ticks to wait for the first byte, or, if `least` is not 0, between two bytes; 0: no limit.
    patience: u64,
}

/// How a wait for typed bytes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// There is something, unless another reader was quicker.
    Input,
    /// The time is over: what there is will do.
    Timeout,
}

/// What a read found.
struct Found {
    len: usize,
    /// A line ended, perhaps an empty one: end of file.
    is_end: bool,
}

impl Terminal {
    /// Reads a line, or in noncanonical mode what VMIN and VTIME ask for. `is_dead` says whether the terminal was hung
    /// up behind this open file: end of file then, or `EIO` for who was waiting for a program at the other end. Each line, and what one read takes of it, goes to one reader.
    ///
    /// # Errors
    /// `EAGAIN`: there is nothing, and the caller does not wait. `RESTART`: a signal is to be delivered. `EINTR`: the process is to
    /// end. `EFAULT`: before the first byte.
    pub(super) fn read(
        &self,
        io: &Io,
        to: &mut dyn Sink,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        if is_dead() {
            return Ok(0);
        }
        while to.room() > 0 {
            if is_dead() {
                return self.read_end();
            }
            let awaited = match self.terms() {
                None => self.wait_for_line(io, &is_dead)?,
                Some(terms) => self.wait_for_bytes(io, terms, to.room(), &is_dead)?,
            };
            let found = {
                let _reader = self.reader.lock()?;
                self.take(to)?
            };
            if found.len > 0 || found.is_end || awaited == Awaited::Timeout {
                return Ok(found.len);
            }
        }
        Ok(0)
    }

    /// What a read gives during which the terminal was hung up. `EIO` if a program was at the other end, as Linux has it.
    fn read_end(&self) -> Result<usize, Errno> {
        match self.driver.ending() {
            Ending::Device => Ok(0),
            Ending::Program => Err(Errno::EIO),
        }
    }

    fn wait_for_line(&self, io: &Io, is_dead: impl Fn() -> bool) -> Result<Awaited, Errno> {
        let is_ready = || {
            let state = self.state.lock();
            (state.discipline.has_line() || !state.discipline.is_canonical() || is_dead()).then_some(())
        };
        match is_ready() {
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.readable.wait_until(is_ready)?,
            Some(()) => {}
        }
        Ok(Awaited::Input)
    }

    fn wait_for_bytes(
        &self,
        io: &Io,
        terms: Terms,
        room: usize,
        is_dead: impl Fn() -> bool,
    ) -> Result<Awaited, Errno> {
        let wanted = if io.is_nonblocking() {
            1
        } else {
            terms.least.min(room)
        };
        let (first_deadline, step) = match (terms.least, terms.patience) {
            _ if io.is_nonblocking() => (None, 0),
            (0, patience) => (Some(platform::timer::ticks() + patience), 0),
            (_, patience) => (None, patience),
        };
        // With VMIN 0 the first byte, or the end of the patience, ends the read.
        let wanted = wanted.max(1);
        let available = || {
            if is_dead() {
                usize::MAX
            } else {
                self.state.lock().discipline.readable()
            }
        };
        if io.is_nonblocking() && available() < wanted {
            let is_immediate = terms
                == Terms {
                    least: 0,
                    patience: 0,
                };
            return if is_immediate {
                Ok(Awaited::Timeout)
            } else {
                Err(Errno::EAGAIN)
            };
        }
        let mut deadline = first_deadline;
        let mut seen = 0;
        loop {
            let next = || Some(available()).filter(|now| *now >= wanted || *now > seen);
            match self.readable.wait_until_deadline(deadline, next)? {
                // The patience is over: what there is, if anything.
                None => return Ok(Awaited::Timeout),
                Some(now) if now >= wanted => return Ok(Awaited::Input),
                Some(now) => {
                    seen = now;
                    deadline = (step > 0).then(|| platform::timer::ticks() + step);
                }
            }
        }
    }

    /// `None` in canonical mode.
    fn terms(&self) -> Option<Terms> {
        let state = self.state.lock();
        if state.discipline.is_canonical() {
            return None;
        }
        let cc = &state.discipline.termios().cc;
        let patience = match cc[VTIME] {
            0 => 0,
            tenths => platform::timer::nanos_to_ticks(u64::from(tenths) * TENTH),
        };
        Some(Terms {
            least: cc[VMIN].into(),
            patience,
        })
    }

    /// Hands over what is there, up to the end of a line in canonical mode. The caller holds the reader's mutex.
    fn take(&self, to: &mut dyn Sink) -> Result<Found, Errno> {
        let mut found = Found {
            len: 0,
            is_end: false,
        };
        while to.room() > 0 {
            let mut piece = [0; PIECE];
            let len = to.room().min(PIECE);
            let taken = {
                let mut state = self.state.lock();
                let taken = state.discipline.take(&mut piece[..len]);
                state.update_throttle(&*self.driver);
                taken
            };
            if taken.len > 0 {
                match to.put(&piece[..taken.len]) {
                    Ok(copied) => found.len += copied,
                    Err(error) if found.len == 0 => return Err(error),
                    Err(_) => break,
                }
            }
            found.is_end = taken.is_end;
            if taken.is_end || taken.len < len {
                break;
            }
        }
        Ok(found)
    }

    /// Whether a write from another group than the foreground's stops it (TOSTOP).
    pub(super) fn stops_writers(&self) -> bool {
        self.state.lock().discipline.termios().lflag & TOSTOP != 0
    }

    /// Writes everything, waiting for room while output is stopped. Nothing that another program writes comes between. A signal
    /// ends it between two pieces: on a slow line a long write lasts.
    ///
    /// # Errors
    /// `EIO`: it was hung up. `EAGAIN`: there is no room, or another writes, and the caller does not wait. `RESTART`: a signal is to
    /// be delivered. `EFAULT`. All before the first byte.
    pub(super) fn write(
        &self,
        io: &Io,
        from: &mut dyn Source,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        let _writer = self.lock_writer(io)?;
        let mut done = 0;
        while from.left() > 0 {
            match self.write_piece(io, from, &is_dead) {
                Ok(written) => done += written,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        self.wait_until_sent(&is_dead);
        Ok(done)
    }

    /// Waits until another processor, that happens to send, has sent what was written, so that the next thing a program does
    /// comes behind it. Not while output is stopped, or the line has no room.
    fn wait_until_sent(&self, is_dead: impl Fn() -> bool) {
        let mark = {
            let state = self.state.lock();
            if state.sending.len() == 0 {
                return;
            }
            state.sending.mark()
        };
        let is_over = || {
            let state = self.state.lock();
            let is_held_up = || state.discipline.is_stopped() || self.driver.room() == 0;
            (state.sending.has_sent(mark) || is_held_up() || is_dead()).then_some(())
        };
        // Interrupted: the write is done all the same.
        let _interrupted = self.writable.wait_until(is_over);
    }

    /// Waits until nothing is left to be sent: tcdrain(3). What goes to a program is sent once it is written.
    ///
    /// # Errors
    /// `RESTART`: a signal is to be delivered.
    pub(super) fn drain(&self) -> Result<(), Errno> {
        if self.driver.ending() == Ending::Program {
            return Ok(());
        }
        let hang_ups = self.hang_ups();
        let is_over = || {
            let is_empty = self.state.lock().sending.len() == 0;
            (is_empty || self.hang_ups() != hang_ups).then_some(())
        };
        Ok(self.writable.wait_until(is_over)?)
    }

    /// Who writes may sleep while output is stopped: a signal ends the wait for such a one.
    fn lock_writer(&self, io: &Io) -> Result<SleepingMutexGuard<'_>, Errno> {
        match self.writer.try_lock() {
            Some(guard) => Ok(guard),
            None if io.is_nonblocking() => Err(Errno::EAGAIN),
            None => self.writer.lock_interruptible(),
        }
    }

    fn write_piece(
        &self,
        io: &Io,
        from: &mut dyn Source,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        let most = OUTPUT_PIECE.min(from.left()) * MOST_OF_ONE;
        let is_ready = || (self.state.lock().sending.room() >= most || is_dead()).then_some(());
        match is_ready() {
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.writable.wait_until(is_ready)?,
            Some(()) => {}
        }
        if is_dead() {
            return Err(super::HUNG_UP);
        }
        let mut piece = [0; OUTPUT_PIECE];
        let len = from.left().min(OUTPUT_PIECE);
        let taken = from.take(&mut piece[..len])?;
        {
            let mut state = self.state.lock();
            let TerminalState {
                discipline, sending, ..
            } = &mut *state;
            discipline.write(&piece[..taken], &mut |bytes| sending.push(bytes));
        }
        self.send();
        if from.left() > 0 {
            // A long write keeps the processor for long on a slow line: typed bytes must not be lost meanwhile.
            scheduler::cond_resched();
        }
        Ok(taken)
    }
}
