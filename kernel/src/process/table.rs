//! The table of processes and how they are related: ids, parents and children, groups, sessions, users; and the ids of
//! threads. One lock for all
//! of it, for a process's end touches most of it at once; it is never held for longer than a walk down a few small trees.

mod claim;

pub use claim::{Kinship, claim, claim_thread};
pub(super) use claim::{change_credentials, release_thread, replace_first_thread};

use super::{INIT, Process};
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use abi::Errno;
use abi::signal::Signal;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// The id of a process or thread: both are of one space, the first thread has its process's.
pub type Pid = u32;

/// One past the highest id (Linux's default `pid_max`).
const PID_END: Pid = 32768;

/// Where the search begins again after the highest id (Linux's `RESERVED_PIDS`).
const PID_RESTART: Pid = 300;

static TABLE: Mutex<Table, { rank::PROCESS_TABLE }> = Mutex::new(Table::new());

/// All processes.
pub struct Table {
    entries: BTreeMap<Pid, Entry>,
    /// Threads that are not the first of their process; `None` while one is being made.
    threads: BTreeMap<Pid, Option<Arc<Thread>>>,
    groups: BTreeMap<Pid, Group>,
    /// Groups in each session.
    sessions: BTreeMap<Pid, usize>,
    /// Processes and further threads of each user.
    users: BTreeMap<u32, usize>,
    last: Pid,
    most: usize,
}

/// One process and its children.
#[derive(Default)]
pub(super) struct Entry {
    /// `None` while it is being made.
    process: Option<Arc<Process>>,
    /// Ids of threads besides its own.
    further_threads: usize,
    /// Every child that was not waited for.
    pub(super) children: BTreeSet<Pid>,
    /// Those that have ended.
    pub(super) ended: BTreeSet<Pid>,
    /// Those that stopped or went on since the last wait.
    pub(super) changed: BTreeSet<Pid>,
}

struct Group {
    session: Pid,
    members: BTreeSet<Pid>,
}

impl Table {
    const fn new() -> Table {
        Table {
            entries: BTreeMap::new(),
            threads: BTreeMap::new(),
            groups: BTreeMap::new(),
            sessions: BTreeMap::new(),
            users: BTreeMap::new(),
            last: 0,
            most: PID_END as usize,
        }
    }

    /// The process of that id.
    pub(super) fn process(&self, pid: Pid) -> Option<&Arc<Process>> {
        self.entries.get(&pid)?.process.as_ref()
    }

    /// The entry of a process that exists.
    pub(super) fn entry(&mut self, pid: Pid) -> Option<&mut Entry> {
        self.entries.get_mut(&pid)
    }

    fn next_free(&self) -> Option<Pid> {
        let is_free = |pid: &Pid| {
            !self.entries.contains_key(pid)
                && !self.threads.contains_key(pid)
                && !self.groups.contains_key(pid)
                && !self.sessions.contains_key(pid)
        };
        (self.last + 1..PID_END)
            .find(is_free)
            .or_else(|| (PID_RESTART..=self.last).find(is_free))
    }

    /// Puts a process without a group into one, which it founds if need be.
    fn join(&mut self, process: &Process, group: Pid, session: Pid) {
        let sessions = &mut self.sessions;
        let joined = self.groups.entry(group).or_insert_with(|| {
            *sessions.entry(session).or_default() += 1;
            Group {
                session,
                members: BTreeSet::new(),
            }
        });
        joined.members.insert(process.pid);
        process.relations.group.store(group, Ordering::Relaxed);
        process.relations.session.store(session, Ordering::Relaxed);
    }

    /// Takes a process out of its group; an empty group is gone, and a session without groups.
    fn leave_group(&mut self, process: &Process) {
        let id = process.group();
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.members.remove(&process.pid);
        if !group.members.is_empty() {
            return;
        }
        let session = group.session;
        self.groups.remove(&id);
        decrement(&mut self.sessions, session);
    }

    /// Makes `parent` the parent of `child`.
    fn link(&mut self, parent: Pid, child: &Process) {
        child.relations.parent.store(parent, Ordering::Relaxed);
        if let Some(entry) = self.entries.get_mut(&parent) {
            entry.children.insert(child.pid);
        }
    }

    /// Forgets a process that has ended and was waited for.
    pub(super) fn release(&mut self, pid: Pid) -> Option<Arc<Process>> {
        let process = self.entries.remove(&pid)?.process?;
        if let Some(parent) = self.entries.get_mut(&process.parent()) {
            parent.children.remove(&pid);
            parent.ended.remove(&pid);
            parent.changed.remove(&pid);
        }
        self.leave_group(&process);
        decrement(&mut self.users, process.credentials().uid);
        Some(process)
    }

    /// Gives the children of `parent` to whoever cares for orphans. Returns them; those that have ended are to be reported
    /// to their new parent.
    pub(super) fn orphan_children(&mut self, parent: Pid) -> Vec<Arc<Process>> {
        let Some(entry) = self.entries.get_mut(&parent) else {
            return Vec::new();
        };
        if entry.children.is_empty() {
            return Vec::new();
        }
        let (children, mut changed) = (
            core::mem::take(&mut entry.children),
            core::mem::take(&mut entry.changed),
        );
        entry.ended.clear();
        let reaper = self.reaper_after(parent);
        let orphans: Vec<_> = children
            .iter()
            .filter_map(|&pid| self.process(pid).cloned())
            .collect();
        for orphan in &orphans {
            orphan
                .exit_signal
                .store(Signal::SIGCHLD.number(), Ordering::Relaxed);
            self.link(reaper, orphan);
        }
        if let Some(entry) = self.entries.get_mut(&reaper) {
            entry.changed.append(&mut changed);
        }
        orphans
    }

    /// The nearest living ancestor that asked for orphans (prctl(2), PR_SET_CHILD_SUBREAPER), or else the first process.
    fn reaper_after(&self, pid: Pid) -> Pid {
        core::iter::successors(self.process(pid), |child| self.process(child.parent()))
            .skip(1)
            .filter(|ancestor| !ancestor.is_zombie())
            .find(|ancestor| ancestor.attributes.is_child_subreaper.load(Ordering::Relaxed))
            .map_or(INIT, |ancestor| ancestor.pid)
    }

    /// Whether no member of the group has a living parent in another group of the same session: nobody is left to
    /// continue it when it stops (setpgid(2), "orphaned process group"). `leaving` counts as gone.
    pub(super) fn is_orphaned(&self, group: Pid, leaving: Option<Pid>) -> bool {
        let Some(found) = self.groups.get(&group) else {
            return true;
        };
        !found
            .members
            .iter()
            .filter(|&&pid| Some(pid) != leaving)
            .any(|&pid| self.has_outside_parent(pid, group, found.session))
    }

    fn has_outside_parent(&self, pid: Pid, group: Pid, session: Pid) -> bool {
        let Some(member) = self.process(pid).filter(|member| !member.is_zombie()) else {
            return false;
        };
        let parent = member.parent();
        parent != INIT
            && self
                .process(parent)
                .is_some_and(|parent| parent.group() != group && parent.session() == session)
    }

    /// The members of a group; none if there is no such group.
    pub fn members(&self, group: Pid) -> Vec<Arc<Process>> {
        let Some(group) = self.groups.get(&group) else {
            return Vec::new();
        };
        group
            .members
            .iter()
            .filter_map(|&pid| self.process(pid).cloned())
            .collect()
    }

    /// All processes but those.
    pub fn all_but(&self, but: &[Pid]) -> Vec<Arc<Process>> {
        self.entries
            .values()
            .filter_map(|entry| entry.process.as_ref())
            .filter(|process| !but.contains(&process.pid))
            .cloned()
            .collect()
    }

    /// Whether a member of the group is stopped.
    pub(super) fn has_stopped_member(&self, group: Pid) -> bool {
        let Some(group) = self.groups.get(&group) else {
            return false;
        };
        group.members.iter().any(|&pid| {
            self.process(pid)
                .is_some_and(|member| member.signals.is_stopped())
        })
    }
}

fn decrement(counts: &mut BTreeMap<u32, usize>, key: u32) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// Works on the table under its lock.
pub fn with<R>(work: impl FnOnce(&mut Table) -> R) -> R {
    work(&mut TABLE.lock())
}

/// Sets how many processes there may be at most.
pub fn set_most_processes(most: usize) {
    TABLE.lock().most = most.min(PID_END as usize - 1);
}

/// The thread of that id. A first thread may have ended, if others of its process have not.
pub fn find_thread(tid: Pid) -> Option<Arc<Thread>> {
    let table = TABLE.lock();
    match table.threads.get(&tid) {
        Some(thread) => thread.clone(),
        None => table.process(tid)?.first_thread(),
    }
}

/// The process of that id, or that with a thread of that id; zombies included.
pub fn find(id: Pid) -> Option<Arc<Process>> {
    let table = TABLE.lock();
    match table.threads.get(&id) {
        Some(thread) => Some(thread.as_ref()?.process.clone()),
        None => table.process(id).cloned(),
    }
}

/// All processes, by id, zombies included.
pub fn all() -> Vec<Arc<Process>> {
    TABLE
        .lock()
        .entries
        .values()
        .filter_map(|entry| entry.process.clone())
        .collect()
}

/// The process with the lowest id from `first` on, zombies included.
pub fn next_from(first: Pid) -> Option<Arc<Process>> {
    TABLE
        .lock()
        .entries
        .range(first..)
        .find_map(|(_, entry)| entry.process.clone())
}

/// How many threads there are, zombies included.
pub fn thread_count() -> usize {
    let table = TABLE.lock();
    table.entries.len() + table.threads.len()
}

/// The id that was given out last.
pub fn last_pid() -> Pid {
    TABLE.lock().last
}

/// The members of a group; none if there is no such group.
pub fn group_members(group: Pid) -> Vec<Arc<Process>> {
    TABLE.lock().members(group)
}

/// The session that a group belongs to; `None` if there is no such group.
pub fn session_of_group(group: Pid) -> Option<Pid> {
    TABLE.lock().groups.get(&group).map(|group| group.session)
}

/// Whether nobody is left who would continue the group when it stops. True for a group that does not exist.
pub fn is_orphaned_group(group: Pid) -> bool {
    TABLE.lock().is_orphaned(group, None)
}

/// setpgid(2): `own`, or a child of it, goes to a group of its session, or to a new one of its own id.
pub fn move_to_group(own: &Process, target: &Process, group: Pid) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let is_child = target.parent() == own.pid;
    if target.pid != own.pid && !is_child {
        return Err(Errno::ESRCH);
    }
    if is_child && target.session() != own.session() {
        return Err(Errno::EPERM);
    }
    if is_child && target.has_executed() {
        return Err(Errno::EACCES);
    }
    let session = target.session();
    let is_allowed = match table.groups.get(&group) {
        Some(found) => found.session == session,
        None => group == target.pid,
    };
    if !is_allowed || target.pid == session {
        return Err(Errno::EPERM);
    }
    if table.process(target.pid).is_none() {
        return Err(Errno::ESRCH);
    }
    if group != target.group() {
        table.leave_group(target);
        table.join(target, group, session);
    }
    Ok(())
}

/// Makes a process the leader of a new session and group: `EPERM` if its id is that of a group already (setsid(2)).
pub fn start_session(process: &Process) -> Result<Pid, Errno> {
    let mut table = TABLE.lock();
    if table.groups.contains_key(&process.pid) {
        return Err(Errno::EPERM);
    }
    table.leave_group(process);
    table.join(process, process.pid, process.pid);
    Ok(process.pid)
}
