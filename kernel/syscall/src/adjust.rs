//! The discipline of the clock: adjtimex(2), clock_adjtime(2). What is computed is in `time::discipline`.

use abi::Errno;
use abi::capability::CAP_SYS_TIME;
use abi::time::CLOCK_REALTIME;
use abi::timex::{
    ADJ_FREQUENCY, ADJ_OFFSET_SINGLESHOT, ADJ_OFFSET_SS_READ, ADJ_STATUS, ADJ_TICK, STA_DEL, STA_INS, Timex,
};
use alloc::sync::Arc;
use sched::time;
use sched::time::discipline;
use task::thread::{Thread, ThreadExt};
use task::timers::{self, Clock};

/// The bit that tells adjtime(3) from ntp_adjtime(3).
const ADJTIME: u32 = 0x8000;
/// Microseconds of a tick: 10 % more or less than usual.
const TICKS: core::ops::RangeInclusive<i64> = 9_000..=11_000;
/// `freq` in nanoseconds must be a number.
const FREQUENCY_SCALE: i64 = 65_536_000;

/// adjtimex(2): the state of the clock.
///
/// Not supported: leap seconds (`STA_INS`, `STA_DEL`: `EINVAL`).
///
/// # Errors
/// `EPERM`: any change without `CAP_SYS_TIME`. `EINVAL`: a value out of range, a leap second, a clock before 1970.
/// `ENOMEM`, those of user memory.
pub fn adjtimex(current: &Thread, at: u64) -> Result<usize, Errno> {
    let mut all: Timex = uaccess::read_value(at)?;
    check(current, &all)?;
    let (state, is_changed) = discipline::adjust(&mut all)?;
    if is_changed {
        time::note_clock_set();
        timers::clock_was_set();
    }
    uaccess::write_value(at, &all)?;
    Ok(state as usize)
}

/// clock_adjtime(2).
///
/// Not supported: clocks but `CLOCK_REALTIME` (`EOPNOTSUPP`).
///
/// # Errors
/// As for [`adjtimex`]. `EINVAL`: no clock. `EOPNOTSUPP`: another one than `CLOCK_REALTIME`.
pub fn clock_adjtime(current: &Arc<Thread>, clock: u64, at: u64) -> Result<usize, Errno> {
    uaccess::read_value::<Timex>(at)?;
    if clock as u32 != CLOCK_REALTIME {
        Clock::decode(current, clock)?;
        return Err(Errno::EOPNOTSUPP);
    }
    adjtimex(current, at)
}

fn check(current: &Thread, all: &Timex) -> Result<(), Errno> {
    let asks = |mode: u32| all.modes & mode != 0;
    if asks(ADJTIME) && all.modes & ADJ_OFFSET_SINGLESHOT != ADJ_OFFSET_SINGLESHOT {
        return Err(Errno::EINVAL);
    }
    let only_reads = all.modes == 0 || asks(ADJTIME) && all.modes & ADJ_OFFSET_SS_READ == ADJ_OFFSET_SS_READ;
    if !only_reads {
        current.process().credentials().require(CAP_SYS_TIME)?;
    }
    if asks(ADJTIME) {
        return Ok(());
    }
    let is_leap = asks(ADJ_STATUS) && all.status as u32 & (STA_INS | STA_DEL) != 0;
    let is_far = asks(ADJ_FREQUENCY) && all.freq.checked_mul(FREQUENCY_SCALE).is_none();
    if asks(ADJ_TICK) && !TICKS.contains(&all.tick) || is_leap || is_far {
        return Err(Errno::EINVAL);
    }
    Ok(())
}
