//! A thread: one flow of control of a process, with a kernel stack, user registers and a state for the scheduler. What
//! Linux gives to each thread stands here, even where POSIX gives it to the process: open files and directories.

use crate::process::{Comm, Pid, Process, Shared, Totals, Transfers, VforkCompletion, hooks};
use crate::rseq::RseqRegistration;
use crate::signal::{self, InheritedSignals, ThreadSignals};
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use easy_ext::ext;
use lock::Mutex;
use mm::{Access, AddressSpace, NoMemory, Outcome, VirtAddr};
use platform::thread::{KernelStack, KernelThread};
use platform::user::{UserContext, UserStart};
use sched::space::Space;
use sched::{self, HasMemory, NextSpace, Owner};
use vfs::{FileTable, FsContext};

/// What stands for the list of robust futexes of a thread that has none any more because it ends.
const LEFT: u64 = u64::MAX;

pub use sched::Thread;

/// What a process keeps of a thread: the thread's owner.
pub struct Task {
    tid: AtomicU32,
    process: Arc<Process>,
    files: Shared<FileTable>,
    fs_context: Shared<FsContext>,
    signals: ThreadSignals,
    clear_child_tid: AtomicU64,
    /// Where it stores its id when it begins; 0: nowhere.
    id_place: AtomicU64,
    robust_list: AtomicU64,
    rseq: RseqRegistration,
    vfork: VforkCompletion,
    /// The name (`comm`) of a thread that is not the first: that one's is the process's.
    name: Mutex<Comm>,
    /// The deadline of an interrupted call that is being made again: see [`Thread::keep_deadline`].
    kept_deadline: AtomicU64,
    /// Whether it may have children: see [`Thread::has_forked`].
    has_forked: AtomicBool,
    transfers: Transfers,
    start_ticks: u64,
}

/// What a new thread is made of.
pub struct ThreadInit {
    /// Its id; that of its process for the first thread.
    pub tid: Pid,
    /// The process it belongs to.
    pub process: Arc<Process>,
    /// Open files.
    pub files: Shared<FileTable>,
    /// Root, current directory, umask.
    pub fs_context: Shared<FsContext>,
    /// Mask and alternate stack.
    pub signals: InheritedSignals,
    /// See [`on_stack`].
    pub kernel: KernelThread,
}

platform::sole_owner!(Task);

impl HasMemory for Task {
    #[inline]
    fn address_space(&self) -> Option<Arc<Space>> {
        self.process.space()
    }

    #[inline(always)]
    fn serve_fault(&self, thread: &Thread, address: VirtAddr, access: Access) -> Option<Outcome> {
        let handle = |space: &mut AddressSpace| {
            let outcome = space.handle_fault(memory::get(), address, access);
            if matches!(outcome, Outcome::Resolved(_)) {
                thread.count_minor_fault();
            }
            outcome
        };
        thread.with_injected_shortage(|| self.process.with_space(handle))
    }

    fn grow_stack(&self, thread: &Thread, address: VirtAddr) -> Option<Result<bool, NoMemory>> {
        let limits = self.process.stack_limits();
        let grow = |space: &mut AddressSpace| space.grow_stack(address, limits);
        thread.with_injected_shortage(|| self.process.with_space(grow))
    }
}

impl Owner for Task {
    #[inline]
    fn next_space(&self, entered: usize) -> NextSpace {
        self.process.next_space(entered)
    }

    #[inline]
    fn is_interrupted(&self, thread: &Thread) -> bool {
        signal::is_pending(thread)
    }

    fn has_begun_to_end(&self, thread: &Thread) -> bool {
        thread.has_left_futexes()
    }

    fn look_at_processor_time(&self) -> Option<u64> {
        let is_watched = self.process.processor_time.is_watched();
        is_watched.then(|| self.process.look_at_processor_time())
    }
}

/// A thread on that stack which begins at EL0 with registers `context`, and those that `prepare` sets.
#[inline(always)]
pub fn on_stack(
    stack: KernelStack,
    context: &UserContext,
    prepare: impl FnOnce(&mut UserStart),
) -> KernelThread {
    stack.into_thread(hooks::thread_entry(), context, prepare)
}

/// A thread that will begin at EL0 when it is first switched to, without a name unless it is the first of its process. Not inlined: what
/// fills it in is, then.
///
/// # Errors
/// `ENOMEM`.
#[inline(never)]
pub fn new(init: ThreadInit) -> Result<Arc<Thread>, Errno> {
    let thread = sched::create(init.kernel, || Task {
        tid: AtomicU32::new(init.tid),
        process: init.process,
        files: init.files,
        fs_context: init.fs_context,
        signals: const { ThreadSignals::new() },
        clear_child_tid: AtomicU64::new(0),
        id_place: AtomicU64::new(0),
        robust_list: AtomicU64::new(0),
        rseq: const { RseqRegistration::new() },
        vfork: const { VforkCompletion::new() },
        name: const { Mutex::new(Comm::NONE) },
        kept_deadline: AtomicU64::new(0),
        has_forked: AtomicBool::new(false),
        transfers: Transfers::default(),
        start_ticks: platform::timer::ticks(),
    })?;
    thread.signals().inherit(init.signals);
    Ok(thread)
}

/// A thread as the process sees it.
#[ext(ThreadExt)]
impl Thread {
    /// What the process keeps of it.
    #[inline(always)]
    pub fn task(&self) -> &Task {
        self.owner()
    }

    /// The process it belongs to.
    #[inline(always)]
    pub fn process(&self) -> &Arc<Process> {
        &self.task().process
    }

    /// Open files.
    #[inline(always)]
    pub fn files(&self) -> &Shared<FileTable> {
        &self.task().files
    }

    /// Root, current directory, umask.
    #[inline(always)]
    pub fn fs_context(&self) -> &Shared<FsContext> {
        &self.task().fs_context
    }

    /// Its mask, the signals sent to it alone, its alternate stack.
    #[inline(always)]
    pub fn signals(&self) -> &ThreadSignals {
        &self.task().signals
    }

    /// Address of the word to clear, and wake a futex at, when the thread ends: set_tid_address(2). 0 for none.
    #[inline(always)]
    pub fn clear_child_tid(&self) -> &AtomicU64 {
        &self.task().clear_child_tid
    }

    /// Where it stores its id when it begins (`CLONE_CHILD_SETTID`); 0: nowhere.
    #[inline(always)]
    pub fn id_place(&self) -> &AtomicU64 {
        &self.task().id_place
    }

    /// Address of the list of robust futexes: set_robust_list(2).
    #[inline(always)]
    pub fn robust_list(&self) -> &AtomicU64 {
        &self.task().robust_list
    }

    /// What it has registered by rseq(2).
    #[inline(always)]
    pub fn rseq(&self) -> &RseqRegistration {
        &self.task().rseq
    }

    /// What its parent waits for after vfork(2).
    #[inline(always)]
    pub fn vfork(&self) -> &VforkCompletion {
        &self.task().vfork
    }

    /// What it read and wrote.
    #[inline(always)]
    pub fn transfers(&self) -> &Transfers {
        &self.task().transfers
    }

    /// The thread's id; that of its process for the first thread.
    #[inline]
    pub fn tid(&self) -> Pid {
        self.task().tid.load(Ordering::Relaxed)
    }

    /// Becomes the first thread of its process: exec. It is the only one left.
    pub fn become_first(&self) {
        self.task().tid.store(self.process().pid, Ordering::Relaxed);
    }

    /// Whether it is the first thread of its process.
    #[inline]
    pub fn is_first(&self) -> bool {
        self.tid() == self.process().pid
    }

    /// The name (`comm`).
    pub fn name(&self) -> Comm {
        if self.is_first() {
            self.process().name()
        } else {
            *self.task().name.lock()
        }
    }

    /// Sets the name.
    pub fn set_name(&self, name: Comm) {
        if self.is_first() {
            self.process().set_name(name);
        } else {
            *self.task().name.lock() = name;
        }
    }

    /// When it began, in ticks.
    pub fn start_ticks(&self) -> u64 {
        self.task().start_ticks
    }

    /// Whether it may have children of its own: it forked, or inherited them from a thread that ended.
    pub fn has_forked(&self) -> bool {
        self.task().has_forked.load(Ordering::Relaxed)
    }

    /// From now on it may.
    pub fn note_fork(&self) {
        self.task().has_forked.store(true, Ordering::Relaxed);
    }

    /// Forgets its list of robust futexes; the list. If the thread is ending, it gets no lock any more.
    pub fn leave_futexes(&self) -> u64 {
        let left = if self.is_ending() { LEFT } else { 0 };
        // Before it is looked whether it has locks that others wait for: see `has_left_futexes`.
        self.robust_list().swap(left, Ordering::SeqCst)
    }

    /// Whether it ended as far as futexes are concerned. Asked by who has noted that it waits for one of its locks.
    pub fn has_left_futexes(&self) -> bool {
        self.robust_list().load(Ordering::SeqCst) == LEFT && self.is_ending()
    }

    /// Keeps the point in time at which an interrupted call was to end, for the case that the call is made again: it must
    /// not wait its whole time anew (`restart_syscall` in signal(7)).
    pub fn keep_deadline(&self, ticks: u64) {
        self.task().kept_deadline.store(ticks.max(1), Ordering::Relaxed);
    }

    /// The deadline kept by the call that is being made again, or the given one. Forgets it.
    pub fn resume_deadline(&self, fresh: u64) -> u64 {
        match self.task().kept_deadline.swap(0, Ordering::Relaxed) {
            0 => fresh,
            kept => kept,
        }
    }

    /// Forgets a kept deadline: a handler runs, the call will not be made again by the kernel.
    pub fn forget_deadline(&self) {
        self.task().kept_deadline.store(0, Ordering::Relaxed);
    }

    /// What the thread used so far.
    pub fn totals(&self) -> Totals {
        let (user, system) = self.ticks();
        let (voluntary_switches, involuntary_switches) = self.scheduling.switches();
        Totals {
            user,
            system,
            minor_faults: self.minor_faults(),
            major_faults: self.major_faults(),
            voluntary_switches,
            involuntary_switches,
            peak: 0,
            moved: self.transfers().get(),
        }
    }
}
