//! How a parent learns of its children: wait4(2), waitid(2). Each parent's entry in the table names the children that
//! ended and those that stopped or went on, so that a wait looks at events, not at children.

use super::table::{self, Entry, Table};
use super::usage::Totals;
use super::{Pid, Process};
use crate::signal::{self, Disposition};
use crate::thread::Thread;
use abi::Errno;
use abi::process::WaitStatus;
use abi::signal::info::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Which children a wait is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Every child.
    Any,
    /// That one.
    Process(Pid),
    /// Those in that group.
    Group(Pid),
}

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Children that ended.
    pub ended: bool,
    /// Children that stopped.
    pub stopped: bool,
    /// Children that went on.
    pub continued: bool,
    /// The event stays to be waited for again (`WNOWAIT`).
    pub is_kept: bool,
    /// Do not sleep (`WNOHANG`).
    pub is_immediate: bool,
}

/// What a wait found.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// The child.
    pub pid: Pid,
    /// Its real user.
    pub uid: u32,
    /// What happened to it.
    pub status: WaitStatus,
    /// What it used, and the children it waited for.
    pub usage: Totals,
}

/// Waits for an event of a child of the caller's process. `Ok(None)`: nothing yet, and the wait is immediate. `ECHILD`:
/// there is no such child.
pub fn wait_for_child(current: &Thread, which: Which, wanted: Wanted) -> Result<Option<Child>, Errno> {
    let process = &current.process;
    let look = || match table::with(|table| take_event(table, process, which, wanted)) {
        Ok(None) if !wanted.is_immediate => None,
        answer => Some(answer),
    };
    process.child_events.wait_until(look)?
}

fn take_event(
    table: &mut Table,
    parent: &Process,
    which: Which,
    wanted: Wanted,
) -> Result<Option<Child>, Errno> {
    let Some(entry) = table.entry(parent.pid) else {
        return Err(Errno::ECHILD);
    };
    let (ended, changed) = (
        candidates(entry, &entry.ended, which),
        candidates(entry, &entry.changed, which),
    );
    let has_child = match which {
        Which::Any => !entry.children.is_empty(),
        Which::Process(pid) => entry.children.contains(&pid),
        Which::Group(_) => true,
    };
    if !has_child {
        return Err(Errno::ECHILD);
    }
    if wanted.ended
        && let Some(child) = first_of(table, &ended, which)
    {
        return Ok(Some(reap(table, parent, &child, wanted)));
    }
    for pid in changed {
        if let Some(child) = first_of(table, &[pid], which)
            && let Some(found) = take_change(table, parent, &child, wanted)
        {
            return Ok(Some(found));
        }
    }
    if let Which::Group(group) = which
        && !has_child_in(table, parent, group)
    {
        return Err(Errno::ECHILD);
    }
    Ok(None)
}

/// Those of `events` that may fit: one at most unless a group is asked for or changes are filtered by kind.
fn candidates(entry: &Entry, events: &alloc::collections::BTreeSet<Pid>, which: Which) -> Vec<Pid> {
    match which {
        Which::Any if core::ptr::eq(events, &entry.ended) => events.first().copied().into_iter().collect(),
        Which::Process(pid) => events.get(&pid).copied().into_iter().collect(),
        Which::Any | Which::Group(_) => events.iter().copied().collect(),
    }
}

fn first_of(table: &Table, pids: &[Pid], which: Which) -> Option<Arc<Process>> {
    pids.iter()
        .filter_map(|&pid| table.process(pid))
        .find(|child| is_meant(child, which))
        .cloned()
}

fn is_meant(child: &Process, which: Which) -> bool {
    match which {
        Which::Any => true,
        Which::Process(pid) => child.pid == pid,
        Which::Group(group) => child.group() == group,
    }
}

fn has_child_in(table: &mut Table, parent: &Process, group: Pid) -> bool {
    let children: Vec<Pid> = table
        .entry(parent.pid)
        .map(|entry| entry.children.iter().copied().collect())
        .unwrap_or_default();
    first_of(table, &children, Which::Group(group)).is_some()
}

/// Reports a child that ended and, unless it is to be kept, forgets it.
fn reap(table: &mut Table, parent: &Process, child: &Arc<Process>, wanted: Wanted) -> Child {
    let found = describe(child, WaitStatus::decode(child.exit_status()));
    if !wanted.is_kept {
        parent.add_child_totals(&found.usage);
        table.release(child.pid);
    }
    found
}

/// Reports that a child stopped or went on, if that is wanted.
fn take_change(table: &mut Table, parent: &Process, child: &Process, wanted: Wanted) -> Option<Child> {
    let status = child.signals.change().filter(|_| !child.is_zombie())?;
    let is_wanted = match status {
        WaitStatus::Stopped(_) => wanted.stopped,
        _ => wanted.continued,
    };
    if !is_wanted {
        return None;
    }
    if !wanted.is_kept {
        child.signals.forget_change();
        if let Some(entry) = table.entry(parent.pid) {
            entry.changed.remove(&child.pid);
        }
    }
    Some(describe(child, status))
}

fn describe(child: &Process, status: WaitStatus) -> Child {
    Child {
        pid: child.pid,
        uid: child.credentials().uid,
        status,
        usage: child.all_totals(),
    }
}

/// Tells the parent that a child stopped or went on: an event for wait, and SIGCHLD unless the parent set
/// `SA_NOCLDSTOP`.
pub fn report_stop_or_continue(table: &mut Table, child: &Process, status: WaitStatus) {
    let Some(parent) = table.process(child.parent()).cloned() else {
        return;
    };
    if let Some(entry) = table.entry(parent.pid) {
        entry.changed.insert(child.pid);
    }
    if !signal::is_quiet_about_stops(&parent) {
        signal::send_within(table, &parent, child_info(child, status));
    }
    parent.child_events.wake_all();
}

/// Leaves a zombie to its parent, or forgets it at once if the parent does not want to know (`SIG_IGN` or `SA_NOCLDWAIT`
/// for SIGCHLD: wait(2), NOTES). The parent's signal waits for it before it can wait for the child.
pub(super) fn announce_end(table: &mut Table, child: &Arc<Process>) {
    let Some(parent) = table.process(child.parent()).cloned() else {
        table.release(child.pid);
        return;
    };
    let wanted = Signal::new(child.exit_signal().into());
    let disposition = match wanted {
        Some(Signal::SIGCHLD) => signal::child_disposition(&parent),
        _ => Disposition::Waited,
    };
    if let Some(signal) = wanted.filter(|_| disposition != Disposition::Ignored) {
        let info = SigInfo {
            signo: signal.number().into(),
            ..child_info(child, WaitStatus::decode(child.exit_status()))
        };
        signal::send_within(table, &parent, info);
    }
    if disposition != Disposition::Waited {
        table.release(child.pid);
    } else if let Some(entry) = table.entry(parent.pid) {
        entry.ended.insert(child.pid);
    }
    parent.child_events.wake_all();
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
        child.credentials().uid,
        value.into(),
        clock(user),
        clock(system),
    )
}
