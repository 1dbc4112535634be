//! Sleeping mutual exclusion, for work that copies to or from user memory: no spin lock may be held there.

use core::sync::atomic::{AtomicU8, Ordering};

use abi::Errno;

use crate::wait::WaitQueue;

/// One user at a time; the others sleep.
pub struct Turn {
    state: AtomicU8,
    queue: WaitQueue,
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Taken, and somebody waits for it, or did: whoever gives it back wakes the queue.
const AWAITED: u8 = 2;

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
        match self
            .state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Ok(Held(self)),
            Err(_) => self.wait(),
        }
    }

    /// Who waited takes the turn as an awaited one: there may be others.
    #[cold]
    fn wait(&self) -> Result<Held<'_>, Errno> {
        let take = || (self.state.swap(AWAITED, Ordering::Acquire) == FREE).then_some(Held(self));
        Ok(self.queue.wait_killable(take)?)
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
