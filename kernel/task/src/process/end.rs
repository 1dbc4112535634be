//! How a thread ends, and with the last one its process: exit(2), exit_group(2), a signal. Everything it held goes back at
//! once; what is left of the process is a zombie, an entry in the table with its status, until the parent waits for it.

use super::children::{Notice, Siblings, announce_end};
use super::table::{self, PidTable};
use super::{INIT, Pid, Process, hooks, oom};
use crate::futex;
use crate::signal;
use crate::thread::{Thread, ThreadExt};
use abi::process::WaitStatus;
use abi::signal::info::{SI_KERNEL, SI_USER};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sched::deferred_free;
use sched::scheduler;
use vfs;

/// Ends the running thread, which was told to end, and its process if it is the last one there. The caller returns to the
/// scheduler for the last time afterwards.
///
/// The order matters: who is told of the end finds everything given back that the thread held, but for its kernel stack,
/// which it leaves last. A process is a zombie only when none of its threads uses its memory any more, on any processor.
pub fn end_current(thread: Arc<Thread>) {
    let process = thread.process().clone();
    futex::thread_ended(&thread);
    close_files(&thread);
    deferred_free::release();
    table::release_thread(&thread);
    leave_memory(&thread);
    if process.remove_thread(&thread) {
        end_process(&process);
    } else {
        leave_children(&thread);
    }
    thread.die();
}

/// The last who holds the table closes its descriptors, and with them their record locks end (fcntl(2)). Who is not the last leaves
/// no trace: what others close meanwhile is closed.
fn close_files(thread: &Thread) {
    if let Some((files, owner)) = thread.files().give_up() {
        vfs::close_all(files, owner, scheduler::cond_resched);
    }
}

/// The thread does not touch the program's memory any more. From here it must not sleep: the scheduler would bring the
/// memory back.
fn leave_memory(thread: &Thread) {
    if let Some(space) = thread.process().space() {
        space.leave();
    }
    scheduler::leave_space();
    thread.vfork().complete();
}

/// All threads have left.
fn end_process(process: &Arc<Process>) {
    process.interval_timer.lock().cancel();
    if process.has_executed() {
        // Its tables are its own and go now anyway. Those of a process that only forked are mostly others', and may be many.
        process.note_last_pages();
    }
    process.drop_space();
    // From here on others may run in between.
    process.delete_timers();
    ipc::semaphores::process_ended(process.pid);
    deferred_free::release();
    oom::note_freed(process);
    process.set_executable(None);
    process.signals.end_stop();
    if process.pid == INIT {
        hooks::init_ended(WaitStatus::decode(process.exit_status()));
    }
    if process.pid == process.session() {
        hooks::session_ended(process.session());
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
        leave_all_relatives(process);
    }
}

/// Many children go some at a time, with points in between where others may run: each gets its new parent at one moment. Orphans that
/// come meanwhile, for it is not a zombie yet, go as well.
fn leave_all_relatives(process: &Process) {
    while !table::with(|table| leave_relatives(table, process)).finish() {
        scheduler::cond_resched();
    }
}

/// What is left to do when a process has left its relatives.
#[must_use]
struct Farewell {
    /// Whether that is all. Else there are more children.
    is_last: bool,
    /// For its parent, at the last.
    own: Option<Notice>,
    /// Who cares for its children now, if some had ended.
    reaper: Option<Arc<Process>>,
    /// Those for whom nobody will wait.
    unwanted: Siblings,
}

impl Farewell {
    /// Does it; whether that was all. The table's lock is not held.
    fn finish(mut self) -> bool {
        while let Some(child) = self.unwanted.take_first() {
            table::release(&child);
        }
        if let Some(reaper) = self.reaper {
            reaper.child_events.wake_all();
        }
        self.own.into_iter().for_each(Notice::finish);
        self.is_last
    }
}

/// Children that are left at one moment.
const LEFT_AT_ONCE: usize = 64;

/// All of that at one moment, for who looks at the table; of many children only for some, and then not yet for the process itself.
/// Nothing of it needs memory: the processes bring their places along.
fn leave_relatives(table: &mut PidTable, process: &Process) -> Farewell {
    // Under the table's lock nobody gets children from others.
    let is_last = process.children.lock().len() <= LEFT_AT_ONCE;
    let leaving = is_last.then_some(process);
    // The group of each child is watched as well, when it is about to move.
    if let Some(process) = leaving.filter(|_| signal::is_anybody_stopped()) {
        table.begin_watch(process.group());
    }
    let (mut living, mut ended) = (Siblings::new(), Siblings::new());
    table.move_children(process, LEFT_AT_ONCE, &mut living, &mut ended);
    let relatives = living.iter().chain(ended.iter()).map(|child| &**child);
    for relative in relatives.chain(leaving) {
        let group = relative.group();
        if table.end_watch(group) && table.is_orphaned(group, leaving.map(|process| process.pid)) {
            hang_up(table, group);
        }
    }
    while let Some(child) = living.take_first() {
        tell_of_parents_death(process, &child);
    }
    let (mut reaper, mut unwanted) = (None, Siblings::new());
    while let Some(child) = ended.take_first() {
        let Some(notice) = announce_end(&child) else {
            continue;
        };
        // Nobody is continued by it: an orphan sends SIGCHLD.
        reaper = Some(notice.parent);
        if let Some(child) = notice.unwanted {
            unwanted.enter_member(child, |child| &child.places.orphan);
        }
    }
    Farewell {
        is_last,
        own: leaving.and_then(announce_end),
        reaper,
        unwanted,
    }
}

/// A stopped group that nobody can continue is told to end, and continued so that it hears it (exit(3)).
fn hang_up(table: &PidTable, group: Pid) {
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
    let process = thread.process();
    if !thread.has_forked() || process.children.lock().is_empty() {
        return;
    }
    let heir = process.heir_of(thread);
    let mut left = None;
    loop {
        let told = process.children.lock().hand_over(thread.tid(), heir, &mut left);
        let Some(child) = told else { return };
        tell_of_parents_death(process, &child);
    }
}

/// As if `parent` had sent it: prctl(2), `PR_SET_PDEATHSIG`.
fn tell_of_parents_death(parent: &Process, orphan: &Arc<Process>) {
    let wanted = orphan.attributes.parent_death_signal.load(Ordering::Relaxed);
    if let Some(signal) = Signal::new(wanted.into()) {
        let sender = parent.uid();
        signal::send_to_process(orphan, SigInfo::sent(signal, SI_USER, parent.pid, sender));
    }
}
