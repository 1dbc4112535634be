//! Time: the clocks, and one sorted list of what is to happen when. Points in time are ticks of `platform::timer`.

use crate::process::Process;
use crate::scheduler;
use crate::signal::timer as signal_timer;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use platform::timer;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

static TIMERS: Mutex<Timers, { rank::TIMERS }> = Mutex::new(Timers {
    due: BTreeMap::new(),
    sequence: 0,
});

/// The first deadline in [`TIMERS`], to be read without its lock.
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// `CLOCK_REALTIME` at tick 0, in nanoseconds since 1970. On a board without a clock that runs while the power is off it is 0
/// until somebody sets it.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// A timer that was set, for [`cancel`]: its deadline, and a number that tells equal deadlines apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alarm(u64, u64);

/// What happens at a deadline.
enum Due {
    Wake(Arc<Thread>),
    /// The process's `ITIMER_REAL`.
    IntervalTimer(Weak<Process>),
}

struct Timers {
    due: BTreeMap<Alarm, Due>,
    sequence: u64,
}

impl Timers {
    fn insert(&mut self, at: u64, due: Due) -> Alarm {
        self.sequence += 1;
        let alarm = Alarm(at, self.sequence);
        self.due.insert(alarm, due);
        self.publish();
        alarm
    }

    fn take_due(&mut self, now: u64) -> Option<Due> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let due = first.remove();
        self.publish();
        Some(due)
    }

    fn publish(&self) {
        let next = self.due.first_key_value().map_or(u64::MAX, |(alarm, _)| alarm.0);
        NEXT.store(next, Ordering::Relaxed);
    }
}

/// Nanoseconds since boot.
pub fn now_monotonic_nanos() -> u64 {
    timer::ticks_to_nanos(timer::ticks())
}

/// Nanoseconds since 1970, as far as anybody told the kernel.
pub fn now_realtime_nanos() -> u64 {
    EPOCH
        .load(Ordering::Relaxed)
        .saturating_add(now_monotonic_nanos())
}

/// Sets the clock: from now on `CLOCK_REALTIME` goes on from `nanos`.
pub fn set_realtime_nanos(nanos: u64) {
    EPOCH.store(nanos.saturating_sub(now_monotonic_nanos()), Ordering::Relaxed);
}

/// The tick at which `CLOCK_REALTIME` is `nanos`, as the clock is set now.
pub fn realtime_to_ticks(nanos: u64) -> u64 {
    timer::nanos_to_ticks(nanos.saturating_sub(EPOCH.load(Ordering::Relaxed)))
}

/// The tick `nanos` from now.
pub fn deadline_after(nanos: u64) -> u64 {
    timer::ticks().saturating_add(timer::nanos_to_ticks(nanos))
}

/// The first deadline; `u64::MAX` if there is none.
pub fn next_deadline() -> u64 {
    NEXT.load(Ordering::Relaxed)
}

/// Wakes `thread` at a point in time.
pub fn wake_at(at: u64, thread: &Arc<Thread>) -> Alarm {
    set(at, Due::Wake(thread.clone()))
}

/// Lets the interval timer of `process` expire at a point in time.
pub fn expire_interval_timer_at(at: u64, process: &Arc<Process>) -> Alarm {
    set(at, Due::IntervalTimer(Arc::downgrade(process)))
}

/// Takes back what was set; nothing happens if it has expired.
pub fn cancel(alarm: Alarm) {
    let mut timers = TIMERS.lock();
    let removed = timers.due.remove(&alarm);
    timers.publish();
    drop(timers);
    drop(removed);
}

/// Does everything that is due.
pub fn expire() {
    loop {
        let due = TIMERS.lock().take_due(timer::ticks());
        match due {
            Some(Due::Wake(thread)) => {
                scheduler::wake(&thread);
            }
            Some(Due::IntervalTimer(process)) => {
                if let Some(process) = process.upgrade() {
                    signal_timer::expire(&process);
                }
            }
            None => return,
        }
    }
}

fn set(at: u64, due: Due) -> Alarm {
    let alarm = TIMERS.lock().insert(at, due);
    scheduler::set_alarm();
    alarm
}
