//! What job control asks of processes, and how it reaches them. Tests have processes of their own.

use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};

use task::process::{self, Pid, Process};
use task::signal;
use task::thread::{Thread, ThreadExt};

/// A process of a session.
pub trait Member {
    /// Its id.
    fn pid(&self) -> Pid;
    /// Its group.
    fn group(&self) -> Pid;
    /// Its session; the leader has the same id.
    fn session(&self) -> Pid;
    /// Since which tenure its session's terminal is its own too; 0: it has none.
    fn tenure(&self) -> u32;
    /// Changes [`Member::tenure`].
    fn set_tenure(&self, tenure: u32);
}

/// Who makes a call on a terminal: a thread of a [`Member`].
pub trait TtyCaller {
    /// Its process.
    type Process: Member;
    /// Its process.
    fn member(&self) -> &Self::Process;
    /// Whether it blocks the signal, or its process ignores it.
    fn is_deaf_to(&self, signal: Signal) -> bool;
    /// Whether it acts for user 0.
    fn is_privileged(&self) -> bool;
}

/// The groups that a terminal sends signals to.
pub trait ProcessGroups: Sync {
    /// Sends the signal to each process of the group. No lock may be held.
    fn send(&self, group: Pid, signal: Signal);
    /// Sends the signal to the process of that id, if there is one. No lock may be held.
    fn send_to_process(&self, process: Pid, signal: Signal);
    /// The group's session; `None` if there is no such group.
    fn session_of(&self, group: Pid) -> Option<Pid>;
    /// Whether nobody is left who would continue the group when it stops.
    fn is_orphaned(&self, group: Pid) -> bool;
}

impl Member for Process {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn group(&self) -> Pid {
        Process::group(self)
    }

    fn session(&self) -> Pid {
        Process::session(self)
    }

    fn tenure(&self) -> u32 {
        self.terminal_tenure()
    }

    fn set_tenure(&self, tenure: u32) {
        self.set_terminal_tenure(tenure);
    }
}

impl TtyCaller for Thread {
    type Process = Process;

    fn member(&self) -> &Process {
        self.process()
    }

    fn is_deaf_to(&self, signal: Signal) -> bool {
        signal::is_blocked_or_ignored(self, signal)
    }

    fn is_privileged(&self) -> bool {
        self.process().credentials().is_privileged()
    }
}

/// The groups of the process table.
pub struct AllGroups;

impl ProcessGroups for AllGroups {
    fn send(&self, group: Pid, signal: Signal) {
        signal::send_to_group(group, SigInfo::new(signal, SI_KERNEL));
    }

    fn send_to_process(&self, process: Pid, signal: Signal) {
        if let Some(process) = process::find(process) {
            signal::send_to_process(&process, SigInfo::new(signal, SI_KERNEL));
        }
    }

    fn session_of(&self, group: Pid) -> Option<Pid> {
        process::session_of_group(group)
    }

    fn is_orphaned(&self, group: Pid) -> bool {
        process::is_orphaned_group(group)
    }
}
