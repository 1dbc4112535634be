//! One processor's part of the scheduler: its run queue, what it runs, and its counters.

use crate::process::Space;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use platform::cpu::{MAX_CPUS, PerCpu};
use platform::thread::KernelThread;
use platform::timer;
use spin::Once;

/// What [`Cpu::turn_end`] says while no thread runs.
pub(super) const NO_TURN: u64 = u64::MAX;
/// A turn that is over whether somebody waits or not: the thread must leave this processor.
pub(super) const LEAVE_NOW: u64 = 0;

/// One processor. Aligned so that no two share a cache line.
#[repr(align(128))]
pub(super) struct Cpu {
    /// The stack of the loop.
    own: Once<KernelThread>,
    /// [`TURN_NANOS`](super::TURN_NANOS) in ticks.
    turn_ticks: AtomicU64,
    /// The thread that runs. Written by this processor.
    current: Mutex<Option<Running>>,
    queue: Mutex<VecDeque<Arc<Thread>>, { rank::RUN_QUEUE }>,
    /// The length of the queue, to be read without its lock.
    waiting: AtomicUsize,
    /// The space in TTBR0; it cannot be released before the processor leaves it. None while the processor idles. Written by
    /// this processor.
    space: Mutex<Option<Arc<Space>>>,
    /// Its address, or 0, for this processor to read without the lock.
    space_at: AtomicUsize,
    /// When an idle processor is called to take the thread that waits; `u64::MAX` for never. The thread may have got its turn
    /// meanwhile.
    patience_end: AtomicU64,
    /// When the turn of the running thread ends.
    pub(super) turn_end: AtomicU64,
    /// The alarm that is set; `u64::MAX` for none.
    pub(super) alarm: AtomicU64,
    pub(super) counters: Counters,
}

struct Running {
    thread: Arc<Thread>,
    /// When it was switched to, and its ticks at EL0 then.
    since: u64,
    user_before: u64,
}

/// What a processor did since it was started. Written by the processor itself only.
#[derive(Default)]
pub(super) struct Counters {
    /// Ticks at EL0, and in all, of threads that have left the processor again.
    user: AtomicU64,
    busy: AtomicU64,
    pub(super) switches: Counter,
    /// Threads taken from the queues of others.
    pub(super) steals: Counter,
    /// Interrupts that other processors sent, and that were sent to others.
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) timer: Counter,
    pub(super) console: Counter,
    pub(super) unknown: Counter,
}

/// A count that one processor writes.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// One more. What the processor did before is seen by whoever reads this count.
    #[inline]
    pub(super) fn add_one(&self) {
        let next = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(next, Ordering::Release);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// All processors, by number.
pub(super) static CPUS: PerCpu<Cpu> = PerCpu::new([const { Cpu::new() }; MAX_CPUS]);

impl Cpu {
    const fn new() -> Cpu {
        Cpu {
            own: Once::new(),
            turn_ticks: AtomicU64::new(0),
            current: Mutex::new(None),
            queue: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
            space: Mutex::new(None),
            space_at: AtomicUsize::new(0),
            patience_end: AtomicU64::new(u64::MAX),
            turn_end: AtomicU64::new(NO_TURN),
            alarm: AtomicU64::new(u64::MAX),
            counters: Counters {
                user: AtomicU64::new(0),
                busy: AtomicU64::new(0),
                switches: Counter::new(),
                steals: Counter::new(),
                received: Counter::new(),
                sent: Counter::new(),
                timer: Counter::new(),
                console: Counter::new(),
                unknown: Counter::new(),
            },
        }
    }

    /// Makes the running stack the one of this processor's loop.
    pub(super) fn adopt_stack(&self) {
        self.own.call_once(KernelThread::adopt);
        let ticks = timer::nanos_to_ticks(super::TURN_NANOS);
        self.turn_ticks.store(ticks, Ordering::Relaxed);
    }

    /// How long a turn is.
    #[inline]
    pub(super) fn turn_ticks(&self) -> u64 {
        self.turn_ticks.load(Ordering::Relaxed)
    }

    pub(super) fn own(&self) -> &KernelThread {
        self.own
            .get()
            .expect("scheduler::run() adopted the stack it runs on")
    }

    pub(super) fn current(&self) -> Option<Arc<Thread>> {
        self.current.lock().as_ref().map(|running| running.thread.clone())
    }

    /// Gives a new thread what it inherits from the one that runs here, if one does.
    pub(super) fn bequeath(&self, thread: &Thread) {
        if let Some(running) = self.current.lock().as_ref() {
            thread.scheduling.inherit(&running.thread.scheduling);
        }
    }

    /// How many threads wait for this processor.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether a thread runs here. Asked by the processor itself.
    #[inline]
    pub(super) fn has_turn(&self) -> bool {
        self.turn_end.load(Ordering::Relaxed) != NO_TURN
    }

    /// The thread that waits is to be given away at `tick`.
    pub(super) fn be_patient_until(&self, tick: u64) {
        self.patience_end.store(tick, Ordering::Relaxed);
    }

    /// When something is due that concerns those who wait: the end of the turn, or of the patience; `u64::MAX` for never.
    #[inline]
    pub(super) fn next_change(&self) -> u64 {
        let turn_end = self.turn_end.load(Ordering::Relaxed);
        if self.waiting() > 0 {
            turn_end.min(self.patience_end.load(Ordering::Relaxed))
        } else if turn_end == LEAVE_NOW {
            LEAVE_NOW
        } else {
            u64::MAX
        }
    }

    /// Whether those who wait have waited long enough. If so, it is not said again.
    pub(super) fn has_lost_patience(&self, now: u64) -> bool {
        let has_lost = self.waiting() > 0 && now >= self.patience_end.load(Ordering::Relaxed);
        if has_lost {
            self.patience_end.store(u64::MAX, Ordering::Relaxed);
        }
        has_lost
    }

    /// Puts a thread at the end of the queue; whether nobody waited before.
    pub(super) fn push(&self, thread: Arc<Thread>) -> bool {
        let mut queue = self.queue.lock();
        queue.push_back(thread);
        self.waiting.store(queue.len(), Ordering::Relaxed);
        queue.len() == 1
    }

    /// Takes the thread that has waited longest.
    #[inline]
    pub(super) fn pop(&self) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let first = queue.pop_front();
        self.waiting.store(queue.len(), Ordering::Relaxed);
        first
    }

    /// The processors that some thread of the queue may run on.
    pub(super) fn allowed_to_waiting(&self) -> u64 {
        let queue = self.queue.lock();
        queue
            .iter()
            .fold(0, |set, thread| set | thread.scheduling.allowed())
    }

    /// Takes the thread that has waited longest of those that may run on `processor`.
    pub(super) fn give_to(&self, processor: usize) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let at = queue
            .iter()
            .position(|thread| thread.scheduling.may_run_on(processor))?;
        let taken = queue.remove(at);
        self.waiting.store(queue.len(), Ordering::Relaxed);
        taken
    }

    /// `thread` is about to run here, from `now` on.
    pub(super) fn note_begin(&self, thread: &Arc<Thread>, now: u64) {
        let running = Running {
            thread: thread.clone(),
            since: now,
            user_before: thread.scheduling.user_ticks(),
        };
        *self.current.lock() = Some(running);
        self.counters.switches.add_one();
    }

    /// The thread that ran here has left.
    pub(super) fn note_end(&self, now: u64) {
        let mut current = self.current.lock();
        let ended = current.take();
        if let Some(running) = &ended {
            let (user, busy) = running.used(now);
            self.counters.add_time(user, busy);
        }
        drop(current);
        drop(ended);
    }

    /// Whether `thread` runs here.
    pub(super) fn runs(&self, thread: &Thread) -> bool {
        let current = self.current.lock();
        current
            .as_ref()
            .is_some_and(|running| core::ptr::eq(&*running.thread, thread))
    }

    /// Ends the turn of whoever runs here, on behalf of another processor. Nothing happens while nobody has one.
    pub(super) fn forbid_turn(&self) {
        let forbid = |turn_end| (turn_end != NO_TURN).then_some(LEAVE_NOW);
        // Between turns: whoever gets the next one is looked at then.
        let _ = self
            .turn_end
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, forbid);
    }

    /// No thread has a turn: it ended.
    #[inline]
    pub(super) fn end_turn(&self) {
        self.turn_end.store(NO_TURN, Ordering::Relaxed);
    }

    /// Ticks that threads spent here at EL0 and in the kernel, up to now.
    pub(super) fn ticks(&self) -> (u64, u64) {
        let current = self.current.lock();
        let now = timer::ticks();
        let running = current.as_ref().map_or((0, 0), |running| running.used(now));
        let user = self.counters.user.load(Ordering::Relaxed) + running.0;
        let busy = self.counters.busy.load(Ordering::Relaxed) + running.1;
        (user, busy.saturating_sub(user))
    }

    /// Whether this processor, which asks, has a space in TTBR0.
    #[inline]
    pub(super) fn is_in_any(&self) -> bool {
        self.space_at.load(Ordering::Relaxed) != 0
    }

    /// Whether this processor, which asks, has `space` in TTBR0.
    #[inline]
    pub(super) fn is_in(&self, space: &Arc<Space>) -> bool {
        self.space_at.load(Ordering::Relaxed) == Arc::as_ptr(space).addr()
    }

    /// As [`Cpu::is_in`], for other processors to ask.
    pub(super) fn holds(&self, space: &Arc<Space>) -> bool {
        let held = self.space.lock();
        held.as_ref().is_some_and(|held| Arc::ptr_eq(held, space))
    }

    /// `space` was put into TTBR0. What was there is let go.
    #[inline]
    pub(super) fn enter(&self, space: Arc<Space>) {
        self.space_at.store(Arc::as_ptr(&space).addr(), Ordering::Relaxed);
        let previous = self.space.lock().replace(space);
        drop(previous);
    }

    /// The empty table was put into TTBR0. What was there is let go.
    pub(super) fn leave(&self) {
        self.space_at.store(0, Ordering::Relaxed);
        let previous = self.space.lock().take();
        drop(previous);
    }
}

impl Running {
    /// Ticks at EL0 and in all since the thread was switched to.
    fn used(&self, now: u64) -> (u64, u64) {
        let user = self.thread.scheduling.user_ticks();
        (user.wrapping_sub(self.user_before), now.wrapping_sub(self.since))
    }
}

impl Counters {
    /// Under the lock of `Cpu::current`.
    fn add_time(&self, user: u64, busy: u64) {
        for (count, ticks) in [(&self.user, user), (&self.busy, busy)] {
            let sum = count.load(Ordering::Relaxed).wrapping_add(ticks);
            count.store(sum, Ordering::Relaxed);
        }
    }
}
