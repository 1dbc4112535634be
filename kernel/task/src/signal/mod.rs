//! Signals: signal(7). Here what a process and a thread keep of them; sending is in `send`, what happens on the way back
//! to EL0 in `deliver`, the handler's stack frame in `frame`, `ITIMER_REAL` in `timer`.

mod actions;
mod deliver;
mod file_owner;
mod frame;
mod mask;
mod pending;
mod send;
mod signalfd;
mod stop;
pub mod timer;

pub use actions::{Actions, reset_handlers};
pub use deliver::{Restart, deliver};
pub use file_owner::{exists as file_owner_exists, tell_file_owners};
pub use frame::{DISARMED, is_on_stack, restore, shown_stack};
pub use mask::{is_blocked_or_ignored, restore_mask, set_awaited, set_mask, suspend_mask};
pub use send::{
    Audience, drop_signals_of_timers, force, give_up_place, has_room_for_signals, keep_place, post,
    send_by_timer, send_to_group, send_to_many, send_to_many_in_pieces, send_to_process, send_to_thread,
};
pub use signalfd::{SignalEvents, SignalFd};
pub use stop::is_anybody_stopped;
pub use timer::RealTimer;

use crate::process::{Process, Shared};
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::signal::{
    DefaultAction, MINSIGSTKSZ, SIG_DFL, SIG_IGN, SaFlags, SigAction, SigInfo, SigSet, Signal, SsFlags,
    StackT,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible;
use pending::Pending;
use send::{remove_pending, retarget};
use spin::Once;
use stop::Stop;

/// A process's part.
pub struct ProcessSignals {
    actions: Shared<Actions>,
    pending: Pending,
    stop: Stop,
    /// Who is told of each signal, if any file gives them (signalfd(2)).
    events: Once<Arc<SignalEvents>>,
}

/// A thread's part.
pub struct ThreadSignals {
    mask: AtomicU64,
    /// Blocked, but awaited by sigtimedwait(2): they wake the thread.
    awaited: AtomicU64,
    /// The mask to return to when a call that had its own mask is over (sigsuspend(2), ppoll(2)).
    saved_mask: Mutex<Option<SigSet>>,
    pending: Pending,
    /// Whether it has halted for a stop of its process.
    is_halted: AtomicBool,
    /// The syndrome of the fault behind a signal that waits; 0 for none.
    syndrome: AtomicU64,
    stack: Mutex<StackT>,
}

/// The sets that /proc/PID/status shows.
#[derive(Clone, Copy, Default, Debug)]
pub struct SignalSets {
    /// Waiting for the thread.
    pub pending: SigSet,
    /// Waiting for any thread.
    pub shared_pending: SigSet,
    /// Blocked by the thread.
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

impl Default for ProcessSignals {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessSignals {
    /// The actions of the first process.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn first_actions() -> Result<Shared<Actions>, Errno> {
        let actions = fallible::arc(Actions::default())?;
        Ok(Shared::new(actions))
    }

    /// Resetting them next allocates nothing: where any is to be reset, nobody shares the actions any more.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn make_own(&self) -> Result<(), Errno> {
        if self.actions.read(|actions| actions.changed.is_empty()) {
            return Ok(());
        }
        self.actions.make_own()
    }

    /// What a child inherits: the actions.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn actions_for_child(&self) -> Result<Shared<Actions>, Errno> {
        self.actions.copy()
    }

    /// As [`ProcessSignals::actions_for_child`], and the actions are one with the parent's (`CLONE_SIGHAND`).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn actions_for_sharing_child(&self) -> Result<Shared<Actions>, Errno> {
        self.actions.share()
    }

    /// Without actions, which are set before anybody looks; nothing pends.
    pub const fn new() -> ProcessSignals {
        ProcessSignals {
            actions: Shared::nothing(),
            pending: Pending::new(),
            stop: Stop::new(),
            events: Once::new(),
        }
    }

    /// With those actions from now on.
    #[inline]
    pub fn set_actions(&self, actions: Shared<Actions>) {
        self.actions.take_over(actions);
    }

    /// The action for one signal.
    pub fn action(&self, signal: Signal) -> SigAction {
        self.actions.read(|actions| actions.all[signal.index()])
    }

    /// The action by which a signal is delivered now: after `SA_RESETHAND` the default is next, for whoever asks.
    fn use_action(&self, signal: Signal) -> SigAction {
        let action = self.action(signal);
        if !action.flags.contains(SaFlags::SA_RESETHAND) || action.handler <= SIG_IGN {
            return action;
        }
        let used = self.actions.change(|actions| {
            let action = &mut actions.all[signal.index()];
            let used = *action;
            if used.flags.contains(SaFlags::SA_RESETHAND) && used.handler > SIG_IGN {
                action.handler = SIG_DFL;
            }
            used
        });
        // Without memory for actions of its own the handler stays: it is called rather than the process ended.
        used.unwrap_or(action)
    }

    /// Handlers go with the program they were in: exec sets every caught signal back to its default action. What was ignored stays
    /// ignored. Nobody shares the actions any more.
    ///
    /// # Errors
    /// `ENOMEM`: not after [`ProcessSignals::make_own`].
    pub fn reset_handlers(&self) -> Result<(), Errno> {
        self.actions.separate();
        reset_handlers(&self.actions)
    }

    /// A thread has left the process: what waits for any thread may have been meant for it.
    pub fn thread_left(&self, process: &Process) {
        let waiting = self.pending();
        if !waiting.is_empty() {
            retarget(process, waiting);
        }
        process.complete_stop();
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

/// Sets the action for one signal; pending ones that are now ignored are dropped (sigaction(2), POSIX). Returns the old one.
///
/// # Errors
/// `ENOMEM`, nothing changed.
pub fn set_action(process: &Process, signal: Signal, action: SigAction) -> Result<SigAction, Errno> {
    let old = process
        .signals
        .actions
        .change(|actions| actions.replace(signal, action))?;
    if is_ignoring(&action, signal) {
        remove_pending(process, SigSet::EMPTY.with(signal));
    }
    Ok(old)
}

/// What a new thread inherits.
#[derive(Default)]
pub struct InheritedSignals {
    mask: u64,
    stack: StackT,
}

impl ThreadSignals {
    /// For the thread of a forked child: mask and alternate stack.
    #[inline]
    pub fn for_child(&self) -> InheritedSignals {
        InheritedSignals {
            mask: self.mask.load(Ordering::Relaxed),
            stack: self.stack.cloned(),
        }
    }

    /// For a further thread of the process: the mask. Two threads cannot use one alternate stack.
    pub fn for_thread(&self) -> InheritedSignals {
        InheritedSignals {
            mask: self.mask.load(Ordering::Relaxed),
            stack: DISARMED,
        }
    }

    /// Nothing is blocked, nothing pends.
    pub const fn new() -> ThreadSignals {
        ThreadSignals {
            mask: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            saved_mask: Mutex::new(None),
            pending: Pending::new(),
            is_halted: AtomicBool::new(false),
            syndrome: AtomicU64::new(0),
            stack: Mutex::new(StackT {
                sp: 0,
                flags: SsFlags::empty(),
                pad: 0,
                size: 0,
            }),
        }
    }

    /// With what was inherited from now on: of a thread that nobody knows yet.
    #[inline]
    pub fn inherit(&self, inherited: InheritedSignals) {
        self.mask.store(inherited.mask, Ordering::Relaxed);
        *self.stack.lock() = inherited.stack;
    }

    /// Whether the thread has halted for a stop of its process.
    pub fn is_halted(&self) -> bool {
        self.is_halted.load(Ordering::Acquire)
    }

    /// The mask that a handler's frame is to restore.
    fn outer_mask(&self) -> SigSet {
        self.saved_mask.lock().unwrap_or(self.mask())
    }

    /// The frame holds it now.
    fn forget_outer_mask(&self) {
        *self.saved_mask.lock() = None;
    }

    /// The alternate stack.
    pub fn stack(&self) -> StackT {
        *self.stack.lock()
    }

    /// Sets the alternate stack.
    pub fn set_stack(&self, stack: StackT) {
        *self.stack.lock() = stack;
    }

    /// Takes away the alternate stack: a new program begins. Its flags stay, as on Linux.
    pub fn forget_stack(&self) {
        let mut stack = self.stack.lock();
        (stack.sp, stack.size) = (0, 0);
    }

    /// Keeps the syndrome of a fault for the frame of its signal.
    pub fn keep_syndrome(&self, syndrome: u64) {
        self.syndrome.store(syndrome, Ordering::Relaxed);
    }

    /// Signals that wait for this thread.
    pub fn pending(&self) -> SigSet {
        self.pending.set()
    }
}

/// Whether the thread has something to do before it may return to EL0 or sleep: a signal to take, a stop, its end.
pub fn is_pending(thread: &Thread) -> bool {
    let signals = &thread.process().signals;
    let pending = thread.signals().pending().union(signals.pending());
    !pending.difference(thread.signals().mask()).is_empty()
        || thread.is_ending()
        || signals.stop.is_requested()
}

/// Takes one pending signal of `set`, the thread's own first: sigtimedwait(2).
pub fn take_pending(thread: &Thread, set: SigSet) -> Option<SigInfo> {
    thread
        .signals()
        .pending
        .take(set)
        .or_else(|| thread.process().signals.pending.take(set))
}

/// The sets for /proc/PID/status, of the process and one of its threads.
pub fn summary(process: &Process, thread: Option<&Thread>) -> SignalSets {
    let mut summary = SignalSets {
        shared_pending: process.signals.pending(),
        ..SignalSets::default()
    };
    if let Some(thread) = thread {
        summary.pending = thread.signals().pending();
        summary.blocked = thread.signals().mask();
    }
    (summary.ignored, summary.caught) = process.signals.actions.read(Actions::ignored_and_caught);
    summary
}

/// What a parent wants of the ends of its children: wait(2), NOTES.
pub fn child_disposition(parent: &Process) -> Disposition {
    let action = parent.signals.action(Signal::SIGCHLD);
    if action.handler == SIG_IGN {
        Disposition::Ignored
    } else if action.flags.contains(SaFlags::SA_NOCLDWAIT) {
        Disposition::Announced
    } else {
        Disposition::Waited
    }
}

/// Whether a parent wants no SIGCHLD when children stop or go on.
pub fn is_quiet_about_stops(parent: &Process) -> bool {
    let action = parent.signals.action(Signal::SIGCHLD);
    action.handler == SIG_IGN || action.flags.contains(SaFlags::SA_NOCLDSTOP)
}

/// An alternate stack as sigaltstack(2) takes it.
///
/// # Errors
/// `EINVAL`: a state that is none. `ENOMEM`: one that is too small.
pub fn checked_stack(stack: StackT) -> Result<StackT, Errno> {
    match stack.flags - SsFlags::SS_AUTODISARM {
        SsFlags::SS_DISABLE => Ok(StackT {
            flags: stack.flags,
            ..StackT::default()
        }),
        state if !SsFlags::SS_ONSTACK.contains(state) => Err(Errno::EINVAL),
        _ if stack.size < MINSIGSTKSZ => Err(Errno::ENOMEM),
        _ => Ok(StackT { pad: 0, ..stack }),
    }
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
