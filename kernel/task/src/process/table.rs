//! The table of processes: ids, of threads too, groups, sessions, users. One lock for all of it, which is held for a few steps
//! only: whose child a process is, and what wait finds, is under its parent's own lock (`children`).

mod group;
mod reserved;

pub use reserved::{Kinship, reserve_pid, reserve_tid};
pub(super) use reserved::{
    change_credentials, release, release_thread, replace_first_thread, take_credentials,
};

use super::children::Siblings;
use super::{INIT, Process};
use crate::signal;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::Pid;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use group::{Group, Watch};
use lock::{Mutex, rank};
use memory::fallible::map::Map;

/// One past the highest id (Linux's default `pid_max`).
const PID_END: Pid = 32768;

/// Where the search begins again after the highest id (Linux's `RESERVED_PIDS`).
const PID_RESTART: Pid = 300;

static TABLE: Mutex<PidTable, { rank::PROCESS_TABLE }> = Mutex::new(PidTable::new());

/// All processes.
pub struct PidTable {
    ids: Map<Pid, Holder>,
    groups: Map<Pid, Group>,
    /// Groups in each session.
    sessions: Map<Pid, usize>,
    /// Processes and further threads of each user.
    users: Map<u32, usize>,
    /// The highest id that a group or session ever had.
    highest_group: Pid,
    last: Pid,
    /// Processes and threads made since boot.
    made: u64,
    most: usize,
}

/// Who has an id.
enum Holder {
    /// A process or thread that is being made.
    Reserved,
    Process(Arc<Process>),
    /// One that is not the first of its process.
    Thread(Arc<Thread>),
}

impl Holder {
    fn process(&self) -> Option<&Arc<Process>> {
        match self {
            Holder::Process(process) => Some(process),
            Holder::Reserved | Holder::Thread(_) => None,
        }
    }
}

impl PidTable {
    const fn new() -> PidTable {
        PidTable {
            ids: Map::new(),
            groups: Map::new(),
            sessions: Map::new(),
            users: Map::new(),
            highest_group: 0,
            last: 0,
            made: 0,
            most: PID_END as usize,
        }
    }

    /// The process of that id.
    fn process(&self, pid: Pid) -> Option<&Arc<Process>> {
        self.ids.get(&pid)?.process()
    }

    /// All processes, by id.
    fn processes(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.ids.values().filter_map(Holder::process)
    }

    fn next_free(&self) -> Option<Pid> {
        let is_group = |pid: &Pid| self.groups.contains_key(pid) || self.sessions.contains_key(pid);
        let is_free =
            |pid: &Pid| !self.ids.contains_key(pid) && (*pid > self.highest_group || !is_group(pid));
        (self.last + 1..PID_END)
            .find(is_free)
            .or_else(|| (PID_RESTART..=self.last).find(is_free))
    }

    /// Makes sure that a process can join that group: founds it if need be. `ENOMEM`, nothing changed. The caller joins it.
    fn prepare_group(&mut self, group: Pid, session: Pid) -> Result<(), Errno> {
        if self.groups.contains_key(&group) {
            return Ok(());
        }
        let founded = Group {
            session,
            members: Siblings::default(),
            watch: Watch::Unasked,
        };
        self.groups.insert(group, founded)?;
        self.highest_group = self.highest_group.max(group);
        let count = self.sessions.get(&session).copied().unwrap_or(0);
        if let Err(error) = self.sessions.insert(session, count + 1) {
            self.groups.remove(&group);
            return Err(error);
        }
        Ok(())
    }

    /// Puts a process without a group into one that was prepared for it.
    fn join(&mut self, process: Arc<Process>, group: Pid) {
        if let Some(joined) = self.groups.get_mut(&group) {
            joined.join(process, group);
        }
    }

    /// Takes a process out of its group; an empty group is gone, and a session without groups.
    fn leave_group(&mut self, process: &Process) -> Option<Arc<Process>> {
        let id = process.group();
        let group = self.groups.get_mut(&id)?;
        let left = group.members.leave_member(&process.places.group);
        if group.members.is_empty() {
            let session = group.session;
            self.groups.remove(&id);
            decrement(&mut self.sessions, session);
        }
        left
    }

    /// Gives the first `most` children of `parent` to whoever cares for orphans; notes those that live, and those that have ended,
    /// which are to be announced to their new parent. Their groups are watched from before ([`PidTable::begin_watch`]): those with a stopped
    /// member that have somebody to continue them, but perhaps not without this parent.
    pub(super) fn move_children(
        &mut self,
        parent: &Process,
        most: usize,
        living: &mut Siblings,
        ended: &mut Siblings,
    ) {
        let Some(reaper) = self.reaper_after(parent) else {
            return;
        };
        let mut old = parent.children.lock();
        if signal::is_anybody_stopped() {
            let next = old.iter().take(most);
            next.for_each(|child| self.begin_watch(child.group()));
        }
        // Two such locks are held only here, under the table's.
        let mut new = reaper.children.lock_second();
        for _ in 0..most {
            let Some((orphan, is_living)) = new.adopt(&mut old) else {
                return;
            };
            orphan
                .exit_signal
                .store(Signal::SIGCHLD.number(), Ordering::Relaxed);
            orphan.relations.set_parent(&reaper, reaper.pid);
            let noted = if is_living { &mut *living } else { &mut *ended };
            noted.enter_member(orphan, |orphan| &orphan.places.orphan);
        }
    }

    /// Asks whether a group is to be looked at when a process has left its relatives: if it has a stopped member and somebody to
    /// continue it.
    pub(super) fn begin_watch(&mut self, group: Pid) {
        if self
            .groups
            .get(&group)
            .is_none_or(|found| found.watch != Watch::Unasked)
        {
            return;
        }
        let watch = match self.has_stopped_member(group) && !self.is_orphaned(group, None) {
            true => Watch::Yes,
            false => Watch::No,
        };
        if let Some(found) = self.groups.get_mut(&group) {
            found.watch = watch;
        }
    }

    /// Whether it is. It is asked once.
    pub(super) fn end_watch(&mut self, group: Pid) -> bool {
        let watch = self.groups.get_mut(&group).map(|found| &mut found.watch);
        watch.is_some_and(|watch| core::mem::replace(watch, Watch::Unasked) == Watch::Yes)
    }

    /// The nearest living ancestor that asked for orphans (prctl(2), PR_SET_CHILD_SUBREAPER), or else the first process.
    fn reaper_after(&self, process: &Process) -> Option<Arc<Process>> {
        let is_reaper = |ancestor: &Arc<Process>| {
            !ancestor.is_zombie() && ancestor.attributes.is_child_subreaper.load(Ordering::Relaxed)
        };
        core::iter::successors(process.parent_process(), |ancestor| ancestor.parent_process())
            .find(is_reaper)
            .or_else(|| self.process(INIT).cloned())
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
            .filter(|member| Some(member.pid) != leaving)
            .any(|member| has_outside_parent(member, group, found.session))
    }

    /// The members of a group; none if there is no such group.
    pub fn members(&self, group: Pid) -> impl Iterator<Item = &Arc<Process>> {
        let group = self.groups.get(&group);
        group.into_iter().flat_map(|group| group.members.iter())
    }

    /// All processes but those.
    pub fn all_but(&self, but: &[Pid]) -> impl Iterator<Item = &Arc<Process>> {
        self.processes().filter(|process| !but.contains(&process.pid))
    }

    /// Whether a member of the group is stopped.
    pub(super) fn has_stopped_member(&self, group: Pid) -> bool {
        self.members(group).any(|member| member.signals.is_stopped())
    }
}

fn has_outside_parent(member: &Process, group: Pid, session: Pid) -> bool {
    !member.is_zombie()
        && member.parent_process().is_some_and(|parent| {
            parent.pid != INIT && parent.group() != group && parent.session() == session
        })
}

fn decrement(counts: &mut Map<u32, usize>, key: u32) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// Works on the table under its lock.
pub fn with<R>(work: impl FnOnce(&mut PidTable) -> R) -> R {
    work(&mut TABLE.lock())
}

/// Sets how many processes there may be at most.
pub fn set_most_processes(most: usize) {
    TABLE.lock().most = most.min(PID_END as usize - 1);
}

/// How many processes and threads there may be at most.
pub fn most_processes() -> usize {
    TABLE.lock().most
}

/// How many processes and threads were made since boot.
pub fn made() -> u64 {
    TABLE.lock().made
}

/// The thread of that id. A first thread may have ended, if others of its process have not.
pub fn find_thread(tid: Pid) -> Option<Arc<Thread>> {
    let table = TABLE.lock();
    match table.ids.get(&tid)? {
        Holder::Thread(thread) => Some(thread.clone()),
        Holder::Process(process) => process.first_thread(),
        Holder::Reserved => None,
    }
}

/// The process of that id, or that with a thread of that id; zombies included.
pub fn find(id: Pid) -> Option<Arc<Process>> {
    let table = TABLE.lock();
    match table.ids.get(&id)? {
        Holder::Thread(thread) => Some(thread.process().clone()),
        Holder::Process(process) => Some(process.clone()),
        Holder::Reserved => None,
    }
}

/// The process with the lowest id from `first` on, zombies included.
pub fn next_from(first: Pid) -> Option<Arc<Process>> {
    TABLE
        .lock()
        .ids
        .range(first..)
        .find_map(|(_, holder)| holder.process().cloned())
}

/// How many threads there are, zombies included.
pub fn thread_count() -> usize {
    TABLE.lock().ids.len()
}

/// How many processes and threads a user has.
pub fn thread_count_of_user(uid: u32) -> usize {
    TABLE.lock().users.get(&uid).copied().unwrap_or(0)
}

/// The id that was given out last.
pub fn last_pid() -> Pid {
    TABLE.lock().last
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
///
/// # Errors
/// `ESRCH`: neither the caller nor a child of it, or one that has ended. `EPERM`: a child in another session, the leader of one, or a
/// group of another or that is none. `EACCES`: a child that has called exec. `ENOMEM`.
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
    if group != target.group() && table.process(target.pid).is_some() {
        table.prepare_group(group, session)?;
        if let Some(target) = table.leave_group(target) {
            table.join(target, group);
        }
    }
    Ok(())
}

/// Makes a process the leader of a new session and group (setsid(2)).
///
/// # Errors
/// `EPERM`: its id is that of a group already. `ENOMEM`.
pub fn start_session(process: &Process) -> Result<Pid, Errno> {
    let mut table = TABLE.lock();
    if table.groups.contains_key(&process.pid) {
        return Err(Errno::EPERM);
    }
    let id = process.pid;
    table.prepare_group(id, id)?;
    if let Some(process) = table.leave_group(process) {
        process.set_terminal_tenure(0);
        table.join(process, id);
    }
    Ok(process.pid)
}
