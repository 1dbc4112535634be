//! What happens to a process in its life, and who it belongs to.

use super::children::{Children, Places};
use super::threads::Threads;
use super::{Comm, Pid, Process, Usage};
use crate::signal::{ProcessSignals, RealTimer};
use crate::timers::{ProcessTimers, ProcessorTime};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use lock::{Mutex, rank};
use sched::time::TimerPlace;
use sched::wait::WaitQueue;

/// What happens to a process in its life. Every process begins with the same, whatever its parent is like, so that fork copies one
/// constant.
pub struct ProcessState {
    /// Actions, signals that wait for any thread, stop state.
    pub signals: ProcessSignals,
    /// `ITIMER_REAL`.
    pub interval_timer: Mutex<RealTimer, { rank::INTERVAL_TIMER }>,
    /// Where it stands until that expires.
    pub alarm_place: TimerPlace,
    /// Its timers by timer_create(2).
    pub timers: ProcessTimers,
    /// What is to happen when it has used so much processor time.
    pub processor_time: ProcessorTime,
    /// Time and faults of children.
    pub(super) usage: Usage,
    /// Woken when a child ends, stops or goes on.
    pub child_events: WaitQueue,
    pub(super) threads: Threads,
    pub(super) children: Mutex<Children, { rank::CHILDREN }>,
    pub(super) places: Places,
    pub(super) relations: Relations,
    pub(super) name: Mutex<Comm>,
    pub(super) has_executed: AtomicBool,
    /// Whether it ever asked for a record lock.
    pub(super) is_zombie: AtomicBool,
    /// Whether a descriptor ever named it: its end is told there, too.
    pub(super) is_watched: AtomicBool,
}

impl ProcessState {
    /// Nothing has happened yet.
    pub(super) const fn new() -> ProcessState {
        ProcessState {
            signals: ProcessSignals::new(),
            interval_timer: Mutex::new(RealTimer::new()),
            alarm_place: TimerPlace::new(),
            timers: ProcessTimers::new(),
            processor_time: ProcessorTime::new(),
            usage: Usage::new(),
            child_events: WaitQueue::new(),
            threads: Threads::new(),
            children: Mutex::new(Children::new()),
            places: Places::new(),
            relations: Relations::new(),
            name: Mutex::new(Comm::NONE),
            has_executed: AtomicBool::new(false),
            is_zombie: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
        }
    }
}

/// Who the process belongs to. Written under the table's lock only, the parent also under that of its children.
pub(super) struct Relations {
    /// The first process has none, nor one that was waited for.
    pub(super) parent: Mutex<Option<Arc<Process>>>,
    pub(super) parent_pid: AtomicU32,
    /// The thread of the parent that made it, or that inherited it from that one: `__WNOTHREAD`, and whose end it is told of
    /// (`PR_SET_PDEATHSIG`). Changed under the lock of the parent's children.
    pub(super) parent_thread: AtomicU32,
    pub(super) group: AtomicU32,
    pub(super) session: AtomicU32,
    /// Since which tenure it has its session's terminal; 0: it has none. See `tty`.
    pub(super) terminal_tenure: AtomicU32,
    /// Ids of threads besides its own.
    pub(super) further_threads: AtomicUsize,
}

impl Relations {
    /// None.
    const fn new() -> Relations {
        Relations {
            parent: Mutex::new(None),
            parent_pid: AtomicU32::new(0),
            parent_thread: AtomicU32::new(0),
            group: AtomicU32::new(0),
            session: AtomicU32::new(0),
            terminal_tenure: AtomicU32::new(0),
            further_threads: AtomicUsize::new(0),
        }
    }

    pub(super) fn set_parent(&self, parent: &Arc<Process>, thread: Pid) {
        let old = self.parent.lock().replace(parent.clone());
        self.parent_pid.store(parent.pid, Ordering::Relaxed);
        self.parent_thread.store(thread, Ordering::Relaxed);
        drop(old);
    }

    /// Lets go of the parent; its id stays.
    pub(super) fn forget_parent(&self) {
        let old = self.parent.lock().take();
        drop(old);
    }
}
