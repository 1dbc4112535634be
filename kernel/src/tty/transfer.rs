//! Reading from and writing to the terminal.

use abi::Errno;
use abi::signal::Signal;
use abi::terminal::{TOSTOP, VMIN, VTIME};

use super::Terminal;
use crate::fs::object::Io;
use crate::scheduler;
use crate::time;
use crate::user_memory::{Sink, Source};

/// Bytes moved under one hold of the lock. Input is looked after between two pieces.
const PIECE: usize = 256;
/// The unit of VTIME, in nanoseconds.
const TENTH: u64 = time::SECOND / 10;

/// What VMIN and VTIME ask for: termios(3), noncanonical mode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Terms {
    least: usize,
    /// Ticks to wait for the first byte, or, if `least` is not 0, between two bytes; 0: no limit.
    patience: u64,
}

impl Terminal {
    /// Reads a line, or in noncanonical mode what VMIN and VTIME ask for. `is_dead` says whether the terminal was hung
    /// up behind this open file: end of file then.
    pub(super) fn read(
        &self,
        io: &Io,
        to: &mut dyn Sink,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        self.check_foreground(Signal::SIGTTIN)?;
        if is_dead() || to.room() == 0 {
            return Ok(0);
        }
        let is_canonical = self.state.lock().discipline.is_canonical();
        if is_canonical {
            self.read_line(io, to, is_dead)
        } else {
            self.read_raw(io, to, is_dead)
        }
    }

    fn read_line(&self, io: &Io, to: &mut dyn Sink, is_dead: impl Fn() -> bool) -> Result<usize, Errno> {
        let is_ready = || {
            let state = self.state.lock();
            (state.discipline.has_line() || !state.discipline.is_canonical() || is_dead()).then_some(())
        };
        match is_ready() {
            None if io.is_nonblocking => return Err(Errno::EAGAIN),
            None => self.readable.wait_until(is_ready)?,
            Some(()) => {}
        }
        self.take(to)
    }

    fn read_raw(&self, io: &Io, to: &mut dyn Sink, is_dead: impl Fn() -> bool) -> Result<usize, Errno> {
        let terms = self.terms();
        let wanted = if io.is_nonblocking {
            1
        } else {
            terms.least.min(to.room())
        };
        let (first_deadline, step) = match (terms.least, terms.patience) {
            _ if io.is_nonblocking => (None, 0),
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
        if io.is_nonblocking && available() < wanted {
            let is_immediate = terms
                == Terms {
                    least: 0,
                    patience: 0,
                };
            return if is_immediate { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        let mut deadline = first_deadline;
        let mut seen = 0;
        loop {
            let next = || Some(available()).filter(|now| *now >= wanted || *now > seen);
            match self.readable.wait_until_deadline(deadline, next)? {
                // The patience is over: what there is, if anything.
                None => break,
                Some(now) if now >= wanted => break,
                Some(now) => {
                    seen = now;
                    deadline = (step > 0).then(|| platform::timer::ticks() + step);
                }
            }
        }
        self.take(to)
    }

    fn terms(&self) -> Terms {
        let state = self.state.lock();
        let cc = &state.discipline.termios().cc;
        let patience = platform::timer::nanos_to_ticks(u64::from(cc[VTIME]) * TENTH);
        Terms {
            least: cc[VMIN].into(),
            patience,
        }
    }

    /// Hands over what is there, up to the end of a line in canonical mode.
    fn take(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        while to.room() > 0 {
            let mut piece = [0; PIECE];
            let len = to.room().min(PIECE);
            let taken = self.state.lock().discipline.take(&mut piece[..len]);
            if taken.len > 0 {
                match to.put(&piece[..taken.len]) {
                    Ok(copied) => done += copied,
                    Err(error) if done == 0 => return Err(error),
                    Err(_) => break,
                }
            }
            if taken.is_end || taken.len < len {
                break;
            }
        }
        Ok(done)
    }

    /// Writes everything, waiting while output is stopped. `EIO` once it was hung up.
    pub(super) fn write(
        &self,
        io: &Io,
        from: &mut dyn Source,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        if self.state.lock().discipline.termios().lflag & TOSTOP != 0 {
            self.check_foreground(Signal::SIGTTOU)?;
        }
        let mut done = 0;
        while from.left() > 0 {
            match self.write_piece(io, from, &is_dead) {
                Ok(written) => done += written,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_piece(
        &self,
        io: &Io,
        from: &mut dyn Source,
        is_dead: impl Fn() -> bool,
    ) -> Result<usize, Errno> {
        let is_ready = || (!self.state.lock().discipline.is_stopped() || is_dead()).then_some(());
        match is_ready() {
            None if io.is_nonblocking => return Err(Errno::EAGAIN),
            None => self.writable.wait_until(is_ready)?,
            Some(()) => {}
        }
        if is_dead() {
            return Err(super::HUNG_UP);
        }
        let mut piece = [0; PIECE];
        let len = from.left().min(PIECE);
        let taken = from.take(&mut piece[..len])?;
        self.state
            .lock()
            .discipline
            .write(&piece[..taken], &mut platform::console::write);
        if from.left() > 0 {
            // A long write keeps the processor for long on a slow line: typed bytes must not be lost meanwhile.
            scheduler::handle_interrupts();
        }
        Ok(taken)
    }
}
