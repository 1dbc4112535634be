//! One read(2) or write(2) of a pipe: steps under the pipe's lock, and in between what must be done without it.

use abi::Errno;
use abi::signal::Signal;
use platform::user_copy::UserFault;

use crate::wait::WaitQueue;
use crate::{fs, scheduler, user_memory};

/// How far a read or write has come.
pub(super) struct Transfer {
    pub(super) done: usize,
    pub(super) left: usize,
    /// The fault that it left the pipe in the middle for.
    pub(super) fault: Option<UserFault>,
    /// Somebody woke it, who perhaps woke nobody else.
    has_slept: bool,
    /// After its last step there was something to do for the next who goes the same way.
    pub(super) leaves_some: bool,
}

/// What a step came to.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// Bytes were moved.
    Moved,
    /// There will be no more for this call.
    End,
    /// User memory has to be made ready first.
    Fault,
    /// Nobody has the pipe open for reading.
    NoReader,
    /// There is no frame.
    NoMemory,
}

impl Transfer {
    /// Of `len` bytes.
    pub(super) fn of(len: usize) -> Transfer {
        Transfer {
            done: 0,
            left: len,
            fault: None,
            has_slept: false,
            leaves_some: true,
        }
    }

    /// Whether it is to wake the next who goes the same way: it was woken for what it did not use up.
    #[inline]
    pub(super) fn passes_on(&self) -> bool {
        self.has_slept && self.leaves_some
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

    /// What the last copy came to.
    #[inline]
    pub(super) fn step(&self) -> Step {
        if self.is_away() { Step::Fault } else { Step::Moved }
    }

    /// Makes one step after the other, sleeping in `queue` while `step` has no answer. What hinders a step ends the transfer,
    /// and is an error only if nothing was moved: `EAGAIN`, `EPIPE` (with its signal), `EFAULT`, `ENOMEM`.
    pub(super) fn run(
        &mut self,
        queue: &WaitQueue,
        is_nonblocking: bool,
        step: impl FnMut(&mut Transfer) -> Option<Step>,
    ) -> Result<usize, Errno> {
        let result = self.make_steps(queue, is_nonblocking, step);
        if self.done > 0 {
            Ok(self.done)
        } else {
            result.map(|()| 0)
        }
    }

    fn make_steps(
        &mut self,
        queue: &WaitQueue,
        is_nonblocking: bool,
        mut step: impl FnMut(&mut Transfer) -> Option<Step>,
    ) -> Result<(), Errno> {
        while self.left > 0 {
            let made = match step(self) {
                Some(made) => made,
                None if is_nonblocking => return Err(Errno::EAGAIN),
                None => {
                    self.has_slept = true;
                    queue.wait_exclusive_further(|| step(self))?
                }
            };
            match made {
                Step::Moved if self.left > 0 => scheduler::cond_resched_killable()?,
                Step::Moved => {}
                Step::End => break,
                Step::Fault => self.fault.as_ref().map_or(Ok(()), user_memory::serve)?,
                Step::NoReader => {
                    fs::raise(Signal::SIGPIPE);
                    return Err(Errno::EPIPE);
                }
                Step::NoMemory => return Err(Errno::ENOMEM),
            }
        }
        Ok(())
    }
}
