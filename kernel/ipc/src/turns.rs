//! Waiting for what some can use and others cannot: so many of a semaphore, a message of some type.
//!
//! Whoever changes something wakes one sleeper, and each that has looked wakes the next, as many as there were. So nobody wakes a crowd
//! in one go, and nobody is passed over because the first could not use what there is.

use sched::wait::WaitQueue;

/// Who waits for one thing. Under the lock of what it belongs to.
#[derive(Default)]
pub(super) struct Turns {
    /// How many wait.
    waiting: u32,
    /// How many have still to look at what was changed last.
    owed: u32,
}

/// The next is to look.
#[must_use]
pub(super) struct OwedTurn;

impl Turns {
    /// Nobody waits.
    pub(super) const fn new() -> Turns {
        Turns { waiting: 0, owed: 0 }
    }

    /// One more waits.
    pub(super) fn enter(&mut self) {
        self.waiting += 1;
    }

    /// One waits no longer.
    pub(super) fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Something has changed: all who wait are to look.
    #[inline]
    pub(super) fn note_change(&mut self) {
        self.owed = self.waiting;
    }

    /// Whether the next is to be woken, when the lock is released: [`pass`].
    #[inline]
    pub(super) fn take_owed(&mut self) -> Option<OwedTurn> {
        self.owed = self.owed.checked_sub(1)?;
        Some(OwedTurn)
    }
}

/// Wakes the next, if it is to be.
#[inline]
pub(super) fn pass(queue: &WaitQueue, owed: Option<OwedTurn>) {
    if owed.is_some() {
        queue.wake_next();
    }
}
