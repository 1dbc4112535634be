//! What happens when a process has used so much processor time: `ITIMER_VIRTUAL`, `ITIMER_PROF`, `RLIMIT_CPU`, and timers of
//! timer_create(2) that run by such a clock.
//!
//! Only the processors that run the process look, in an interrupt of their own timer: after a tick of the running thread's
//! time ([`scheduler::TICK_NANOS`]), or sooner if something is due by then (`scheduler`). A process with nothing of the kind costs one look
//! at a flag for each switch.

use super::{CpuClock, Timer};
use crate::process::Process;
use crate::signal;
use abi::Errno;
use abi::process::{RLIM64_INFINITY, RLIMIT_CPU, RLimit, WaitStatus};
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use lock::Mutex;
use memory::fallible::TryVec;
use platform::timer;
use sched::scheduler;

const SECOND: u64 = 1_000_000_000;

/// A process's part.
pub struct ProcessorTime {
    is_watched: AtomicBool,
    watched: Mutex<Watched>,
}

struct Watched {
    timers: Vec<Arc<Timer>>,
    /// `ITIMER_VIRTUAL`, `ITIMER_PROF`: the interval timer of each [`CpuClock`].
    intervals: [Interval; 2],
    has_limit: bool,
}

/// An interval timer, in nanoseconds of processor time.
#[derive(Clone, Copy)]
struct Interval {
    /// 0 for off.
    deadline: u64,
    period: u64,
}

impl Interval {
    const OFF: Interval = Interval {
        deadline: 0,
        period: 0,
    };

    fn remaining(&self, now: u64) -> (u64, u64) {
        let left = match self.deadline {
            0 => 0,
            deadline => deadline.saturating_sub(now).max(1),
        };
        (left, self.period)
    }

    /// Whether it has expired, and on to the next period.
    fn take_due(&mut self, now: u64) -> bool {
        if self.deadline == 0 || now < self.deadline {
            return false;
        }
        let missed = (now - self.deadline).checked_div(self.period);
        // A program may say any period: one that no clock reaches never expires again.
        let after = |missed: u64| {
            self.deadline
                .saturating_add(self.period.saturating_mul(missed + 1))
        };
        self.deadline = missed.map_or(0, after);
        true
    }
}

impl Default for ProcessorTime {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessorTime {
    /// Nothing is to happen.
    pub const fn new() -> ProcessorTime {
        ProcessorTime {
            is_watched: AtomicBool::new(false),
            watched: Mutex::new(Watched {
                timers: Vec::new(),
                intervals: [Interval::OFF; 2],
                has_limit: false,
            }),
        }
    }

    /// Looks for `RLIMIT_CPU` from now on.
    #[cold]
    pub fn watch_limit(&self) {
        self.change(|watched| watched.has_limit = true);
    }

    /// Whether anything may become due.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Watched) -> T) -> T {
        let mut watched = self.watched.lock();
        let answer = change(&mut watched);
        let is_any_set = watched.intervals.iter().any(|interval| interval.deadline != 0);
        let is_watched = is_any_set || watched.has_limit || !watched.timers.is_empty();
        self.is_watched.store(is_watched, Ordering::SeqCst);
        answer
    }

    /// Lets whoever runs the process look at `timer`.
    ///
    /// # Errors
    /// `EAGAIN` for want of memory.
    pub(super) fn add(&self, timer: &Arc<Timer>) -> Result<(), Errno> {
        self.change(|watched| watched.timers.try_push(timer.clone()))
            .map_err(|_| Errno::EAGAIN)
    }

    pub(super) fn remove(&self, timer: &Arc<Timer>) {
        self.change(|watched| watched.timers.retain(|other| !Arc::ptr_eq(other, timer)));
    }

    fn timer(&self, at: usize) -> Option<Arc<Timer>> {
        self.watched.lock().timers.get(at).cloned()
    }
}

impl Process {
    fn used(&self) -> [u64; 2] {
        let (user, system) = self.own_totals().ticks();
        [user, user + system].map(timer::ticks_to_nanos)
    }

    /// Nanoseconds until an interval timer expires, 0 if it is off, and its period.
    pub fn interval(&self, which: CpuClock) -> (u64, u64) {
        let now = self.used()[which as usize];
        self.processor_time.watched.lock().intervals[which as usize].remaining(now)
    }

    /// Sets an interval timer, in nanoseconds; `first` 0 turns it off. What it was before.
    pub fn set_interval(self: &Arc<Process>, which: CpuClock, first: u64, period: u64) -> (u64, u64) {
        let now = self.used()[which as usize];
        let new = match first {
            0 => Interval::OFF,
            first => Interval {
                deadline: now.saturating_add(first),
                period,
            },
        };
        let old = self
            .processor_time
            .change(|watched| core::mem::replace(&mut watched.intervals[which as usize], new));
        look_soon(self);
        old.remaining(now)
    }

    /// `RLIMIT_CPU` was set.
    pub fn processor_limit_changed(self: &Arc<Process>) {
        let has_limit = self.limit(RLIMIT_CPU) != RLIM64_INFINITY;
        self.processor_time
            .change(|watched| watched.has_limit = has_limit);
        look_soon(self);
    }

    /// A thread that runs by a timer of processor time sleeps: lets whoever runs this process look at it.
    ///
    /// # Errors
    /// `EAGAIN`: for want of memory.
    pub fn watch_timer(self: &Arc<Process>, timer: &Arc<Timer>) -> Result<(), Errno> {
        self.processor_time.add(timer)
    }

    /// Takes that back.
    pub fn unwatch_timer(&self, timer: &Arc<Timer>) {
        self.processor_time.remove(timer);
    }

    /// Sends what is due. Nanoseconds of processor time to the next look. The caller holds no lock.
    pub fn look_at_processor_time(self: &Arc<Process>) -> u64 {
        let used = self.used();
        let mut next = self.look_at_limit(used[CpuClock::Profile as usize]);
        next = next.min(self.look_at_intervals(used));
        let mut at = 0;
        while let Some(timer) = self.processor_time.timer(at) {
            next = next.min(timer.look());
            at += 1;
        }
        next.clamp(1, scheduler::TICK_NANOS)
    }

    fn look_at_intervals(self: &Arc<Process>, used: [u64; 2]) -> u64 {
        let mut is_due = [false; 2];
        let mut next = u64::MAX;
        self.processor_time.change(|watched| {
            for (at, interval) in watched.intervals.iter_mut().enumerate() {
                is_due[at] = interval.take_due(used[at]);
                if interval.deadline != 0 {
                    next = next.min(interval.deadline - used[at].min(interval.deadline));
                }
            }
        });
        for (signal, _) in [Signal::SIGVTALRM, Signal::SIGPROF]
            .into_iter()
            .zip(is_due)
            .filter(|&(_, is_due)| is_due)
        {
            signal::send_to_process(self, SigInfo::new(signal, SI_KERNEL));
        }
        next
    }

    /// At the hard limit the process is killed, at the soft one it gets SIGXCPU, and again each second: the soft limit moves on, as
    /// on Linux.
    fn look_at_limit(self: &Arc<Process>, used: u64) -> u64 {
        let Some(limit) = self.limits().get(RLIMIT_CPU) else {
            return u64::MAX;
        };
        if limit.cur == RLIM64_INFINITY {
            return u64::MAX;
        }
        let at = |seconds: u64| seconds.saturating_mul(SECOND);
        if used >= at(limit.max) {
            self.end(WaitStatus::Signaled {
                signal: Signal::SIGKILL.number(),
                core: false,
            });
            return u64::MAX;
        }
        if used < at(limit.cur) {
            return at(limit.cur).min(at(limit.max)) - used;
        }
        let next = RLimit {
            cur: limit.cur + 1,
            ..limit
        };
        // For want of memory it is told again at the next look.
        let _ = self.change_limit(RLIMIT_CPU, next, |_| Ok(()));
        signal::send_to_process(self, SigInfo::new(Signal::SIGXCPU, SI_KERNEL));
        at(next.cur).saturating_sub(used)
    }
}

/// Whoever runs the process looks at once, and then again when something is due.
pub(super) fn look_soon(process: &Arc<Process>) {
    process.for_each_thread(|thread| scheduler::watch(thread));
}

#[cfg(test)]
mod tests {
    use super::Interval;

    #[test]
    fn a_period_that_no_clock_reaches_expires_once() {
        let mut interval = Interval {
            deadline: 10,
            period: u64::MAX,
        };
        assert!(interval.take_due(1000));
        assert_eq!(interval.deadline, u64::MAX);
        assert!(!interval.take_due(u64::MAX - 1));
    }

    #[test]
    fn what_was_missed_is_passed_over() {
        let mut interval = Interval {
            deadline: 10,
            period: 7,
        };
        assert!(interval.take_due(30));
        assert_eq!(interval.deadline, 31);
    }
}
