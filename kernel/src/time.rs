//! Time: the clocks, and for each processor a sorted list of what is to happen when. Points in time are ticks of
//! `platform::timer`.
//!
//! What a processor sets stands in its own list, and it alone lets it happen, in the interrupt of its own timer; so setting
//! something never concerns another processor. Whoever takes something back locks the list that it stands in, from wherever:
//! at worst that processor's timer rings for nothing. What is happening at that very moment was taken out already, and is not
//! taken back: a thread is then woken for nothing, which every sleep allows for (`wait`), and a timer of a program looks at its
//! own deadline (`signal::timer`, `timers`). What happens is for whoever sets it to say ([`Expire`]).

use crate::scheduler;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use crate::wait::{Interrupted, WaitQueue};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use platform::cpu::{self, MAX_CPUS, PerCpu};
use platform::timer;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// One processor's list.
struct List {
    timers: Mutex<Timers, { rank::TIMERS }>,
    /// The first deadline in it, to be read without its lock.
    next: AtomicU64,
}

static LISTS: PerCpu<List> = PerCpu::new([const { List::new() }; MAX_CPUS]);

/// `CLOCK_REALTIME` at tick 0, in nanoseconds since 1970. On a board without a clock that runs while the power is off it is 0
/// until somebody sets it.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// A timer that was set, for [`cancel`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alarm {
    deadline: u64,
    /// Tells equal deadlines in one list apart.
    sequence: u64,
    /// The list it stands in.
    processor: usize,
}

/// What can be set for a point in time.
pub trait Expire: Send + Sync {
    /// The point in time has come. Called in the timer's interrupt, with no lock held; it must be short.
    fn expire(self: Arc<Self>);
}

/// A thread that sleeps is woken.
impl Expire for Thread {
    fn expire(self: Arc<Thread>) {
        scheduler::wake_owned(self);
    }
}

type Due = Arc<dyn Expire>;

/// How often the clock was set, and who wants to know: those who wait for a time of day.
static SETTINGS: AtomicU64 = AtomicU64::new(0);
static CLOCK_SET: WaitQueue = WaitQueue::new();

struct Timers {
    due: BTreeMap<Alarm, Due>,
    sequence: u64,
}

impl List {
    const fn new() -> List {
        List {
            timers: Mutex::new(Timers {
                due: BTreeMap::new(),
                sequence: 0,
            }),
            next: AtomicU64::new(u64::MAX),
        }
    }

    fn insert(&self, processor: usize, deadline: u64, due: Due) -> Alarm {
        let mut timers = self.timers.lock();
        timers.sequence += 1;
        let alarm = Alarm {
            deadline,
            sequence: timers.sequence,
            processor,
        };
        timers.due.insert(alarm, due);
        self.publish(&timers);
        alarm
    }

    fn remove(&self, alarm: &Alarm) -> Option<Due> {
        let mut timers = self.timers.lock();
        let removed = timers.due.remove(alarm);
        self.publish(&timers);
        removed
    }

    fn take_due(&self, now: u64) -> Option<Due> {
        if now < self.next.load(Ordering::Relaxed) {
            return None;
        }
        let mut timers = self.timers.lock();
        let first = timers.due.first_entry()?;
        if first.key().deadline > now {
            return None;
        }
        let due = first.remove();
        self.publish(&timers);
        Some(due)
    }

    fn publish(&self, timers: &Timers) {
        let first = timers.due.first_key_value();
        let next = first.map_or(u64::MAX, |(alarm, _)| alarm.deadline);
        self.next.store(next, Ordering::Relaxed);
    }
}

/// Nanoseconds since boot.
pub fn now_monotonic_nanos() -> u64 {
    timer::ticks_to_nanos(timer::ticks())
}

/// Nanoseconds since 1970, as far as anybody told the kernel.
pub fn now_realtime_nanos() -> u64 {
    EPOCH
        .load(Ordering::Relaxed)
        .saturating_add(now_monotonic_nanos())
}

/// Sets the clock: from now on `CLOCK_REALTIME` goes on from `nanos`.
pub fn set_realtime_nanos(nanos: u64) {
    EPOCH.store(nanos.saturating_sub(now_monotonic_nanos()), Ordering::Relaxed);
    SETTINGS.fetch_add(1, Ordering::SeqCst);
    CLOCK_SET.wake_all();
}

/// Sleeps until `CLOCK_REALTIME` is `nanos`, however often it is set meanwhile.
pub fn sleep_until_realtime(nanos: u64) -> Result<(), Interrupted> {
    loop {
        let known = SETTINGS.load(Ordering::SeqCst);
        let was_set = || (SETTINGS.load(Ordering::SeqCst) != known).then_some(());
        let slept = CLOCK_SET.wait_until_deadline(Some(realtime_to_ticks(nanos)), was_set)?;
        if slept.is_none() {
            return Ok(());
        }
    }
}

/// The tick at which `CLOCK_REALTIME` is `nanos`, as the clock is set now.
pub fn realtime_to_ticks(nanos: u64) -> u64 {
    timer::nanos_to_ticks(nanos.saturating_sub(EPOCH.load(Ordering::Relaxed)))
}

/// The tick `nanos` from now.
pub fn deadline_after(nanos: u64) -> u64 {
    timer::ticks().saturating_add(timer::nanos_to_ticks(nanos))
}

/// The first deadline of this processor; `u64::MAX` if there is none.
#[inline]
pub fn next_deadline() -> u64 {
    LISTS.get().next.load(Ordering::Relaxed)
}

/// Wakes `thread` at a point in time.
pub fn wake_at(at: u64, thread: &Arc<Thread>) -> Alarm {
    set(at, thread.clone())
}

/// Takes back what was set, from any processor; nothing happens if it has expired, or is just about to.
pub fn cancel(alarm: Alarm) {
    let removed = LISTS.of(alarm.processor).remove(&alarm);
    drop(removed);
}

/// Does everything that is due on this processor.
pub fn expire() {
    let list = LISTS.get();
    while let Some(due) = list.take_due(timer::ticks()) {
        due.expire();
    }
}

/// Lets `due` expire at a point in time.
pub fn set(at: u64, due: Arc<dyn Expire>) -> Alarm {
    let processor = cpu::number();
    let alarm = LISTS.of(processor).insert(processor, at, due);
    scheduler::set_alarm();
    alarm
}
