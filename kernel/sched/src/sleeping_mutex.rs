//! Sleeping mutual exclusion, for work that copies to or from user memory: no spin lock may be held there.

use core::sync::atomic::{AtomicU8, Ordering};

use abi::Errno;

use crate::wait::{Interrupted, WaitQueue};

/// One holder at a time; the others sleep.
pub struct SleepingMutex {
    state: AtomicU8,
    queue: WaitQueue,
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Taken, and somebody waits for it, or did: whoever unlocks it wakes the queue.
const AWAITED: u8 = 2;

/// How a waiter sleeps until the closure gives it the mutex.
type Sleep<'a> = fn(
    &'a WaitQueue,
    &mut dyn FnMut() -> Option<SleepingMutexGuard<'a>>,
) -> Result<SleepingMutexGuard<'a>, Interrupted>;

/// The mutex is held; it is unlocked when this is dropped.
#[must_use]
pub struct SleepingMutexGuard<'a>(&'a SleepingMutex);

impl Default for SleepingMutex {
    fn default() -> Self {
        Self::new()
    }
}

impl SleepingMutex {
    /// A mutex that nobody holds.
    pub const fn new() -> Self {
        SleepingMutex {
            state: AtomicU8::new(FREE),
            queue: WaitQueue::new(),
        }
    }

    /// Sleeps until the caller holds the mutex. No spin lock may be held.
    ///
    /// # Errors
    /// The process is to end.
    #[inline]
    pub fn lock(&self) -> Result<SleepingMutexGuard<'_>, Errno> {
        match self.try_lock() {
            Some(guard) => Ok(guard),
            None => self.wait(|queue, take| queue.wait_exclusive_killable(take)),
        }
    }

    /// As [`SleepingMutex::lock`], for a mutex whose holder may sleep for long.
    ///
    /// # Errors
    /// `RESTART`: a signal is to be delivered.
    pub fn lock_interruptible(&self) -> Result<SleepingMutexGuard<'_>, Errno> {
        match self.try_lock() {
            Some(guard) => Ok(guard),
            None => self.wait(|queue, take| queue.wait_exclusive(take)),
        }
    }

    /// As [`SleepingMutex::lock`], for what has to be done even by a thread that is to end.
    pub fn lock_uninterruptible(&self) -> SleepingMutexGuard<'_> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.queue.wait_exclusive_uninterruptible(|| self.take_awaited()),
        }
    }

    /// Takes the mutex if nobody holds it.
    #[inline]
    pub fn try_lock(&self) -> Option<SleepingMutexGuard<'_>> {
        self.state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| SleepingMutexGuard(self))
    }

    /// Who waited takes the mutex as an awaited one: there may be others.
    #[cold]
    fn wait<'a>(&'a self, sleep: Sleep<'a>) -> Result<SleepingMutexGuard<'a>, Errno> {
        Ok(sleep(&self.queue, &mut || self.take_awaited())?)
    }

    /// Takes the mutex if it is free; else whoever unlocks it wakes the queue.
    fn take_awaited(&self) -> Option<SleepingMutexGuard<'_>> {
        // Not `then_some`: a guard that is made and not wanted would unlock the mutex when it is dropped.
        (self.state.swap(AWAITED, Ordering::Acquire) == FREE).then(|| SleepingMutexGuard(self))
    }
}

impl Drop for SleepingMutexGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::Release) == AWAITED {
            self.0.queue.wake_one();
        }
    }
}
