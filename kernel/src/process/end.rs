//! How a process ends: exit(2), or a signal. Everything it held goes back at once; what is left is a zombie, an entry in
//! the table with its status, until the parent waits for it.

use super::children::child_info;
use super::table;
use super::usage::Usage;
use super::{INIT, Pid, Process};
use crate::fs::{self, FileTable};
use crate::signal::{self, Disposition};
use crate::syscall::futex;
use crate::thread::Thread;
use crate::{boot, scheduler, tty};
use abi::process::WaitStatus;
use abi::signal::info::{SI_KERNEL, SI_USER};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Ends the running thread, and with it its process, for which [`Process::end`] was called. The caller returns to the
/// scheduler for the last time afterwards.
pub fn end_current(thread: Arc<Thread>) {
    let process = thread.process.clone();
    futex::thread_ended(&thread);
    release_everything(&process);
    Usage::keep_thread(thread.ticks(), &process.usage);
    process.threads.lock().clear();
    if process.pid == INIT {
        boot::init_ended(WaitStatus::decode(process.exit_status()));
    }
    become_zombie(&process);
    thread.die();
}

/// Memory, files, timers. The vfork parent goes on, now that its memory is its own again.
fn release_everything(process: &Process) {
    process.interval_timer.lock().cancel();
    let space = process.replace_space(None);
    scheduler::leave_space();
    drop(space);
    process.return_loan();
    process.set_executable(None);
    let files = core::mem::take(&mut *process.files.lock());
    fs::close_all(&files, process.pid);
    drop::<Arc<FileTable>>(files);
}

/// Tells everybody who must know: children get another parent, groups that nobody can continue any more are hung up, the
/// terminal loses its session, the parent learns of the end.
fn become_zombie(process: &Arc<Process>) {
    let (orphans, lost_groups) = table::with(|table| {
        let groups = groups_to_watch(table, process);
        let orphans = table.orphan_children(process.pid);
        process.is_zombie.store(true, Ordering::Release);
        let lost: Vec<Pid> = groups
            .into_iter()
            .filter(|&group| table.is_orphaned(group, Some(process.pid)))
            .collect();
        (orphans, lost)
    });
    orphans.iter().for_each(tell_of_parents_death);
    lost_groups.into_iter().for_each(hang_up);
    if process.pid == process.session() {
        tty::session_ended(process.session());
    }
    tell_parent(process);
}

/// The groups with a stopped member that have somebody to continue them, but perhaps not without this process: its own,
/// and those of its children.
fn groups_to_watch(table: &mut table::Table, process: &Process) -> Vec<Pid> {
    if !signal::is_anybody_stopped() {
        return Vec::new();
    }
    let children: Vec<Pid> = table
        .entry(process.pid)
        .map(|entry| entry.children.iter().copied().collect())
        .unwrap_or_default();
    let mut groups: Vec<Pid> = children
        .iter()
        .filter_map(|&pid| table.process(pid))
        .map(|child| child.group())
        .collect();
    groups.push(process.group());
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|&group| table.has_stopped_member(group) && !table.is_orphaned(group, None));
    groups
}

/// A stopped group that nobody can continue is told to end, and continued so that it hears it (exit(3)).
fn hang_up(group: Pid) {
    signal::send_to_group(group, SigInfo::new(Signal::SIGHUP, SI_KERNEL));
    signal::send_to_group(group, SigInfo::new(Signal::SIGCONT, SI_KERNEL));
}

fn tell_of_parents_death(orphan: &Arc<Process>) {
    let wanted = orphan.attributes.parent_death_signal.load(Ordering::Relaxed);
    if let Some(signal) = Signal::new(wanted.into()) {
        signal::send_to_process(orphan, SigInfo::new(signal, SI_USER));
    }
    if orphan.is_zombie() {
        tell_parent(orphan);
    }
}

/// Leaves the zombie to its parent, or forgets it at once if the parent does not want to know (`SIG_IGN` or
/// `SA_NOCLDWAIT` for SIGCHLD: wait(2), NOTES).
fn tell_parent(process: &Arc<Process>) {
    let status = WaitStatus::decode(process.exit_status());
    let Some(parent) = super::find(process.parent()) else {
        table::with(|table| table.release(process.pid));
        return;
    };
    let wanted = Signal::new(process.exit_signal.load(Ordering::Relaxed).into());
    let disposition = signal::child_disposition(&parent);
    table::with(|table| {
        if wanted == Some(Signal::SIGCHLD) && disposition != Disposition::Waited {
            table.release(process.pid);
        } else if let Some(entry) = table.entry(parent.pid) {
            entry.ended.insert(process.pid);
        }
    });
    if let Some(signal) = wanted.filter(|_| disposition != Disposition::Ignored) {
        let info = SigInfo {
            signo: signal.number().into(),
            ..child_info(process, status)
        };
        signal::send_to_process(&parent, info);
    }
    parent.child_events.wake_all();
}
