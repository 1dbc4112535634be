//! `ITIMER_REAL`: setitimer(2), alarm(2). The timers of processor time, `ITIMER_VIRTUAL` and `ITIMER_PROF`, are in
//! `timers::processor`.

use crate::process::Process;
use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use platform::timer;
use sched::time::{self, Alarm, Expire, TimerPlace};

/// One process's timer; ticks.
pub struct RealTimer {
    next: Option<(u64, Alarm)>,
    period: u64,
}

impl Default for RealTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl RealTimer {
    /// One that is off.
    pub const fn new() -> RealTimer {
        RealTimer {
            next: None,
            period: 0,
        }
    }

    /// Ticks until it expires, 0 if it is off, and its period.
    pub fn remaining(&self) -> (u64, u64) {
        let left = self
            .next
            .map_or(0, |(at, _)| at.saturating_sub(timer::ticks()).max(1));
        (left, self.period)
    }

    /// Starts it: it expires in `first` ticks and every `period` after that; `first` 0 turns it off, `period` 0 lets it
    /// expire once.
    pub fn start(&mut self, process: &Arc<Process>, first: u64, period: u64) {
        self.cancel();
        if first > 0 {
            self.period = period;
            self.set(process, timer::ticks().saturating_add(first));
        }
    }

    /// Turns it off.
    pub fn cancel(&mut self) {
        if let Some((_, alarm)) = self.next.take() {
            time::cancel(alarm);
        }
        self.period = 0;
    }

    fn set(&mut self, process: &Arc<Process>, at: u64) {
        self.next = Some((at, time::set(at, process.clone())));
    }
}

/// A process is in the list for its interval timer, which its end cancels.
impl Expire for Process {
    fn place(&self) -> &TimerPlace {
        &self.alarm_place
    }

    fn expire(self: Arc<Process>) {
        expire(&self);
    }
}

/// The timer of `process` expired: SIGALRM, and on to the next period. Periods that have passed already are skipped.
fn expire(process: &Arc<Process>) {
    let mut timer = process.interval_timer.lock();
    let now = timer::ticks();
    // The timer was stopped or set anew after the old deadline had been taken for due.
    let Some((at, _)) = timer.next.take_if(|(at, _)| *at <= now) else {
        return;
    };
    let late = now - at;
    if let Some(missed) = late.checked_div(timer.period) {
        let next = at.saturating_add(timer.period.saturating_mul(missed + 1));
        timer.set(process, next);
    }
    drop(timer);
    super::send_to_process(process, SigInfo::new(Signal::SIGALRM, SI_KERNEL));
}
