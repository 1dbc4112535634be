//! How a parent is told that a child ended, stopped or went on: what wait finds, and a signal, at one moment.

use crate::process::{Process, table};
use crate::signal::{self, Disposition};
use abi::process::WaitStatus;
use abi::signal::info::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// Tells the parent that a child stopped or went on: an event for wait, and SIGCHLD unless the parent set
/// `SA_NOCLDSTOP`, both at one moment.
pub fn report_stop_or_continue(child: &Process, status: WaitStatus) {
    while let Some(parent) = child.parent_process() {
        let mut children = parent.children.lock();
        if !children.note_change(child) {
            if child.is_zombie() {
                return;
            }
            continue;
        }
        if !signal::is_quiet_about_stops(&parent) {
            let change = signal::post(&parent, Signal::SIGCHLD, || child_info(child, status));
            debug_assert!(change.is_none(), "SIGCHLD continues nobody");
        }
        drop(children);
        return parent.child_events.wake_all();
    }
}

/// What is left to do when a parent was told of an end.
#[must_use]
pub(in crate::process) struct Notice {
    pub(in crate::process) parent: Arc<Process>,
    /// What the parent's own parent is to be told: the signal continued it.
    change: Option<WaitStatus>,
    /// The child, if nobody will wait for it.
    pub(in crate::process) unwanted: Option<Arc<Process>>,
}

impl Notice {
    /// Does it. The table's lock is not held.
    pub(in crate::process) fn finish(self) {
        if let Some(child) = &self.unwanted {
            child.leave_to(&self.parent);
            table::release(child);
        }
        if let Some(change) = self.change {
            report_stop_or_continue(&self.parent, change);
        }
        self.parent.child_events.wake_all();
    }
}

/// The child is a zombie from now on, and left to its parent, or to be forgotten at once if the parent does not want to know
/// (`SIG_IGN` or `SA_NOCLDWAIT` for SIGCHLD: wait(2), NOTES). The parent gets the signal, can wait for the child, and sees that
/// it is a zombie, at one moment: who waits for the signal finds the child, and who found the child has the signal.
pub(in crate::process) fn announce_end(child: &Process) -> Option<Notice> {
    loop {
        let parent = child.parent_process()?;
        let mut children = parent.children.lock();
        let Some(own) = children.take_living(child) else {
            continue;
        };
        child.is_zombie.store(true, Ordering::Release);
        let (disposition, change) = post_end(&parent, child);
        let unwanted = if disposition == Disposition::Waited {
            children.ended.enter_member(own, |own| &own.places.sibling);
            None
        } else {
            Some(own)
        };
        drop(children);
        if child.is_watched.load(Ordering::SeqCst) {
            child.threads.left().wake_all();
        }
        return Some(Notice {
            parent,
            change,
            unwanted,
        });
    }
}

/// The signal to a parent of a child that has ended. What the parent wants to know, and what its own parent is to be told.
fn post_end(parent: &Arc<Process>, child: &Process) -> (Disposition, Option<WaitStatus>) {
    let wanted = Signal::new(child.exit_signal().into());
    let disposition = match wanted {
        Some(Signal::SIGCHLD) => signal::child_disposition(parent),
        _ => Disposition::Waited,
    };
    let sent = wanted.filter(|_| disposition != Disposition::Ignored);
    let change = sent.and_then(|signal| {
        signal::post(parent, signal, || SigInfo {
            signo: signal.number().into(),
            ..child_info(child, WaitStatus::decode(child.exit_status()))
        })
    });
    (disposition, change)
}

/// What SIGCHLD says about a child.
fn child_info(child: &Process, status: WaitStatus) -> SigInfo {
    let (code, value) = match status {
        WaitStatus::Exited(code) => (CLD_EXITED, code),
        WaitStatus::Signaled { signal, core: false } => (CLD_KILLED, signal),
        WaitStatus::Signaled { signal, core: true } => (CLD_DUMPED, signal),
        WaitStatus::Stopped(signal) => (CLD_STOPPED, signal),
        WaitStatus::Continued => (CLD_CONTINUED, Signal::SIGCONT.number()),
    };
    let (user, system) = child.own_totals().ticks();
    let clock = |ticks: u64| platform::timer::ticks_to_nanos(ticks) / (1_000_000_000 / abi::time::USER_HZ);
    SigInfo::child(
        code,
        child.pid,
        child.uid(),
        value.into(),
        clock(user),
        clock(system),
    )
}
