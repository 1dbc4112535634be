//! A thread: one flow of control of a process, with a kernel stack, user registers and a state for the scheduler. What
//! Linux gives to each thread stands here, even where POSIX gives it to the process: open files and directories.

use crate::fs::{FileTable, FsContext};
use crate::process::{Comm, Pid, Process, Shared, Transfers, VforkCompletion, hooks};
use crate::sched::space::Space;
use crate::sched::{Owner, ThreadCore};
use crate::signal::{self, InheritedSignals, ThreadSignals};
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible;
use mm::{Access, AddressSpace, NoMemory, Outcome, VirtAddr};
use platform::fault_injection::{self, LATE_PAGE, LOST_PAGE};
use platform::thread::KernelThread;
use platform::user::{UserContext, UserRegisters};

/// What stands for the list of robust futexes of a thread that has none any more because it ends.
const LEFT: u64 = u64::MAX;

/// One thread.
pub struct Thread {
    core: ThreadCore,
    tid: AtomicU32,
    /// The process it belongs to.
    pub process: Arc<Process>,
    /// Open files.
    pub files: Shared<FileTable>,
    /// Root, current directory, umask.
    pub fs_context: Shared<FsContext>,
    /// Its mask, the signals sent to it alone, its alternate stack.
    pub signals: ThreadSignals,
    /// Address of the word to clear, and wake a futex at, when the thread ends: set_tid_address(2). 0 for none.
    pub clear_child_tid: AtomicU64,
    /// Address of the list of robust futexes: set_robust_list(2).
    pub robust_list: AtomicU64,
    /// What its parent waits for after vfork(2).
    pub vfork: VforkCompletion,
    /// The name (`comm`) of a thread that is not the first: that one's is the process's.
    name: Mutex<Comm>,
    /// The deadline of an interrupted call that is being made again: see [`Thread::keep_deadline`].
    kept_deadline: AtomicU64,
    /// Where the thread begins at EL0; taken when it starts.
    start: Mutex<Option<Box<UserContext>>>,
    /// Whether it may have children: see [`Thread::has_forked`].
    has_forked: AtomicBool,
    /// What it read and wrote.
    pub transfers: Transfers,
    /// Faults that were served. Written by the thread itself.
    minor_faults: AtomicU64,
    start_ticks: u64,
    /// Which of the next allocations in its system calls, or with [`IN_FAULTS`] in its page faults, is refused: /proc/PID/fail-nth.
    pub fail_nth: AtomicU32,
}

/// In `fail_nth`: allocations of page faults are meant instead of those of system calls.
pub const IN_FAULTS: u32 = 1 << 30;

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
    /// See [`Thread::make_stack`].
    pub kernel: KernelThread,
    /// FP, SIMD and thread-pointer registers.
    pub registers: Box<UserRegisters>,
    /// Where it begins at EL0.
    pub start: Box<UserContext>,
    /// Its name.
    pub name: Comm,
}

/// What the scheduler keeps of a thread is asked of the thread.
impl Deref for Thread {
    type Target = ThreadCore;

    #[inline]
    fn deref(&self) -> &ThreadCore {
        &self.core
    }
}

impl Owner for Thread {
    #[inline]
    fn address_space(&self) -> Option<Arc<Space>> {
        self.process.space()
    }

    #[inline]
    fn is_interrupted(&self) -> bool {
        signal::is_pending(self)
    }

    #[inline]
    fn is_watched(&self) -> bool {
        self.process.processor_time.is_watched()
    }

    fn look_at_processor_time(&self) -> u64 {
        self.process.look_at_processor_time()
    }

    #[inline(always)]
    fn serve_fault(&self, address: VirtAddr, access: Access) -> Option<Outcome> {
        let handle = |space: &mut AddressSpace| {
            let outcome = space.handle_fault(memory::get(), address, access);
            if matches!(outcome, Outcome::Resolved(_)) {
                self.count_minor_fault();
            }
            outcome
        };
        self.with_injected_shortage(|| self.process.with_space(handle))
    }

    fn grow_stack(&self, address: VirtAddr) -> Option<Result<bool, NoMemory>> {
        let limits = self.process.stack_limits();
        let grow = |space: &mut AddressSpace| space.grow_stack(address, limits);
        self.with_injected_shortage(|| self.process.with_space(grow))
    }
}

impl Thread {
    /// A kernel stack for a thread: the part of it that is not on the heap.
    ///
    /// # Errors
    /// There is no memory.
    pub fn make_stack() -> Result<KernelThread, NoMemory> {
        KernelThread::new(hooks::thread_entry(), 0)
    }

    /// A thread that will begin at EL0 when it is first switched to. Not inlined: what fills it in is, then.
    ///
    /// # Errors
    /// `ENOMEM`.
    #[inline(never)]
    pub fn new(init: ThreadInit) -> Result<Arc<Thread>, Errno> {
        let thread = fallible::arc_with(|| Thread {
            core: ThreadCore::new(init.kernel, init.registers),
            tid: AtomicU32::new(init.tid),
            process: init.process,
            files: init.files,
            fs_context: init.fs_context,
            signals: const { ThreadSignals::new() },
            clear_child_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            vfork: const { VforkCompletion::new() },
            name: Mutex::new(init.name),
            kept_deadline: AtomicU64::new(0),
            start: Mutex::new(Some(init.start)),
            has_forked: AtomicBool::new(false),
            transfers: Transfers::default(),
            minor_faults: AtomicU64::new(0),
            start_ticks: platform::timer::ticks(),
            fail_nth: AtomicU32::new(0),
        })?;
        thread.signals.inherit(init.signals);
        Ok(thread)
    }

    /// Makes a system call, in which the allocation that is to be refused is (builds with checks only).
    #[inline]
    pub fn with_injected_fault<R>(&self, call: impl FnOnce() -> R) -> R {
        let nth = self.fail_nth.load(Ordering::Relaxed);
        if !fault_injection::IS_THERE || nth == 0 || nth & (IN_FAULTS | LATE_PAGE | LOST_PAGE) != 0 {
            return call();
        }
        fault_injection::arm(nth);
        let result = call();
        self.note_left(nth, fault_injection::arm(0));
        result
    }

    /// Serves a page fault, its own or one of its system call, in which the allocation that is to be refused is if faults were
    /// meant (builds with checks only). What was meant for the call counts nothing meanwhile.
    #[inline]
    fn with_injected_shortage<R>(&self, serve: impl FnOnce() -> R) -> R {
        if !fault_injection::IS_THERE {
            return serve();
        }
        let nth = self.fail_nth.load(Ordering::Relaxed);
        let is_meant = nth & IN_FAULTS != 0;
        let of_call = fault_injection::arm(if is_meant { nth & !IN_FAULTS } else { 0 });
        let result = serve();
        let left = fault_injection::arm(of_call);
        if is_meant {
            self.note_left(nth, if left == 0 { 0 } else { left | IN_FAULTS });
        }
        result
    }

    /// So much is left of `nth`, unless another was set meanwhile.
    fn note_left(&self, nth: u32, left: u32) {
        let _unchanged = self
            .fail_nth
            .compare_exchange(nth, left, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The thread's id; that of its process for the first thread.
    #[inline]
    pub fn tid(&self) -> Pid {
        self.tid.load(Ordering::Relaxed)
    }

    /// Becomes the first thread of its process: exec. It is the only one left.
    pub fn become_first(&self) {
        self.tid.store(self.process.pid, Ordering::Relaxed);
    }

    /// Whether it is the first thread of its process.
    #[inline]
    pub fn is_first(&self) -> bool {
        self.tid() == self.process.pid
    }

    /// The name (`comm`).
    pub fn name(&self) -> Comm {
        if self.is_first() {
            self.process.name()
        } else {
            *self.name.lock()
        }
    }

    /// Sets the name.
    pub fn set_name(&self, name: Comm) {
        if self.is_first() {
            self.process.set_name(name);
        } else {
            *self.name.lock() = name;
        }
    }

    /// When it began, in ticks.
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// Whether it may have children of its own: it forked, or inherited them from a thread that ended.
    pub fn has_forked(&self) -> bool {
        self.has_forked.load(Ordering::Relaxed)
    }

    /// From now on it may.
    pub fn note_fork(&self) {
        self.has_forked.store(true, Ordering::Relaxed);
    }

    /// Where the thread begins; once.
    pub fn take_start(&self) -> Box<UserContext> {
        self.start.lock().take().expect("a thread begins once")
    }

    /// Forgets its list of robust futexes; the list. If the thread is ending, it gets no lock any more.
    pub fn leave_futexes(&self) -> u64 {
        let left = if self.is_ending() { LEFT } else { 0 };
        // Before it is looked whether it has locks that others wait for: see `has_left_futexes`.
        self.robust_list.swap(left, Ordering::SeqCst)
    }

    /// Whether it ended as far as futexes are concerned. Asked by who has noted that it waits for one of its locks.
    pub fn has_left_futexes(&self) -> bool {
        self.robust_list.load(Ordering::SeqCst) == LEFT && self.is_ending()
    }

    /// Keeps the point in time at which an interrupted call was to end, for the case that the call is made again: it must
    /// not wait its whole time anew (`restart_syscall` in signal(7)).
    pub fn keep_deadline(&self, ticks: u64) {
        self.kept_deadline.store(ticks.max(1), Ordering::Relaxed);
    }

    /// The deadline kept by the call that is being made again, or the given one. Forgets it.
    pub fn resume_deadline(&self, fresh: u64) -> u64 {
        match self.kept_deadline.swap(0, Ordering::Relaxed) {
            0 => fresh,
            kept => kept,
        }
    }

    /// Forgets a kept deadline: a handler runs, the call will not be made again by the kernel.
    pub fn forget_deadline(&self) {
        self.kept_deadline.store(0, Ordering::Relaxed);
    }

    /// Counts a fault that was served, for the running thread.
    #[inline]
    fn count_minor_fault(&self) {
        let faults = self.minor_faults.load(Ordering::Relaxed) + 1;
        self.minor_faults.store(faults, Ordering::Relaxed);
    }

    /// Faults that were served.
    pub fn minor_faults(&self) -> u64 {
        self.minor_faults.load(Ordering::Relaxed)
    }
}
