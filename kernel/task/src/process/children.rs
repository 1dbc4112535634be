//! How a parent learns of its children: wait4(2), waitid(2). Each process has a list of its children, apart from those that
//! ended and those that stopped or went on, so that a wait looks at events, not at children.
//!
//! The list's lock decides whose child a process is: it stands in the list of one parent, and moves to another's under the
//! locks of both (`table::PidTable::move_children`). Who has something to tell a parent looks for the child in the parent's list,
//! and if it is not there, asks anew who the parent is.

mod announce;

pub use announce::report_stop_or_continue;
pub(super) use announce::{Notice, announce_end};

use super::table;
use super::usage::Totals;
use super::{Pid, Process};
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::WaitStatus;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use platform::queue::{Member, Queue};
use sched::scheduler;

/// The children of one process that were not waited for, in the order in which they came.
pub(super) struct Children {
    living: Siblings,
    /// Those that have ended, in that order.
    ended: Siblings,
    /// Living ones that stopped or went on since the last wait.
    changed: Siblings,
}

/// Processes; each brings its places along ([`Places`]), so that who ends needs no memory, nor who gets its children.
pub(super) type Siblings = Queue<Arc<Process>>;

/// Where a process stands among others.
pub(super) struct Places {
    /// Among the children of its parent, living or ended.
    pub sibling: Member<Process>,
    /// Among those of them that stopped or went on.
    pub change: Member<Process>,
    /// In its group.
    pub group: Member<Process>,
    /// Among those whom its parent leaves behind, while that is at it: under the table's lock.
    pub orphan: Member<Process>,
}

impl Places {
    /// Those of a process that stands nowhere.
    pub(super) const fn new() -> Places {
        Places {
            sibling: Member::new(),
            change: Member::new(),
            group: Member::new(),
            orphan: Member::new(),
        }
    }
}

/// With more children, one of a given id is looked for in the table of processes.
const FEW: usize = 16;

/// Which children a wait is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meant {
    /// By their ids.
    pub which: WaitTarget,
    /// By what they send at their end.
    pub kind: ChildKind,
    /// Only those of that thread of the parent (`__WNOTHREAD`).
    pub thread: Option<Pid>,
}

/// Children by what they send at their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildKind {
    /// SIGCHLD: those of fork(2), and all that called exec.
    Usual,
    /// Another signal, or none (`__WCLONE`).
    Clones,
    /// All (`__WALL`).
    All,
}

/// Children by their ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitTarget {
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

/// What happened to a child.
enum ChildEvent {
    Ended(Arc<Process>),
    Changed(Arc<Process>, WaitStatus),
}

/// Waits for an event of a child of the caller's process. `Ok(None)`: nothing yet, and the wait is immediate.
///
/// # Errors
/// `ECHILD`: there is no such child. A restart marker: a signal came.
pub fn wait_for_child(current: &Thread, meant: Meant, wanted: Wanted) -> Result<Option<Child>, Errno> {
    let process = current.process();
    let mut children = process.children.lock();
    let mut named = None;
    if let WaitTarget::Process(pid) = meant.which
        && children.len() > FEW
    {
        drop(children);
        named = table::find(pid);
        children = process.children.lock();
    }
    let event = match children.take_event(&meant, named.as_ref(), wanted) {
        Ok(None) if !wanted.is_immediate => {
            // Who has an event for the parent takes that lock first.
            let look = || {
                let event = process.children.lock().take_event(&meant, named.as_ref(), wanted);
                event.transpose()
            };
            Some(process.child_events.wait_behind(children, look)??)
        }
        answer => {
            drop(children);
            answer?
        }
    };
    Ok(match event {
        None => None,
        Some(ChildEvent::Ended(child)) => Some(reap(process, &child, wanted)),
        Some(ChildEvent::Changed(child, status)) => Some(describe(&child, status)),
    })
}

impl Children {
    /// None.
    pub(super) const fn new() -> Children {
        Children {
            living: Siblings::new(),
            ended: Siblings::new(),
            changed: Siblings::new(),
        }
    }

    /// What is to be reported, taken out unless it is to be kept. `named` is who is meant if that was looked for already. `ECHILD` if
    /// there is no such child.
    fn take_event(
        &mut self,
        meant: &Meant,
        named: Option<&Arc<Process>>,
        wanted: Wanted,
    ) -> Result<Option<ChildEvent>, Errno> {
        if wanted.ended
            && let Some(child) = first_of(&self.ended, meant, named).cloned()
        {
            if !wanted.is_kept {
                self.ended.leave_member(&child.places.sibling);
            }
            return Ok(Some(ChildEvent::Ended(child)));
        }
        if let Some((child, status)) = self.first_change(meant, wanted) {
            if !wanted.is_kept {
                child.signals.forget_change();
                self.changed.leave_member(&child.places.change);
            }
            return Ok(Some(ChildEvent::Changed(child, status)));
        }
        let has_such = first_of(&self.living, meant, named).or_else(|| first_of(&self.ended, meant, named));
        has_such.map(|_| None).ok_or(Errno::ECHILD)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.living.len() + self.ended.len()
    }

    /// The first child that stopped or went on, as `wanted` asks for, and which of the two.
    fn first_change(&self, meant: &Meant, wanted: Wanted) -> Option<(Arc<Process>, WaitStatus)> {
        let is_wanted = |status: &WaitStatus| match status {
            WaitStatus::Stopped(_) => wanted.stopped,
            _ => wanted.continued,
        };
        let found = self.changed.iter().filter(|child| is_meant(child, meant));
        found
            .filter_map(|child| Some((child, child.signals.change().filter(is_wanted)?)))
            .map(|(child, status)| (child.clone(), status))
            .next()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.living.is_empty() && self.ended.is_empty()
    }

    /// All of them, the living first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.living.iter().chain(self.ended.iter())
    }

    /// Adds one that lives.
    pub(super) fn add(&mut self, child: Arc<Process>) {
        self.living.enter_member(child, |child| &child.places.sibling);
    }

    /// A living one ends. `None` if it is not here.
    fn take_living(&mut self, child: &Process) -> Option<Arc<Process>> {
        self.changed.leave_member(&child.places.change);
        self.living.leave_member(&child.places.sibling)
    }

    /// A living one stopped or went on. Whether it is here.
    fn note_change(&mut self, child: &Process) -> bool {
        let Some(own) = self.living.get_member(&child.places.sibling) else {
            return false;
        };
        if !self.changed.has_member(&child.places.change) {
            self.changed.enter_member(own.clone(), |own| &own.places.change);
        }
        true
    }

    /// All become those of one thread, the only one left.
    pub(super) fn belong_to(&mut self, thread: Pid) {
        let set = |child: &Arc<Process>| child.relations.parent_thread.store(thread, Ordering::Relaxed);
        self.iter().for_each(set);
    }

    /// The children of the thread `from` become those of the thread `to`, of the same process; `left` is how many are to be looked at,
    /// `None` at first. Ends at the first that wants to hear of the end of a parent, which is returned.
    pub(super) fn hand_over(&mut self, from: Pid, to: Pid, left: &mut Option<usize>) -> Option<Arc<Process>> {
        let is_own = |child: &Process| child.relations.parent_thread.load(Ordering::Relaxed) == from;
        let give = |child: &Process| child.relations.parent_thread.store(to, Ordering::Relaxed);
        let left = left.get_or_insert_with(|| {
            let ended = self.ended.iter().filter(|child| is_own(child));
            ended.for_each(|child| give(child));
            self.living.len()
        });
        while *left > 0 {
            *left -= 1;
            // Whoever was looked at goes to the end, and all stand as before when all were.
            let Some(child) = self.living.rotate().filter(|child| is_own(child)) else {
                continue;
            };
            give(child);
            if child.attributes.parent_death_signal.load(Ordering::Relaxed) != 0 {
                return Some(child.clone());
            }
        }
        None
    }

    /// Takes the first from `old`, as a living one, and whether it lives: if it has ended, that is still to be announced here.
    pub(super) fn adopt(&mut self, old: &mut Children) -> Option<(Arc<Process>, bool)> {
        let living = old.living.take_first();
        let is_living = living.is_some();
        let child = living.or_else(|| old.ended.take_first())?;
        if let Some(changed) = old.changed.leave_member(&child.places.change) {
            self.changed.enter_member(changed, |child| &child.places.change);
        }
        self.add(child.clone());
        Some((child, is_living))
    }
}

/// The first who is meant; `named` if that was looked for already.
fn first_of<'a>(
    processes: &'a Siblings,
    meant: &Meant,
    named: Option<&'a Arc<Process>>,
) -> Option<&'a Arc<Process>> {
    match named {
        Some(child) => {
            Some(child).filter(|child| processes.has_member(&child.places.sibling) && is_meant(child, meant))
        }
        None => processes.iter().find(|child| is_meant(child, meant)),
    }
}

fn is_meant(child: &Process, meant: &Meant) -> bool {
    let has_id = match meant.which {
        WaitTarget::Any => true,
        WaitTarget::Process(pid) => child.pid == pid,
        WaitTarget::Group(group) => child.group() == group,
    };
    let is_usual = child.exit_signal() == Signal::SIGCHLD.number();
    let is_kind = match meant.kind {
        ChildKind::Usual => is_usual,
        ChildKind::Clones => !is_usual,
        ChildKind::All => true,
    };
    let is_of = |thread| child.relations.parent_thread.load(Ordering::Relaxed) == thread;
    has_id && is_kind && meant.thread.is_none_or(is_of)
}

/// Reports a child that ended and, unless it is to be kept, forgets it.
#[inline(always)]
fn reap(parent: &Process, child: &Process, wanted: Wanted) -> Child {
    let found = describe(child, WaitStatus::decode(child.exit_status()));
    if !wanted.is_kept {
        parent.add_child_totals(&found.usage);
        scheduler::take_over_from(found.usage.user + found.usage.system, child.part());
        table::release(child);
    }
    found
}

fn describe(child: &Process, status: WaitStatus) -> Child {
    Child {
        pid: child.pid,
        uid: child.uid(),
        status,
        usage: child.all_totals(),
    }
}
