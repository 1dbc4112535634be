//! Sleeping mutual exclusion, for work that copies to or from user memory: no spin lock may be held there.

use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;

use crate::wait::WaitQueue;

/// One user at a time; the others sleep.
pub struct Turn {
    is_taken: AtomicBool,
    queue: WaitQueue,
}

/// The turn, given back when this is dropped.
#[must_use]
pub struct Held<'a>(&'a Turn);

impl Turn {
    /// A turn that nobody holds.
    pub const fn new() -> Self {
        Turn {
            is_taken: AtomicBool::new(false),
            queue: WaitQueue::new(),
        }
    }

    /// Waits for the turn. No spin lock may be held. Only the end of the process ends the wait early.
    pub fn take(&self) -> Result<Held<'_>, Errno> {
        if let Some(held) = self.try_take() {
            return Ok(held);
        }
        Ok(self.queue.wait_killable(|| self.try_take())?)
    }

    fn try_take(&self) -> Option<Held<'_>> {
        let before = self
            .is_taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        before.is_ok().then_some(Held(self))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.is_taken.store(false, Ordering::Release);
        self.0.queue.wake_one();
    }
}
