//! The lock that several may hold to read.

use crate::order::Kin;
use crate::{contention, note_released, note_taken, rank};
use core::ops::{Deref, DerefMut};
use platform::rw_lock;

/// A spin lock of rank `RANK` around a `T`, which several may hold to read, or one to write. A processor takes it once, whichever way;
/// a writer that waits keeps further readers out.
#[derive(Default)]
pub struct RwLock<T, const RANK: u8 = { rank::LEAF }>(rw_lock::RwLock<T>);

/// Access to what a [`RwLock`] guards, beside other readers; the lock is released by the drop.
#[must_use]
pub struct ReadGuard<'a, T, const RANK: u8 = { rank::LEAF }> {
    guard: rw_lock::ReadGuard<'a, T>,
}

/// Access to what a [`RwLock`] guards, alone; the lock is released by the drop.
#[must_use]
pub struct WriteGuard<'a, T, const RANK: u8 = { rank::LEAF }> {
    guard: rw_lock::WriteGuard<'a, T>,
}

impl<T, const RANK: u8> RwLock<T, RANK> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> RwLock<T, RANK> {
        RwLock(rw_lock::RwLock::new(value))
    }

    /// Waits until nobody holds the lock to write nor waits for that, and takes it to read.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, T, RANK> {
        self.take_to_read(Kin::Alone)
    }

    /// As [`RwLock::read`], for one who may hold another lock of this rank: see [`Mutex::lock_second`](crate::Mutex::lock_second).
    #[inline]
    #[track_caller]
    pub fn read_second(&self) -> ReadGuard<'_, T, RANK> {
        self.take_to_read(Kin::Ordered)
    }

    #[inline]
    #[track_caller]
    fn take_to_read(&self, kin: Kin) -> ReadGuard<'_, T, RANK> {
        if cfg!(debug_assertions) {
            note_taken(self.0.address(), RANK, kin);
        }
        let guard = self.0.try_read().unwrap_or_else(|| {
            let (guard, spins) = self.0.wait_to_read();
            contention::count(RANK, spins);
            guard
        });
        ReadGuard { guard }
    }

    /// Waits until nobody holds the lock, and takes it to write.
    #[inline]
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, T, RANK> {
        self.take_to_write(Kin::Alone)
    }

    /// As [`RwLock::write`], for one who may hold another lock of this rank: see [`Mutex::lock_second`](crate::Mutex::lock_second).
    #[inline]
    #[track_caller]
    pub fn write_second(&self) -> WriteGuard<'_, T, RANK> {
        self.take_to_write(Kin::Ordered)
    }

    #[inline]
    #[track_caller]
    fn take_to_write(&self, kin: Kin) -> WriteGuard<'_, T, RANK> {
        if cfg!(debug_assertions) {
            note_taken(self.0.address(), RANK, kin);
        }
        let guard = self.0.try_write().unwrap_or_else(|| {
            let (guard, spins) = self.0.wait_to_write();
            contention::count(RANK, spins);
            guard
        });
        WriteGuard { guard }
    }

    /// What is guarded, for somebody who owns the lock itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

impl<T, const RANK: u8> Deref for ReadGuard<'_, T, RANK> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T, const RANK: u8> Drop for ReadGuard<'_, T, RANK> {
    #[inline]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            note_released(core::ptr::from_ref(&*self.guard).cast::<()>().addr(), RANK);
        }
    }
}

impl<T, const RANK: u8> Deref for WriteGuard<'_, T, RANK> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T, const RANK: u8> DerefMut for WriteGuard<'_, T, RANK> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T, const RANK: u8> Drop for WriteGuard<'_, T, RANK> {
    #[inline]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            note_released(core::ptr::from_ref(&*self.guard).cast::<()>().addr(), RANK);
        }
    }
}
