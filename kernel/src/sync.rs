//! The kernel's lock. Every lock has a *rank*, and a processor that holds one may only take one of higher rank: so no two
//! processors can wait for each other. The ranks, and what each lock guards, are in [`rank`].

use core::ops::{Deref, DerefMut};

/// A spin lock of rank `RANK` around a `T`. Interrupts are masked wherever the kernel runs, so a holder is never interrupted
/// on its processor.
#[derive(Default)]
pub struct Mutex<T: ?Sized, const RANK: u8 = { rank::LEAF }>(spin::Mutex<T>);

/// Access to what a [`Mutex`] guards; the lock is released by the drop.
pub struct MutexGuard<'a, T: ?Sized, const RANK: u8 = { rank::LEAF }> {
    guard: spin::MutexGuard<'a, T>,
}

/// The order in which locks are taken.
pub mod rank {
    /// Nothing is taken while it is held.
    pub const LEAF: u8 = u8::MAX;
}

impl<T, const RANK: u8> Mutex<T, RANK> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Mutex<T, RANK> {
        Mutex(spin::Mutex::new(value))
    }
}

impl<T: ?Sized, const RANK: u8> Mutex<T, RANK> {
    /// Waits until nobody holds the lock, and takes it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T, RANK> {
        MutexGuard { guard: self.0.lock() }
    }

    /// What is guarded, for somebody who owns the lock itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

impl<T: ?Sized, const RANK: u8> Deref for MutexGuard<'_, T, RANK> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: ?Sized, const RANK: u8> DerefMut for MutexGuard<'_, T, RANK> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
