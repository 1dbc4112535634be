//! Timers as descriptors: timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).

use abi::Errno;
use abi::capability::CAP_WAKE_ALARM;
use abi::events::{TimerFdCreateFlags, TimerFdFlags};
use abi::file::OpenFlags;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, ITimerSpec,
    TimeSpec,
};
use events::timerfd::{self, TimerFd, TimerFdClock, TimerFdSetting};
use task::thread::{Thread, ThreadExt};

use super::flags::decode;
use super::lookup::opened;
use super::open::{install, on_exec};

/// timerfd_create(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or no clock for it. `EPERM`: a clock that wakes the machine, without `CAP_WAKE_ALARM`. `EMFILE`, `ENOMEM`.
pub fn timerfd_create(current: &Thread, clock_id: u32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, TimerFdCreateFlags::all())?;
    let clock = match clock_id {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => TimerFdClock::Realtime,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => TimerFdClock::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    if matches!(clock_id, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM) {
        current.process().credentials().require(CAP_WAKE_ALARM)?;
    }
    memory::has_room()?;
    let file = timerfd::open(clock, clock_id, flags)?;
    install(
        current,
        file,
        on_exec(OpenFlags::from_bits_retain(flags.bits())),
        0,
    )
}

/// timerfd_settime(2).
///
/// # Errors
/// Those of user memory. `EINVAL`: unknown flags, a time that is none, or no timer. `EBADF`. `ECANCELED`: the clock was set, which
/// nobody has read yet; the timer is set all the same.
pub fn timerfd_settime(
    current: &Thread,
    timer: i32,
    flags: u32,
    new_at: u64,
    old_at: u64,
) -> Result<usize, Errno> {
    let new: ITimerSpec = uaccess::read_value(new_at)?;
    let flags = decode(flags, TimerFdFlags::all())?;
    let setting = TimerFdSetting {
        first: new.value.to_nanoseconds().ok_or(Errno::EINVAL)?,
        period: new.interval.to_nanoseconds().ok_or(Errno::EINVAL)?,
    };
    let file = opened(current, timer)?;
    let old = file
        .ops_as::<TimerFd>()
        .ok_or(Errno::EINVAL)?
        .set(flags, setting)?;
    uaccess::write_wanted(old_at, &describe(old))?;
    Ok(0)
}

/// timerfd_gettime(2).
///
/// # Errors
/// `EBADF`. `EINVAL`: no timer. Those of user memory.
pub fn timerfd_gettime(current: &Thread, timer: i32, at: u64) -> Result<usize, Errno> {
    let file = opened(current, timer)?;
    let setting = file.ops_as::<TimerFd>().ok_or(Errno::EINVAL)?.get();
    uaccess::write_value(at, &describe(setting))?;
    Ok(0)
}

fn describe(setting: TimerFdSetting) -> ITimerSpec {
    ITimerSpec {
        interval: TimeSpec::from_nanoseconds(setting.period),
        value: TimeSpec::from_nanoseconds(setting.first),
    }
}
