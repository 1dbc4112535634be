//! One processor's part of the scheduler: its run queue, what it runs, and its counters.

use super::account::Scheduling;
use super::counters::Counters;
use super::queue::{NEVER, Queue};
use super::share::{Arrival, Share};
use crate::process::Space;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use platform::cpu::{MAX_CPUS, PerCpu};
use platform::thread::KernelThread;
use platform::timer;
use spin::Once;

/// What [`Cpu::turn_end`] says while no thread runs.
pub(super) const NO_TURN: u64 = u64::MAX;
/// A turn that is over whether somebody waits or not: the thread must leave this processor.
pub(super) const LEAVE_NOW: u64 = 0;

/// As many threads can wait before a queue grows.
const ROOM: usize = 256;

/// One processor. Aligned so that no two share a cache line.
#[repr(align(128))]
pub(super) struct Cpu {
    /// The stack of the loop.
    own: Once<KernelThread>,
    /// The thread that runs. Written by this processor.
    current: Mutex<Option<Running>>,
    queue: Mutex<Queue, { rank::RUN_QUEUE }>,
    /// The length of the queue, and when the first in it is due, to be read without its lock.
    waiting: AtomicUsize,
    first_due: AtomicI64,
    pub(super) share: Share,
    /// The thread that runs lets others go first. Written by this processor.
    is_yielding: AtomicBool,
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
    /// When it is looked at the processor time of the running thread's process; `u64::MAX` for never.
    look_at: AtomicU64,
    /// The alarm that is set; `u64::MAX` for none.
    alarm: AtomicU64,
    pub(super) counters: Counters,
}

/// Where a thread came to stand in a queue.
pub(super) struct Place {
    /// When it is due.
    due: i64,
    /// Nobody waited before.
    pub(super) is_alone: bool,
    /// It is due before all others.
    pub(super) is_first: bool,
}

struct Running {
    thread: Arc<Thread>,
    /// When it was switched to, and its ticks at EL0 then.
    since: u64,
    user_before: u64,
}

/// All processors, by number.
pub(super) static CPUS: PerCpu<Cpu> = PerCpu::new([const { Cpu::new() }; MAX_CPUS]);

impl Cpu {
    const fn new() -> Cpu {
        Cpu {
            own: Once::new(),
            current: Mutex::new(None),
            queue: Mutex::new(Queue::new()),
            waiting: AtomicUsize::new(0),
            first_due: AtomicI64::new(NEVER),
            share: Share::new(),
            is_yielding: AtomicBool::new(false),
            space: Mutex::new(None),
            space_at: AtomicUsize::new(0),
            patience_end: AtomicU64::new(u64::MAX),
            turn_end: AtomicU64::new(NO_TURN),
            look_at: AtomicU64::new(u64::MAX),
            alarm: AtomicU64::new(u64::MAX),
            counters: Counters::new(),
        }
    }

    /// Makes the running stack the one of this processor's loop.
    pub(super) fn adopt_stack(&self) {
        self.own.call_once(KernelThread::adopt);
        self.share.set_up();
        self.queue.lock().make_room(ROOM);
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
            self.share.halve(&thread.scheduling, timer::ticks_unordered());
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

    /// When something is due that concerns those who wait, the end of the turn or of the patience, or the processor time of the
    /// thread that runs; `u64::MAX` for never.
    #[inline]
    pub(super) fn next_change(&self) -> u64 {
        let turn_end = self.turn_end.load(Ordering::Relaxed);
        let look_at = self.look_at.load(Ordering::Relaxed);
        if self.waiting() > 0 {
            turn_end
                .min(self.patience_end.load(Ordering::Relaxed))
                .min(look_at)
        } else if turn_end == LEAVE_NOW {
            LEAVE_NOW
        } else {
            look_at
        }
    }

    /// It is looked at the processor time of the running thread's process at `tick`.
    pub(super) fn look_at(&self, tick: u64) {
        self.look_at.store(tick, Ordering::Relaxed);
    }

    /// Whether that time has come.
    pub(super) fn is_to_look(&self, now: u64) -> bool {
        now >= self.look_at.load(Ordering::Relaxed)
    }

    /// Sets the alarm for `at` unless it rings before. One that is set for an earlier moment is left to ring for nothing: two
    /// threads that wake each other in turns would set and clear it all the time.
    #[inline]
    pub(super) fn ring_at(&self, at: u64) {
        if at < self.alarm.load(Ordering::Relaxed) {
            self.alarm.store(at, Ordering::Relaxed);
            timer::set_alarm(at);
        }
    }

    /// The alarm has rung.
    pub(super) fn note_ringing(&self) {
        self.alarm.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether those who wait have waited long enough. If so, it is not said again.
    pub(super) fn has_lost_patience(&self, now: u64) -> bool {
        let has_lost = self.waiting() > 0 && now >= self.patience_end.load(Ordering::Relaxed);
        if has_lost {
            self.patience_end.store(u64::MAX, Ordering::Relaxed);
        }
        has_lost
    }

    /// When the first of those who wait is due.
    #[inline]
    fn first_due(&self) -> i64 {
        self.first_due.load(Ordering::Relaxed)
    }

    /// Puts a thread into the queue.
    #[inline]
    pub(super) fn push(&self, thread: Arc<Thread>, arrival: Arrival) -> Place {
        let mut queue = self.queue.lock();
        let due = self.share.due(&thread.scheduling, arrival);
        let first_due = queue.first_due();
        queue.push(thread, due);
        self.publish(&queue);
        Place {
            due,
            is_alone: first_due == NEVER,
            is_first: due < first_due,
        }
    }

    /// Takes the thread that is due first.
    #[inline]
    pub(super) fn pop(&self) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let first = queue.pop();
        self.publish(&queue);
        first
    }

    #[inline]
    fn publish(&self, queue: &Queue) {
        self.waiting.store(queue.len(), Ordering::Relaxed);
        self.first_due.store(queue.first_due(), Ordering::Relaxed);
    }

    /// The processors that some thread of the queue may run on.
    pub(super) fn allowed_to_waiting(&self) -> u64 {
        let queue = self.queue.lock();
        queue
            .threads()
            .fold(0, |set, thread| set | thread.scheduling.allowed())
    }

    /// Takes the thread that is due first of those that may run on `processor`.
    pub(super) fn give_to(&self, processor: usize) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let taken = queue.take(|thread| thread.scheduling.may_run_on(processor));
        self.publish(&queue);
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

    /// `thread` has a turn from `now` on.
    #[inline]
    pub(super) fn begin_turn(&self, thread: &Scheduling, now: u64) {
        self.share.begin(thread, now);
        self.be_patient_until(u64::MAX);
        let end = if self.waiting() > 0 {
            self.share.turn_end(now, self.first_due())
        } else {
            now + self.share.turn()
        };
        self.turn_end.store(end, Ordering::Relaxed);
    }

    /// A thread came to wait while another runs: that one's turn may end sooner, though not before `least`. Whether it is over.
    #[inline]
    pub(super) fn heed(&self, place: &Place, least: u64) -> bool {
        let end = self.share.tick_of(place.due).max(least);
        if place.is_alone || end < self.turn_end.load(Ordering::Relaxed) {
            self.turn_end.store(end, Ordering::Relaxed);
            self.ring_at(end.min(self.patience_end.load(Ordering::Relaxed)));
            return end <= timer::ticks_unordered();
        }
        false
    }

    /// Another processor may have put a thread into the queue.
    pub(super) fn heed_others(&self) {
        if self.has_turn() && self.waiting() > 0 {
            let end = self.share.tick_of(self.first_due());
            self.turn_end.store(end, Ordering::Relaxed);
        }
    }

    /// The thread that runs here will let others go first when it leaves.
    pub(super) fn begin_yield(&self) {
        self.is_yielding.store(true, Ordering::Relaxed);
    }

    /// Whether the thread that leaves lets others go first.
    #[inline]
    pub(super) fn end_yield(&self) -> bool {
        let is_yielding = self.is_yielding.load(Ordering::Relaxed);
        self.is_yielding.store(false, Ordering::Relaxed);
        is_yielding
    }

    /// No thread has a turn: it ended.
    #[inline]
    pub(super) fn end_turn(&self) {
        self.turn_end.store(NO_TURN, Ordering::Relaxed);
        self.look_at.store(u64::MAX, Ordering::Relaxed);
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
