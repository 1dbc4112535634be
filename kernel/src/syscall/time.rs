//! Clocks and sleeping: clock_gettime(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2), setitimer(2), times(2).

use crate::thread::Thread;
use crate::{time, user_memory, wait};
use abi::Errno;
use abi::capability::CAP_SYS_TIME;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, ITIMER_REAL, ITimerVal, TIMER_ABSTIME, TimeSpec, TimeVal, TimeZone, USER_HZ,
};
use platform::timer;

/// A clock that can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Realtime,
    Monotonic,
    ProcessTime,
    ThreadTime,
}

impl Clock {
    fn decode(id: u64) -> Result<Clock, Errno> {
        match id as u32 {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Ok(Clock::Realtime),
            CLOCK_MONOTONIC
            | CLOCK_MONOTONIC_RAW
            | CLOCK_MONOTONIC_COARSE
            | CLOCK_BOOTTIME
            | CLOCK_BOOTTIME_ALARM => Ok(Clock::Monotonic),
            CLOCK_PROCESS_CPUTIME_ID => Ok(Clock::ProcessTime),
            CLOCK_THREAD_CPUTIME_ID => Ok(Clock::ThreadTime),
            _ => Err(Errno::EINVAL),
        }
    }

    fn now(self, current: &Thread) -> u64 {
        match self {
            Clock::Realtime => time::now_realtime_nanos(),
            Clock::Monotonic => time::now_monotonic_nanos(),
            Clock::ProcessTime => {
                let (user, system) = current.process.own_totals().ticks();
                timer::ticks_to_nanos(user + system)
            }
            Clock::ThreadTime => {
                let (user, system) = current.ticks();
                timer::ticks_to_nanos(user + system)
            }
        }
    }
}

/// clock_gettime(2).
pub fn clock_gettime(current: &Thread, clock: u64, at: u64) -> Result<usize, Errno> {
    let now = Clock::decode(clock)?.now(current);
    user_memory::write_value(at, &TimeSpec::from_nanoseconds(now))?;
    Ok(0)
}

/// clock_getres(2): one tick of the timer.
pub fn clock_getres(clock: u64, at: u64) -> Result<usize, Errno> {
    Clock::decode(clock)?;
    let tick = time::SECOND.div_ceil(timer::frequency());
    user_memory::write_wanted(at, &TimeSpec::from_nanoseconds(tick))?;
    Ok(0)
}

/// clock_settime(2).
pub fn clock_settime(current: &Thread, clock: u64, at: u64) -> Result<usize, Errno> {
    if clock as u32 != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    let wanted: TimeSpec = user_memory::read_value(at)?;
    set_clock(current, wanted.to_nanoseconds().ok_or(Errno::EINVAL)?)
}

fn set_clock(current: &Thread, nanos: u64) -> Result<usize, Errno> {
    current.process.credentials().require(CAP_SYS_TIME)?;
    time::set_realtime_nanos(nanos);
    Ok(0)
}

/// gettimeofday(2).
pub fn gettimeofday(time_at: u64, zone_at: u64) -> Result<usize, Errno> {
    user_memory::write_wanted(time_at, &TimeVal::from_nanoseconds(time::now_realtime_nanos()))?;
    user_memory::write_wanted(zone_at, &TimeZone::default())?;
    Ok(0)
}

/// settimeofday(2): the time zone means nothing to the kernel.
pub fn settimeofday(current: &Thread, time_at: u64) -> Result<usize, Errno> {
    if time_at == 0 {
        return Ok(0);
    }
    let wanted: TimeVal = user_memory::read_value(time_at)?;
    set_clock(current, wanted.to_nanoseconds().ok_or(Errno::EINVAL)?)
}

/// nanosleep(2).
pub fn nanosleep(current: &Thread, request: u64, left: u64) -> Result<usize, Errno> {
    let wanted: TimeSpec = user_memory::read_value(request)?;
    let nanos = wanted.to_nanoseconds().ok_or(Errno::EINVAL)?;
    sleep_for(current, nanos, left)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    current: &Thread,
    clock: u64,
    flags: u64,
    request: u64,
    left: u64,
) -> Result<usize, Errno> {
    let clock = match Clock::decode(clock)? {
        clock @ (Clock::Realtime | Clock::Monotonic) => clock,
        Clock::ProcessTime => return Err(Errno::EOPNOTSUPP),
        Clock::ThreadTime => return Err(Errno::EINVAL),
    };
    let wanted: TimeSpec = user_memory::read_value(request)?;
    let nanos = wanted.to_nanoseconds().ok_or(Errno::EINVAL)?;
    if flags as u32 & TIMER_ABSTIME == 0 {
        return sleep_for(current, nanos, left);
    }
    let deadline = match clock {
        Clock::Realtime => time::realtime_to_ticks(nanos),
        _ => timer::nanos_to_ticks(nanos),
    };
    sleep_until(deadline)?;
    Ok(0)
}

/// Sleeps for a time. Interrupted by a handler: `EINTR`, and what was left of the time at `left`; by anything else the sleep
/// goes on to the same end.
fn sleep_for(current: &Thread, nanos: u64, left: u64) -> Result<usize, Errno> {
    let deadline = current.resume_deadline(time::deadline_after(nanos));
    let slept = sleep_until(deadline);
    if slept.is_err() {
        current.keep_deadline(deadline);
        let remaining = timer::ticks_to_nanos(deadline.saturating_sub(timer::ticks()));
        user_memory::write_wanted(left, &TimeSpec::from_nanoseconds(remaining))?;
    }
    slept.map(|()| 0)
}

fn sleep_until(deadline: u64) -> Result<(), Errno> {
    let slept: Result<Option<()>, _> = wait::wait_alone(Some(deadline), || None);
    slept.map(drop).map_err(|_| Errno::RESTART_NO_HANDLER)
}

/// getitimer(2).
pub fn getitimer(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    check_timer(which)?;
    let state = current.process.interval_timer.lock().remaining();
    user_memory::write_value(at, &describe_timer(state))?;
    Ok(0)
}

/// setitimer(2).
pub fn setitimer(current: &Thread, which: u64, new_at: u64, old_at: u64) -> Result<usize, Errno> {
    check_timer(which)?;
    let new: ITimerVal = if new_at == 0 {
        ITimerVal::default()
    } else {
        user_memory::read_value(new_at)?
    };
    let first = new.value.to_nanoseconds().ok_or(Errno::EINVAL)?;
    let period = new.interval.to_nanoseconds().ok_or(Errno::EINVAL)?;
    let ticks = |nanos: u64| {
        if nanos == 0 {
            0
        } else {
            timer::nanos_to_ticks(nanos).max(1)
        }
    };
    let process = &current.process;
    let mut timer = process.interval_timer.lock();
    let old = timer.remaining();
    timer.start(process, ticks(first), ticks(period));
    drop(timer);
    user_memory::write_wanted(old_at, &describe_timer(old))?;
    Ok(0)
}

/// The timers of processor time are not provided: `EINVAL`, as for a number that is none.
fn check_timer(which: u64) -> Result<(), Errno> {
    if which as u32 == ITIMER_REAL {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

fn describe_timer((left, period): (u64, u64)) -> ITimerVal {
    let time = |ticks| TimeVal::from_nanoseconds(timer::ticks_to_nanos(ticks));
    ITimerVal {
        interval: time(period),
        value: time(left),
    }
}

/// times(2): returns the time since boot.
pub fn times(current: &Thread, at: u64) -> Result<usize, Errno> {
    let clock = |ticks: u64| (timer::ticks_to_nanos(ticks) / (time::SECOND / USER_HZ)) as i64;
    let own = current.process.own_totals();
    let children = current.process.children_totals();
    let answer = abi::process::Tms {
        utime: clock(own.user),
        stime: clock(own.system),
        cutime: clock(children.user),
        cstime: clock(children.system),
    };
    user_memory::write_wanted(at, &answer)?;
    Ok((time::now_monotonic_nanos() / (time::SECOND / USER_HZ)) as usize)
}
