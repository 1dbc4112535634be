//! How a thread ends, and with the last one its process: exit(2), exit_group(2), a signal. Everything it held goes back at
//! once; what is left of the process is a zombie, an entry in the table with its status, until the parent waits for it.

use super::children::{Notice, announce_end};
use super::table::{self, Table};
use super::{INIT, Pid, Process, shortage};
use crate::fs::{self, FileTable};
use crate::signal;
use crate::syscall::futex;
use crate::thread::Thread;
use crate::{boot, deferred_free, scheduler, tty};
use abi::process::WaitStatus;
use abi::signal::info::{SI_KERNEL, SI_USER};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Ends the running thread, which was told to end, and its process if it is the last one there. The caller returns to the
/// scheduler for the last time afterwards.
///
/// The order matters: who is told of the end finds everything given back that the thread held, but for its kernel stack,
/// which it leaves last. A process is a zombie only when none of its threads uses its memory any more, on any processor.
pub fn end_current(thread: Arc<Thread>) {
    let process = thread.process.clone();
    futex::thread_ended(&thread);
    let files = close_files(&thread);
    deferred_free::release();
    table::release_thread(&thread);
    leave_memory(&thread);
    if process.remove_thread(&thread) {
        if let Some(files) = files {
            // It must not sleep any more.
            fs::close_all(&files, process.pid, || ());
        }
        end_process(&process);
    } else {
        leave_children(&thread);
    }
    thread.die();
}

/// Returns the descriptors if others hold them still: with the process's end its record locks on them end (fcntl(2)).
fn close_files(thread: &Thread) -> Option<Arc<FileTable>> {
    let held = thread.files.snapshot().ok()?;
    if thread.files.give_up().is_none() {
        return Some(held);
    }
    fs::close_all(&held, thread.process.pid, scheduler::cond_resched);
    None
}

/// The thread does not touch the program's memory any more. From here it must not sleep: the scheduler would bring the
/// memory back.
fn leave_memory(thread: &Thread) {
    if let Some(space) = thread.process.space() {
        space.leave();
    }
    scheduler::leave_space();
    thread.loan.give_back();
}

/// All threads have left.
fn end_process(process: &Arc<Process>) {
    process.interval_timer.lock().cancel();
    process.delete_timers();
    if process.has_executed() {
        // Its tables are its own and go now anyway. Those of a process that only forked are mostly others', and may be many.
        process.note_resident_pages();
    }
    process.drop_space();
    deferred_free::release();
    shortage::memory_is_back(process);
    process.set_executable(None);
    process.signals.end_stop();
    if process.pid == INIT {
        boot::init_ended(WaitStatus::decode(process.exit_status()));
    }
    if process.pid == process.session() {
        tty::session_ended(process.session());
    }
    become_zombie(process);
}

/// Tells everybody who must know: children get another parent, groups that nobody can continue any more are hung up, the
/// parent learns of the end. Who has no thread gets no children any more, and is not asked to care for orphans if it has none:
/// then all of that but the last comes to nothing, and the table's lock is not needed.
fn become_zombie(process: &Process) {
    if process.children.lock().is_empty() && !signal::is_anybody_stopped() {
        announce_end(process).into_iter().for_each(Notice::finish);
    } else {
        let notices = table::with(|table| leave_relatives(table, process));
        notices.into_iter().for_each(Notice::finish);
    }
}

/// All of that at one moment, for who looks at the table.
fn leave_relatives(table: &mut Table, process: &Process) -> Vec<Notice> {
    let children: Vec<_> = process.children.lock().iter().cloned().collect();
    let groups = groups_to_watch(table, process, &children);
    let ended = table.move_children(process);
    for group in groups {
        if table.is_orphaned(group, Some(process.pid)) {
            hang_up(table, group);
        }
    }
    children
        .iter()
        .for_each(|child| tell_of_parents_death(process, child));
    let ended = ended.iter().map(|child| &**child);
    ended.chain([process]).filter_map(announce_end).collect()
}

/// The groups with a stopped member that have somebody to continue them, but perhaps not without this process: its own,
/// and those of its children.
fn groups_to_watch(table: &Table, process: &Process, children: &[Arc<Process>]) -> Vec<Pid> {
    if !signal::is_anybody_stopped() {
        return Vec::new();
    }
    let mut groups: Vec<Pid> = children.iter().map(|child| child.group()).collect();
    groups.push(process.group());
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|&group| table.has_stopped_member(group) && !table.is_orphaned(group, None));
    groups
}

/// A stopped group that nobody can continue is told to end, and continued so that it hears it (exit(3)).
fn hang_up(table: &Table, group: Pid) {
    for signal in [Signal::SIGHUP, Signal::SIGCONT] {
        let info = SigInfo::new(signal, SI_KERNEL);
        table
            .members(group)
            .for_each(|member| signal::send_to_process(member, info));
    }
}

/// A thread has left its process, others have not: its children are those of another from now on, and those that asked for
/// it are told of its end (`PR_SET_PDEATHSIG`).
fn leave_children(thread: &Thread) {
    let process = &thread.process;
    if !thread.has_forked() || process.children.lock().is_empty() {
        return;
    }
    let heir = process.heir_of(thread);
    let mut first = 0;
    loop {
        let told = process.children.lock().hand_over(thread.tid(), heir, first);
        let Some(child) = told else { return };
        first = child.pid + 1;
        tell_of_parents_death(process, &child);
    }
}

/// As if `parent` had sent it: prctl(2), `PR_SET_PDEATHSIG`.
fn tell_of_parents_death(parent: &Process, orphan: &Arc<Process>) {
    let wanted = orphan.attributes.parent_death_signal.load(Ordering::Relaxed);
    if let Some(signal) = Signal::new(wanted.into()) {
        let sender = parent.credentials().uid;
        signal::send_to_process(orphan, SigInfo::sent(signal, SI_USER, parent.pid, sender));
    }
}
