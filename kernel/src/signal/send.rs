//! Sending a signal. Stopping and continuing have an effect at once (a stop signal drops a waiting SIGCONT and the other
//! way round, SIGCONT continues even where it is ignored); everything else waits for a thread that does not block it.

use super::is_ignoring;
use crate::process::{self, INIT, Pid, Process};
use crate::scheduler;
use crate::thread::Thread;
use abi::process::{RLIMIT_SIGPENDING, WaitStatus};
use abi::signal::{DefaultAction, SIG_DFL, SigAction, SigInfo, SigSet, Signal};
use alloc::sync::Arc;

/// The signals that stop a process by default.
const STOPPING: SigSet = SigSet::EMPTY
    .with(Signal::SIGSTOP)
    .with(Signal::SIGTSTP)
    .with(Signal::SIGTTIN)
    .with(Signal::SIGTTOU);

/// Sends a signal to a process. The caller has checked that it may.
pub fn send_to_process(process: &Arc<Process>, info: SigInfo) {
    let Some(signal) = Signal::new(info.signo as u64) else {
        return;
    };
    if is_protected(process, signal) || process.is_zombie() {
        return;
    }
    prepare(process, signal);
    if signal == Signal::SIGKILL {
        process.end(WaitStatus::Signaled {
            signal: signal.number(),
            core: false,
        });
    } else if !is_discarded(process, signal) {
        process.signals.pending.add(signal, info, most_pending(process));
        process.for_each_thread(|thread| notify(thread, signal));
    }
}

/// Sends a signal to one thread: tgkill(2).
pub fn send_to_thread(thread: &Arc<Thread>, info: SigInfo) {
    let Some(signal) = Signal::new(info.signo as u64) else {
        return;
    };
    let process = &thread.process;
    if is_protected(process, signal) {
        return;
    }
    prepare(process, signal);
    if signal == Signal::SIGKILL {
        process.end(WaitStatus::Signaled {
            signal: signal.number(),
            core: false,
        });
    } else if !is_discarded(process, signal) {
        thread.signals.pending.add(signal, info, most_pending(process));
        notify(thread, signal);
    }
}

/// Sends a signal to each process of a group; returns to how many.
pub fn send_to_group(group: Pid, info: SigInfo) -> usize {
    let members = process::group_members(group);
    members.iter().for_each(|member| send_to_process(member, info));
    members.len()
}

/// Sends a signal that an instruction of the thread caused: it cannot be put off. Where it is blocked or ignored the
/// default action takes its place (`force_sig` of Linux).
pub fn force(thread: &Arc<Thread>, info: SigInfo) {
    let Some(signal) = Signal::new(info.signo as u64) else {
        return;
    };
    let signals = &thread.process.signals;
    let is_blocked = thread.signals.mask().contains(signal);
    if is_blocked || is_ignoring(&signals.action(signal), signal) {
        signals.set_action(signal, SigAction::default());
        thread.signals.set_mask(thread.signals.mask().without(signal));
    }
    thread.signals.pending.remove(SigSet::EMPTY.with(signal));
    thread.signals.pending.add(signal, info, usize::MAX);
    thread.call_attention();
}

/// The first process gets only signals that it has a handler for, or blocks to fetch them by itself (sigtimedwait(2)):
/// nobody can end it by mistake (kill(2), NOTES).
fn is_protected(process: &Process, signal: Signal) -> bool {
    process.pid == INIT && process.signals.action(signal).handler == SIG_DFL && !is_blocked(process, signal)
}

/// The effect that a signal has at once.
fn prepare(process: &Process, signal: Signal) {
    if signal == Signal::SIGCONT {
        remove_pending(process, STOPPING);
        process.signals.stop.go_on(process);
    } else if signal.default_action() == DefaultAction::Stop {
        remove_pending(process, SigSet::EMPTY.with(Signal::SIGCONT));
    }
}

fn remove_pending(process: &Process, set: SigSet) {
    process.signals.pending.remove(set);
    process.for_each_thread(|thread| thread.signals.pending.remove(set));
}

/// Whether the signal comes to nothing: it is ignored, and no thread blocks it (a blocked one waits, for the action may
/// change) or awaits it.
fn is_discarded(process: &Process, signal: Signal) -> bool {
    is_ignoring(&process.signals.action(signal), signal) && !is_blocked(process, signal)
}

/// Whether a thread of the process blocks the signal, or will again once it has waited for others.
fn is_blocked(process: &Process, signal: Signal) -> bool {
    process.threads().iter().any(|thread| {
        let saved = *thread.signals.saved_mask.lock();
        thread.signals.mask().contains(signal) || saved.is_some_and(|mask| mask.contains(signal))
    })
}

fn most_pending(process: &Process) -> usize {
    usize::try_from(process.limit(RLIMIT_SIGPENDING)).unwrap_or(usize::MAX)
}

fn notify(thread: &Arc<Thread>, signal: Signal) {
    if thread.signals.is_open_to(signal) {
        thread.call_attention();
        scheduler::wake(thread);
    }
}
