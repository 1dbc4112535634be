//! A thread as the scheduler knows it: a kernel stack, the registers of its program, a state. Whose flow of control it is stands
//! above; what the scheduler asks of that is in [`Owner`].

use crate::sched::scheduler::{Scheduling, State};
use crate::sched::space::Space;
use crate::sched::time::TimerPlace;
use crate::thread::Thread;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use lock::Mutex;
use mm::{Access, NoMemory, Outcome, VirtAddr};
use platform::ordered::Link;
use platform::thread::KernelThread;
use platform::user::UserRegisters;

/// All that the scheduler, wait queues and timers ask of what a thread runs for.
pub trait Owner {
    /// The memory that it runs in; `None` for none (any more).
    fn address_space(&self) -> Option<Arc<Space>>;

    /// Whether a sleep that may be interrupted ends though what it waits for has not come. Asked by the thread itself.
    fn is_interrupted(&self) -> bool;

    /// Whether anything may become due at the processor time that the owner's threads use.
    fn is_watched(&self) -> bool;

    /// Does what is due at that time; nanoseconds of it until that is to be asked again. Called by the thread itself, with no lock
    /// held.
    fn look_at_processor_time(&self) -> u64;

    /// Takes a fault of the thread, which runs, to the heart, and counts it if that resolves it. `None`: it has no memory (any more).
    fn serve_fault(&self, address: VirtAddr, access: Access) -> Option<Outcome>;

    /// Whether a stack has grown to hold the address, as far as the owner may have it grow now. `None`: it has no memory (any more).
    fn grow_stack(&self, address: VirtAddr) -> Option<Result<bool, NoMemory>>;
}

/// What the scheduler keeps of one thread.
pub struct ThreadCore {
    /// Kernel stack and, while the thread does not run, its saved registers.
    pub(super) kernel: KernelThread,
    /// FP, SIMD and thread-pointer registers of EL0 while the thread does not run.
    pub registers: Mutex<Box<UserRegisters>>,
    /// Where it may run, and the processor time it used.
    pub scheduling: Scheduling,
    /// Its place in a run queue where several wait.
    pub(super) queue_link: Link<Thread>,
    /// Where it stands while it is to be woken at a point in time.
    pub(super) alarm_place: TimerPlace,
    state: AtomicU8,
    /// Somebody wanted to wake it while it ran: see [`ThreadCore::has_missed_wakeup`].
    missed_wakeup: AtomicBool,
    has_pending_work: AtomicBool,
    is_ending: AtomicBool,
}

impl ThreadCore {
    /// That of a thread that nobody knows yet. To be made where it stays: always inlined.
    #[inline(always)]
    pub fn new(kernel: KernelThread, registers: Box<UserRegisters>) -> ThreadCore {
        ThreadCore {
            kernel,
            registers: Mutex::new(registers),
            scheduling: Scheduling::default(),
            queue_link: Link::new(),
            alarm_place: const { TimerPlace::new() },
            state: AtomicU8::new(State::Running as u8),
            missed_wakeup: AtomicBool::new(false),
            has_pending_work: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
        }
    }

    /// Whether the thread is to end, or has: it does so before it next returns to EL0.
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Tells the thread to end. Somebody else alerts it (`scheduler::alert`).
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        self.set_pending_work();
    }

    /// Asks the thread to look at its signals (and whether to end) before it next returns to EL0.
    pub fn set_pending_work(&self) {
        self.has_pending_work.store(true, Ordering::Release);
    }

    /// Whether there is something to look at before the return to EL0.
    #[inline]
    pub fn has_pending_work(&self) -> bool {
        self.has_pending_work.load(Ordering::Acquire)
    }

    /// Begins looking: whatever comes from now on calls again, and what called before is seen by what follows.
    pub fn take_pending_work(&self) {
        self.has_pending_work.swap(false, Ordering::Acquire);
    }

    /// Says that the thread is about to sleep: from now on a wake-up is noted. What a waker did before it is seen by what the
    /// thread does after this, or the wake-up is noted (`scheduler`).
    pub fn prepare_to_sleep(&self) {
        self.state.store(State::Sleeping as u8, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Whether somebody wanted to wake the thread while it ran, since [`ThreadCore::forget_missed_wakeup`]. To be asked after
    /// [`ThreadCore::prepare_to_sleep`]: who comes later finds the thread asleep.
    pub fn has_missed_wakeup(&self) -> bool {
        self.missed_wakeup.load(Ordering::Acquire)
    }

    /// Begins anew. What was done by those who are forgotten is seen by what the thread does next.
    pub fn forget_missed_wakeup(&self) {
        self.missed_wakeup.swap(false, Ordering::AcqRel);
    }

    /// Notes a wake-up that found the thread running. Whoever notes it looks at the state once more.
    pub fn miss_wakeup(&self) {
        self.missed_wakeup.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// The thread is awake, whether it slept or not.
    pub fn end_sleep(&self) {
        self.state.store(State::Running as u8, Ordering::Relaxed);
    }

    /// The thread is over: the next switch away from it is the last.
    pub fn die(&self) {
        self.state.store(State::Dead as u8, Ordering::Release);
    }

    /// The scheduler's state.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Running,
            1 => State::Sleeping,
            2 => State::Asleep,
            _ => State::Dead,
        }
    }

    /// Goes from one state to another if the thread is in the first; whether it was.
    pub fn change_state(&self, from: State, to: State) -> bool {
        self.state
            .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Ticks spent at EL0 and in the kernel, up to now.
    pub fn ticks(&self) -> (u64, u64) {
        self.scheduling.ticks()
    }
}
