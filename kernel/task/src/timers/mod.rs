//! Timers that programs make: timer_create(2). Clocks of processor time are in `meter`, and who looks when they reach
//! something in `processor`; the interval timers of setitimer(2) are `signal::timer` and `processor`.
//!
//! A timer that expires sends its signal, and goes on when that is delivered: periods that passed meanwhile are its overrun. So
//! a signal waits once for each timer, in a place that was kept free when the timer was made (`signal::pending`), and a short
//! period costs no more than the program can take.

mod clock;
mod meter;
mod processor;
mod table;

pub use clock::Clock;
pub use meter::{CpuClock, Meter};
pub use processor::ProcessorTime;
pub use table::{ProcessTimers, clock_was_set};

use crate::process::Process;
use crate::signal;
use crate::thread::Thread;
use abi::signal::{SigInfo, Signal};
use alloc::sync::{Arc, Weak};
use lock::{Mutex, rank};
use platform::timer;
use sched::time::{self, Alarm, Expire, TimerPlace};

/// Where a signal goes that nobody takes: the timer goes on, but no more often than this, in nanoseconds.
const LEAST_IGNORED_PERIOD: u64 = 1_000_000;

/// What a timer runs by.
#[derive(Clone)]
pub enum TimerClock {
    /// `CLOCK_REALTIME`: points in time follow the clock when it is set.
    Realtime,
    /// Time since boot.
    Monotonic,
    /// Processor time.
    Processor(Meter),
}

/// What happens when a timer expires.
pub enum TimerNotice {
    /// Nothing (`SIGEV_NONE`).
    None,
    /// A signal, to one thread (`SIGEV_THREAD_ID`) or to whoever takes it.
    Signal {
        /// Which.
        signal: Signal,
        /// `si_value`.
        value: u64,
        /// The thread; it may have ended.
        thread: Option<Weak<Thread>>,
    },
    /// A thread that sleeps by processor time wakes.
    Wake(Arc<Thread>),
}

/// One timer.
pub struct Timer {
    /// Its id in its process.
    id: i32,
    source: TimerClock,
    notice: TimerNotice,
    owner: Weak<Process>,
    state: Mutex<TimerState, { rank::INTERVAL_TIMER }>,
    place: TimerPlace,
}

/// When a timer expires, in nanoseconds of its clock.
#[derive(Default)]
struct TimerState {
    deadline: Option<u64>,
    period: u64,
    alarm: Option<Alarm>,
    /// The deadline is a time of day.
    follows_realtime: bool,
    /// Its signal waits.
    is_queued: bool,
    /// How often it was set, and that number when its signal was sent.
    setting: u64,
    queued_setting: u64,
    last_overrun: i32,
}

/// What timer_settime(2) asks for, in nanoseconds.
#[derive(Clone, Copy)]
pub struct TimerSetting {
    /// The first expiration; 0 for off.
    pub first: u64,
    /// The time between further ones; 0 for none.
    pub period: u64,
    /// `first` is a point in time (`TIMER_ABSTIME`).
    pub is_absolute: bool,
}

impl TimerState {
    /// Goes on to the first deadline after `now`; how many were passed over besides the one that expired.
    fn forward(&mut self, now: u64) -> u64 {
        let Some(deadline) = self.deadline.filter(|&at| at <= now) else {
            return 0;
        };
        let Some(missed) = (now - deadline).checked_div(self.period) else {
            return 0;
        };
        self.deadline = Some(deadline.saturating_add(self.period.saturating_mul(missed + 1)));
        missed
    }
}

impl Timer {
    /// A timer that is off.
    pub fn new(id: i32, source: TimerClock, notice: TimerNotice, owner: &Arc<Process>) -> Timer {
        Timer {
            id,
            source,
            notice,
            owner: Arc::downgrade(owner),
            state: Mutex::default(),
            place: const { TimerPlace::new() },
        }
    }

    /// The processor time it runs by, if it does.
    pub fn meter(&self) -> Option<&Meter> {
        match &self.source {
            TimerClock::Processor(meter) => Some(meter),
            _ => None,
        }
    }

    /// Where its signal will wait: a place is kept free there.
    pub fn notice(&self) -> &TimerNotice {
        &self.notice
    }

    /// Processor time so far, if it runs by that. Read before the state is locked: the lock of the threads comes first.
    fn used(&self) -> u64 {
        self.meter().map_or(0, |meter| meter.read().unwrap_or(u64::MAX))
    }

    /// The time on its clock; `used` was read before.
    fn now(&self, state: &TimerState, used: u64) -> u64 {
        match &self.source {
            TimerClock::Processor(_) => used,
            TimerClock::Realtime if state.follows_realtime => time::now_realtime_nanos(),
            _ => time::now_monotonic_nanos(),
        }
    }

    /// Nanoseconds until it expires, 0 if it is off, and its period.
    pub fn remaining(&self) -> (u64, u64) {
        let used = self.used();
        self.remaining_in(&self.state.lock(), used)
    }

    fn remaining_in(&self, state: &TimerState, used: u64) -> (u64, u64) {
        let now = self.now(state, used);
        let is_silent = matches!(self.notice, TimerNotice::None);
        let Some(mut deadline) = state.deadline else {
            return (0, state.period);
        };
        if state.period > 0 && (is_silent || state.is_queued) && deadline <= now {
            let missed = (now - deadline) / state.period;
            deadline = deadline.saturating_add(state.period.saturating_mul(missed + 1));
        }
        let left = deadline.saturating_sub(now);
        // What is just about to send its signal is not off.
        (if is_silent { left } else { left.max(1) }, state.period)
    }

    /// Sets it; what [`Timer::remaining`] was before. The caller holds no lock.
    pub fn set(self: &Arc<Timer>, setting: TimerSetting) -> (u64, u64) {
        let used = self.used();
        let mut state = self.state.lock();
        let old = self.remaining_in(&state, used);
        take_back(&mut state);
        state.setting += 1;
        state.last_overrun = 0;
        state.period = setting.period;
        state.deadline = None;
        if setting.first > 0 {
            state.follows_realtime = setting.is_absolute && matches!(self.source, TimerClock::Realtime);
            let start = if setting.is_absolute {
                0
            } else {
                self.now(&state, used)
            };
            state.deadline = Some(start.saturating_add(setting.first));
            self.arm(&mut state);
        }
        drop(state);
        if setting.first > 0
            && let Some(process) = self.meter().and_then(Meter::process)
        {
            processor::look_soon(&process);
        }
        old
    }

    /// Lets the alarm ring at the deadline. For processor time others look (`processor`).
    fn arm(self: &Arc<Timer>, state: &mut TimerState) {
        let Some(deadline) = state.deadline else { return };
        let at = match &self.source {
            TimerClock::Processor(_) => return,
            _ if matches!(self.notice, TimerNotice::None) => return,
            TimerClock::Realtime if state.follows_realtime => time::realtime_to_ticks(deadline),
            _ => timer::nanos_to_ticks(deadline),
        };
        // Ticks are rounded down.
        state.alarm = Some(time::set(at.saturating_add(1), self.clone()));
    }

    /// The clock was set: a deadline that is a time of day comes sooner or later.
    fn clock_was_set(self: &Arc<Timer>) {
        let mut state = self.state.lock();
        if state.follows_realtime && state.alarm.is_some() {
            take_back(&mut state);
            self.arm(&mut state);
        }
    }

    /// Turns it off.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        take_back(&mut state);
        state.deadline = None;
        state.setting += 1;
    }

    /// How many periods its last delivered signal was late.
    pub fn overrun(&self) -> i32 {
        self.state.lock().last_overrun
    }

    /// Whether it is over: a timer without a period expired.
    pub fn is_over(&self) -> bool {
        self.state.lock().deadline.is_none()
    }

    /// Sends the signal if the deadline has come. Nanoseconds until it comes; `u64::MAX` if that depends on others.
    fn look(self: &Arc<Timer>) -> u64 {
        let used = self.used();
        let mut state = self.state.lock();
        let now = self.now(&state, used);
        let Some(deadline) = state.deadline.filter(|_| !state.is_queued) else {
            return u64::MAX;
        };
        if now < deadline {
            return deadline - now;
        }
        take_back(&mut state);
        if state.period == 0 {
            state.deadline = None;
        }
        state.is_queued = matches!(self.notice, TimerNotice::Signal { .. });
        state.queued_setting = state.setting;
        drop(state);
        if !self.notify() {
            self.pass_over(used);
        }
        u64::MAX
    }

    /// Whether somebody will be told.
    fn notify(self: &Arc<Timer>) -> bool {
        match &self.notice {
            TimerNotice::None => true,
            TimerNotice::Wake(thread) => {
                sched::scheduler::wake(thread);
                true
            }
            TimerNotice::Signal {
                signal,
                value,
                thread,
            } => {
                let info = SigInfo::timer(*signal, self.id, *value);
                let Some(process) = self.owner.upgrade() else {
                    return false;
                };
                match thread {
                    None => signal::send_by_timer(&process, None, info, self),
                    Some(thread) => thread
                        .upgrade()
                        .is_some_and(|thread| signal::send_by_timer(&process, Some(&thread), info, self)),
                }
            }
        }
    }

    /// Its signal is delivered: how late it is, and on to the next period.
    pub fn deliver(self: &Arc<Timer>, info: &mut SigInfo) {
        let used = self.used();
        let mut state = self.state.lock();
        state.is_queued = false;
        if state.queued_setting != state.setting {
            return;
        }
        let now = self.now(&state, used);
        let overrun = state.forward(now);
        self.arm(&mut state);
        state.last_overrun = i32::try_from(overrun).unwrap_or(i32::MAX);
        info.set_overrun(state.last_overrun);
    }

    /// Its signal, which waited, is ignored now: on to the next period. The caller may hold the lock of the threads, so that
    /// processor time cannot be read: whoever looks next does it.
    pub fn signal_was_dropped(self: &Arc<Timer>) {
        if self.meter().is_some() {
            self.state.lock().is_queued = false;
        } else {
            self.pass_over(0);
        }
    }

    /// Nobody is told: on to the next period.
    fn pass_over(self: &Arc<Timer>, used: u64) {
        let mut state = self.state.lock();
        state.is_queued = false;
        if state.alarm.is_none() {
            let now = self.now(&state, used);
            state.forward(now.saturating_add(LEAST_IGNORED_PERIOD));
            self.arm(&mut state);
        }
    }
}

impl Expire for Timer {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Timer>) {
        self.look();
    }
}

fn take_back(state: &mut TimerState) {
    if let Some(alarm) = state.alarm.take() {
        time::cancel(alarm);
    }
}
