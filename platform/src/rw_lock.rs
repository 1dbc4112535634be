//! A spin lock that several may hold to read, or one to write. A writer that waits keeps further readers out, so that readers who
//! come one after the other cannot keep it waiting for ever.
//!
//! To take it to write costs what a lock without readers does: one exclusive pair, and a store to release it.

use crate::arch;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

/// A writer holds it; there are no readers.
const WRITER: u32 = 1 << 31;
/// A writer waits. Below: how many read.
const WAITING: u32 = 1 << 30;

/// The lock around a `T`. Its state comes first: where the lock lies its state lies, so that no address is computed for it.
#[derive(Default)]
#[repr(C)]
pub struct RwLock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value goes to whoever holds the lock to write, so `T: Send`.
unsafe impl<T: Send> Send for RwLock<T> {}
// SAFETY: as above; and several readers have references to it at once, so `T: Sync`.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

/// The value, to read.
#[must_use]
pub struct ReadGuard<'a, T> {
    lock: &'a RwLock<T>,
}

/// The value, to write.
#[must_use]
pub struct WriteGuard<'a, T> {
    lock: &'a RwLock<T>,
}

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock {
            state: AtomicU32::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// What is guarded, for somebody who owns the lock itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Where the value lies.
    pub fn address(&self) -> usize {
        self.value.get().addr()
    }

    /// Takes the lock to read, unless a writer has it or waits for it.
    #[inline]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & (WRITER | WAITING) == 0 {
            let more =
                self.state
                    .compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
            match more {
                Ok(_) => return Some(ReadGuard { lock: self }),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Takes the lock to write, unless somebody has it.
    #[inline]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        match self
            .state
            .compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Some(WriteGuard { lock: self }),
            Err(_) => None,
        }
    }

    /// Takes the lock to read, whatever that takes; how often it was looked.
    #[cold]
    pub fn wait_to_read(&self) -> (ReadGuard<'_, T>, u64) {
        let mut spins = 0;
        loop {
            if let Some(guard) = self.try_read() {
                return (guard, spins);
            }
            spins += 1;
            self.wait_while(|state| state & (WRITER | WAITING) != 0);
        }
    }

    /// Takes the lock to write, whatever that takes; how often it was looked. Readers that come from now on wait.
    #[cold]
    pub fn wait_to_write(&self) -> (WriteGuard<'_, T>, u64) {
        let mut spins = 0;
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & !WAITING == 0 {
                // The mark goes with the lock: others that wait set it again.
                let taken =
                    self.state
                        .compare_exchange_weak(state, WRITER, Ordering::Acquire, Ordering::Relaxed);
                if taken.is_ok() {
                    return (WriteGuard { lock: self }, spins);
                }
            } else if state & WAITING == 0 {
                self.state.fetch_or(WAITING, Ordering::Relaxed);
            }
            spins += 1;
            self.wait_while(|state| state & !WAITING != 0 && state & WAITING != 0);
        }
    }

    /// Stops the processor for a store to the state, where the state is such that there is nothing to be done but wait.
    fn wait_while(&self, is_to_wait: impl Fn(u32) -> bool) {
        let state = self.state.load(Ordering::Relaxed);
        if is_to_wait(state) {
            arch::wait_for_store(&self.state, state);
        }
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held to read: there is no writer until the guard is dropped.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.state.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held to write: nobody else has a reference until the guard is dropped.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    /// A plain store: the mark of a writer that waits goes too, and it sets it again.
    #[inline]
    fn drop(&mut self) {
        self.lock.state.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicBool;
    use std::thread;
    use std::vec::Vec;

    #[test]
    fn readers_share_it_and_a_writer_has_it_alone() {
        let lock = RwLock::new(1);
        let one = lock.try_read().unwrap();
        assert_eq!(*one + *lock.try_read().unwrap(), 2);
        assert!(lock.try_write().is_none());
        drop(one);
        *lock.try_write().unwrap() = 5;
        let writing = lock.try_write().unwrap();
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(writing);
        assert_eq!(*lock.try_read().unwrap(), 5);
    }

    #[test]
    fn writers_count_exactly_among_readers() {
        const ROUNDS: usize = 20_000;
        let lock = RwLock::new((0, 0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let mut pair = lock.try_write().unwrap_or_else(|| lock.wait_to_write().0);
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let pair = lock.try_read().unwrap_or_else(|| lock.wait_to_read().0);
                        assert_eq!(pair.0, pair.1);
                    }
                });
            }
        });
        assert_eq!(*lock.try_read().unwrap(), (2 * ROUNDS, 2 * ROUNDS));
        assert_eq!(lock.state.load(Ordering::Relaxed), 0);
    }

    /// Readers that overlap without end would keep a writer out for ever if its wait did not keep them out.
    #[test]
    fn a_writer_is_not_kept_waiting_by_readers_that_overlap() {
        let (lock, is_over) = (RwLock::new(()), AtomicBool::new(false));
        thread::scope(|scope| {
            let reading: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut held = lock.try_read();
                        while !is_over.load(Ordering::Relaxed) {
                            // The next hold begins before the last one ends.
                            let next = lock.try_read();
                            if next.is_none() {
                                held = None;
                                held = held.or_else(|| lock.try_read());
                            } else {
                                held = next;
                            }
                        }
                        drop(held);
                    })
                })
                .collect();
            drop(lock.wait_to_write());
            is_over.store(true, Ordering::Relaxed);
            reading.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }
}
