//! Processes: what one is (what happens to it: `state`). Where they stand and how they are related is in `table`, how one ends in `end`, how its parent
//! learns of it in `children`; how one begins is `syscall::clone` and `exec`.
//!
//! What fork copies is either small or behind an `Arc` that the two share until one of them changes it (files,
//! directories, signal actions, limits, credentials): fork does no work that grows with the process.
//!
//! Locks: each field has its own. None is held across a sleep or an access to user memory. The table's lock comes first,
//! then that of a process's children, then its others, then those of signals and wait queues, then the run queue's.

mod address_space;
mod attributes;
mod children;
mod dumpable;
mod end;
pub mod hooks;
mod limits;
mod name;
pub mod oom;
mod pidfd;
mod requester;
mod shared;
mod state;
mod table;
mod tenants;
mod threads;
mod transfers;
mod usage;
mod vfork;

pub use abi::process::Pid;
pub use attributes::ProcessAttributes;
pub use children::{Child, ChildKind, Meant, WaitTarget, Wanted, report_stop_or_continue, wait_for_child};
pub use end::end_current;
pub use limits::Limits;
pub use name::Comm;
pub use oom::kill as oom_kill;
pub use pidfd::{PidFd, leader, present};
pub use shared::Shared;
pub use state::ProcessState;
pub use table::{
    Kinship, find, find_thread, is_orphaned_group, last_pid, made, most_processes, move_to_group, next_from,
    reserve_pid, reserve_tid, session_of_group, set_most_processes, start_session, thread_count,
    thread_count_of_user, with as with_table,
};
pub use tenants::register_tenants;
pub use transfers::{TransferTotals, Transfers};
pub use usage::{Totals, Usage};
pub use vfork::VforkCompletion;

use crate::signal::{Actions, ProcessSignals};
use abi::Errno;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::ops::Deref;
use core::sync::atomic::{AtomicU8, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use sched::space::Space;
use vfs::Credentials;
use vfs::OpenFile;

/// The first process: it gets the orphans, and the machine does not outlive it.
pub const INIT: Pid = 1;

/// One process. What is large and the same for every new one comes first, without padding before it: fork then copies it from the
/// constant to where it stays, not by way of the stack.
#[repr(C)]
pub struct Process {
    state: ProcessState,
    /// Its id.
    pub pid: Pid,
    /// Attributes that prctl(2), personality(2) and setpriority(2) set.
    pub attributes: ProcessAttributes,
    space: Mutex<Option<Arc<Space>>, { rank::SPACE }>,
    inherited: Mutex<Inherited>,
    /// The signal its parent gets at its end; 0 for none.
    exit_signal: AtomicU8,
    start_ticks: u64,
}

impl Deref for Process {
    type Target = ProcessState;

    #[inline(always)]
    fn deref(&self) -> &ProcessState {
        &self.state
    }
}

/// What a child has of its own from the start.
pub struct ProcessInit {
    /// Its id.
    pub pid: Pid,
    /// Its memory; `None` for a thread of the kernel's own.
    pub space: Option<Arc<Space>>,
    /// Its signal actions.
    pub actions: Shared<Actions>,
    /// What it has of its parent's.
    pub inherited: Inherited,
    /// Its name.
    pub name: Comm,
    /// The signal to its parent at its end; 0 for none.
    pub exit_signal: u8,
}

/// What a child has from its parent until one of the two changes it. Under one lock, for fork asks for all of it.
#[derive(Clone)]
pub struct Inherited {
    /// Who the process acts for.
    pub credentials: Arc<Credentials>,
    limits: Arc<Limits>,
    /// The file that it runs.
    executable: Option<Arc<OpenFile>>,
}

impl Process {
    /// The first process, in `space`, with nothing but root's rights.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn first(pid: Pid, space: Arc<Space>, limits: Limits) -> Result<Arc<Process>, Errno> {
        let inherited = Inherited {
            credentials: Arc::default(),
            limits: fallible::arc(limits)?,
            executable: None,
        };
        let init = ProcessInit {
            pid,
            space: Some(space),
            actions: ProcessSignals::first_actions()?,
            inherited,
            name: Comm::default(),
            exit_signal: 0,
        };
        Process::new(init, ProcessAttributes::of_first)
    }

    /// What a thread of the kernel's own runs for: it has no memory, stands in no table and gets no signals.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn of_kernel(name: &str) -> Result<Arc<Process>, Errno> {
        let inherited = Inherited {
            credentials: fallible::arc(Credentials::default())?,
            limits: fallible::arc(Limits::initial(0))?,
            executable: None,
        };
        let init = ProcessInit {
            pid: 0,
            space: None,
            actions: ProcessSignals::first_actions()?,
            inherited,
            name: Comm::new(name.as_bytes()),
            exit_signal: 0,
        };
        Process::new(init, ProcessAttributes::of_first)
    }

    /// A child of this process. It is not in the table yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    #[inline(always)]
    pub fn child(&self, init: ProcessInit) -> Result<Arc<Process>, Errno> {
        let is_limited = init.inherited.limits.is_processor_time_limited();
        let child = Process::new(init, || self.attributes.for_child())?;
        child.signals.inherit_events(&self.signals);
        if is_limited {
            child.processor_time.watch_limit();
        }
        Ok(child)
    }

    /// A process that nothing has happened to. `ENOMEM`. Inlined: fork puts it together where it is to stand.
    #[inline(always)]
    fn new(init: ProcessInit, attributes: impl FnOnce() -> ProcessAttributes) -> Result<Arc<Process>, Errno> {
        let (actions, name) = (init.actions, init.name);
        let process = fallible::arc_with(|| Process {
            state: const { ProcessState::new() },
            pid: init.pid,
            attributes: attributes(),
            space: Mutex::new(init.space),
            inherited: Mutex::new(init.inherited),
            exit_signal: AtomicU8::new(init.exit_signal),
            start_ticks: platform::timer::ticks(),
        })?;
        process.signals.set_actions(actions);
        process.set_name(name);
        Ok(process)
    }

    /// The parent's id; 0 for the first process.
    #[inline]
    pub fn parent(&self) -> Pid {
        self.relations.parent_pid.load(Ordering::Relaxed)
    }

    fn parent_process(&self) -> Option<Arc<Process>> {
        self.relations.parent.cloned()
    }

    /// The process group.
    #[inline]
    pub fn group(&self) -> Pid {
        self.relations.group.load(Ordering::Relaxed)
    }

    /// Since which tenure of its session it has the controlling terminal (`tty`); 0: it has none.
    pub fn terminal_tenure(&self) -> u32 {
        self.relations.terminal_tenure.load(Ordering::Relaxed)
    }

    /// See [`Process::terminal_tenure`].
    pub fn set_terminal_tenure(&self, tenure: u32) {
        self.relations.terminal_tenure.store(tenure, Ordering::Relaxed);
    }

    /// The session.
    #[inline]
    pub fn session(&self) -> Pid {
        self.relations.session.load(Ordering::Relaxed)
    }

    /// User and group ids.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.inherited.lock().credentials.clone()
    }

    /// Its real user.
    pub fn uid(&self) -> u32 {
        self.inherited.lock().credentials.uid
    }

    /// What a child of it has from it.
    #[inline]
    pub fn inherited(&self) -> Inherited {
        self.inherited.cloned()
    }

    /// Whether it acts by just these.
    pub fn has_credentials(&self, credentials: &Arc<Credentials>) -> bool {
        Arc::ptr_eq(&self.inherited.lock().credentials, credentials)
    }

    /// Changes user and group ids, all at one moment. What `change` refuses leaves them as they are.
    ///
    /// # Errors
    /// What `change` refuses. `ENOMEM`: nothing has changed.
    pub fn change_credentials(
        &self,
        change: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        table::change_credentials(self, change)
    }

    /// Takes the credentials of a program of the same real user: exec.
    ///
    /// # Errors
    /// `ENOMEM`: not for those of the same real user.
    pub fn take_credentials(&self, new: Arc<Credentials>) -> Result<(), Errno> {
        table::take_credentials(self, new)
    }

    fn replace_credentials(&self, new: Arc<Credentials>) {
        let old = core::mem::replace(&mut self.inherited.lock().credentials, new);
        drop(old);
    }

    /// The name (`comm`) of the process and its first thread.
    pub fn name(&self) -> Comm {
        *self.name.lock()
    }

    /// Sets the name.
    pub fn set_name(&self, name: Comm) {
        *self.name.lock() = name;
    }

    /// The file that it runs; `None` before the first exec and after the end.
    pub fn executable(&self) -> Option<Arc<OpenFile>> {
        self.inherited.lock().executable.clone()
    }

    /// Says which file it runs.
    pub fn set_executable(&self, file: Option<Arc<OpenFile>>) {
        let old = core::mem::replace(&mut self.inherited.lock().executable, file);
        drop(old);
    }

    /// The signal its parent gets at its end; 0 for none.
    pub fn exit_signal(&self) -> u8 {
        self.exit_signal.load(Ordering::Relaxed)
    }

    /// When it began, in ticks.
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// Whether it has ended and waits for its parent to notice.
    pub fn is_zombie(&self) -> bool {
        self.is_zombie.load(Ordering::Acquire)
    }

    /// Whether it has called exec since it was forked: its parent may then no longer move it (setpgid(2)).
    pub fn has_executed(&self) -> bool {
        self.has_executed.load(Ordering::Relaxed)
    }

    /// Notes that it called exec. Whatever signal its parent chose for its end, a new program ends with SIGCHLD.
    pub fn note_exec(&self) {
        self.has_executed.store(true, Ordering::Relaxed);
        self.exit_signal
            .store(Signal::SIGCHLD.number(), Ordering::Relaxed);
    }

    /// The parent's end is no longer announced (`PR_SET_PDEATHSIG`): the process acts for somebody else now.
    pub fn forget_parent_death_signal(&self) {
        self.attributes.parent_death_signal.store(0, Ordering::Relaxed);
    }
}
