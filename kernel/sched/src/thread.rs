//! A thread as the scheduler knows it: a kernel stack, on which the registers of its program lie while it does not run, a state. Whose flow of control it is stands
//! above; what the scheduler asks of that is in [`Owner`].

use crate::scheduler::{Scheduling, State};
use crate::space::Space;
use crate::time::TimerPlace;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use memory::fallible;
use mm::{Access, NoMemory, Outcome, VirtAddr};
use platform::ordered::Link;
use platform::owned::{LinkedCore, Owned, Sole};
use platform::thread::KernelThread;

/// Bytes for what stands above to keep of a thread.
const OWNER_ROOM: usize = 512;

/// A thread: what the scheduler keeps of it, and what its [`Owner`] does.
pub type Thread = Owned<ThreadCore, OWNER_ROOM>;

/// What stands above keeps this of a thread. All that the scheduler, wait queues and timers ask of it.
pub trait Owner: HasMemory + Sole {
    /// The memory that the thread runs in. The processor that asks is in the space with the identity `entered`, or in none: 0.
    fn next_space(&self, entered: usize) -> NextSpace;

    /// Whether a sleep of `thread`, which it is of, ends though what it waits for has not come. Asked by the thread itself, and
    /// only while it is asked to look at what pends (`ThreadCore::set_pending_work`): whoever gives a reason does that behind it.
    fn is_interrupted(&self, thread: &Thread) -> bool;

    /// Whether `thread`, which is told to end, has begun to. Then it sleeps for what its end has to wait for.
    fn has_begun_to_end(&self, thread: &Thread) -> bool;

    /// Does what is due at the processor time that the owner's threads have used; nanoseconds of it until that is to be asked
    /// again, if anything may become due. Called by the thread itself, with no lock held. See [`super::scheduler::watch`].
    fn look_at_processor_time(&self) -> Option<u64>;
}

/// What knows the memory that a thread runs in.
pub trait HasMemory {
    /// That memory; `None` for none (any more).
    fn address_space(&self) -> Option<Arc<Space>>;

    /// Takes a fault of `thread`, which runs and which this is of, to the heart, and counts it if that resolves it. `None`: it has no
    /// memory (any more).
    fn serve_fault(&self, thread: &Thread, address: VirtAddr, access: Access) -> Option<Outcome>;

    /// Whether a stack has grown to hold the address, as far as the owner may have it grow now. `None`: it has no memory (any more).
    fn grow_stack(&self, thread: &Thread, address: VirtAddr) -> Option<Result<bool, NoMemory>>;
}

/// Asks the owner, for those who do not know its type.
impl HasMemory for Thread {
    fn address_space(&self) -> Option<Arc<Space>> {
        (self.answers.address_space)(self)
    }

    fn serve_fault(&self, thread: &Thread, address: VirtAddr, access: Access) -> Option<Outcome> {
        (self.answers.serve_fault)(thread, address, access)
    }

    fn grow_stack(&self, thread: &Thread, address: VirtAddr) -> Option<Result<bool, NoMemory>> {
        (self.answers.grow_stack)(thread, address)
    }
}

/// The memory that a thread runs in, for a processor that is in some.
pub enum NextSpace {
    /// The one that the processor is in.
    Same,
    /// Another.
    Other(Arc<Space>),
    /// None (any more).
    Nowhere,
}

/// The answers of the owner's type: the scheduler does not know it.
struct Answers {
    next_space: fn(&Thread, usize) -> NextSpace,
    address_space: fn(&Thread) -> Option<Arc<Space>>,
    serve_fault: fn(&Thread, VirtAddr, Access) -> Option<Outcome>,
    grow_stack: fn(&Thread, VirtAddr) -> Option<Result<bool, NoMemory>>,
    is_interrupted: fn(&Thread) -> bool,
    has_begun_to_end: fn(&Thread) -> bool,
    look_at_processor_time: fn(&Thread) -> Option<u64>,
}

impl Answers {
    const fn of<O: Owner>() -> &'static Answers {
        const {
            &Answers {
                next_space: |thread, entered| thread.owner::<O>().next_space(entered),
                address_space: |thread| thread.owner::<O>().address_space(),
                serve_fault: |thread, address, access| {
                    thread.owner::<O>().serve_fault(thread, address, access)
                },
                grow_stack: |thread, address| thread.owner::<O>().grow_stack(thread, address),
                is_interrupted: |thread| thread.owner::<O>().is_interrupted(thread),
                has_begun_to_end: |thread| thread.owner::<O>().has_begun_to_end(thread),
                look_at_processor_time: |thread| thread.owner::<O>().look_at_processor_time(),
            }
        }
    }
}

/// Makes a thread that nobody knows yet. Always inlined, and `owner` is to be, for it to be made where it stays.
///
/// # Errors
/// `ENOMEM`.
#[inline(always)]
pub fn create<O: Owner>(kernel: KernelThread, owner: impl FnOnce() -> O) -> Result<Arc<Thread>, Errno> {
    let place = fallible::arc_place::<Thread>()?;
    let core = || ThreadCore::new(kernel, Answers::of::<O>());
    Ok(Owned::create(place, core, owner))
}

/// [`Owner::next_space`] of the thread's owner.
#[inline]
pub(super) fn next_space(thread: &Thread, entered: usize) -> NextSpace {
    (thread.answers.next_space)(thread, entered)
}

/// [`Owner::is_interrupted`] of the thread's owner.
#[inline]
pub(super) fn is_interrupted(thread: &Thread) -> bool {
    thread.has_pending_work() && (thread.answers.is_interrupted)(thread)
}

/// [`Owner::has_begun_to_end`] of the thread's owner.
pub(super) fn has_begun_to_end(thread: &Thread) -> bool {
    (thread.answers.has_begun_to_end)(thread)
}

/// [`Owner::look_at_processor_time`] of the thread's owner.
pub(super) fn look_at_processor_time(thread: &Thread) -> Option<u64> {
    (thread.answers.look_at_processor_time)(thread)
}

/// What the scheduler keeps of one thread.
pub struct ThreadCore {
    /// Kernel stack and, while the thread does not run, its saved registers.
    pub(super) kernel: KernelThread,
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
    /// Whether it may be in a sequence that is to begin anew (rseq(2)), and whether it lost its turn in one, or moved.
    is_restartable: AtomicBool,
    has_new_turn: AtomicBool,
    /// What it noted for who traces it: see [`ThreadCore::note`].
    noted: [AtomicU64; 2],
    /// Faults that were served. Written by the thread itself.
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
    /// Which of the next allocations in its system calls, or with [`super::fail_nth::IN_FAULTS`] in its page faults, is refused:
    /// /proc/PID/fail-nth.
    pub fail_nth: AtomicU32,
    /// The refusals of RAM that it has looked at: see [`super::shortage`].
    pub(super) seen_refusals: AtomicU64,
    /// What its owner answers.
    answers: &'static Answers,
}

impl LinkedCore<OWNER_ROOM> for ThreadCore {
    fn link(&self) -> &Link<Thread> {
        &self.queue_link
    }
}

impl ThreadCore {
    #[inline(always)]
    fn new(kernel: KernelThread, answers: &'static Answers) -> ThreadCore {
        ThreadCore {
            kernel,
            scheduling: Scheduling::default(),
            queue_link: Link::new(),
            alarm_place: const { TimerPlace::new() },
            state: AtomicU8::new(State::Running as u8),
            missed_wakeup: AtomicBool::new(false),
            has_pending_work: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            is_restartable: AtomicBool::new(false),
            has_new_turn: AtomicBool::new(false),
            noted: [const { AtomicU64::new(0) }; 2],
            minor_faults: AtomicU64::new(0),
            major_faults: AtomicU64::new(0),
            fail_nth: AtomicU32::new(0),
            seen_refusals: AtomicU64::new(0),
            answers,
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

    /// Whether there is something to look at before the return to EL0. What, is seen behind [`ThreadCore::take_pending_work`].
    #[inline]
    pub fn has_pending_work(&self) -> bool {
        self.has_pending_work.load(Ordering::Relaxed)
    }

    /// Begins looking: whatever comes from now on calls again, and what called before is seen by what follows.
    pub fn take_pending_work(&self) {
        self.has_pending_work.swap(false, Ordering::Acquire);
    }

    /// Whether it wants to know of new turns: rseq(2).
    #[inline]
    pub fn is_restartable(&self) -> bool {
        self.is_restartable.load(Ordering::Relaxed)
    }

    /// From now on it does. Said by the thread itself, or before it runs.
    pub fn begin_restartable(&self) {
        self.is_restartable.store(true, Ordering::Relaxed);
    }

    /// From now on it does not.
    pub fn end_restartable(&self) {
        self.is_restartable.store(false, Ordering::Relaxed);
        self.take_new_turn();
    }

    /// Whether somebody traces it: then it has pending work before each return to EL0, and its turns are observed.
    #[inline]
    pub fn is_traced(&self) -> bool {
        self.scheduling.is_observed()
    }

    /// It is traced from now on. What it came for before is not told.
    pub fn begin_traced(&self) {
        if !self.is_traced() {
            self.noted[0].store(0, Ordering::Relaxed);
        }
        self.scheduling.begin_observed();
        self.set_pending_work();
    }

    /// It is traced no longer.
    pub fn end_traced(&self) {
        self.scheduling.end_observed();
    }

    /// What it came to the kernel for, by a word that is not 0 and an address or argument: who traces it looks at that before it returns
    /// to EL0 ([`ThreadCore::take_note`]). Two stores, for the way is short. Said by the thread itself.
    #[inline(always)]
    pub fn note(&self, what: u64, about: u64) {
        self.noted[0].store(what, Ordering::Relaxed);
        self.noted[1].store(about, Ordering::Relaxed);
    }

    /// What it noted since it was last asked; the word is 0 if it noted nothing.
    pub fn take_note(&self) -> [u64; 2] {
        let what = self.noted[0].swap(0, Ordering::Relaxed);
        [what, self.noted[1].load(Ordering::Relaxed)]
    }

    /// The thread is on another processor from now on, or others may run in the middle of its program: not in one of its calls, for
    /// there is none in a sequence that is to begin anew. Costs a look where nobody wants to know.
    #[inline]
    pub fn note_new_turn(&self) {
        if self.is_restartable() {
            self.has_new_turn.store(true, Ordering::Relaxed);
            self.set_pending_work();
        }
    }

    /// Whether that was so since [`ThreadCore::take_new_turn`].
    pub fn has_new_turn(&self) -> bool {
        self.has_new_turn.load(Ordering::Relaxed)
    }

    /// The thread itself begins to look.
    pub fn take_new_turn(&self) {
        self.has_new_turn.store(false, Ordering::Relaxed);
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

    /// Counts a fault that was served, for the running thread.
    #[inline]
    pub fn count_minor_fault(&self) {
        let faults = self.minor_faults.load(Ordering::Relaxed) + 1;
        self.minor_faults.store(faults, Ordering::Relaxed);
    }

    /// The fault of the running thread that was counted last had to wait for its page: it is a major one.
    pub fn count_major_fault(&self) {
        let faults = self.minor_faults.load(Ordering::Relaxed).saturating_sub(1);
        self.minor_faults.store(faults, Ordering::Relaxed);
        let faults = self.major_faults.load(Ordering::Relaxed) + 1;
        self.major_faults.store(faults, Ordering::Relaxed);
    }

    /// Faults that had to wait for their page.
    pub fn major_faults(&self) -> u64 {
        self.major_faults.load(Ordering::Relaxed)
    }

    /// Faults that were served at once.
    pub fn minor_faults(&self) -> u64 {
        self.minor_faults.load(Ordering::Relaxed)
    }

    /// Ticks spent at EL0 and in the kernel, up to now.
    pub fn ticks(&self) -> (u64, u64) {
        self.scheduling.ticks()
    }
}
