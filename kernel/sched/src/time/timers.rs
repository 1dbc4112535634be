//! Timers: for each processor a sorted list of what is to happen when.
//!
//! What a processor sets stands in its own list, and it alone lets it happen, in the interrupt of its own timer; so setting
//! something never concerns another processor. Whoever takes something back locks the list that it stands in, from wherever:
//! at worst that processor's timer rings for nothing. What is happening at that very moment was taken out already, and is not
//! taken back: a thread is then woken for nothing, which every sleep allows for (`wait`), and a timer of a program looks at its
//! own deadline. What happens is for whoever sets it to say ([`Expire`]).

use super::expire::{Alarm, Due, Expire};
use super::tree::{self, TimerPlace, Tree};
use crate::Thread;
use crate::scheduler;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::{Mutex, rank};
use platform::cpu::{self, MAX_CPUS, PerCpu};
use platform::{random, timer};

/// One processor's list.
struct List {
    timers: Mutex<Timers, { rank::TIMERS }>,
    /// The first deadline in it, to be read without its lock.
    next: AtomicU64,
}

static LISTS: PerCpu<List> = PerCpu::new([const { List::new() }; MAX_CPUS]);

/// A thread that sleeps is woken.
impl Expire for Thread {
    fn place(&self) -> &TimerPlace {
        &self.alarm_place
    }

    fn expire(self: Arc<Thread>) {
        scheduler::wake_owned(self);
    }
}

struct Timers {
    due: Tree,
    sequence: u64,
    /// Of what the treap's priorities are made: xorshift64*, Vigna 2016.
    random: u64,
}

impl Timers {
    fn next_random(&mut self) -> u64 {
        if self.random == 0 {
            let mut seed = [0; 8];
            random::fill(&mut seed);
            self.random = u64::from_le_bytes(seed) | 1;
        }
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl List {
    const fn new() -> List {
        List {
            timers: Mutex::new(Timers {
                due: None,
                sequence: 0,
                random: 0,
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
        let priority = timers.next_random();
        timers.due = tree::insert(timers.due.take(), due, alarm, priority);
        if deadline < self.next.load(Ordering::Relaxed) {
            self.next.store(deadline, Ordering::Relaxed);
        }
        alarm
    }

    fn remove(&self, alarm: &Alarm) -> Option<Due> {
        let mut timers = self.timers.lock();
        let (rest, removed) = tree::remove(timers.due.take(), *alarm);
        timers.due = rest;
        if removed.is_some() && alarm.deadline <= self.next.load(Ordering::Relaxed) {
            self.publish(&timers);
        }
        removed
    }

    fn take_due(&self, now: u64) -> Option<Due> {
        if now < self.next.load(Ordering::Relaxed) {
            return None;
        }
        let mut timers = self.timers.lock();
        let (rest, due) = tree::take_due(timers.due.take(), now);
        timers.due = rest;
        self.publish(&timers);
        due
    }

    /// What comes first may be another one than before.
    fn publish(&self, timers: &Timers) {
        let next = tree::first(&timers.due).map_or(u64::MAX, |first| first.deadline);
        self.next.store(next, Ordering::Relaxed);
    }
}

/// The first deadline of this processor; `u64::MAX` if there is none.
#[inline]
pub fn next_deadline() -> u64 {
    LISTS.get().next.load(Ordering::Relaxed)
}

/// A thread will be woken at a point in time.
#[must_use]
pub struct WakeUp {
    alarm: Alarm,
    /// When a sleep was to end that this one is a part of: the thread has one place in the lists.
    outer: Option<u64>,
}

/// Wakes `thread`, the caller's, at a point in time, until [`WakeUp::take_back`].
pub fn wake_at(at: u64, thread: &Arc<Thread>) -> WakeUp {
    let outer = thread.alarm_place.alarm();
    outer.into_iter().for_each(cancel);
    WakeUp {
        alarm: insert_here(at, thread.clone()),
        outer: outer.map(|outer| outer.deadline),
    }
}

impl WakeUp {
    /// The sleep is over.
    pub fn take_back(self, thread: &Arc<Thread>) {
        // Mostly it has expired.
        if thread.alarm_place.alarm().is_some() {
            cancel(self.alarm);
        }
        if let Some(at) = self.outer {
            set(at, thread.clone());
        }
    }
}

/// Takes back what was set, from any processor; nothing happens if it has expired, or is just about to.
pub fn cancel(alarm: Alarm) {
    let removed = LISTS.of(alarm.processor).remove(&alarm);
    drop(removed);
}

/// What is due on this processor and done at once.
const BATCH: usize = 32;

/// Does what is due on this processor, some of it at a time: whether that was all. If not, the next alarm rings at once.
#[must_use]
pub fn expire() -> bool {
    let list = LISTS.get();
    for _ in 0..BATCH {
        match list.take_due(timer::ticks()) {
            Some(due) => due.expire(),
            None => return true,
        }
    }
    false
}

/// Lets `due` expire at a point in time, instead of at the one that was set before. Nobody else may do so meanwhile.
pub fn set(at: u64, due: Arc<dyn Expire>) -> Alarm {
    if let Some(old) = due.place().alarm() {
        cancel(old);
    }
    insert_here(at, due)
}

/// Lets `due`, which stands nowhere, expire on this processor.
fn insert_here(at: u64, due: Arc<dyn Expire>) -> Alarm {
    let processor = cpu::number();
    let alarm = LISTS.of(processor).insert(processor, at, due);
    scheduler::set_alarm();
    alarm
}
