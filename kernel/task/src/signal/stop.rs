//! Stopping and going on: the state that SIGSTOP and its sisters bring, SIGCONT ends, and wait(2) reports.
//!
//! A thread that takes a stop signal asks for the stop; each thread halts on its way back to EL0, and the last one to halt
//! makes the process stopped and tells the parent. SIGCONT ends both.

use super::ProcessSignals;
use crate::process::{self, Process};
use crate::thread::{Thread, ThreadExt};
use abi::process::WaitStatus;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use lock::{Mutex, rank};
use sched::scheduler;
use sched::wait::WaitQueue;

/// How many processes are stopped, or about to be.
static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// Whether any process is stopped: if none is, an end orphans no stopped group.
pub fn is_anybody_stopped() -> bool {
    STOPPED.load(Ordering::Acquire) > 0
}

/// Whether a process is stopped, and what its parent was not told yet.
pub struct Stop {
    /// Whether threads are to halt: `phase` is not [`Phase::Running`].
    is_requested: AtomicBool,
    /// How often SIGCONT was sent. Written under the lock of `state`.
    continues: AtomicU32,
    state: Mutex<StopState, { rank::STOP }>,
    gone_on: WaitQueue,
}

struct StopState {
    phase: Phase,
    change: Option<WaitStatus>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Not all threads have halted yet.
    Stopping(Signal),
    Stopped,
}

/// The sends of SIGCONT that a thread knows of when it takes a stop signal: one that comes later takes the stop back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Continues(u32);

impl Stop {
    /// It runs.
    pub const fn new() -> Stop {
        Stop {
            is_requested: AtomicBool::new(false),
            continues: AtomicU32::new(0),
            state: Mutex::new(StopState {
                phase: Phase::Running,
                change: None,
            }),
            gone_on: WaitQueue::new(),
        }
    }

    /// To be read before a stop signal is taken.
    pub(super) fn continues(&self) -> Continues {
        Continues(self.continues.load(Ordering::Acquire))
    }

    /// Whether threads are to halt.
    #[inline]
    pub(super) fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }

    /// Goes from one phase to another, under the lock.
    fn enter(&self, state: &mut StopState, phase: Phase) {
        let (was_running, is_running) = (state.phase == Phase::Running, phase == Phase::Running);
        state.phase = phase;
        self.is_requested.store(!is_running, Ordering::Release);
        if was_running && !is_running {
            STOPPED.fetch_add(1, Ordering::AcqRel);
        } else if !was_running && is_running {
            STOPPED.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// SIGCONT: ends a stop, if there is one. What the parent is to be told then.
    pub(super) fn go_on(&self) -> Option<WaitStatus> {
        let mut state = self.state.lock();
        self.continues.fetch_add(1, Ordering::AcqRel);
        if state.phase == Phase::Running {
            return None;
        }
        self.enter(&mut state, Phase::Running);
        state.change = Some(WaitStatus::Continued);
        drop(state);
        self.gone_on.wake_all();
        Some(WaitStatus::Continued)
    }

    /// The process has ended, stopped or not.
    pub(super) fn abandon(&self) {
        self.enter(&mut self.state.lock(), Phase::Running);
    }
}

impl Process {
    /// A thread of the process took `signal`, which stops it: all are asked to halt, unless SIGCONT was sent since.
    pub(super) fn request_stop(&self, signal: Signal, known: Continues) {
        let stop = &self.signals.stop;
        let mut state = stop.state.lock();
        if state.phase == Phase::Running && stop.continues() == known && !self.is_ending() {
            stop.enter(&mut state, Phase::Stopping(signal));
            self.for_each_thread(scheduler::alert);
        }
    }

    /// The running thread halts until SIGCONT or its end. The last one to halt makes the process stopped.
    pub(super) fn halt(&self, current: &Arc<Thread>) {
        let stop = &self.signals.stop;
        current.signals().is_halted.store(true, Ordering::Release);
        self.complete_stop();
        current.note_new_turn();
        // Interrupted: the thread is to end, which the caller looks at next.
        let _ = stop
            .gone_on
            .wait_killable(|| (!stop.is_requested()).then_some(()));
        current.signals().is_halted.store(false, Ordering::Release);
    }

    /// If all threads have halted that do not end: the process is stopped, and its parent told.
    pub(super) fn complete_stop(&self) {
        let stop = &self.signals.stop;
        let mut state = stop.state.lock();
        let Phase::Stopping(signal) = state.phase else {
            return;
        };
        let is_awaited =
            |thread: &Arc<Thread>| !thread.is_ending() && !thread.signals().is_halted.load(Ordering::Acquire);
        if self.is_ending() || self.any_thread(is_awaited) {
            return;
        }
        let status = WaitStatus::Stopped(signal.number());
        stop.enter(&mut state, Phase::Stopped);
        state.change = Some(status);
        drop(state);
        process::report_stop_or_continue(self, status);
    }
}

impl ProcessSignals {
    /// Whether the process is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.state.lock().phase == Phase::Stopped
    }

    /// How the process changed since its parent last asked: stopped or continued.
    pub fn change(&self) -> Option<WaitStatus> {
        self.stop.state.lock().change
    }

    /// The parent was told.
    pub fn forget_change(&self) {
        self.stop.state.lock().change = None;
    }

    /// The process has ended: it is stopped no longer.
    pub fn end_stop(&self) {
        self.stop.abandon();
    }
}
