//! One processor's part of the scheduler: its run queue, what it runs, and its counters.

use super::account::{Scheduling, State};
use super::counters::Counters;
use super::policy::REAL_TIME_END;
use super::queue::{NEVER, Queue};
use super::real_time::RealTime;
use super::share::{Arrival, Share};
use crate::Thread;
use crate::space::Space;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use lock::{Mutex, rank};
use platform::cpu::{MAX_CPUS, PerCpu};
use platform::lent::Lent;
use platform::ordered::Side;
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
    /// The thread that runs, lent by the loop, whose it is for the turn.
    current: Lent<Thread, Running>,
    pub(super) queue: Mutex<Queue, { rank::RUN_QUEUE }>,
    /// The length of the queue, and when the first in it is due, to be read without its lock.
    waiting: AtomicUsize,
    first_due: AtomicI64,
    pub(super) share: Share,
    pub(super) real_time: RealTime,
    /// The thread that runs lets others go first. Written by this processor.
    is_yielding: AtomicBool,
    /// The space in TTBR0; it cannot be released before the processor leaves it. None while the processor idles. Written by
    /// this processor.
    pub(super) space: Mutex<Option<Arc<Space>>>,
    /// Its address, or 0, for this processor to read without the lock.
    pub(super) space_at: AtomicUsize,
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
pub(super) struct QueuePlace {
    /// When it is due.
    pub(super) due: i64,
    /// When the first of the others is.
    pub(super) first_due: i64,
}

impl QueuePlace {
    /// Nobody waited before.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.first_due == NEVER
    }

    /// It is due before all others.
    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.due < self.first_due
    }
}

/// Of the thread that runs.
#[derive(Clone, Copy)]
struct Running {
    /// When it was switched to, and its ticks at EL0 then.
    since: u64,
    user_before: u64,
}

/// How a turn ended: when the thread had left the processor, and its state then.
pub(super) struct Ended {
    pub(super) at: u64,
    pub(super) state: State,
}

/// All processors, by number.
pub(super) static CPUS: PerCpu<Cpu> = PerCpu::new([const { Cpu::new() }; MAX_CPUS]);

impl Cpu {
    const fn new() -> Cpu {
        Cpu {
            own: Once::new(),
            current: Lent::new(),
            queue: Mutex::new(Queue::new()),
            waiting: AtomicUsize::new(0),
            first_due: AtomicI64::new(NEVER),
            share: Share::new(),
            real_time: RealTime::new(),
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
    }

    pub(super) fn own(&self) -> &KernelThread {
        self.own
            .get()
            .expect("scheduler::run() adopted the stack it runs on")
    }

    pub(super) fn current(&self) -> Option<Arc<Thread>> {
        self.current.get()
    }

    /// Gives a new thread what it inherits from the one that runs here, if one does.
    pub(super) fn bequeath(&self, thread: &Thread) {
        self.current.look(|running| {
            if let Some((parent, _)) = running {
                let (parent, child) = (&parent.scheduling, &thread.scheduling);
                child.inherit(parent);
                self.share.halve(parent, child, timer::ticks_unordered());
            }
        });
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
    pub(super) fn first_due(&self) -> i64 {
        self.first_due.load(Ordering::Relaxed)
    }

    /// Puts a thread into the queue.
    #[inline(always)]
    pub(super) fn push(&self, thread: Arc<Thread>, arrival: Arrival) -> QueuePlace {
        let mut queue = self.queue.lock();
        // Under the lock: whoever changed the thread's class and then did not find it here is seen.
        if !thread.scheduling.class().is_plain() {
            return self.push_special(queue, thread, arrival);
        }
        let due = self.share.due(&thread.scheduling, arrival);
        self.push_due(&mut queue, thread, due, Side::Back)
    }

    #[inline]
    pub(super) fn push_due(
        &self,
        queue: &mut Queue,
        thread: Arc<Thread>,
        due: i64,
        side: Side,
    ) -> QueuePlace {
        let first_due = queue.first_due();
        queue.push(thread, due, side);
        self.publish(queue);
        QueuePlace { due, first_due }
    }

    /// Takes the thread that is due first.
    #[inline]
    pub(super) fn pop(&self) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        if queue.first_due() < REAL_TIME_END {
            return self.pop_real_time(queue);
        }
        let (first, is_empty) = queue.pop();
        if is_empty {
            self.waiting.store(0, Ordering::Relaxed);
            self.first_due.store(NEVER, Ordering::Relaxed);
        } else {
            self.publish(&queue);
        }
        first
    }

    #[inline]
    pub(super) fn publish(&self, queue: &Queue) {
        self.waiting.store(queue.len(), Ordering::Relaxed);
        self.first_due.store(queue.first_due(), Ordering::Relaxed);
    }

    /// Of those processors, the ones that some thread of the queue may run on.
    pub(super) fn allowed_to_waiting(&self, of: u64) -> u64 {
        let mut allowed = 0;
        self.queue.lock().any(|thread| {
            allowed |= thread.scheduling.allowed() & of;
            allowed == of
        });
        allowed
    }

    /// Takes the thread that is due first of those that may run on `processor`.
    pub(super) fn give_to(&self, processor: usize) -> Option<Arc<Thread>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let taken = queue.take(i64::MIN, |thread| thread.scheduling.may_run_on(processor));
        self.publish(&queue);
        taken
    }

    /// `thread` runs here from `now` on, until `turn` has taken it off the processor and says when.
    #[inline(always)]
    pub(super) fn run(&self, thread: &Arc<Thread>, now: u64, turn: impl FnOnce() -> Ended) -> Ended {
        let scheduling = &thread.scheduling;
        let running = Running {
            since: now,
            user_before: scheduling.past_user_ticks(),
        };
        let counted = || {
            self.counters.switches.add_one();
            turn()
        };
        let end = |ended: &Ended| {
            let user = scheduling.past_user_ticks();
            self.counters.add_time(
                user.wrapping_sub(running.user_before),
                ended.at.wrapping_sub(running.since),
            );
        };
        self.current.lend(thread, running, counted, end)
    }

    /// Whether `thread` runs here.
    pub(super) fn runs(&self, thread: &Thread) -> bool {
        self.current
            .look(|running| running.is_some_and(|(current, _)| core::ptr::eq(current, thread)))
    }

    /// `thread` has a turn from `now` on.
    #[inline]
    pub(super) fn begin_turn(&self, thread: &Scheduling, now: u64) {
        self.be_patient_until(u64::MAX);
        let class = thread.class();
        if !class.is_plain() {
            return self.begin_special(thread, class, now);
        }
        self.share.begin(thread, now);
        let end = if self.waiting() > 0 {
            self.share.turn_end(now, self.first_due())
        } else {
            now + self.share.turn()
        };
        self.turn_end.store(end, Ordering::Relaxed);
    }

    /// A thread came to wait while another runs: that one's turn may end sooner, not before `least`. Whether it is over: no alarm is set.
    #[inline]
    pub(super) fn heed(&self, place: &QueuePlace, least: u64) -> bool {
        let end = self.share.tick_of(place.due).max(least);
        if place.is_alone() || end < self.turn_end.load(Ordering::Relaxed) {
            self.turn_end.store(end, Ordering::Relaxed);
            if end <= timer::ticks_unordered() {
                return true;
            }
            self.ring_at(end.min(self.patience_end.load(Ordering::Relaxed)));
        }
        false
    }

    /// Another processor may have put a thread into the queue.
    pub(super) fn heed_others(&self) {
        if self.has_turn() && self.waiting() > 0 {
            let end = self.share.tick_of(self.first_due());
            self.turn_end.store(end, Ordering::Relaxed);
        }
        if self.real_time.is_asked() {
            self.answer();
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
        self.current.look(|running| {
            let now = timer::ticks();
            let used = running.map_or((0, 0), |(thread, running)| running.used(thread, now));
            let user = self.counters.user.load(Ordering::Relaxed) + used.0;
            let busy = self.counters.busy.load(Ordering::Relaxed) + used.1;
            (user, busy.saturating_sub(user))
        })
    }
}

impl Running {
    /// Ticks at EL0 and in all since `thread` was switched to.
    fn used(&self, thread: &Thread, now: u64) -> (u64, u64) {
        let user = thread.scheduling.user_ticks();
        (user.wrapping_sub(self.user_before), now.wrapping_sub(self.since))
    }
}
