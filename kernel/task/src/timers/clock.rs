//! Clocks by their ids: clock_gettime(2), clockid_t.

use super::{CpuClock, Meter, TimerClock};
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
};
use alloc::sync::Arc;
use sched::time::{self, discipline};

/// A clock that can be read.
pub enum Clock {
    /// Time since 1970.
    Realtime,
    /// International atomic time since 1970.
    Tai,
    /// Time since boot.
    Monotonic,
    /// Processor time.
    Processor(Meter),
}

impl Clock {
    /// The clock of that id.
    ///
    /// # Errors
    /// `EINVAL`: an id that is none, or none of the caller's.
    pub fn decode(current: &Arc<Thread>, id: u64) -> Result<Clock, Errno> {
        match id as u32 {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM => Ok(Clock::Realtime),
            CLOCK_TAI => Ok(Clock::Tai),
            CLOCK_MONOTONIC
            | CLOCK_MONOTONIC_RAW
            | CLOCK_MONOTONIC_COARSE
            | CLOCK_BOOTTIME
            | CLOCK_BOOTTIME_ALARM => Ok(Clock::Monotonic),
            CLOCK_PROCESS_CPUTIME_ID => Ok(Clock::Processor(Meter::of_process(
                current.process(),
                CpuClock::Profile,
            ))),
            CLOCK_THREAD_CPUTIME_ID => Ok(Clock::Processor(Meter::of_thread(current, CpuClock::Profile))),
            negative if (negative as i32) < 0 => {
                Meter::decode(current, negative as i32).map(Clock::Processor)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// As [`Clock::decode`], for a clock that one can wait for.
    ///
    /// # Errors
    /// As [`Clock::decode`]. `EOPNOTSUPP`: it only can be read.
    pub fn decode_waitable(current: &Arc<Thread>, id: u64) -> Result<TimerClock, Errno> {
        if matches!(
            id as u32,
            CLOCK_MONOTONIC_RAW | CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE
        ) {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(match Clock::decode(current, id)? {
            Clock::Realtime => TimerClock::Realtime,
            // Who waits for a time of day knows of no seconds that it is off.
            Clock::Tai if discipline::tai_offset() != 0 => return Err(Errno::EOPNOTSUPP),
            Clock::Tai => TimerClock::Realtime,
            Clock::Monotonic => TimerClock::Monotonic,
            Clock::Processor(meter) => TimerClock::Processor(meter),
        })
    }

    /// Nanoseconds.
    ///
    /// # Errors
    /// `EINVAL`: the processor time of who is gone.
    pub fn now(&self) -> Result<u64, Errno> {
        match self {
            Clock::Realtime => Ok(time::now_realtime_nanos()),
            Clock::Tai => Ok(time::now_realtime_nanos() + discipline::tai_offset() as u64 * time::SECOND),
            Clock::Monotonic => Ok(time::now_monotonic_nanos()),
            Clock::Processor(meter) => meter.read().ok_or(Errno::EINVAL),
        }
    }
}
