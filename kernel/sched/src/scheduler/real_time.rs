//! Threads with a real-time priority: `SCHED_FIFO`, `SCHED_RR`, and whoever inherited such a priority from those who wait for it.
//!
//! * In a run queue they stand before all others, the higher the sooner (`queue`). One that comes where a lower one runs, or one
//!   without a priority, ends that turn at once. One that left for a higher one goes on before others of its priority.
//! * None waits while a processor that it may run on runs somebody lower: where one has to wait, such a processor is *asked* to
//!   take it. That is looked at whenever one comes to wait, when one begins to run before another that waits, and by each
//!   processor when its own one sleeps. Each of them changes a queue or the level that it runs at, passes a fence, and looks at
//!   the other: so of two that happen at once one sees the other.
//! * They may use [`RUNTIME`] of each [`PERIOD`] of a processor. Whoever else wants to run has the rest, so that one that never
//!   sleeps does not lock the machine up.
//!
//! What this costs is on paths that only such threads take.

use super::account::{Scheduling, State};
use super::cpu::{CPUS, Cpu, QueuePlace};
use super::online::online;
use super::policy::{Class, REAL_TIME_END, SchedAttributes};
use super::queue::Queue;
use super::share::Arrival;
use super::{notify, place};
use crate::Thread;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use lock::{MutexGuard, rank};
use platform::{cpu, timer};

/// How long a thread whose time is used up, but that nobody else wants the processor of, runs until that is looked at again.
const OVERTIME_NANOS: u64 = 10_000_000;

/// A number of /proc/sys/kernel.
pub struct Setting {
    /// The file.
    pub name: &'static str,
    value: AtomicI64,
    default: i64,
}

/// `sched_rr_timeslice_ms`: how long one of `SCHED_RR` runs before others of its priority, milliseconds.
static TIMESLICE: Setting = Setting::new("sched_rr_timeslice_ms", 100);
/// `sched_rt_period_us`, microseconds.
static PERIOD: Setting = Setting::new("sched_rt_period_us", 1_000_000);
/// `sched_rt_runtime_us`, microseconds; -1: all the time.
static RUNTIME: Setting = Setting::new("sched_rt_runtime_us", 950_000);

/// All of them.
pub static SETTINGS: [&Setting; 3] = [&TIMESLICE, &PERIOD, &RUNTIME];

impl Setting {
    const fn new(name: &'static str, default: i64) -> Setting {
        Setting {
            name,
            value: AtomicI64::new(default),
            default,
        }
    }

    /// What it is.
    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Changes it.
    ///
    /// # Errors
    /// `EINVAL`: a period that is not positive, or less than what may be used of it.
    pub fn set(&self, value: i64) -> Result<(), Errno> {
        let value = i64::from(i32::try_from(value).map_err(|_| Errno::EINVAL)?);
        let is_valid = match self.name {
            "sched_rt_period_us" => value >= RUNTIME.get().max(1),
            "sched_rt_runtime_us" => (-1..=PERIOD.get()).contains(&value),
            _ if value <= 0 => return self.set(self.default),
            _ => true,
        };
        if !is_valid {
            return Err(Errno::EINVAL);
        }
        self.value.store(value, Ordering::Relaxed);
        Ok(())
    }

    fn ticks(&self, unit_nanos: u64) -> u64 {
        timer::nanos_to_ticks(self.get().max(0) as u64 * unit_nanos)
    }
}

/// How long a thread of `SCHED_RR` runs before others of its priority, nanoseconds.
pub fn timeslice_nanos() -> u64 {
    TIMESLICE.get() as u64 * 1_000_000
}

/// A run queue, locked.
type Waiters<'a> = MutexGuard<'a, Queue, { rank::RUN_QUEUE }>;

/// One processor's part. Written by the processor itself, but for `is_asked`.
pub(super) struct RealTime {
    /// When the thread that runs is due; [`REAL_TIME_END`] if it has no real-time priority, or none runs.
    level: AtomicI64,
    /// When it began, and when its quantum ends.
    began: AtomicU64,
    quantum_end: AtomicU64,
    /// When the period began, and what was used of it.
    period: AtomicU64,
    used: AtomicU64,
    /// Somebody wants this processor to look at the threads that wait elsewhere, and at the class of the one that runs.
    is_asked: AtomicBool,
}

impl RealTime {
    pub(super) const fn new() -> RealTime {
        RealTime {
            level: AtomicI64::new(REAL_TIME_END),
            began: AtomicU64::new(0),
            quantum_end: AtomicU64::new(0),
            period: AtomicU64::new(0),
            used: AtomicU64::new(0),
            is_asked: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    fn level(&self) -> i64 {
        self.level.load(Ordering::Relaxed)
    }

    /// A thread begins to run; when it has to leave for those of its priority, or of none.
    fn begin(&self, thread: &Scheduling, class: Class, due: i64, now: u64) -> u64 {
        self.level.store(due, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
        self.renew(now);
        let quantum = match thread.quantum() {
            _ if !class.takes_turns() => u64::MAX,
            0 => timer::nanos_to_ticks(timeslice_nanos()),
            left => left,
        };
        let quantum_end = now.saturating_add(quantum);
        self.quantum_end.store(quantum_end, Ordering::Relaxed);
        quantum_end.min(now.saturating_add(self.left()))
    }

    /// It leaves.
    fn end(&self, thread: &Scheduling, class: Class, now: u64) {
        let left = self.quantum_end.load(Ordering::Relaxed).saturating_sub(now);
        thread.set_quantum(if class.takes_turns() { left } else { 1 });
        let ran = now.saturating_sub(self.began.load(Ordering::Relaxed));
        self.used.fetch_add(ran, Ordering::Relaxed);
        self.renew(now);
        self.level.store(REAL_TIME_END, Ordering::Relaxed);
    }

    /// Begins another period if the last one is over.
    fn renew(&self, now: u64) {
        if now - self.period.load(Ordering::Relaxed) >= PERIOD.ticks(1000) {
            self.period.store(now, Ordering::Relaxed);
            self.used.store(0, Ordering::Relaxed);
        }
    }

    /// What is left of the period's runtime, or of the time until it is looked again.
    fn left(&self) -> u64 {
        if RUNTIME.get() < 0 {
            return u64::MAX;
        }
        match RUNTIME
            .ticks(1000)
            .saturating_sub(self.used.load(Ordering::Relaxed))
        {
            0 => timer::nanos_to_ticks(OVERTIME_NANOS),
            left => left,
        }
    }

    /// Whether the period's runtime is used up.
    fn is_exhausted(&self, now: u64) -> bool {
        let is_over = now - self.period.load(Ordering::Relaxed) >= PERIOD.ticks(1000);
        !is_over && RUNTIME.get() >= 0 && self.used.load(Ordering::Relaxed) >= RUNTIME.ticks(1000)
    }
}

impl Cpu {
    /// A thread that is not of the plain class begins a turn.
    #[cold]
    pub(super) fn begin_special(&self, thread: &Scheduling, class: Class, now: u64) {
        let Some(due) = class.real_time_due() else {
            self.share.begin_weighted(thread, class, now);
            let end = self.share.weighted_turn_end(now, self.first_due());
            return self.turn_end.store(end, Ordering::Relaxed);
        };
        let until = self.real_time.begin(thread, class, due, now);
        self.share.begin_real_time(class, until);
        self.turn_end.store(until, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.first_due() < REAL_TIME_END {
            offer(self, cpu::number());
        }
    }

    /// The thread that ran leaves, and is in `state` from now on.
    #[inline]
    pub(super) fn end_share(&self, thread: &Scheduling, now: u64, state: State) {
        if self.share.class().is_plain() {
            self.share.end(thread, now);
        } else {
            self.end_special(thread, now, state);
        }
    }

    #[cold]
    fn end_special(&self, thread: &Scheduling, now: u64, state: State) {
        let class = self.share.class();
        self.share.end_special(thread, now, self.first_due());
        if class.real_time_due().is_none() {
            return;
        }
        self.real_time.end(thread, class, now);
        fence(Ordering::SeqCst);
        let here = cpu::number();
        if state != State::Running && first_waiting(here).is_some() {
            ask(here);
        }
    }

    /// As [`Cpu::push`], for a thread that is not of the plain class.
    #[cold]
    pub(super) fn push_special(
        &self,
        mut queue: Waiters<'_>,
        thread: Arc<Thread>,
        arrival: Arrival,
    ) -> QueuePlace {
        let class = thread.scheduling.class();
        let (due, side) = self.share.due_special(&thread.scheduling, class, arrival);
        self.push_due(&mut queue, thread, due, side)
    }

    /// Takes who is due first, which has a real-time priority: unless the others are to have the processor for a while.
    #[cold]
    pub(super) fn pop_real_time(&self, mut queue: Waiters<'_>) -> Option<Arc<Thread>> {
        let is_exhausted = self.real_time.is_exhausted(timer::ticks());
        let other = is_exhausted
            .then(|| queue.take(REAL_TIME_END, |_| true))
            .flatten();
        let first = other.or_else(|| queue.pop().0);
        self.publish(&queue);
        first
    }

    /// Somebody asked this processor to look: whether the thread that runs has another class, and whether another waits elsewhere
    /// that comes before it.
    #[cold]
    pub(super) fn answer(&self) {
        self.real_time.is_asked.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(current) = self.current()
            && self.has_turn()
            && current.scheduling.class() != self.share.class()
        {
            let now = timer::ticks();
            self.end_share(&current.scheduling, now, State::Running);
            self.begin_turn(&current.scheduling, now);
            if self.waiting() > 0 {
                let end = self.share.tick_of(self.first_due());
                self.turn_end.store(end, Ordering::Relaxed);
            }
        }
        let here = cpu::number();
        pull(self, here);
        if self.first_due() < REAL_TIME_END && self.first_due() >= self.real_time.level() {
            offer(self, here);
        }
    }

    /// Takes who is due first of those with a real-time priority who wait here, come before `level`, and may run on `processor`.
    fn give_real_time(&self, processor: usize, level: i64) -> Option<Arc<Thread>> {
        let is_meant = |thread: &Thread| {
            let due = thread.scheduling.class().real_time_due();
            due.is_some_and(|due| due < level) && thread.scheduling.may_run_on(processor)
        };
        let mut queue = self.queue.lock();
        let taken = queue.take(i64::MIN, is_meant);
        self.publish(&queue);
        taken
    }

    /// Takes this thread out of the queue, if it waits here.
    pub(super) fn withdraw(&self, thread: &Thread) -> Option<Arc<Thread>> {
        let mut queue = self.queue.lock();
        let taken = queue.remove(thread);
        self.publish(&queue);
        taken
    }
}

/// Whether a thread has a real-time priority.
#[cold]
pub(super) fn has_priority(thread: &Thread) -> bool {
    thread.scheduling.class().real_time_due().is_some()
}

/// A thread with a real-time priority came to wait here, while another runs.
#[cold]
pub(super) fn came(cpu: &Cpu, here: usize, due: i64) {
    fence(Ordering::SeqCst);
    let now = timer::ticks();
    if due < cpu.real_time.level() && !cpu.real_time.is_exhausted(now) {
        cpu.turn_end.store(now, Ordering::Relaxed);
        notify::interrupt(here);
    } else {
        offer(cpu, here);
    }
}

/// Asks a processor on which nobody as high runs to take the thread that is first here.
fn offer(cpu: &Cpu, here: usize) {
    let mut allowed = 0;
    cpu.queue.lock().any(|first| {
        allowed = first.scheduling.allowed() & !(1 << here);
        true
    });
    let due = cpu.first_due();
    let lowest = || {
        place::from(allowed, here + 1)
            .filter(|&other| CPUS.of(other).real_time.level() > due)
            .max_by_key(|&other| CPUS.of(other).real_time.level())
    };
    if let Some(other) = place::claim(place::idle() & allowed, here).or_else(lowest) {
        ask(other);
    }
}

/// Makes a processor look: see [`Cpu::answer`].
fn ask(processor: usize) {
    CPUS.of(processor)
        .real_time
        .is_asked
        .store(true, Ordering::Relaxed);
    notify::interrupt(processor);
}

/// The processor, another than `here`, where the highest of those waits who have a real-time priority, and when that is due.
fn first_waiting(here: usize) -> Option<(i64, usize)> {
    place::from(online() & !(1 << here), here + 1)
        .map(|other| (CPUS.of(other).first_due(), other))
        .filter(|(due, _)| *due < REAL_TIME_END)
        .min_by_key(|(due, _)| *due)
}

/// Moves a thread with a real-time priority that waits elsewhere to this processor, if it comes before the one that runs here;
/// whether there was one.
pub(super) fn pull(cpu: &Cpu, here: usize) -> bool {
    let level = cpu.real_time.level();
    let Some((due, other)) = first_waiting(here) else {
        return false;
    };
    let now = timer::ticks();
    if due >= level || cpu.real_time.is_exhausted(now) {
        return false;
    }
    let Some(thread) = CPUS.of(other).give_real_time(here, level) else {
        return false;
    };
    cpu.counters.steals.add_one();
    place::move_to(&thread, other, here);
    cpu.push(thread, Arrival::Ready);
    if cpu.has_turn() {
        cpu.turn_end.store(now, Ordering::Relaxed);
    }
    true
}

/// Changes what was asked for a thread: its policy, priority, nice value.
pub fn change_attributes(thread: &Arc<Thread>, change: impl Fn(SchedAttributes) -> SchedAttributes) {
    if thread.scheduling.change(change) {
        place_anew(thread);
    }
}

/// The class of a thread has changed. If it waits, it comes to stand where it belongs now; if it runs, its processor is asked to
/// look. If it is between the two, whoever puts it into a queue or begins to run it sees the change: who was not found in a queue
/// reads its class under that queue's lock, or behind a fence after it said that it runs, or moved.
fn place_anew(thread: &Arc<Thread>) {
    loop {
        let home = thread.scheduling.home();
        if let Some(thread) = CPUS.of(home).withdraw(thread) {
            return place::enqueue(thread, Arrival::Ready);
        }
        if CPUS.of(home).runs(thread) {
            return ask(home);
        }
        fence(Ordering::SeqCst);
        if thread.scheduling.home() == home {
            return;
        }
    }
}
