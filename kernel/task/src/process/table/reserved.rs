//! Ids: how one is reserved for a process or thread that is being made, given to it, and freed; and whose they are, for the
//! number of processes and threads that a user may have is limited.

use super::{Holder, PID_END, Pid, PidTable, TABLE, decrement};
use crate::process::Process;
use crate::signal;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use memory::DumpMode;
use memory::fallible;
use memory::fallible::map::Map;
use sched::space::mappings::{self, Walks};
use vfs::Credentials;

/// An id that is reserved for a process that is being made. Dropped without [`ReservedPid::assign`], it is free again.
pub struct ReservedPid {
    pid: Pid,
    user: u32,
    is_assigned: bool,
}

/// An id that is reserved for a further thread of a process. Dropped without [`ReservedTid::assign`], it is free again.
pub struct ReservedTid {
    tid: Pid,
    user: u32,
    is_assigned: bool,
}

/// Reserves an id for a new process of `user` (clone(2)).
///
/// # Errors
/// `EAGAIN`: there are too many processes and threads, or too many of this user and `user_limit` is given. `ENOMEM`.
pub fn reserve_pid(user: u32, user_limit: Option<u64>) -> Result<ReservedPid, Errno> {
    let mut table = TABLE.lock();
    let pid = table.take_id(user, user_limit)?;
    Ok(ReservedPid {
        pid,
        user,
        is_assigned: false,
    })
}

/// Reserves an id for a further thread.
///
/// # Errors
/// As [`reserve_pid`].
pub fn reserve_tid(user: u32, user_limit: Option<u64>) -> Result<ReservedTid, Errno> {
    let mut table = TABLE.lock();
    let tid = table.take_id(user, user_limit)?;
    Ok(ReservedTid {
        tid,
        user,
        is_assigned: false,
    })
}

impl ReservedPid {
    /// The id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Puts the first process into the table: in group and session 0, as on Linux, until it founds its own.
    pub fn assign_first(mut self, process: &Arc<Process>) {
        self.is_assigned = true;
        let mut table = TABLE.lock();
        enter(&mut table.ids, process);
        table
            .prepare_group(0, 0)
            .expect("boot: there is memory for the first group");
        table.join(process.clone(), 0);
    }

    /// Puts the process of `thread`, its first one, into the table, as a relative of `creator`'s process and in its group and
    /// session. A refused process does not hold its thread, so that both go.
    ///
    /// # Errors
    /// A restart marker: a signal waits for `creator`, or its end. Whoever sends to a whole group reaches the child or is seen by
    /// its creator. The same if a walk over all spaces has begun since `walks`, before the child's was made: it finds the child in
    /// the table or is seen here. `ENOMEM`.
    pub fn assign(
        mut self,
        thread: &Arc<Thread>,
        creator: &Thread,
        kinship: Kinship,
        walks: Walks,
    ) -> Result<(), Errno> {
        let (process, parent) = (thread.process(), creator.process());
        let mut table = TABLE.lock();
        if signal::is_pending(creator) || mappings::walks() != walks {
            drop(table);
            return Err(Errno::RESTART_ALWAYS);
        }
        let PidTable { ids, groups, .. } = &mut *table;
        // The creator's own: it is there.
        let group = groups.get_mut(&parent.group()).ok_or(Errno::ESRCH)?;
        // From here on nothing fails.
        match kinship {
            Kinship::Child => link(parent, creator.tid(), process),
            Kinship::Sibling => {
                let thread = parent.relations.parent_thread.load(Ordering::Relaxed);
                let relative = parent.parent_process();
                relative
                    .iter()
                    .for_each(|relative| link(relative, thread, process));
            }
        }
        self.is_assigned = true;
        process.add_first_thread(thread.clone());
        enter(ids, process);
        group.join(process.clone(), parent.group());
        Ok(())
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

impl Drop for ReservedPid {
    fn drop(&mut self) {
        if !self.is_assigned {
            let mut table = TABLE.lock();
            table.ids.remove(&self.pid);
            decrement(&mut table.users, self.user);
        }
    }
}

impl ReservedTid {
    /// The id.
    pub fn tid(&self) -> Pid {
        self.tid
    }

    /// Gives the id to the thread, which is one of `creator`'s process from now on.
    ///
    /// # Errors
    /// As [`Process::add_thread`]; `ENOMEM`.
    pub fn assign(mut self, thread: &Arc<Thread>, creator: &Thread) -> Result<(), Errno> {
        let process = creator.process();
        let mut table = TABLE.lock();
        let user = process.uid();
        table.move_to_user(self.user, user, 1)?;
        self.user = user;
        if let Err(error) = process.add_thread(creator, thread) {
            drop(table);
            return Err(error);
        }
        self.is_assigned = true;
        if let Some(place) = table.ids.get_mut(&self.tid) {
            *place = Holder::Thread(thread.clone());
        }
        process.relations.further_threads.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for ReservedTid {
    fn drop(&mut self) {
        if !self.is_assigned {
            let mut table = TABLE.lock();
            table.ids.remove(&self.tid);
            decrement(&mut table.users, self.user);
        }
    }
}

/// Makes `parent`, by its thread of that id, the parent of `child`.
fn link(parent: &Arc<Process>, thread: Pid, child: &Arc<Process>) {
    let mut children = parent.children.lock();
    child.relations.set_parent(parent, thread);
    child.set_terminal_tenure(parent.terminal_tenure());
    children.add(child.clone());
}

/// Forgets a process that has ended and is in the list of no parent any more: it was waited for, or nobody wants to.
pub(in crate::process) fn release(process: &Process) {
    let mut table = TABLE.lock();
    let held = (table.ids.remove(&process.pid), table.leave_group(process));
    decrement(&mut table.users, process.uid());
    drop(table);
    drop(held);
    process.relations.forget_parent();
}

/// Forgets the id of a thread that is about to leave its process. Nothing happens for a first thread.
pub(in crate::process) fn release_thread(thread: &Thread) {
    if !thread.is_first() {
        let mut table = TABLE.lock();
        let removed = table.forget_thread(thread.tid(), thread.process());
        drop(table);
        drop(removed);
    }
}

/// `current`, the only living thread of `process`, becomes its first: exec.
pub(in crate::process) fn replace_first_thread(process: &Process, current: &Arc<Thread>) {
    let mut table = TABLE.lock();
    let old = process.take_first_place(current);
    let removed = table.forget_thread(old, process);
    drop(table);
    drop(removed);
}

impl PidTable {
    /// Takes an id for `user`: `EAGAIN` when there are too many, or too many of this user.
    fn take_id(&mut self, user: u32, user_limit: Option<u64>) -> Result<Pid, Errno> {
        if self.ids.len() >= self.most {
            return Err(Errno::EAGAIN);
        }
        let id = self.reserve_next()?;
        if let Err(error) = self.count_one_more(user, user_limit) {
            self.ids.remove(&id);
            return Err(error);
        }
        self.last = id;
        self.made += 1;
        Ok(id)
    }

    /// Reserves a free id. `EAGAIN`: there is none. `ENOMEM`.
    #[inline(always)]
    fn reserve_next(&mut self) -> Result<Pid, Errno> {
        let next = self.last + 1;
        if next > self.highest_group && next < PID_END {
            // Mostly nobody has it: one way down finds that out and takes it.
            match self.ids.insert_new(next, Holder::Reserved) {
                Err(Errno::EEXIST) => {}
                done => return done.map(|()| next),
            }
        }
        self.reserve_another()
    }

    #[cold]
    fn reserve_another(&mut self) -> Result<Pid, Errno> {
        let id = self.next_free().ok_or(Errno::EAGAIN)?;
        self.ids.insert(id, Holder::Reserved)?;
        Ok(id)
    }

    /// Counts one id more for `user`: `EAGAIN` when there are too many.
    fn count_one_more(&mut self, user: u32, limit: Option<u64>) -> Result<(), Errno> {
        let is_over = |count: usize| limit.is_some_and(|limit| count as u64 >= limit);
        match self.users.get_mut(&user) {
            Some(count) if is_over(*count) => Err(Errno::EAGAIN),
            Some(count) => {
                *count += 1;
                Ok(())
            }
            None if is_over(0) => Err(Errno::EAGAIN),
            None => self.users.insert(user, 1).map(drop),
        }
    }

    fn forget_thread(&mut self, tid: Pid, process: &Process) -> Option<Holder> {
        let removed = self.ids.remove(&tid)?;
        process.relations.further_threads.fetch_sub(1, Ordering::Relaxed);
        decrement(&mut self.users, process.uid());
        Some(removed)
    }

    /// `ENOMEM`, nothing changed.
    fn move_to_user(&mut self, old: u32, new: u32, ids: usize) -> Result<(), Errno> {
        if old != new {
            let count = self.users.get(&new).copied().unwrap_or(0);
            self.users.insert(new, count + ids)?;
            (0..ids).for_each(|_| decrement(&mut self.users, old));
        }
        Ok(())
    }
}

/// Puts a process in the place that is reserved for it.
fn enter(ids: &mut Map<Pid, Holder>, process: &Arc<Process>) {
    if let Some(place) = ids.get_mut(&process.pid) {
        *place = Holder::Process(process.clone());
    }
}

/// Changes the credentials of a process with all its ids; what `change` refuses leaves everything as it is.
///
/// # Errors
/// What `change` refuses. `ENOMEM`: nothing has changed.
pub(in crate::process) fn change_credentials(
    process: &Process,
    change: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let old = process.credentials();
    let mut new = Credentials::clone(&old);
    change(&mut new)?;
    let new = fallible::arc(new)?;
    replace_credentials(&mut table, process, &old, new)
}

/// The process has those credentials from now on. Allocates nothing where they are of the same real user.
///
/// # Errors
/// `ENOMEM`: not for those of the same real user.
pub(in crate::process) fn take_credentials(process: &Process, new: Arc<Credentials>) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let old = process.credentials();
    replace_credentials(&mut table, process, &old, new)
}

fn replace_credentials(
    table: &mut PidTable,
    process: &Process,
    old: &Credentials,
    new: Arc<Credentials>,
) -> Result<(), Errno> {
    let ids = 1 + process.relations.further_threads.load(Ordering::Relaxed);
    table.move_to_user(old.uid, new.uid, ids)?;
    let is_somebody_else = new.acts_differently_from(old);
    if is_somebody_else {
        // Before anybody sees the new ones: what the old user may do ends first.
        process.set_dumpable(DumpMode::Disable);
        process.forget_parent_death_signal();
    }
    process.replace_credentials(new);
    Ok(())
}
