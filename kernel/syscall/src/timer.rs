//! Timers of a process: timer_create(2), timer_settime(2), timer_getoverrun(2), timer_delete(2).

use abi::Errno;
use abi::capability::CAP_WAKE_ALARM;
use abi::signal::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, SigEvent, Signal};
use abi::time::{CLOCK_BOOTTIME_ALARM, CLOCK_REALTIME_ALARM, ITimerSpec, TimeSpec, TimerFlags};
use alloc::sync::Arc;
use task::process;
use task::thread::{Thread, ThreadExt};
use task::timers::{Clock, TimerNotice, TimerSetting};

/// timer_create(2).
///
/// # Errors
/// `EINVAL`: no such clock, way of telling or signal, or a thread of another process. `EOPNOTSUPP`: a clock that one
/// cannot wait for. `EPERM`: a clock that wakes the machine, without `CAP_WAKE_ALARM`. `EAGAIN`: too many signals could
/// wait, or want of memory. Those of user memory.
pub fn timer_create(current: &Arc<Thread>, clock: u64, event_at: u64, id_at: u64) -> Result<usize, Errno> {
    if matches!(clock as u32, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM) {
        current.process().credentials().require(CAP_WAKE_ALARM)?;
    }
    let source = Clock::decode_waitable(current, clock)?;
    let event: Option<SigEvent> = match event_at {
        0 => None,
        at => Some(uaccess::read_value(at)?),
    };
    let notice = event.map(|event| decode(current, &event)).transpose()?;
    let by_default = |id: i32| TimerNotice::Signal {
        signal: Signal::SIGALRM,
        value: id as u64,
        thread: None,
    };
    let process = current.process();
    let id = process.make_timer(source, |id| notice.unwrap_or_else(|| by_default(id)))?;
    uaccess::write_value(id_at, &id).inspect_err(|_| {
        // Another thread may have guessed the id and deleted it.
        let _ = process.delete_timer(id);
    })?;
    Ok(0)
}

fn decode(current: &Thread, event: &SigEvent) -> Result<TimerNotice, Errno> {
    if event.notify == SIGEV_NONE {
        return Ok(TimerNotice::None);
    }
    let thread = match event.notify {
        SIGEV_SIGNAL | SIGEV_THREAD => None,
        SIGEV_THREAD_ID => {
            let thread = process::find_thread(event.thread as u32)
                .filter(|thread| Arc::ptr_eq(thread.process(), current.process()));
            Some(Arc::downgrade(&thread.ok_or(Errno::EINVAL)?))
        }
        _ => return Err(Errno::EINVAL),
    };
    let signal = u64::try_from(event.signo).ok().and_then(Signal::new);
    Ok(TimerNotice::Signal {
        signal: signal.ok_or(Errno::EINVAL)?,
        value: event.value,
        thread,
    })
}

/// timer_settime(2).
///
/// # Errors
/// `EINVAL`: no such timer, or no time. Those of user memory.
pub fn timer_settime(
    current: &Thread,
    id: u64,
    flags: u64,
    new_at: u64,
    old_at: u64,
) -> Result<usize, Errno> {
    if new_at == 0 {
        return Err(Errno::EINVAL);
    }
    let new: ITimerSpec = uaccess::read_value(new_at)?;
    let setting = TimerSetting {
        first: new.value.to_nanoseconds().ok_or(Errno::EINVAL)?,
        period: new.interval.to_nanoseconds().ok_or(Errno::EINVAL)?,
        is_absolute: TimerFlags::from_bits_retain(flags as u32).contains(TimerFlags::TIMER_ABSTIME),
    };
    let old = current.process().timers.find(id as i32)?.set(setting);
    uaccess::write_wanted(old_at, &describe(old))?;
    Ok(0)
}

/// timer_gettime(2).
///
/// # Errors
/// `EINVAL`: no such timer. Those of user memory.
pub fn timer_gettime(current: &Thread, id: u64, at: u64) -> Result<usize, Errno> {
    let state = current.process().timers.find(id as i32)?.remaining();
    uaccess::write_value(at, &describe(state))?;
    Ok(0)
}

/// timer_getoverrun(2).
///
/// # Errors
/// `EINVAL`: no such timer.
pub fn timer_getoverrun(current: &Thread, id: u64) -> Result<usize, Errno> {
    Ok(current.process().timers.find(id as i32)?.overrun() as usize)
}

/// timer_delete(2).
///
/// # Errors
/// `EINVAL`: no such timer.
pub fn timer_delete(current: &Thread, id: u64) -> Result<usize, Errno> {
    current.process().delete_timer(id as i32)?;
    Ok(0)
}

fn describe((left, period): (u64, u64)) -> ITimerSpec {
    ITimerSpec {
        interval: TimeSpec::from_nanoseconds(period),
        value: TimeSpec::from_nanoseconds(left),
    }
}
