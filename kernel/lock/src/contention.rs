//! How often a processor had to wait for a lock, by rank: /proc/lock_stat. Only who waits counts: a lock that is free costs
//! nothing more.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::rank;

/// What waiting for the locks of one rank has cost.
#[repr(align(64))]
struct Counter {
    contentions: AtomicU64,
    spins: AtomicU64,
    longest: AtomicU64,
}

static COUNTERS: [Counter; rank::COUNT] = [const {
    Counter {
        contentions: AtomicU64::new(0),
        spins: AtomicU64::new(0),
        longest: AtomicU64::new(0),
    }
}; rank::COUNT];

/// What waiting for the locks of one rank has cost since boot.
#[derive(Clone, Copy, Debug)]
pub struct Contention {
    /// The rank.
    pub name: &'static str,
    /// How often a lock was not free.
    pub contentions: u64,
    /// How often a waiter looked again.
    pub spins: u64,
    /// The most looks that one wait took.
    pub longest: u64,
}

/// A lock of that rank was not free, and was had after `spins` further looks.
pub(crate) fn count(rank: u8, spins: u64) {
    let counter = &COUNTERS[usize::from(rank)];
    counter.contentions.fetch_add(1, Ordering::Relaxed);
    counter.spins.fetch_add(spins, Ordering::Relaxed);
    counter.longest.fetch_max(spins, Ordering::Relaxed);
}

/// Every rank, in the order of locking.
pub fn all() -> impl Iterator<Item = Contention> {
    rank::NAMES
        .iter()
        .zip(&COUNTERS)
        .map(|(name, counter)| Contention {
            name,
            contentions: counter.contentions.load(Ordering::Relaxed),
            spins: counter.spins.load(Ordering::Relaxed),
            longest: counter.longest.load(Ordering::Relaxed),
        })
}
