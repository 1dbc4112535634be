//! Processes: what one is. Where they stand and how they are related is in `table`, how one ends in `end`, how its parent
//! learns of it in `children`; how one begins is `syscall::clone` and `exec`.
//!
//! What fork copies is either small or behind an `Arc` that the two share until one of them changes it (files,
//! directories, signal actions, limits, credentials): fork does no work that grows with the process.
//!
//! Locks: each field has its own. None is held across a sleep or an access to user memory. The table's lock comes first,
//! then a process's, then those of signals and wait queues, then the run queue's.

mod children;
mod credentials;
mod end;
mod limits;
pub mod shortage;
mod space;
mod table;
mod usage;

pub use children::{Child, Wanted, Which, report_stop_or_continue, wait_for_child};
pub use credentials::Credentials;
pub use end::end_current;
pub use limits::Limits;
pub use shortage::{end as end_for_want_of_memory, make_room};
pub use space::Space;
pub use table::{
    Pid, all, claim, count, find, group_members, is_orphaned_group, last_pid, move_to_group, next_from,
    session_of_group, set_most_processes, start_session,
};
pub use usage::Usage;

use crate::fs::{Directories, FileTable, OpenFile};
use crate::memory;
use crate::signal::{IntervalTimer, ProcessSignals};
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use crate::wait::WaitQueue;
use abi::Errno;
use abi::process::{TASK_COMM_LEN, WaitStatus};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI8, AtomicU8, AtomicU32, Ordering};

/// The first process: it gets the orphans, and the machine does not outlive it.
pub const INIT: Pid = 1;

/// One process.
pub struct Process {
    /// Its id.
    pub pid: Pid,
    /// Open files.
    pub files: Mutex<Arc<FileTable>, { rank::DESCRIPTORS }>,
    /// Root, current directory, umask.
    pub directories: Mutex<Arc<Directories>>,
    /// Actions, signals that wait for any thread, stop state.
    pub signals: ProcessSignals,
    /// `ITIMER_REAL`.
    pub interval_timer: Mutex<IntervalTimer, { rank::INTERVAL_TIMER }>,
    /// Time and faults.
    pub usage: Usage,
    /// Woken when a child ends, stops or goes on.
    pub child_events: WaitQueue,
    /// Attributes that prctl(2), personality(2) and setpriority(2) set.
    pub attributes: Attributes,
    space: Mutex<Option<Arc<Space>>>,
    threads: Mutex<Vec<Arc<Thread>>, { rank::THREADS }>,
    credentials: Mutex<Arc<Credentials>>,
    limits: Mutex<Arc<Limits>>,
    name: Mutex<Name>,
    executable: Mutex<Option<Arc<OpenFile>>>,
    relations: Relations,
    /// The signal its parent gets at its end; 0 for none.
    exit_signal: AtomicU8,
    loan: Loan,
    has_executed: AtomicBool,
    /// 0, or [`ENDING`] and the wait status with which the process is to end.
    ending: AtomicU32,
    is_zombie: AtomicBool,
    start_ticks: u64,
}

/// Marks a status in `Process::ending` as present.
const ENDING: u32 = 1 << 31;

/// Who the process belongs to. Written under the table's lock only.
#[derive(Default)]
struct Relations {
    parent: AtomicU32,
    group: AtomicU32,
    session: AtomicU32,
}

/// Memory lent by a vfork parent, who waits to get it back.
#[derive(Default)]
struct Loan {
    is_open: AtomicBool,
    returned: WaitQueue,
}

/// Small attributes without a meaning to other parts of the kernel.
#[derive(Default)]
pub struct Attributes {
    /// The signal that the process gets when its parent ends; 0 for none. Cleared in a child.
    pub parent_death_signal: AtomicU8,
    /// personality(2).
    pub personality: AtomicU32,
    /// The nice value, -20 to 19.
    pub nice: AtomicI8,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub has_no_new_privileges: AtomicBool,
    /// `PR_SET_CHILD_SUBREAPER`: orphans below the process become its children. Cleared in a child.
    pub is_child_subreaper: AtomicBool,
    /// Who ends when memory runs out.
    pub shortage: shortage::Preference,
    /// Whether `PR_SET_DUMPABLE` took the attribute away.
    pub is_undumpable: AtomicBool,
}

/// A process's name (`comm`): at most 15 bytes, padded by NULs.
type Name = [u8; TASK_COMM_LEN];

impl Process {
    /// The first process, in `space`, with nothing but root's rights and the given files.
    pub fn first(
        pid: Pid,
        space: Arc<Space>,
        files: FileTable,
        directories: Directories,
        limits: Limits,
    ) -> Arc<Process> {
        space.enter();
        Arc::new(Process {
            pid,
            files: Mutex::new(Arc::new(files)),
            directories: Mutex::new(Arc::new(directories)),
            signals: ProcessSignals::default(),
            interval_timer: Mutex::default(),
            usage: Usage::default(),
            child_events: WaitQueue::new(),
            attributes: Attributes::default(),
            space: Mutex::new(Some(space)),
            threads: Mutex::default(),
            credentials: Mutex::default(),
            limits: Mutex::new(Arc::new(limits)),
            name: Mutex::default(),
            executable: Mutex::default(),
            relations: Relations::default(),
            exit_signal: AtomicU8::new(0),
            loan: Loan::default(),
            has_executed: AtomicBool::new(false),
            ending: AtomicU32::new(0),
            is_zombie: AtomicBool::new(false),
            start_ticks: platform::timer::ticks(),
        })
    }

    /// A child of this process in `space`. It is not in the table yet.
    pub fn child(&self, pid: Pid, space: Arc<Space>, exit_signal: u8) -> Arc<Process> {
        space.enter();
        Arc::new(Process {
            pid,
            files: Mutex::new(self.files.cloned()),
            directories: Mutex::new(self.directories.cloned()),
            signals: self.signals.for_child(),
            interval_timer: Mutex::default(),
            usage: Usage::default(),
            child_events: WaitQueue::new(),
            attributes: self.attributes.for_child(),
            space: Mutex::new(Some(space)),
            threads: Mutex::default(),
            credentials: Mutex::new(self.credentials.cloned()),
            limits: Mutex::new(self.limits.cloned()),
            name: Mutex::new(self.name.cloned()),
            executable: Mutex::new(self.executable.cloned()),
            relations: Relations::default(),
            exit_signal: AtomicU8::new(exit_signal),
            loan: Loan::default(),
            has_executed: AtomicBool::new(false),
            ending: AtomicU32::new(0),
            is_zombie: AtomicBool::new(false),
            start_ticks: platform::timer::ticks(),
        })
    }

    /// The parent's id; 0 for the first process.
    #[inline]
    pub fn parent(&self) -> Pid {
        self.relations.parent.load(Ordering::Relaxed)
    }

    /// The process group.
    #[inline]
    pub fn group(&self) -> Pid {
        self.relations.group.load(Ordering::Relaxed)
    }

    /// The session.
    #[inline]
    pub fn session(&self) -> Pid {
        self.relations.session.load(Ordering::Relaxed)
    }

    /// Its threads; none once it has ended.
    pub fn threads(&self) -> Vec<Arc<Thread>> {
        self.threads.lock().clone()
    }

    /// Does something with each thread.
    pub fn for_each_thread(&self, mut action: impl FnMut(&Arc<Thread>)) {
        self.threads.lock().iter().for_each(&mut action);
    }

    /// Adds a thread that was made for this process.
    pub fn add_thread(&self, thread: Arc<Thread>) {
        self.threads.lock().push(thread);
    }

    /// User and group ids.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// Replaces user and group ids.
    pub fn set_credentials(&self, credentials: Credentials) {
        let old = self.credentials();
        table::change_user(old.uid, credentials.uid);
        *self.credentials.lock() = Arc::new(credentials);
    }

    /// The name (`comm`).
    pub fn name(&self) -> String {
        let name = *self.name.lock();
        let len = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..len]).into_owned()
    }

    /// Sets the name, cut to 15 bytes.
    pub fn set_name(&self, name: &[u8]) {
        let mut cut = Name::default();
        let len = name.len().min(TASK_COMM_LEN - 1);
        cut[..len].copy_from_slice(&name[..len]);
        *self.name.lock() = cut;
    }

    /// The file that it runs; `None` before the first exec and after the end.
    pub fn executable(&self) -> Option<Arc<OpenFile>> {
        self.executable.lock().clone()
    }

    /// Says which file it runs.
    pub fn set_executable(&self, file: Option<Arc<OpenFile>>) {
        let old = core::mem::replace(&mut *self.executable.lock(), file);
        drop(old);
    }

    /// The state as ps(1) shows it: R, S, T or Z.
    pub fn state(&self) -> char {
        if self.is_zombie() {
            'Z'
        } else if self.signals.is_stopped() {
            'T'
        } else if self
            .threads
            .lock()
            .iter()
            .any(|thread| thread.state() == crate::thread::State::Running)
        {
            'R'
        } else {
            'S'
        }
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

    /// Notes that it called exec.
    pub fn note_exec(&self) {
        self.has_executed.store(true, Ordering::Relaxed);
    }

    /// The wait status with which it ended; 0 while it lives.
    pub fn exit_status(&self) -> u32 {
        self.ending.load(Ordering::Acquire) & !ENDING
    }

    /// Whether it is to end, or has.
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) != 0
    }

    /// Tells the process to end. Its threads do so before they next return to EL0; who says it first decides the status.
    pub fn end(&self, status: WaitStatus) {
        let first =
            self.ending
                .compare_exchange(0, ENDING | status.encode(), Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.for_each_thread(|thread| {
                thread.call_attention();
                crate::scheduler::wake(thread);
            });
        }
    }

    /// Takes part of the address space's parent: fork by vfork. Undone by [`Process::return_loan`].
    pub fn open_loan(&self) {
        self.loan.is_open.store(true, Ordering::Release);
    }

    /// Gives the parent's memory back: at exec and at the end. Nothing happens if there is no loan.
    pub fn return_loan(&self) {
        if self.loan.is_open.swap(false, Ordering::AcqRel) {
            self.loan.returned.wake_all();
        }
    }

    /// Waits until this process has given the caller's memory back; only the end of the caller interrupts.
    pub fn wait_for_loan(&self) {
        let is_returned = || (!self.loan.is_open.load(Ordering::Acquire)).then_some(());
        // Interrupted: the caller ends, and its memory lives on with the child.
        let _ = self.loan.returned.wait_killable(is_returned);
    }

    /// The argument strings, each with its NUL; empty once the process has ended.
    pub fn command_line(&self) -> Vec<u8> {
        self.space()
            .map(|space| self.strings_at(space.strings.arguments()))
            .unwrap_or_default()
    }

    /// The strings of the environment, each with its NUL.
    pub fn environment(&self) -> Vec<u8> {
        self.space()
            .map(|space| self.strings_at(space.strings.environment()))
            .unwrap_or_default()
    }

    fn strings_at(&self, (start, len): (u64, usize)) -> Vec<u8> {
        let Ok(mut bytes) = memory::try_list::<u8>(len) else {
            return Vec::new();
        };
        let read = self.read_memory(start, &mut bytes).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    /// Copies from the process's memory, whichever is active; `ESRCH` once it has ended.
    pub fn read_memory(&self, at: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.space().ok_or(Errno::ESRCH)?.read(at, into)
    }
}

impl Attributes {
    fn for_child(&self) -> Attributes {
        Attributes {
            parent_death_signal: AtomicU8::new(0),
            personality: AtomicU32::new(self.personality.load(Ordering::Relaxed)),
            nice: AtomicI8::new(self.nice.load(Ordering::Relaxed)),
            has_no_new_privileges: AtomicBool::new(self.has_no_new_privileges.load(Ordering::Relaxed)),
            is_child_subreaper: AtomicBool::new(false),
            shortage: self.shortage.for_child(),
            is_undumpable: AtomicBool::new(self.is_undumpable.load(Ordering::Relaxed)),
        }
    }
}
