//! The locks of this floor. They are taken last of all: whoever holds one takes no lock of the kernel, and of this floor only
//! the one that its comment names.

use crate::spin_lock::{SpinGuard, SpinLock};
use core::sync::atomic::{AtomicU64, Ordering};

/// A spin lock that counts how often somebody had to wait for it. One that is free costs nothing more.
#[repr(align(64))]
pub(crate) struct Lock<T> {
    value: SpinLock<T>,
    contentions: AtomicU64,
    spins: AtomicU64,
    longest: AtomicU64,
}

impl<T> Lock<T> {
    /// A lock that nobody holds.
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock {
            value: SpinLock::new(value),
            contentions: AtomicU64::new(0),
            spins: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }

    /// Waits until nobody holds the lock, and takes it.
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        match self.value.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        self.value.try_lock()
    }

    #[cold]
    fn wait(&self) -> SpinGuard<'_, T> {
        let (guard, spins) = self.value.wait();
        self.contentions.fetch_add(1, Ordering::Relaxed);
        self.spins.fetch_add(spins, Ordering::Relaxed);
        self.longest.fetch_max(spins, Ordering::Relaxed);
        guard
    }

    /// Whether somebody holds the lock at this moment.
    pub(crate) fn is_locked(&self) -> bool {
        self.value.is_locked()
    }

    /// Takes the lock away from its holder.
    ///
    /// # Safety
    /// The holder must never use its guard again, or what is guarded must stand two users.
    pub(crate) unsafe fn force_unlock(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.value.force_unlock() }
    }

    /// What waiting for this lock has cost since boot.
    pub(crate) fn contention(&self, name: &'static str) -> Contention {
        Contention {
            name,
            contentions: self.contentions.load(Ordering::Relaxed),
            spins: self.spins.load(Ordering::Relaxed),
            longest: self.longest.load(Ordering::Relaxed),
        }
    }
}

/// What waiting for one lock has cost since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contention {
    /// What it guards.
    pub name: &'static str,
    /// How often the lock was not free.
    pub contentions: u64,
    /// How often a waiter looked again.
    pub spins: u64,
    /// The most looks that one wait took.
    pub longest: u64,
}

/// The locks that several processors may want at once.
#[cfg(not(target_os = "none"))]
pub fn contention() -> [Contention; 2] {
    [crate::memory::ram::contention(), crate::console::contention()]
}

/// The locks that several processors may want at once.
#[cfg(target_os = "none")]
pub fn contention() -> [Contention; 4] {
    [
        crate::heap::contention(),
        crate::memory::ram::contention(),
        crate::memory::stacks::contention(),
        crate::console::contention(),
    ]
}
