//! The table of processes and how they are related: ids, parents and children, groups, sessions, users; and the ids of
//! threads. One lock for all
//! of it, for a process's end touches most of it at once; it is never held for longer than a walk down a few small trees.

use super::{Credentials, INIT, Process};
use crate::signal;
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

/// An id that is taken, for a process that is being made. Dropped without [`PidClaim::fill`], it is free again.
pub struct PidClaim {
    pid: Pid,
    user: u32,
    is_filled: bool,
}

/// An id that is taken, for a further thread of a process. Dropped without [`TidClaim::fill`], it is free again.
pub struct TidClaim {
    tid: Pid,
    user: u32,
    is_filled: bool,
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

    /// Takes an id for `user`: `EAGAIN` when there are too many, or too many of this user.
    fn take_id(&mut self, user: u32, user_limit: Option<u64>) -> Result<Pid, Errno> {
        let of_user = self.users.get(&user).copied().unwrap_or(0);
        let is_over = user_limit.is_some_and(|limit| of_user as u64 >= limit);
        if is_over || self.entries.len() + self.threads.len() >= self.most {
            return Err(Errno::EAGAIN);
        }
        let id = self.next_free().ok_or(Errno::EAGAIN)?;
        self.last = id;
        *self.users.entry(user).or_default() += 1;
        Ok(id)
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

/// Takes an id for a new process of `user`: `EAGAIN` when there are too many processes and threads, or too many of this
/// user and `user_limit` is given (clone(2)).
pub fn claim(user: u32, user_limit: Option<u64>) -> Result<PidClaim, Errno> {
    let mut table = TABLE.lock();
    let pid = table.take_id(user, user_limit)?;
    table.entries.insert(pid, Entry::default());
    Ok(PidClaim {
        pid,
        user,
        is_filled: false,
    })
}

/// Takes an id for a further thread; as [`claim`].
pub fn claim_thread(user: u32, user_limit: Option<u64>) -> Result<TidClaim, Errno> {
    let mut table = TABLE.lock();
    let tid = table.take_id(user, user_limit)?;
    table.threads.insert(tid, None);
    Ok(TidClaim {
        tid,
        user,
        is_filled: false,
    })
}

impl PidClaim {
    /// The id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Puts the first process into the table: in group and session 0, as on Linux, until it founds its own.
    pub fn fill_first(mut self, process: &Arc<Process>) {
        self.is_filled = true;
        let mut table = TABLE.lock();
        self.enter(&mut table, process);
        table.join(process, 0, 0);
    }

    /// Puts a process into the table: a child of `parent`, or with `sibling` of the parent's parent, in `parent`'s group and
    /// session. Refused with a restart marker if a signal waits for `creator`, a thread of `parent`, or its end: whoever
    /// sends to a whole group reaches the child or is seen by its creator.
    pub fn fill(mut self, process: &Arc<Process>, creator: &Thread, kinship: Kinship) -> Result<(), Errno> {
        let parent = &creator.process;
        let mut table = TABLE.lock();
        if signal::is_pending(creator) {
            drop(table);
            return Err(Errno::RESTART_ALWAYS);
        }
        self.is_filled = true;
        self.enter(&mut table, process);
        let relative = match kinship {
            Kinship::Child => parent.pid,
            Kinship::Sibling => parent.parent(),
        };
        table.link(relative, process);
        table.join(process, parent.group(), parent.session());
        Ok(())
    }

    fn enter(&self, table: &mut Table, process: &Arc<Process>) {
        if let Some(entry) = table.entries.get_mut(&self.pid) {
            entry.process = Some(process.clone());
        }
    }
}

/// How a new process is related to the one that makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kinship {
    /// Its child.
    Child,
    /// Another child of its parent (`CLONE_PARENT`).
    Sibling,
}

impl Drop for PidClaim {
    fn drop(&mut self) {
        if !self.is_filled {
            let mut table = TABLE.lock();
            table.entries.remove(&self.pid);
            decrement(&mut table.users, self.user);
        }
    }
}

impl TidClaim {
    /// The id.
    pub fn tid(&self) -> Pid {
        self.tid
    }

    /// Gives the id to the thread, which is one of `creator`'s process from now on; as [`Process::add_thread`].
    pub fn fill(mut self, thread: &Arc<Thread>, creator: &Thread) -> Result<(), Errno> {
        let process = &creator.process;
        let mut table = TABLE.lock();
        if let Err(error) = process.add_thread(creator, thread) {
            drop(table);
            return Err(error);
        }
        self.is_filled = true;
        table.threads.insert(self.tid, Some(thread.clone()));
        if let Some(entry) = table.entries.get_mut(&process.pid) {
            entry.further_threads += 1;
        }
        table.move_to_user(self.user, process.credentials().uid, 1);
        Ok(())
    }
}

impl Drop for TidClaim {
    fn drop(&mut self) {
        if !self.is_filled {
            let mut table = TABLE.lock();
            table.threads.remove(&self.tid);
            decrement(&mut table.users, self.user);
        }
    }
}

/// Forgets the id of a thread that is about to leave its process. Nothing happens for a first thread.
pub(super) fn release_thread(thread: &Thread) {
    if !thread.is_first() {
        let mut table = TABLE.lock();
        let removed = table.forget_thread(thread.tid(), &thread.process);
        drop(table);
        drop(removed);
    }
}

/// `current`, the only living thread of `process`, becomes its first: exec.
pub(super) fn replace_first_thread(process: &Process, current: &Arc<Thread>) {
    let mut table = TABLE.lock();
    let old = process.take_first_place(current);
    let removed = table.forget_thread(old, process);
    drop(table);
    drop(removed);
}

impl Table {
    fn forget_thread(&mut self, tid: Pid, process: &Process) -> Option<Arc<Thread>> {
        let removed = self.threads.remove(&tid)?;
        if let Some(entry) = self.entries.get_mut(&process.pid) {
            entry.further_threads -= 1;
        }
        decrement(&mut self.users, process.credentials().uid);
        removed
    }

    fn move_to_user(&mut self, old: u32, new: u32, ids: usize) {
        if old != new {
            (0..ids).for_each(|_| decrement(&mut self.users, old));
            *self.users.entry(new).or_default() += ids;
        }
    }
}

/// Changes the credentials of a process with all its ids; what `change` refuses leaves everything as it is.
pub(super) fn change_credentials(
    process: &Process,
    change: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let old = process.credentials();
    let mut new = Credentials::clone(&old);
    change(&mut new)?;
    let ids = table
        .entries
        .get(&process.pid)
        .map_or(0, |entry| 1 + entry.further_threads);
    table.move_to_user(old.uid, new.uid, ids);
    process.replace_credentials(new);
    Ok(())
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
