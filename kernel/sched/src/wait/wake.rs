//! Waking those who stand in a queue.

use super::WaitQueue;
use super::watch::{Extent, Taken};
use crate::scheduler;

impl WaitQueue {
    /// Wakes everybody who waits here.
    pub fn wake_all(&self) {
        let mut sleepers = self.sleepers.lock();
        let (mut next, mut behind) = sleepers.take_first();
        let is_watched = sleepers.watchers.is_some();
        drop(sleepers);
        if is_watched {
            self.tell_watchers(Extent::All);
        }
        while let Some(thread) = next {
            scheduler::wake_owned(thread);
            if behind == 0 {
                // Whoever came meanwhile has seen what the caller did.
                return;
            }
            behind -= 1;
            (next, _) = self.sleepers.lock().take_first();
        }
    }

    /// Wakes all who only look, and whoever has waited longest of those who take. They are woken without the lock: on its
    /// processor a woken thread comes for it at once.
    #[inline]
    pub fn wake_one(&self) {
        let mut sleepers = self.sleepers.lock();
        if !sleepers.shared.is_empty() || sleepers.watchers.is_some() {
            drop(sleepers);
            return self.wake_shared_and_one();
        }
        let first = sleepers.exclusive.take_first();
        drop(sleepers);
        if first.is_some_and(|thread| !scheduler::wake_owned(thread)) {
            self.wake_next();
        }
    }

    #[cold]
    fn wake_shared_and_one(&self) {
        // As in `wake_all`.
        let count = self.sleepers.lock().shared.len();
        for _ in 0..count {
            let next = self.sleepers.lock().shared.take_first();
            next.map(scheduler::wake_owned);
        }
        if self.tell_watchers(Extent::One) == Taken::No {
            self.wake_next();
        }
    }

    /// Wakes whoever has waited longest of those who take: something was left for it, or another one did not take it.
    #[cold]
    pub fn wake_next(&self) {
        let take = || self.sleepers.lock().exclusive.take_first();
        while let Some(thread) = take() {
            if scheduler::wake_owned(thread) {
                return;
            }
        }
    }
}
