//! Sending a signal. Stopping and continuing have an effect at once (a stop signal drops a waiting SIGCONT and the other
//! way round, SIGCONT continues even where it is ignored); everything else waits for a thread that does not block it.

use super::pending::Details;
use super::{is_ignoring, set_action, set_mask};
use crate::process::{self, INIT, Pid, Process};
use crate::thread::{Thread, ThreadExt};
use crate::timers::{Timer, TimerNotice};
use abi::Errno;
use abi::process::{RLIMIT_SIGPENDING, WaitStatus};
use abi::signal::{DefaultAction, SIG_DFL, SigAction, SigInfo, SigSet, Signal};
use alloc::sync::Arc;
use sched::scheduler;
use sched::space::mappings;

/// The signals that stop a process by default.
const STOPPING: SigSet = SigSet::EMPTY
    .with(Signal::SIGSTOP)
    .with(Signal::SIGTSTP)
    .with(Signal::SIGTTIN)
    .with(Signal::SIGTTOU);

/// With no more processes and threads than this all are sent to at once.
const FEW: usize = 64;

/// Whom a signal to many goes to: everybody at one moment, so that nobody escapes by being forked meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// The members of a group.
    Group(Pid),
    /// Every process but the first and this one.
    AllBut(Pid),
}

/// Sends a signal to a process. The caller has checked that it may.
pub fn send_to_process(process: &Arc<Process>, info: SigInfo) {
    let signal = Signal::new(info.signo as u64);
    if let Some(change) = signal.and_then(|signal| post(process, signal, || info)) {
        process::report_stop_or_continue(process, change);
    }
}

/// Sends a signal to a process, for who holds the lock of its children; what it says is asked for only if it will wait for somebody.
/// Returns what is to be told to its parent ([`process::report_stop_or_continue`]) without that lock.
#[must_use]
pub fn post(process: &Arc<Process>, signal: Signal, info: impl FnOnce() -> SigInfo) -> Option<WaitStatus> {
    post_to(process, None, signal, info)
}

/// Sends a signal to one thread: tgkill(2).
pub fn send_to_thread(thread: &Arc<Thread>, info: SigInfo) {
    let process = thread.process();
    let change =
        Signal::new(info.signo as u64).and_then(|signal| post_to(process, Some(thread), signal, || info));
    if let Some(change) = change {
        process::report_stop_or_continue(process, change);
    }
}

/// Sends a signal to each process of a group; returns to how many.
pub fn send_to_group(group: Pid, info: SigInfo) -> usize {
    process::with_table(|table| {
        let mut sent = 0;
        for member in table.members(group) {
            send_to_process(member, info);
            sent += 1;
        }
        sent
    })
}

/// Sends a signal, or none, to everybody of `audience` whom `check` lets have it.
///
/// # Errors
/// `ESRCH`: there is nobody. The error of `check`: there is nobody who may.
pub fn send_to_many(
    audience: Audience,
    info: Option<SigInfo>,
    check: impl Fn(&Process) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut outcome = Err(Errno::ESRCH);
    process::with_table(|table| {
        let send = |process| send_if_allowed(process, info, &check, &mut outcome);
        match audience {
            Audience::Group(group) => table.members(group).for_each(send),
            Audience::AllBut(pid) => table.all_but(&[INIT, pid]).for_each(send),
        }
    });
    outcome
}

/// As [`send_to_many`], for a caller that holds no lock: where there are many processes others run in between, and nobody forks
/// meanwhile.
///
/// # Errors
/// As [`send_to_many`].
pub fn send_to_many_in_pieces(
    audience: Audience,
    info: Option<SigInfo>,
    check: impl Fn(&Process) -> Result<(), Errno>,
) -> Result<(), Errno> {
    if process::thread_count() <= FEW {
        return send_to_many(audience, info, check);
    }
    let is_meant = |process: &Process| match audience {
        Audience::Group(group) => process.group() == group,
        Audience::AllBut(pid) => process.pid != INIT && process.pid != pid,
    };
    mappings::while_nobody_forks(|| {
        let (mut next, mut outcome) = (0, Err(Errno::ESRCH));
        while let Some(process) = process::next_from(next) {
            next = process.pid + 1;
            if is_meant(&process) {
                send_if_allowed(&process, info, &check, &mut outcome);
            }
            // Even a sender that is to end by this signal reaches all.
            scheduler::cond_resched();
        }
        outcome
    })?
}

fn send_if_allowed(
    process: &Arc<Process>,
    info: Option<SigInfo>,
    check: impl Fn(&Process) -> Result<(), Errno>,
    outcome: &mut Result<(), Errno>,
) {
    match check(process) {
        Ok(()) => {
            info.into_iter().for_each(|info| send_to_process(process, info));
            *outcome = Ok(());
        }
        Err(error) if outcome.is_err() => *outcome = Err(error),
        Err(_) => {}
    }
}

/// Puts a signal where it waits, for a process or for one thread, and wakes whoever is to take it. Returns what the parent
/// of the process is to be told: that it goes on.
#[must_use]
fn post_to(
    process: &Arc<Process>,
    target: Option<&Arc<Thread>>,
    signal: Signal,
    info: impl FnOnce() -> SigInfo,
) -> Option<WaitStatus> {
    if is_protected(process, signal) || process.is_zombie() {
        return None;
    }
    let change = prepare(process, signal);
    if signal == Signal::SIGKILL || is_fatal_at_once(process, target, signal) {
        process.end(WaitStatus::Signaled {
            signal: signal.number(),
            core: false,
        });
    } else if !is_discarded(process, signal) {
        add(process, target, signal, info());
    }
    change
}

/// Whether the signal ends the process as soon as a thread takes it, and there is one that would: then it is as good as SIGKILL,
/// which ends sleeps that nothing else does (vfork(2); `complete_signal` of Linux). A stopped process takes it when it goes on.
fn is_fatal_at_once(process: &Process, target: Option<&Arc<Thread>>, signal: Signal) -> bool {
    let takes = |thread: &Arc<Thread>| !thread.is_ending() && !thread.signals().mask().contains(signal);
    signal.default_action() == DefaultAction::Terminate
        && process.signals.action(signal).handler == SIG_DFL
        && !process.signals.stop.is_requested()
        && target.map_or_else(|| process.any_thread(takes), takes)
}

fn add(process: &Arc<Process>, target: Option<&Arc<Thread>>, signal: Signal, info: SigInfo) {
    let details = match signal < Signal::SIGRTMIN || has_room_for_signals(process) {
        true => Details::Kept,
        false => Details::Lost,
    };
    match target {
        Some(thread) => {
            thread.signals().pending.add(signal, info, details);
            if is_open(thread, signal) {
                scheduler::alert(thread);
            }
        }
        None => {
            process.signals.pending.add(signal, info, details);
            wake_up(process, signal);
        }
    }
    process.signals.tell_readers();
}

/// Sends the signal of a timer, to one thread or to whoever takes it; whether it waits now. If not, it is ignored or there is
/// nobody. The caller holds no lock.
pub fn send_by_timer(
    process: &Arc<Process>,
    target: Option<&Arc<Thread>>,
    info: SigInfo,
    timer: &Arc<Timer>,
) -> bool {
    let Some(signal) = Signal::new(info.signo as u64) else {
        return false;
    };
    if matches!(signal, Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGCONT)
        || signal.default_action() == DefaultAction::Stop
    {
        // Those have their effect at once.
        send_to_process(process, info);
        return false;
    }
    if is_protected(process, signal) || process.is_zombie() || is_discarded(process, signal) {
        return false;
    }
    match target {
        Some(thread) => {
            thread.signals().pending.add_from_timer(signal, info, timer);
            if is_open(thread, signal) {
                scheduler::alert(thread);
            }
        }
        None => {
            process.signals.pending.add_from_timer(signal, info, timer);
            wake_up(process, signal);
        }
    }
    process.signals.tell_readers();
    true
}

/// Keeps a place for the signal of a new timer where it will wait.
///
/// # Errors
/// `EAGAIN`: for want of memory.
pub fn keep_place(process: &Process, timer: &Timer) -> Result<(), Errno> {
    match timer.notice() {
        TimerNotice::Signal {
            thread: Some(thread), ..
        } => thread
            .upgrade()
            .map_or(Ok(()), |thread| thread.signals().pending.keep_place()),
        TimerNotice::Signal { .. } => process.signals.pending.keep_place(),
        TimerNotice::None | TimerNotice::Wake(_) => Ok(()),
    }
}

/// The timer is deleted.
pub fn give_up_place(process: &Process, timer: &Timer) {
    match timer.notice() {
        TimerNotice::Signal {
            thread: Some(thread), ..
        } => {
            if let Some(thread) = thread.upgrade() {
                thread.signals().pending.give_up_place();
            }
        }
        TimerNotice::Signal { .. } => process.signals.pending.give_up_place(),
        TimerNotice::None | TimerNotice::Wake(_) => {}
    }
}

/// Drops the signals of timers that wait for the process or one of its threads: they are deleted.
pub fn drop_signals_of_timers(process: &Process) {
    process.signals.pending.remove_those_of_timers();
    process.for_each_thread(|thread| thread.signals().pending.remove_those_of_timers());
}

/// Wakes one thread to take a signal that waits for any, if there is one that would.
fn wake_up(process: &Process, signal: Signal) {
    process.any_thread(|thread| {
        let is_open = is_open(thread, signal);
        if is_open {
            scheduler::alert(thread);
        }
        is_open
    });
}

/// Somebody who might have taken the signals of `set` will not: wakes whoever would.
pub(super) fn retarget(process: &Process, set: SigSet) {
    process.for_each_thread(|thread| {
        if !thread.is_ending() && !set.difference(thread.signals().closed()).is_empty() {
            scheduler::alert(thread);
        }
    });
}

/// Whether the thread would take the signal now.
fn is_open(thread: &Thread, signal: Signal) -> bool {
    !thread.is_ending() && !thread.signals().closed().contains(signal)
}

/// The default action is taken for a signal, which ends the process at once where there is no memory to note that.
pub fn set_default(thread: &Thread, signal: Signal) {
    if set_action(thread.process(), signal, SigAction::default()).is_err() {
        thread.process().end(WaitStatus::Signaled {
            signal: signal.number(),
            core: false,
        });
    }
}

/// Sends a signal that an instruction of the thread caused: it cannot be put off. Where it is blocked or ignored the
/// default action takes its place (`force_sig` of Linux).
pub fn force(thread: &Arc<Thread>, info: SigInfo) {
    let Some(signal) = Signal::new(info.signo as u64) else {
        return;
    };
    let signals = &thread.process().signals;
    let is_blocked = thread.signals().mask().contains(signal);
    if is_blocked || is_ignoring(&signals.action(signal), signal) {
        set_default(thread, signal);
        set_mask(thread, thread.signals().mask().without(signal));
    }
    thread.signals().pending.remove(SigSet::EMPTY.with(signal));
    thread.signals().pending.add(signal, info, Details::Kept);
    signals.tell_readers();
    thread.set_pending_work();
}

/// The first process gets only signals that it has a handler for, or blocks to fetch them by itself (sigtimedwait(2)):
/// nobody can end it by mistake (kill(2), NOTES).
fn is_protected(process: &Process, signal: Signal) -> bool {
    process.pid == INIT && process.signals.action(signal).handler == SIG_DFL && !is_blocked(process, signal)
}

/// The effect that a signal has at once. What the parent is to be told.
fn prepare(process: &Process, signal: Signal) -> Option<WaitStatus> {
    if signal == Signal::SIGCONT {
        // In this order: a thread that has taken one of them already finds out by the count of continues.
        remove_pending(process, STOPPING);
        return process.signals.stop.go_on();
    }
    if signal.default_action() == DefaultAction::Stop {
        remove_pending(process, SigSet::EMPTY.with(Signal::SIGCONT));
    }
    None
}

/// Drops every signal of `set` that waits for the process or one of its threads.
pub(super) fn remove_pending(process: &Process, set: SigSet) {
    process.signals.pending.remove(set);
    process.for_each_thread(|thread| thread.signals().pending.remove(set));
}

/// Whether the signal comes to nothing: it is ignored, and no thread blocks it (a blocked one waits, for the action may
/// change) or awaits it.
fn is_discarded(process: &Process, signal: Signal) -> bool {
    is_ignoring(&process.signals.action(signal), signal) && !is_blocked(process, signal)
}

/// Whether a thread of the process blocks the signal, or will again once it has waited for others.
fn is_blocked(process: &Process, signal: Signal) -> bool {
    process.any_thread(|thread| {
        let saved = *thread.signals().saved_mask.lock();
        thread.signals().mask().contains(signal) || saved.is_some_and(|mask| mask.contains(signal))
    })
}

/// Whether a further signal may wait for the process or one of its threads with its details (`RLIMIT_SIGPENDING`).
pub fn has_room_for_signals(process: &Process) -> bool {
    let mut waiting = process.signals.waiting() + process.timers.len();
    process.for_each_thread(|thread| waiting += thread.signals().pending.len());
    (waiting as u64) < process.limit(RLIMIT_SIGPENDING)
}
