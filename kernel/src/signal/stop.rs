//! Stopping and going on: the state that SIGSTOP and its sisters bring, SIGCONT ends, and wait(2) reports.

use super::ProcessSignals;
use crate::process::{self, Process};
use crate::sync::Mutex;
use crate::wait::WaitQueue;
use abi::process::WaitStatus;
use abi::signal::Signal;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many processes are stopped.
static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// Whether any process is stopped: if none is, an end orphans no stopped group.
pub fn is_anybody_stopped() -> bool {
    STOPPED.load(Ordering::Acquire) > 0
}

/// Whether a process is stopped, and what its parent was not told yet.
#[derive(Default)]
pub struct Stop {
    is_stopped: AtomicBool,
    gone_on: WaitQueue,
    change: Mutex<Option<WaitStatus>>,
}

impl Stop {
    /// Ends a stop, if there is one.
    pub(super) fn go_on(&self, process: &Process) {
        if self.leave() {
            self.report(process, WaitStatus::Continued);
            self.gone_on.wake_all();
        }
    }

    /// Stops the running thread's process, tells the parent, and sleeps until SIGCONT or the end.
    fn stop(&self, process: &Process, signal: Signal) {
        STOPPED.fetch_add(1, Ordering::AcqRel);
        self.is_stopped.store(true, Ordering::Release);
        self.report(process, WaitStatus::Stopped(signal.number()));
        // Interrupted: the process is to end, which the caller looks at next.
        let _ = self
            .gone_on
            .wait_killable(|| (!self.is_stopped.load(Ordering::Acquire)).then_some(()));
        self.leave();
    }

    /// Is stopped no longer; whether it was.
    fn leave(&self) -> bool {
        let was_stopped = self.is_stopped.swap(false, Ordering::AcqRel);
        if was_stopped {
            STOPPED.fetch_sub(1, Ordering::AcqRel);
        }
        was_stopped
    }

    fn report(&self, process: &Process, status: WaitStatus) {
        *self.change.lock() = Some(status);
        process::report_stop_or_continue(process, status);
    }
}

impl Process {
    /// Stops the process, which is the caller's, until SIGCONT or its end.
    pub(super) fn stop(&self, signal: Signal) {
        self.signals.stop.stop(self, signal);
    }
}

impl ProcessSignals {
    /// Whether the process is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_stopped.load(Ordering::Acquire)
    }

    /// How the process changed since its parent last asked: stopped or continued.
    pub fn change(&self) -> Option<WaitStatus> {
        *self.stop.change.lock()
    }

    /// The parent was told.
    pub fn forget_change(&self) {
        *self.stop.change.lock() = None;
    }
}
