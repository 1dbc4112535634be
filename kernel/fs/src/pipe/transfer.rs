//! One read(2) or write(2) of a pipe: steps under the pipe's lock, and in between what must be done without it.

use abi::Errno;
use platform::user_copy::UserFault;

use super::Locked;
use sched::scheduler;
use sched::wait::WaitQueue;
use vfs::file_ops::Io;

/// How far a read or write has come.
pub(super) struct Transfer {
    pub(super) done: usize,
    pub(super) left: usize,
    /// The fault that it left the pipe in the middle for.
    pub(super) fault: Option<UserFault>,
    /// What is to be done at its end: [`SLEPT`], [`TELLS`].
    attention: u8,
    /// A reader has left some bytes for the next.
    pub(super) leaves_some: bool,
}

/// Somebody woke it, who perhaps woke nobody else.
const SLEPT: u8 = 1;
/// The owners of files of the other side are told of it.
const TELLS: u8 = 2;

/// What a step came to.
#[derive(Clone, Copy)]
pub(super) enum TransferStep {
    /// Bytes were moved.
    Moved,
    /// There is something to do.
    Ready,
    /// There will be no more for this call.
    End,
    /// User memory has to be made ready first.
    Fault,
    /// Nobody has the pipe open for reading.
    NoReader,
    /// There is no frame.
    NoMemory,
}

/// Which way the bytes go.
pub(super) trait Way<'a> {
    /// Where it is waited.
    fn queue(&self) -> &'a WaitQueue;
    /// Makes a step, or gives the pipe back as it is: there is nothing to be done yet.
    fn step(&mut self, transfer: &mut Transfer) -> Result<TransferStep, Locked<'a>>;
    /// After a sleep: makes a step, or looks whether there is one to be made.
    fn step_again(&mut self, transfer: &mut Transfer) -> Option<TransferStep>;
    /// The fault could not be served: others may go this way.
    fn give_up(&mut self);
    /// Nobody has the pipe open for reading.
    fn note_no_reader(&self) {}
    /// The transfer is over. It slept, or has somebody to tell.
    fn finish(&mut self, transfer: &Transfer);
}

impl Transfer {
    /// Of `len` bytes.
    #[inline]
    pub(super) fn of(len: usize) -> Transfer {
        Transfer {
            done: 0,
            left: len,
            fault: None,
            attention: 0,
            leaves_some: true,
        }
    }

    /// Whether it was woken for what it perhaps did not use up.
    #[inline]
    pub(super) fn has_slept(&self) -> bool {
        self.attention & SLEPT != 0
    }

    /// Whether owners are to be told.
    #[inline]
    pub(super) fn tells(&self) -> bool {
        self.attention & TELLS != 0
    }

    /// At its end owners are told.
    pub(super) fn tell_later(&mut self) {
        self.attention |= TELLS;
    }

    /// Whether it left the pipe in the middle.
    #[inline]
    pub(super) fn is_away(&self) -> bool {
        self.fault.is_some()
    }

    /// Notes that so many bytes were moved.
    #[inline]
    pub(super) fn note(&mut self, moved: usize) {
        self.done += moved;
        self.left -= moved;
    }

    /// Makes one step after the other, sleeping while there is none to be made. What hinders a step ends the transfer, and is
    /// an error only if nothing was moved: `EAGAIN`, `EPIPE`, `EFAULT`, `ENOMEM`.
    #[inline]
    pub(super) fn run<'a>(mut self, io: &Io, way: &mut impl Way<'a>) -> Result<usize, Errno> {
        let result = self.make_steps(io, way);
        if self.attention != 0 {
            way.finish(&self);
        }
        if self.done > 0 {
            Ok(self.done)
        } else {
            result.map(|()| 0)
        }
    }

    #[inline]
    fn make_steps<'a>(&mut self, io: &Io, way: &mut impl Way<'a>) -> Result<(), Errno> {
        while self.left > 0 {
            let made = match way.step(self) {
                Ok(made) => made,
                Err(_) if io.is_nonblocking() => return Err(Errno::EAGAIN),
                Err(locked) => {
                    self.attention |= SLEPT;
                    way.queue()
                        .wait_exclusive_behind(locked, || way.step_again(self))?
                }
            };
            match made {
                TransferStep::Moved if self.left > 0 => scheduler::cond_resched_killable()?,
                TransferStep::Moved | TransferStep::Ready => {}
                TransferStep::End => break,
                TransferStep::Fault => self.serve_fault(way)?,
                TransferStep::NoReader => {
                    way.note_no_reader();
                    return Err(Errno::EPIPE);
                }
                TransferStep::NoMemory => return Err(Errno::ENOMEM),
            }
        }
        Ok(())
    }

    #[cold]
    fn serve_fault<'a>(&self, way: &mut impl Way<'a>) -> Result<(), Errno> {
        let served = self.fault.as_ref().map_or(Ok(()), uaccess::serve);
        served.inspect_err(|_| way.give_up())
    }
}
