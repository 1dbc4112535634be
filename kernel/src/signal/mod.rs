//! Signals: signal(7). Here what a process and a thread keep of them; sending is in `send`, what happens on the way back
//! to EL0 in `deliver`, the handler's stack frame in `frame`, `ITIMER_REAL` in `timer`.

mod deliver;
mod frame;
mod pending;
mod send;
mod stop;
pub mod timer;
mod trampoline;

pub use deliver::{Restart, deliver};
pub use frame::{is_on_stack, restore};
pub use send::{force, send_to_group, send_to_process, send_to_thread};
pub use stop::is_anybody_stopped;
pub use timer::IntervalTimer;
pub use trampoline::{TRAMPOLINE, make_trampoline, map_trampoline};

use crate::process::Process;
use crate::sync::Mutex;
use crate::thread::Thread;
use abi::signal::{
    DefaultAction, SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_DFL, SIG_IGN, SS_DISABLE, SigAction, SigInfo, SigSet,
    Signal, StackT,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use pending::Pending;
use stop::Stop;

/// What to do with each signal; `sigaction` of all 64.
#[derive(Clone)]
pub struct Actions([SigAction; Signal::COUNT]);

impl Default for Actions {
    fn default() -> Actions {
        Actions([SigAction::default(); Signal::COUNT])
    }
}

/// A process's part.
#[derive(Default)]
pub struct ProcessSignals {
    actions: Mutex<Arc<Actions>>,
    pending: Pending,
    stop: Stop,
}

/// A thread's part.
pub struct ThreadSignals {
    mask: AtomicU64,
    /// Blocked, but awaited by sigtimedwait(2): they wake the thread.
    awaited: AtomicU64,
    /// The mask to return to when a call that had its own mask is over (sigsuspend(2), ppoll(2)).
    saved_mask: Mutex<Option<SigSet>>,
    pending: Pending,
    stack: Mutex<StackT>,
}

/// The sets that /proc/PID/status shows.
#[derive(Clone, Copy, Default, Debug)]
pub struct Summary {
    /// Waiting for the first thread.
    pub pending: SigSet,
    /// Waiting for any thread.
    pub shared_pending: SigSet,
    /// Blocked by the first thread.
    pub blocked: SigSet,
    /// Ignored by the process's own wish.
    pub ignored: SigSet,
    /// With a handler.
    pub caught: SigSet,
}

/// What a parent wants of the ends of its children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// SIGCHLD, and a zombie to wait for.
    Waited,
    /// SIGCHLD, no zombie (`SA_NOCLDWAIT`).
    Announced,
    /// Neither (`SIG_IGN`).
    Ignored,
}

impl ProcessSignals {
    /// What a child inherits: the actions; nothing pends for it.
    pub fn for_child(&self) -> ProcessSignals {
        ProcessSignals {
            actions: Mutex::new(self.actions.cloned()),
            pending: Pending::default(),
            stop: Stop::default(),
        }
    }

    /// The action for one signal.
    pub fn action(&self, signal: Signal) -> SigAction {
        self.actions.lock().0[signal.index()]
    }

    /// Sets the action for one signal; pending ones that are now ignored are dropped (sigaction(2), POSIX).
    pub fn set_action(&self, signal: Signal, action: SigAction) {
        Arc::make_mut(&mut *self.actions.lock()).0[signal.index()] = action;
        if is_ignoring(&action, signal) {
            self.pending.remove(SigSet::EMPTY.with(signal));
        }
    }

    /// Handlers go with the program they were in: exec sets every caught signal back to its default action. What was
    /// ignored stays ignored.
    pub fn reset_handlers(&self) {
        let mut actions = self.actions.lock();
        if actions
            .0
            .iter()
            .any(|action| action.handler > SIG_IGN || action.flags != 0)
        {
            for action in &mut Arc::make_mut(&mut *actions).0 {
                let handler = if action.handler == SIG_IGN {
                    SIG_IGN
                } else {
                    SIG_DFL
                };
                *action = SigAction {
                    handler,
                    ..SigAction::default()
                };
            }
        }
    }

    /// Signals that wait for any thread.
    pub fn pending(&self) -> SigSet {
        self.pending.set()
    }

    /// How many of them wait.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }
}

impl Default for ThreadSignals {
    fn default() -> ThreadSignals {
        ThreadSignals {
            mask: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            saved_mask: Mutex::new(None),
            pending: Pending::default(),
            stack: Mutex::new(StackT {
                flags: SS_DISABLE,
                ..StackT::default()
            }),
        }
    }
}

impl ThreadSignals {
    /// What the thread of a forked child inherits: mask and alternate stack.
    pub fn for_child(&self) -> ThreadSignals {
        ThreadSignals {
            mask: AtomicU64::new(self.mask.load(Ordering::Relaxed)),
            stack: Mutex::new(self.stack.cloned()),
            ..ThreadSignals::default()
        }
    }

    /// Blocked signals.
    pub fn mask(&self) -> SigSet {
        SigSet(self.mask.load(Ordering::Acquire))
    }

    /// Sets the mask; SIGKILL and SIGSTOP stay out of it.
    pub fn set_mask(&self, mask: SigSet) {
        self.mask
            .store(mask.difference(SigSet::UNBLOCKABLE).0, Ordering::Release);
    }

    /// Sets the mask for one call: it returns to the present one when the call is over, or by way of the frame of the
    /// handler that ends it. The call ends with [`ThreadSignals::restore_mask`] or with a restart marker as its error.
    pub fn suspend_mask(&self, mask: SigSet) {
        self.saved_mask.lock().get_or_insert(self.mask());
        self.set_mask(mask);
    }

    /// Returns to the mask from before [`ThreadSignals::suspend_mask`]. Whether there was one.
    pub fn restore_mask(&self) -> bool {
        let saved = self.saved_mask.lock().take();
        if let Some(mask) = saved {
            self.set_mask(mask);
        }
        saved.is_some()
    }

    /// The mask that a handler's frame is to restore.
    fn take_outer_mask(&self) -> SigSet {
        self.saved_mask.lock().take().unwrap_or(self.mask())
    }

    /// The alternate stack.
    pub fn stack(&self) -> StackT {
        *self.stack.lock()
    }

    /// Sets the alternate stack.
    pub fn set_stack(&self, stack: StackT) {
        *self.stack.lock() = stack;
    }

    /// Signals that wait for this thread.
    pub fn pending(&self) -> SigSet {
        self.pending.set()
    }

    /// Sets what sigtimedwait(2) waits for; empty when it is over.
    pub fn set_awaited(&self, set: SigSet) {
        self.awaited.store(set.0, Ordering::Release);
    }

    /// Whether the thread would take notice of the signal now.
    fn is_open_to(&self, signal: Signal) -> bool {
        !self.mask().contains(signal) || SigSet(self.awaited.load(Ordering::Acquire)).contains(signal)
    }
}

/// Whether a signal is to be delivered to the thread, or its process to end.
pub fn is_pending(thread: &Thread) -> bool {
    let pending = thread.signals.pending().union(thread.process.signals.pending());
    !pending.difference(thread.signals.mask()).is_empty() || thread.process.is_ending()
}

/// Whether the thread blocks the signal or its process ignores it: then a background write to the terminal gets `EIO`
/// or goes through instead (termios(3), job control).
pub fn is_blocked_or_ignored(thread: &Thread, signal: Signal) -> bool {
    thread.signals.mask().contains(signal) || thread.process.signals.action(signal).handler == SIG_IGN
}

/// Takes one pending signal of `set`, the thread's own first: sigtimedwait(2).
pub fn take_pending(thread: &Thread, set: SigSet) -> Option<SigInfo> {
    thread
        .signals
        .pending
        .take(set)
        .or_else(|| thread.process.signals.pending.take(set))
}

/// The sets for /proc/PID/status.
pub fn summary(process: &Process) -> Summary {
    let mut summary = Summary {
        shared_pending: process.signals.pending(),
        ..Summary::default()
    };
    if let Some(thread) = process.threads().first() {
        summary.pending = thread.signals.pending();
        summary.blocked = thread.signals.mask();
    }
    let actions = process.signals.actions.lock().clone();
    for signal in (1..=Signal::COUNT as u64).filter_map(Signal::new) {
        match actions.0[signal.index()].handler {
            SIG_DFL => {}
            SIG_IGN => summary.ignored = summary.ignored.with(signal),
            _ => summary.caught = summary.caught.with(signal),
        }
    }
    summary
}

/// What a parent wants of the ends of its children: wait(2), NOTES.
pub fn child_disposition(parent: &Process) -> Disposition {
    let action = parent.signals.action(Signal::SIGCHLD);
    if action.handler == SIG_IGN {
        Disposition::Ignored
    } else if action.flags & SA_NOCLDWAIT != 0 {
        Disposition::Announced
    } else {
        Disposition::Waited
    }
}

/// Whether a parent wants no SIGCHLD when children stop or go on.
pub fn is_quiet_about_stops(parent: &Process) -> bool {
    let action = parent.signals.action(Signal::SIGCHLD);
    action.handler == SIG_IGN || action.flags & SA_NOCLDSTOP != 0
}

/// Whether the action lets the signal come to nothing.
fn is_ignoring(action: &SigAction, signal: Signal) -> bool {
    action.handler == SIG_IGN
        || (action.handler == SIG_DFL
            && matches!(
                signal.default_action(),
                DefaultAction::Ignore | DefaultAction::Continue
            ))
}
