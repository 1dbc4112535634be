//! Until when a futex call waits.

use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME, TimeSpec};
use platform::timer;
use sched::time;
use sched::wait::{self, Interrupted};

/// The clock that a point in time is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitClock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// `CLOCK_REALTIME`.
    Realtime,
}

/// The end of a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// There is none.
    Never,
    /// A tick of the timer.
    At(u64),
    /// A time of `CLOCK_REALTIME`, in nanoseconds, however often the clock is set meanwhile.
    Realtime(u64),
}

impl Deadline {
    /// The end of a wait of the length at `at`, 0 for none. A call that is made again keeps the end it had.
    ///
    /// # Errors
    /// `EINVAL`, `EFAULT`.
    pub fn relative(current: &Thread, at: u64) -> Result<Deadline, Errno> {
        // Taken whether or not it is of use, so that it does not outlive the call that left it.
        let kept = current.resume_deadline(0);
        Ok(match read(at)? {
            None => Deadline::Never,
            Some(_) if kept != 0 => Deadline::At(kept),
            Some(nanos) => Deadline::At(time::deadline_after(nanos)),
        })
    }

    /// The point in time of `clock` at `at`, 0 for none.
    ///
    /// # Errors
    /// `EINVAL`, `EFAULT`.
    pub fn absolute(current: &Thread, at: u64, clock: WaitClock) -> Result<Deadline, Errno> {
        current.forget_deadline();
        Ok(match read(at)? {
            None => Deadline::Never,
            Some(nanos) if clock == WaitClock::Realtime => Deadline::Realtime(nanos),
            Some(nanos) => Deadline::At(timer::nanos_to_ticks(nanos)),
        })
    }

    /// As [`Deadline::absolute`], by the number of the clock, whatever it is where there is no point in time.
    ///
    /// # Errors
    /// `EINVAL`, `EFAULT`.
    pub fn of_clock(current: &Thread, at: u64, clock: u64) -> Result<Deadline, Errno> {
        let clock = match clock as u32 {
            CLOCK_REALTIME => WaitClock::Realtime,
            CLOCK_MONOTONIC => WaitClock::Monotonic,
            _ if at == 0 => WaitClock::Monotonic,
            _ => return Err(Errno::EINVAL),
        };
        Deadline::absolute(current, at, clock)
    }

    /// Sleeps until `ready` answers, or the end has come: then `None`.
    ///
    /// # Errors
    /// [`Interrupted`]: a signal came.
    pub fn wait<T>(self, ready: impl FnMut() -> Option<T>) -> Result<Option<T>, Interrupted> {
        match self {
            Deadline::Never => wait::wait_alone(None, ready),
            Deadline::At(tick) => wait::wait_alone(Some(tick), ready),
            Deadline::Realtime(nanos) => time::wait_until_realtime(nanos, ready),
        }
    }

    /// What a wait answers that a signal interrupted. If the call is made again it ends at the same time.
    pub fn interrupted(self, current: &Thread) -> Errno {
        match self {
            Deadline::Never => return Errno::RESTART,
            Deadline::At(tick) => current.keep_deadline(tick),
            Deadline::Realtime(_) => {}
        }
        Errno::RESTART_NO_HANDLER
    }
}

fn read(at: u64) -> Result<Option<u64>, Errno> {
    if at == 0 {
        return Ok(None);
    }
    let given: TimeSpec = uaccess::read_value(at)?;
    given.to_nanoseconds().map(Some).ok_or(Errno::EINVAL)
}
