//! A spin lock. Who waits for it stops the processor until it is released, as Linux waits for its locks on this architecture.

use crate::arch;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU8, Ordering};

const FREE: u8 = 0;
const HELD: u8 = 1;

/// The lock around a `T`. Its state comes first: where the lock lies its state lies, so that no address is computed for it.
#[derive(Default)]
#[repr(C)]
pub struct SpinLock<T> {
    state: AtomicU8,
    value: UnsafeCell<T>,
}

// SAFETY: the value goes to whoever holds the lock, one at a time.
unsafe impl<T: Send> Send for SpinLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SpinLock<T> {}

/// The value; the lock is released by the drop.
#[must_use]
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
}

// SAFETY: whoever has a reference to the guard has one to the value, and no more.
unsafe impl<T: Sync> Sync for SpinGuard<'_, T> {}

impl<T> SpinLock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> SpinLock<T> {
        SpinLock {
            state: AtomicU8::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// What is guarded, from somebody who owns the lock itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// What is guarded, for somebody who owns the lock itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Where the value lies.
    pub fn address(&self) -> usize {
        self.value.get().addr()
    }

    /// Whether somebody holds the lock at this moment.
    pub fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) != FREE
    }

    /// Waits until nobody holds the lock, and takes it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| self.wait().0)
    }

    /// Takes the lock, unless somebody holds it.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        match self
            .state
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Some(SpinGuard { lock: self }),
            Err(_) => None,
        }
    }

    /// Takes the lock, whatever that takes; how often it was looked in vain.
    #[cold]
    pub fn wait(&self) -> (SpinGuard<'_, T>, u64) {
        let mut looks = 0;
        loop {
            // Looking without writing leaves the cache line with its holder.
            while self.is_locked() {
                looks += 1;
                arch::wait_for_store_to_byte(&self.state, HELD);
            }
            if let Some(guard) = self.try_lock() {
                return (guard, looks);
            }
        }
    }

    /// Takes the lock away from its holder.
    ///
    /// # Safety
    /// The holder must never use its guard again, or what is guarded must stand two users.
    pub unsafe fn force_unlock(&self) {
        self.state.store(FREE, Ordering::Release);
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held: nobody else has a reference until the guard is dropped.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.state.store(FREE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn one_holds_it_at_a_time() {
        let lock = SpinLock::new(1);
        let held = lock.try_lock().unwrap();
        assert!(lock.try_lock().is_none() && lock.is_locked());
        drop(held);
        *lock.try_lock().unwrap() += 1;
        assert!(!lock.is_locked());
        assert_eq!(lock.into_inner(), 2);
    }

    #[test]
    fn nothing_is_lost_among_those_who_wait() {
        const ROUNDS: usize = 50_000;
        let lock = SpinLock::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        *lock.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(lock.into_inner(), 3 * ROUNDS);
    }

    #[test]
    fn it_can_be_taken_away() {
        let lock = SpinLock::new(());
        core::mem::forget(lock.try_lock().unwrap());
        // SAFETY: the guard is gone, and there is nothing in the lock.
        unsafe { lock.force_unlock() };
        assert!(lock.try_lock().is_some());
    }
}
