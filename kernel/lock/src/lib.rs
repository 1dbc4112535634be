//! The kernel's spin lock, for every crate above `platform`. Every lock has a [`rank`], and a processor that holds one takes
//! only locks of higher rank: so no two processors can wait for each other. Builds with debug assertions check that at each
//! lock (`order.rs`), and that nothing is held where a thread sleeps or user memory is touched ([`assert_none_held`]).
//!
//! Its locks in order: [`rank`] lists all of them, with what each guards. Who waited for which is counted ([`contention`]).
//!
//! Interrupts are masked wherever the kernel runs, so every lock is held with interrupts masked and nobody interrupts a
//! holder on its processor. Holders are quick: what takes long (copies, frees of whole files) is done behind the lock.
//!
//! Where to read on: `kernel/README.md`, Locks; `platform/src/lock.rs`, the locks of the floor below.
#![warn(clippy::missing_errors_doc)]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod contention;
mod order;
pub mod rank;
mod rw;

use core::ops::{Deref, DerefMut};
use core::panic::Location;
use order::{Hold, Holds, Kin};
use platform::cpu::{MAX_CPUS, PerCpu};
use platform::spin_lock::{SpinGuard, SpinLock};
pub use rw::{ReadGuard, RwLock, WriteGuard};

/// A spin lock of rank `RANK` around a `T`.
#[derive(Default)]
pub struct Mutex<T, const RANK: u8 = { rank::LEAF }>(SpinLock<T>);

/// Access to what a [`Mutex`] guards; the lock is released by the drop.
#[must_use]
pub struct MutexGuard<'a, T, const RANK: u8 = { rank::LEAF }> {
    guard: SpinGuard<'a, T>,
}

/// What each processor holds, where that is checked.
static HELD: PerCpu<SpinLock<Holds>> = PerCpu::new([const { SpinLock::new(Holds::new()) }; MAX_CPUS]);

impl<T, const RANK: u8> Mutex<T, RANK> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Mutex<T, RANK> {
        Mutex(SpinLock::new(value))
    }

    /// What is guarded, from somebody who owns the lock itself.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }

    /// Waits until nobody holds the lock, and takes it.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T, RANK> {
        self.take(Kin::Alone)
    }

    /// As [`Mutex::lock`], for one who may hold another lock of this rank. The caller says why no two processors can take two
    /// such locks in different order.
    #[inline]
    #[track_caller]
    pub fn lock_second(&self) -> MutexGuard<'_, T, RANK> {
        self.take(Kin::Ordered)
    }

    #[inline]
    #[track_caller]
    fn take(&self, kin: Kin) -> MutexGuard<'_, T, RANK> {
        if cfg!(debug_assertions) {
            note_taken(self.address(), RANK, kin);
        }
        let guard = match self.0.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        };
        MutexGuard { guard }
    }

    #[cold]
    fn wait(&self) -> SpinGuard<'_, T> {
        let (guard, spins) = self.0.wait();
        contention::count(RANK, spins);
        guard
    }

    /// A copy of what is guarded now. Unlike `lock().clone()` amid a longer expression it holds the lock no longer than that.
    #[inline]
    #[track_caller]
    pub fn cloned(&self) -> T
    where
        T: Clone,
    {
        self.lock().clone()
    }

    /// What is guarded, for somebody who owns the lock itself.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    fn address(&self) -> usize {
        self.0.address()
    }
}

impl<T, const RANK: u8> Deref for MutexGuard<'_, T, RANK> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T, const RANK: u8> DerefMut for MutexGuard<'_, T, RANK> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T, const RANK: u8> Drop for MutexGuard<'_, T, RANK> {
    #[inline]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            note_released(core::ptr::from_ref(&*self.guard).cast::<()>().addr(), RANK);
        }
    }
}

/// Says that this processor holds no lock here: a thread is about to sleep, or user memory to be touched. Checked in builds
/// with debug assertions.
#[inline]
#[track_caller]
pub fn assert_none_held() {
    if cfg!(debug_assertions) {
        check_none_held();
    }
}

#[track_caller]
fn check_none_held() {
    let held = HELD.get().lock().any();
    if let Some(held) = held {
        panic!("no lock may be held here, but this processor holds {held}");
    }
}

#[track_caller]
fn note_taken(lock: usize, rank: u8, kin: Kin) {
    let place = Location::caller();
    let noted = HELD.get().lock().add(Hold { lock, rank, place }, kin);
    if let Err(breach) = noted {
        panic!("{breach}");
    }
}

fn note_released(lock: usize, rank: u8) {
    let was_held = HELD.get().lock().remove(lock, rank);
    assert!(was_held, "{} was released by another processor", rank::name(rank));
}
