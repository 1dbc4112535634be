//! Clocks and sleeping: clock_gettime(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2), setitimer(2), times(2).

use abi::Errno;
use abi::capability::CAP_SYS_TIME;
use abi::time::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL,
    ITimerVal, TimeSpec, TimeVal, TimeZone, TimerFlags, USER_HZ,
};
use alloc::sync::Arc;
use memory::fallible;
use platform::timer;
use sched::time::{self, clock_page};
use sched::wait;
use task::process::Process;
use task::thread::{Thread, ThreadExt};
use task::timers::{self, Clock, CpuClock, Meter, Timer, TimerClock, TimerNotice, TimerSetting};

/// clock_gettime(2).
///
/// # Errors
/// `EINVAL`: no clock, or the processor time of a thread that is gone. Those of user memory.
pub fn clock_gettime(current: &Arc<Thread>, clock: u64, at: u64) -> Result<usize, Errno> {
    let now = match clock as u32 {
        // What is asked most, without a detour.
        CLOCK_MONOTONIC => time::now_monotonic_nanos(),
        CLOCK_REALTIME => time::now_realtime_nanos(),
        _ => Clock::decode(current, clock)?.now()?,
    };
    uaccess::write_value(at, &TimeSpec::from_nanoseconds(now))?;
    Ok(0)
}

/// clock_getres(2): one tick of the timer.
///
/// # Errors
/// `EINVAL`: no clock. Those of user memory.
pub fn clock_getres(current: &Arc<Thread>, clock: u64, at: u64) -> Result<usize, Errno> {
    Clock::decode(current, clock)?;
    uaccess::write_wanted(at, &TimeSpec::from_nanoseconds(clock_page::resolution()))?;
    Ok(0)
}

/// clock_settime(2).
///
/// # Errors
/// `EINVAL`: no clock, one that cannot be set, or no time. `EPERM`: a clock of processor time; without `CAP_SYS_TIME`.
/// Those of user memory.
pub fn clock_settime(current: &Arc<Thread>, clock: u64, at: u64) -> Result<usize, Errno> {
    if (clock as i32) < 0 {
        // There are such clocks, but nobody may set them.
        Clock::decode(current, clock)?;
        uaccess::read_value::<TimeSpec>(at)?;
        return Err(Errno::EPERM);
    }
    if clock as u32 != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    let wanted: TimeSpec = uaccess::read_value(at)?;
    set_clock(current, wanted.to_nanoseconds().ok_or(Errno::EINVAL)?)
}

fn set_clock(current: &Thread, nanos: u64) -> Result<usize, Errno> {
    current.process().credentials().require(CAP_SYS_TIME)?;
    time::set_realtime_nanos(nanos);
    timers::clock_was_set();
    Ok(0)
}

/// gettimeofday(2).
///
/// # Errors
/// Those of user memory.
pub fn gettimeofday(time_at: u64, zone_at: u64) -> Result<usize, Errno> {
    uaccess::write_wanted(time_at, &TimeVal::from_nanoseconds(time::now_realtime_nanos()))?;
    uaccess::write_wanted(zone_at, &TimeZone::default())?;
    Ok(0)
}

/// settimeofday(2): the time zone means nothing to the kernel.
///
/// Not supported: the time zone means nothing to the kernel.
///
/// # Errors
/// `EINVAL`: no time. `EPERM`: without `CAP_SYS_TIME`. Those of user memory.
pub fn settimeofday(current: &Thread, time_at: u64) -> Result<usize, Errno> {
    if time_at == 0 {
        return Ok(0);
    }
    let wanted: TimeVal = uaccess::read_value(time_at)?;
    set_clock(current, wanted.to_nanoseconds().ok_or(Errno::EINVAL)?)
}

/// nanosleep(2).
///
/// # Errors
/// `EINVAL`: no time. `EINTR`: a handler ran. Those of user memory.
pub fn nanosleep(current: &Thread, request: u64, left: u64) -> Result<usize, Errno> {
    let wanted: TimeSpec = uaccess::read_value(request)?;
    let nanos = wanted.to_nanoseconds().ok_or(Errno::EINVAL)?;
    sleep_for(current, nanos, left)
}

/// clock_nanosleep(2).
///
/// # Errors
/// `EOPNOTSUPP`: a clock that one cannot wait for, as Linux has them. `EINVAL`: no clock, no time, or the caller's own
/// processor time. `EINTR`: a handler ran. `EAGAIN`, `ENOMEM`: want of memory. Those of user memory.
pub fn clock_nanosleep(
    current: &Arc<Thread>,
    clock: u64,
    flags: u64,
    request: u64,
    left: u64,
) -> Result<usize, Errno> {
    if clock as u32 == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EOPNOTSUPP);
    }
    let source = Clock::decode_waitable(current, clock)?;
    let wanted: TimeSpec = uaccess::read_value(request)?;
    let nanos = wanted.to_nanoseconds().ok_or(Errno::EINVAL)?;
    let flags = TimerFlags::from_bits_retain(flags as u32);
    let is_absolute = flags.contains(TimerFlags::TIMER_ABSTIME);
    match source {
        TimerClock::Processor(meter) => sleep_by_processor_time(current, meter, nanos, flags, left),
        _ if !is_absolute => sleep_for(current, nanos, left),
        TimerClock::Realtime => time::sleep_until_realtime(nanos)
            .map(|()| 0)
            .map_err(|_| Errno::RESTART_NO_HANDLER),
        TimerClock::Monotonic => sleep_until(timer::nanos_to_ticks(nanos)).map(|()| 0),
    }
}

/// Sleeps until a clock of processor time has gone on by `nanos`, or is there: `EINVAL` for the caller's own, which stands
/// meanwhile.
fn sleep_by_processor_time(
    current: &Arc<Thread>,
    meter: Meter,
    nanos: u64,
    flags: TimerFlags,
    left: u64,
) -> Result<usize, Errno> {
    let is_absolute = flags.contains(TimerFlags::TIMER_ABSTIME);
    let process = meter.process().ok_or(Errno::EINVAL)?;
    if meter.is_of(current) {
        return Err(Errno::EINVAL);
    }
    let now = meter.read().ok_or(Errno::EINVAL)?;
    let deadline = if is_absolute {
        nanos
    } else {
        current.resume_deadline(now.saturating_add(nanos))
    };
    let notice = TimerNotice::Wake(current.clone());
    let timer = fallible::arc(Timer::new(
        0,
        TimerClock::Processor(meter.clone()),
        notice,
        &process,
    ))?;
    process.watch_timer(&timer)?;
    timer.set(TimerSetting {
        first: deadline.max(1),
        period: 0,
        is_absolute: true,
    });
    let slept = wait::wait_alone(None, || timer.is_over().then_some(()));
    timer.stop();
    process.unwatch_timer(&timer);
    if slept.is_ok() {
        return Ok(0);
    }
    if !is_absolute {
        current.keep_deadline(deadline);
        let remaining = deadline.saturating_sub(meter.read().unwrap_or(deadline));
        uaccess::write_wanted(left, &TimeSpec::from_nanoseconds(remaining))?;
    }
    Err(Errno::RESTART_NO_HANDLER)
}

/// Sleeps for a time. Interrupted by a handler: `EINTR`, and what was left of the time at `left`; by anything else the sleep
/// goes on to the same end.
fn sleep_for(current: &Thread, nanos: u64, left: u64) -> Result<usize, Errno> {
    let deadline = current.resume_deadline(time::deadline_after(nanos));
    let slept = sleep_until(deadline);
    if slept.is_err() {
        current.keep_deadline(deadline);
        let remaining = timer::ticks_to_nanos(deadline.saturating_sub(timer::ticks()));
        uaccess::write_wanted(left, &TimeSpec::from_nanoseconds(remaining))?;
    }
    slept.map(|()| 0)
}

fn sleep_until(deadline: u64) -> Result<(), Errno> {
    let slept: Result<Option<()>, _> = wait::wait_alone(Some(deadline), || None);
    slept.map(drop).map_err(|_| Errno::RESTART_NO_HANDLER)
}

/// An interval timer: setitimer(2).
enum IntervalTimer {
    Real,
    Processor(CpuClock),
}

impl IntervalTimer {
    fn decode(which: u64) -> Result<IntervalTimer, Errno> {
        match which as u32 {
            ITIMER_REAL => Ok(IntervalTimer::Real),
            ITIMER_VIRTUAL => Ok(IntervalTimer::Processor(CpuClock::Virtual)),
            ITIMER_PROF => Ok(IntervalTimer::Processor(CpuClock::Profile)),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// getitimer(2).
///
/// # Errors
/// `EINVAL`: no such timer. Those of user memory.
pub fn getitimer(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    let process = current.process();
    let state = match IntervalTimer::decode(which)? {
        IntervalTimer::Real => in_nanos(process.interval_timer.lock().remaining()),
        IntervalTimer::Processor(which) => process.interval(which),
    };
    uaccess::write_value(at, &describe_timer(state))?;
    Ok(0)
}

/// setitimer(2).
///
/// # Errors
/// `EINVAL`: no such timer, or no time. Those of user memory.
pub fn setitimer(current: &Thread, which: u64, new_at: u64, old_at: u64) -> Result<usize, Errno> {
    let new: ITimerVal = if new_at == 0 {
        ITimerVal::default()
    } else {
        uaccess::read_value(new_at)?
    };
    let first = new.value.to_nanoseconds().ok_or(Errno::EINVAL)?;
    let period = new.interval.to_nanoseconds().ok_or(Errno::EINVAL)?;
    let process = current.process();
    let old = match IntervalTimer::decode(which)? {
        IntervalTimer::Real => set_real_timer(process, first, period),
        IntervalTimer::Processor(which) => process.set_interval(which, first, period),
    };
    uaccess::write_wanted(old_at, &describe_timer(old))?;
    Ok(0)
}

fn set_real_timer(process: &Arc<Process>, first: u64, period: u64) -> (u64, u64) {
    let ticks = |nanos: u64| {
        if nanos == 0 {
            0
        } else {
            timer::nanos_to_ticks(nanos).max(1)
        }
    };
    let mut timer = process.interval_timer.lock();
    let old = timer.remaining();
    timer.start(process, ticks(first), ticks(period));
    in_nanos(old)
}

fn in_nanos((left, period): (u64, u64)) -> (u64, u64) {
    (timer::ticks_to_nanos(left), timer::ticks_to_nanos(period))
}

/// What runs is not shown as off, though it has less than a microsecond left.
fn describe_timer((left, period): (u64, u64)) -> ITimerVal {
    let left = if left == 0 { 0 } else { left.max(1000) };
    ITimerVal {
        interval: TimeVal::from_nanoseconds(period),
        value: TimeVal::from_nanoseconds(left),
    }
}

/// times(2): returns the time since boot.
///
/// # Errors
/// Those of user memory.
pub fn times(current: &Thread, at: u64) -> Result<usize, Errno> {
    let clock = |ticks: u64| (timer::ticks_to_nanos(ticks) / (time::SECOND / USER_HZ)) as i64;
    let own = current.process().own_totals();
    let children = current.process().children_totals();
    let answer = abi::process::Tms {
        utime: clock(own.user),
        stime: clock(own.system),
        cutime: clock(children.user),
        cstime: clock(children.system),
    };
    uaccess::write_wanted(at, &answer)?;
    Ok((time::now_monotonic_nanos() / (time::SECOND / USER_HZ)) as usize)
}
