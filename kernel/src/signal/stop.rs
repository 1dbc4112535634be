//! Stopping and going on: the state that SIGSTOP and its sisters bring, SIGCONT ends, and wait(2) reports.

use super::ProcessSignals;
use crate::process::{self, Process};
use crate::wait::WaitQueue;
use abi::process::WaitStatus;
use abi::signal::Signal;
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Mutex;

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
        if self.is_stopped.swap(false, Ordering::AcqRel) {
            self.report(process, WaitStatus::Continued);
            self.gone_on.wake_all();
        }
    }

    /// Stops the running thread's process, tells the parent, and sleeps until SIGCONT or the end.
    fn stop(&self, process: &Process, signal: Signal) {
        self.is_stopped.store(true, Ordering::Release);
        self.report(process, WaitStatus::Stopped(signal.number()));
        // Interrupted: the process is to end, which the caller looks at next.
        let _ = self.gone_on.wait_killable(|| (!self.is_stopped.load(Ordering::Acquire)).then_some(()));
        self.is_stopped.store(false, Ordering::Release);
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
