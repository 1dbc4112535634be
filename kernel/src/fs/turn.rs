//! Sleeping mutual exclusion, for work that copies to or from user memory: no spin lock may be held there.

use core::sync::atomic::{AtomicU8, Ordering};

use abi::Errno;

use crate::wait::{Interrupted, WaitQueue};

/// One user at a time; the others sleep.
pub struct Turn {
    state: AtomicU8,
    queue: WaitQueue,
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Taken, and somebody waits for it, or did: whoever gives it back wakes the queue.
const AWAITED: u8 = 2;

/// How a waiter sleeps until the closure gives it the turn.
type Sleep<'a> = fn(&'a WaitQueue, &mut dyn FnMut() -> Option<Held<'a>>) -> Result<Held<'a>, Interrupted>;

/// The turn, given back when this is dropped.
#[must_use]
pub struct Held<'a>(&'a Turn);

impl Turn {
    /// A turn that nobody holds.
    pub const fn new() -> Self {
        Turn {
            state: AtomicU8::new(FREE),
            queue: WaitQueue::new(),
        }
    }

    /// Waits for the turn. No spin lock may be held. Only the end of the process ends the wait early.
    #[inline]
    pub fn take(&self) -> Result<Held<'_>, Errno> {
        match self.take_if_free() {
            Some(held) => Ok(held),
            None => self.wait(|queue, take| queue.wait_exclusive_killable(take)),
        }
    }

    /// As [`Turn::take`], for turns that are held while their holder sleeps: any signal ends the wait.
    pub fn take_interruptible(&self) -> Result<Held<'_>, Errno> {
        match self.take_if_free() {
            Some(held) => Ok(held),
            None => self.wait(|queue, take| queue.wait_exclusive(take)),
        }
    }

    /// Takes the turn if nobody holds it.
    #[inline]
    pub fn take_if_free(&self) -> Option<Held<'_>> {
        self.state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Held(self))
    }

    /// Who waited takes the turn as an awaited one: there may be others.
    #[cold]
    fn wait<'a>(&'a self, sleep: Sleep<'a>) -> Result<Held<'a>, Errno> {
        Ok(sleep(&self.queue, &mut || self.take_awaited())?)
    }

    /// Takes the turn if it is free; else whoever gives it back wakes the queue.
    fn take_awaited(&self) -> Option<Held<'_>> {
        // Not `then_some`: a value that is made and not wanted would give the turn back when it is dropped.
        (self.state.swap(AWAITED, Ordering::Acquire) == FREE).then(|| Held(self))
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::Release) == AWAITED {
            self.0.queue.wake_one();
        }
    }
}
