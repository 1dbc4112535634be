//! What most files of /proc are about: a process, or one of its threads.

use alloc::sync::Arc;
use core::ops::Deref;

use sched::scheduler::State;
use task::process::{Comm, Pid, Process};
use task::thread::{Thread, ThreadExt};
use vfs::Dentry;

/// What most entries are about: a process, or one of its threads.
#[derive(Clone)]
pub struct ProcTask {
    /// The process.
    pub process: Arc<Process>,
    /// The thread, in its directory.
    pub thread: Option<Arc<Thread>>,
}

impl ProcTask {
    /// The thread that counts where Linux shows a thread's own; `None` once a process has ended.
    pub fn own_thread(&self) -> Option<Arc<Thread>> {
        self.thread.clone().or_else(|| self.process.first_thread())
    }

    /// The name of the process or thread.
    pub fn name(&self) -> Comm {
        self.thread
            .as_ref()
            .map_or(self.process.name(), |thread| thread.name())
    }

    /// The id of the process or thread.
    pub fn id(&self) -> Pid {
        self.thread
            .as_ref()
            .map_or(self.process.pid, |thread| thread.tid())
    }

    /// Where its paths begin; `None` once a process has ended.
    pub fn root(&self) -> Option<Arc<Dentry>> {
        let thread = self.own_thread()?;
        Some(thread.fs_context().read(|held| held.root.clone()))
    }

    /// The state as ps(1) shows it: R, S, T or Z.
    pub fn state(&self) -> char {
        let Some(thread) = self.own_thread() else {
            return 'Z';
        };
        match thread.state() {
            State::Dead => 'Z',
            _ if thread.signals().is_halted() => 'T',
            State::Running => 'R',
            State::Sleeping | State::Asleep => 'S',
        }
    }
}

impl Deref for ProcTask {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// A process id as a name: digits without leading zeros.
pub fn process_id(name: &[u8]) -> Option<u32> {
    if name.first() == Some(&b'0') {
        return None;
    }
    core::str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}
