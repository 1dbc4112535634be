//! Who waits for which word: a table of buckets, each with its lock. A waiter stands in the bucket of its word's key; a
//! requeue moves it to another.
//!
//! Two buckets are locked in the order of their numbers. Who is to be woken is taken out under the lock and roused when it is
//! released: in between it hangs on a chain, [`Woken`], so that waking needs no memory. A waiter that looks in that moment
//! knows already that it was woken; to be roused once more does no harm, for every sleep looks again.

use super::key::Key;
use crate::fallible::{self, TryVec};
use crate::scheduler;
use crate::sync::{Mutex, MutexGuard, rank};
use crate::thread::Thread;
use abi::Errno;
use abi::process::FUTEX_BITSET_MATCH_ANY;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

const BUCKETS: usize = 256;

type Guard = MutexGuard<'static, Bucket, { rank::FUTEX }>;

static TABLE: [Mutex<Bucket, { rank::FUTEX }>; BUCKETS] = [const { Mutex::new(Bucket(Vec::new())) }; BUCKETS];

/// Somebody who waits for a word.
pub struct Waiter {
    thread: Arc<Thread>,
    /// `FUTEX_WAIT_BITSET`'s mask.
    mask: u32,
    /// The bucket it stands in. Written under the lock of that bucket, and of the one it was in before.
    place: AtomicUsize,
    /// Written under the bucket's lock by whoever takes it out to wake it.
    is_woken: AtomicBool,
    /// The next in the chain of those to rouse.
    next: Mutex<Option<Arc<Waiter>>>,
}

/// Waiters that were taken out of their buckets and are to be roused when no bucket is locked any more.
#[derive(Default)]
#[must_use = "they sleep until roused"]
pub struct Woken {
    first: Option<Arc<Waiter>>,
    last: Option<Arc<Waiter>>,
    count: usize,
}

impl Woken {
    fn add(&mut self, waiter: Arc<Waiter>) {
        waiter.is_woken.store(true, Ordering::SeqCst);
        match self.last.replace(waiter.clone()) {
            Some(last) => *last.next.lock() = Some(waiter),
            None => self.first = Some(waiter),
        }
        self.count += 1;
    }

    /// Lets them run, the longest waiting first; how many they were. Called with no bucket locked.
    pub fn rouse(mut self) -> usize {
        // The waiter stores that it sleeps and then looks whether it was woken; here it is the other way round.
        fence(Ordering::SeqCst);
        while let Some(waiter) = self.first {
            scheduler::wake(&waiter.thread);
            self.first = waiter.next.lock().take();
        }
        self.count
    }
}

/// Waiters for some words, the longest waiting first.
pub struct Bucket(Vec<Entry>);

struct Entry {
    key: Key,
    waiter: Arc<Waiter>,
}

impl Waiter {
    /// Somebody who does not stand anywhere yet. `ENOMEM`.
    pub fn new(thread: &Arc<Thread>, mask: u32) -> Result<Arc<Waiter>, Errno> {
        fallible::arc(Waiter {
            thread: thread.clone(),
            mask,
            place: AtomicUsize::new(0),
            is_woken: AtomicBool::new(false),
            next: Mutex::new(None),
        })
    }

    /// Whether somebody woke it.
    pub fn is_woken(&self) -> bool {
        // See `Woken::rouse`.
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Takes it out of its bucket, wherever a requeue has moved it; false if it was woken instead.
    pub fn leave(self: &Arc<Waiter>) -> bool {
        loop {
            let place = self.place.load(Ordering::Acquire);
            let mut bucket = TABLE[place].lock();
            if self.place.load(Ordering::Relaxed) != place {
                continue;
            }
            let standing = bucket.0.iter().position(|entry| Arc::ptr_eq(&entry.waiter, self));
            let left = standing.map(|index| bucket.0.remove(index));
            drop(bucket);
            return left.is_some();
        }
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

impl Bucket {
    /// Lets `waiter` wait for the word that this bucket was locked for.
    pub fn enter(&mut self, key: Key, waiter: &Arc<Waiter>) -> Result<(), Errno> {
        self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        waiter.place.store(place_of(key), Ordering::Release);
        self.0.try_push(Entry {
            key,
            waiter: waiter.clone(),
        })
    }

    /// Takes out up to `most` of those who wait for a word with one of the bits of `mask`.
    pub fn take(&mut self, key: Key, most: usize, mask: u32, woken: &mut Woken) {
        let end = woken.count.saturating_add(most);
        let mut index = 0;
        while woken.count < end && index < self.0.len() {
            let entry = &self.0[index];
            if entry.key == key && entry.waiter.mask & mask != 0 {
                woken.add(self.0.remove(index).waiter);
            } else {
                index += 1;
            }
        }
    }

    fn position(&self, key: Key) -> Option<usize> {
        self.0.iter().position(|entry| entry.key == key)
    }
}

/// The buckets of two words, which may be one bucket, locked.
pub struct Pair {
    from: Key,
    to: Key,
    low: Guard,
    /// The bucket of the higher number, if they are two.
    high: Option<Guard>,
}

impl Pair {
    /// Locks the buckets of both words.
    pub fn lock(from: Key, to: Key) -> Pair {
        let (first, second) = (place_of(from), place_of(to));
        let low = TABLE[first.min(second)].lock();
        let high = (first != second).then(|| TABLE[first.max(second)].lock_second());
        Pair { from, to, low, high }
    }

    /// The bucket of one of the two words.
    fn bucket(&mut self, key: Key) -> &mut Bucket {
        let is_high = place_of(key) == place_of(self.from).max(place_of(self.to));
        match &mut self.high {
            Some(high) if is_high => high,
            _ => &mut self.low,
        }
    }

    /// Takes out up to `most` who wait for `key`, one of the two words.
    pub fn take(&mut self, key: Key, most: usize, woken: &mut Woken) {
        self.bucket(key).take(key, most, FUTEX_BITSET_MATCH_ANY, woken);
    }

    /// Lets up to `most` who wait for the first word wait for the second one; how many. `ENOMEM` if not even one could be
    /// moved.
    pub fn move_waiters(&mut self, most: usize) -> Result<usize, Errno> {
        let (from, to) = (self.from, self.to);
        if from == to {
            let waiting = self.low.0.iter().filter(|entry| entry.key == from).count();
            return Ok(waiting.min(most));
        }
        let mut moved = 0;
        while moved < most
            && let Some(index) = self.bucket(from).position(from)
        {
            if self.bucket(to).0.try_reserve(1).is_err() {
                return if moved == 0 { Err(Errno::ENOMEM) } else { Ok(moved) };
            }
            let entry = self.bucket(from).0.remove(index);
            entry.waiter.place.store(place_of(to), Ordering::Release);
            self.bucket(to).0.try_push(Entry {
                key: to,
                waiter: entry.waiter,
            })?;
            moved += 1;
        }
        Ok(moved)
    }
}
