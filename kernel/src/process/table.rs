//! The table of processes and how they are related: ids, parents and children, groups, sessions, users. One lock for all
//! of it, for a process's end touches most of it at once; it is never held for longer than a walk down a few small trees.

use super::{INIT, Process};
use crate::sync::{Mutex, rank};
use abi::Errno;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// A process's id.
pub type Pid = u32;

/// One past the highest id (Linux's default `pid_max`).
const PID_END: Pid = 32768;

/// Where the search begins again after the highest id (Linux's `RESERVED_PIDS`).
const PID_RESTART: Pid = 300;

static TABLE: Mutex<Table, { rank::PROCESS_TABLE }> = Mutex::new(Table::new());

/// All processes.
pub(super) struct Table {
    entries: BTreeMap<Pid, Entry>,
    groups: BTreeMap<Pid, Group>,
    /// Groups in each session.
    sessions: BTreeMap<Pid, usize>,
    /// Processes of each user.
    users: BTreeMap<u32, usize>,
    last: Pid,
    most: usize,
}

/// One process and its children.
#[derive(Default)]
pub(super) struct Entry {
    /// `None` while it is being made.
    process: Option<Arc<Process>>,
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

impl Table {
    const fn new() -> Table {
        Table {
            entries: BTreeMap::new(),
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

    /// Gives the children of `parent` to whoever cares for orphans. Returns them.
    pub(super) fn orphan_children(&mut self, parent: Pid) -> Vec<Arc<Process>> {
        let reaper = self.reaper_after(parent);
        let Some(entry) = self.entries.get_mut(&parent) else {
            return Vec::new();
        };
        let (children, ended) = (
            core::mem::take(&mut entry.children),
            core::mem::take(&mut entry.ended),
        );
        entry.changed.clear();
        let orphans: Vec<_> = children
            .iter()
            .filter_map(|&pid| self.process(pid).cloned())
            .collect();
        orphans.iter().for_each(|orphan| self.link(reaper, orphan));
        if let Some(entry) = self.entries.get_mut(&reaper) {
            entry.ended.extend(ended);
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
pub(super) fn with<R>(work: impl FnOnce(&mut Table) -> R) -> R {
    work(&mut TABLE.lock())
}

/// Sets how many processes there may be at most.
pub fn set_most_processes(most: usize) {
    TABLE.lock().most = most.min(PID_END as usize - 1);
}

/// Takes an id for a new process of `user`: `EAGAIN` when there are too many processes, or too many of this user and
/// `user_limit` is given (clone(2)).
pub fn claim(user: u32, user_limit: Option<u64>) -> Result<PidClaim, Errno> {
    let mut table = TABLE.lock();
    let of_user = table.users.get(&user).copied().unwrap_or(0);
    if table.entries.len() >= table.most || user_limit.is_some_and(|limit| of_user as u64 >= limit) {
        return Err(Errno::EAGAIN);
    }
    let pid = table.next_free().ok_or(Errno::EAGAIN)?;
    table.last = pid;
    table.entries.insert(pid, Entry::default());
    *table.users.entry(user).or_default() += 1;
    Ok(PidClaim {
        pid,
        user,
        is_filled: false,
    })
}

impl PidClaim {
    /// The id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Puts the process into the table: a child of `parent`, in its group and session. The first process is in group
    /// and session 0, as on Linux, until it founds its own.
    pub fn fill(mut self, process: &Arc<Process>, parent: Option<&Process>) {
        self.is_filled = true;
        let mut table = TABLE.lock();
        if let Some(entry) = table.entries.get_mut(&self.pid) {
            entry.process = Some(process.clone());
        }
        match parent {
            Some(parent) => {
                table.link(parent.pid, process);
                table.join(process, parent.group(), parent.session());
            }
            None => table.join(process, 0, 0),
        }
    }
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

/// A process now belongs to another user.
pub(super) fn change_user(old: u32, new: u32) {
    if old != new {
        let mut table = TABLE.lock();
        decrement(&mut table.users, old);
        *table.users.entry(new).or_default() += 1;
    }
}

/// The process of that id, zombies included.
pub fn find(pid: Pid) -> Option<Arc<Process>> {
    TABLE.lock().process(pid).cloned()
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

/// How many processes there are.
pub fn count() -> usize {
    TABLE.lock().entries.len()
}

/// The id that was given out last.
pub fn last_pid() -> Pid {
    TABLE.lock().last
}

/// The members of a group; none if there is no such group.
pub fn group_members(group: Pid) -> Vec<Arc<Process>> {
    let table = TABLE.lock();
    let Some(group) = table.groups.get(&group) else {
        return Vec::new();
    };
    group
        .members
        .iter()
        .filter_map(|&pid| table.process(pid).cloned())
        .collect()
}

/// The session that a group belongs to; `None` if there is no such group.
pub fn session_of_group(group: Pid) -> Option<Pid> {
    TABLE.lock().groups.get(&group).map(|group| group.session)
}

/// Whether nobody is left who would continue the group when it stops. True for a group that does not exist.
pub fn is_orphaned_group(group: Pid) -> bool {
    TABLE.lock().is_orphaned(group, None)
}

/// Moves a process to a group of its session, or to a new one of its own id: `EPERM` for any other group.
pub fn move_to_group(process: &Process, group: Pid) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let session = process.session();
    let is_allowed = match table.groups.get(&group) {
        Some(found) => found.session == session,
        None => group == process.pid,
    };
    if !is_allowed || process.pid == session {
        return Err(Errno::EPERM);
    }
    if group != process.group() {
        table.leave_group(process);
        table.join(process, group, session);
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
