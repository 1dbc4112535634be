//! Who waits for which word: a table of buckets, each with its lock. A waiter stands in the bucket of its word's key, by a node
//! that lives with it; a requeue moves it to another. So to wait and to be moved takes no memory, and to leave a few steps.
//!
//! Two buckets are locked in the order of their numbers. Those who are to be woken are taken out under the lock, some at a time,
//! and woken when it is released, so that no lock is held for long. A waiter that stands in no bucket any more was woken; to be
//! woken once more does no harm, for every sleep looks again.

use super::key::Key;
use crate::thread::Thread;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use lock::{Mutex, MutexGuard, rank};
use platform::queue::{Node, Queue};
use sched::scheduler;

const BUCKETS: usize = 256;
/// So many are woken at a time.
const WOKEN_AT_ONCE: usize = 32;
/// So many are moved to another word at a time.
const MOVED_AT_ONCE: usize = 512;

type Guard = MutexGuard<'static, Bucket, { rank::FUTEX }>;

static TABLE: [Mutex<Bucket, { rank::FUTEX }>; BUCKETS] = [const { Mutex::new(Bucket::new()) }; BUCKETS];

/// Somebody who waits for a word.
pub struct Waiter {
    /// Who it is.
    pub thread: Arc<Thread>,
    key: Key,
    /// `FUTEX_WAIT_BITSET`'s mask.
    mask: u32,
    /// The lock that it is to be moved to (`FUTEX_WAIT_REQUEUE_PI`): nothing else wakes or moves it.
    target: Option<Key>,
    /// The priority that the thread had when it began to wait; 0 for none.
    priority: u8,
}

impl Waiter {
    /// A thread that waits for a lock with priority inheritance, which stands in no bucket.
    pub fn for_lock(thread: &Arc<Thread>, key: Key) -> Waiter {
        Waiter {
            thread: thread.clone(),
            key,
            mask: 0,
            target: None,
            priority: 0,
        }
    }
}

/// What somebody waits for.
#[derive(Clone, Copy)]
pub struct Wants {
    /// One of the bits of this mask.
    pub mask: u32,
    /// To be moved to this lock.
    pub target: Option<Key>,
}

/// Waiters for some words, the longest waiting first.
pub struct Bucket {
    usual: Queue<Waiter>,
    /// Those with a real-time priority, who go before the others.
    urgent: Queue<Waiter>,
}

/// Those who were taken out and are to be woken when no bucket is locked any more.
#[must_use = "they sleep until woken"]
#[derive(Default)]
pub struct Woken(ArrayVec<Arc<Thread>, WOKEN_AT_ONCE>);

impl Woken {
    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no more could be taken, though more may be meant.
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Lets them run, the longest waiting first; how many they were. Called with no bucket locked.
    pub fn wake(self) -> usize {
        let count = self.0.len();
        for thread in self.0 {
            scheduler::wake_owned(thread);
        }
        count
    }
}

/// The number of the bucket for a word.
fn place_of(key: Key) -> usize {
    (key.hash() >> (u64::BITS - BUCKETS.trailing_zeros())) as usize
}

/// The bucket for a word, locked.
pub fn lock(key: Key) -> Guard {
    TABLE[place_of(key)].lock()
}

/// Takes a waiter that began to wait for the word of `key` out of the bucket it stands in; false if it was woken instead.
pub fn leave(key: Key, node: &Node<Waiter>) -> bool {
    if !node.stands() {
        return false;
    }
    if lock(key).leave(node) {
        return true;
    }
    // It was woken, or a requeue has moved it, perhaps at this moment: into one of the others.
    while node.stands() {
        if TABLE.iter().any(|bucket| bucket.lock().leave(node)) {
            return true;
        }
    }
    false
}

/// Wakes up to `most` who wait for a word with one of the bits of `mask`, of those who are there when it begins; how many.
pub fn wake(key: Key, most: usize, mask: u32) -> usize {
    let mut count = 0;
    let mut there = None;
    loop {
        let mut woken = Woken::default();
        let mut bucket = lock(key);
        let most = most.min(*there.get_or_insert(bucket.len()));
        bucket.take(key, most - count, mask, &mut woken);
        drop(bucket);
        let is_over = !woken.is_full();
        count += woken.wake();
        if is_over || count == most {
            return count;
        }
        scheduler::cond_resched();
    }
}

impl Bucket {
    const fn new() -> Bucket {
        Bucket {
            usual: Queue::new(),
            urgent: Queue::new(),
        }
    }

    /// How many stand here.
    fn len(&self) -> usize {
        self.usual.len() + self.urgent.len()
    }

    /// Lets a thread wait for the word that this bucket was locked for.
    pub fn enter(&mut self, key: Key, wants: Wants, thread: &Arc<Thread>, node: &Node<Waiter>) {
        let waiter = Waiter {
            thread: thread.clone(),
            key,
            mask: wants.mask,
            target: wants.target,
            priority: thread.scheduling.attributes().effective_priority(),
        };
        match waiter.priority {
            0 => self.usual.enter(node, waiter),
            _ => self.urgent.enter(node, waiter),
        }
    }

    /// Takes a waiter out if it stands here; whether it did.
    pub fn leave(&mut self, node: &Node<Waiter>) -> bool {
        self.usual.leave(node).is_some() || self.urgent.leave(node).is_some()
    }

    /// Who is to be woken first of those who wait for a word, and the lock that it is to be moved to.
    pub fn first(&mut self, key: Key) -> Option<(Arc<Thread>, Option<Key>)> {
        let (mut first, mut best) = (None, 0);
        let mut look = |waiter: &Waiter| {
            if waiter.key == key && (first.is_none() || waiter.priority > best) {
                best = waiter.priority;
                first = Some((waiter.thread.clone(), waiter.target));
            }
        };
        self.urgent.for_each(&mut look);
        self.usual.for_each(&mut look);
        first
    }

    /// The highest priority of those of whom `is_meant`; `None` if there are none with a priority.
    #[cold]
    fn highest(&mut self, is_meant: impl Fn(&Waiter) -> bool) -> Option<u8> {
        let mut highest = None;
        self.urgent.for_each(|waiter| {
            if is_meant(waiter) {
                highest = highest.max(Some(waiter.priority));
            }
        });
        highest
    }

    /// Moves a thread that is to be moved to a lock to those who wait for that.
    pub fn give(&mut self, thread: &Arc<Thread>, to: &mut Queue<Waiter>) {
        let is_meant = |waiter: &Waiter| waiter.target.is_some() && Arc::ptr_eq(&waiter.thread, thread);
        if self.urgent.move_those(to, 1, is_meant, |waiter| waiter.mask = 0) == 0 {
            self.usual.move_those(to, 1, is_meant, |waiter| waiter.mask = 0);
        }
    }

    /// Takes out up to `most` of those who wait for a word with one of the bits of `mask`, as many as there is room for.
    pub fn take(&mut self, key: Key, most: usize, mask: u32, woken: &mut Woken) {
        let end = woken.len().saturating_add(most).min(WOKEN_AT_ONCE);
        if woken.len() >= end {
            return;
        }
        let is_meant =
            |waiter: &Waiter| waiter.key == key && waiter.mask & mask != 0 && waiter.target.is_none();
        if !self.urgent.is_empty() {
            self.take_urgent(is_meant, end, woken);
        }
        if woken.len() < end {
            self.usual.take_those(is_meant, |waiter| {
                woken.0.push(waiter.thread);
                woken.len() < end
            });
        }
    }

    /// Takes out those with a priority, the highest first, until `woken` holds `end`.
    #[cold]
    fn take_urgent(&mut self, is_meant: impl Fn(&Waiter) -> bool, end: usize, woken: &mut Woken) {
        while woken.len() < end
            && let Some(highest) = self.highest(&is_meant)
        {
            let is_next = |waiter: &Waiter| waiter.priority == highest && is_meant(waiter);
            self.urgent.take_those(is_next, |waiter| {
                woken.0.push(waiter.thread);
                woken.len() < end
            });
        }
    }
}

/// The buckets of two words, which may be one bucket, locked.
pub struct BucketPair {
    from: Key,
    to: Key,
    low: Guard,
    /// The bucket of the higher number, if they are two.
    high: Option<Guard>,
}

impl BucketPair {
    /// Locks the buckets of both words.
    pub fn lock(from: Key, to: Key) -> BucketPair {
        let (first, second) = (place_of(from), place_of(to));
        let low = TABLE[first.min(second)].lock();
        let high = (first != second).then(|| TABLE[first.max(second)].lock_second());
        BucketPair { from, to, low, high }
    }

    /// The bucket of one of the two words.
    fn bucket(&mut self, key: Key) -> &mut Bucket {
        let is_high = place_of(key) == place_of(self.from).max(place_of(self.to));
        match &mut self.high {
            Some(high) if is_high => high,
            _ => &mut self.low,
        }
    }

    /// How many stand where those who wait for the first word do.
    pub fn len(&mut self) -> usize {
        let from = self.from;
        self.bucket(from).len()
    }

    /// As [`Bucket::take`], of those who wait for `key`, one of the two words.
    pub fn take(&mut self, key: Key, most: usize, mask: u32, woken: &mut Woken) {
        self.bucket(key).take(key, most, mask, woken);
    }

    /// Lets up to `most` who wait for the first word wait for the second one, as many as may be moved at once; how many, and
    /// whether there may be more.
    pub fn move_waiters(&mut self, most: usize) -> (usize, bool) {
        let (from, to) = (self.from, self.to);
        let is_meant = |waiter: &Waiter| waiter.key == from && waiter.target.is_none();
        if from == to {
            // They stay where they are, and are counted.
            let count = self.low.usual.count(is_meant) + self.low.urgent.count(is_meant);
            return (count.min(most), false);
        }
        let at_once = most.min(MOVED_AT_ONCE);
        let change = |waiter: &mut Waiter| waiter.key = to;
        let is_first_low = place_of(from) < place_of(to);
        let moved = match &mut self.high {
            Some(high) if is_first_low => self.low.move_to(high, at_once, is_meant, change),
            Some(high) => high.move_to(&mut self.low, at_once, is_meant, change),
            None => self.low.move_within(at_once, is_meant, change),
        };
        (moved, moved == at_once && moved < most)
    }
}

impl Bucket {
    /// Moves those of whom `is_meant` to another bucket, as `change` makes them: those with a priority first, the highest first.
    fn move_to(
        &mut self,
        to: &mut Bucket,
        most: usize,
        is_meant: impl Fn(&Waiter) -> bool,
        change: impl Fn(&mut Waiter),
    ) -> usize {
        let mut moved = 0;
        while moved < most
            && let Some(highest) = self.highest(&is_meant)
        {
            let is_next = |waiter: &Waiter| waiter.priority == highest && is_meant(waiter);
            moved += self
                .urgent
                .move_those(&mut to.urgent, most - moved, is_next, &change);
        }
        moved
            + self
                .usual
                .move_those(&mut to.usual, most - moved, is_meant, change)
    }

    /// Moves those of whom `is_meant` to the end, as `change` makes them.
    fn move_within(
        &mut self,
        most: usize,
        is_meant: impl Fn(&Waiter) -> bool,
        change: impl Fn(&mut Waiter),
    ) -> usize {
        let mut apart = Bucket::new();
        let moved = self.move_to(&mut apart, most, is_meant, change);
        apart.urgent.move_those(&mut self.urgent, moved, |_| true, |_| {});
        apart.usual.move_those(&mut self.usual, moved, |_| true, |_| {});
        moved
    }
}
