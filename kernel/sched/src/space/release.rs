//! The end of mappings and of a space, in pieces between which others run.

use super::Space;
use crate::scheduler;
use alloc::sync::Arc;
use mm::{AddressSpace, Release};
use platform::memory::BoardMmu;

impl Space {
    /// [`Space::with`] for work that may drop mappings. Whole tables are released behind the lock, in pieces between which
    /// others run; the caller holds no lock.
    #[inline(always)]
    pub fn edit<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> R {
        let (result, has_deferred) = self.with(|space| (work(space), space.has_deferred()));
        if has_deferred {
            self.release_deferred();
        }
        result
    }

    #[cold]
    fn release_deferred(&self) {
        // Another thread may have come first.
        if let Some(deferred) = self.with(|space| space.take_deferred(memory::get())) {
            release_in_pieces(deferred);
        }
    }

    /// Lets go of the space. The last holder releases it in pieces between which others run. No lock is held, and the
    /// caller's process is not in the space any more.
    pub fn let_go(mut self: Arc<Space>) {
        let memory = match Arc::get_mut(&mut self) {
            Some(space) => space.memory.get_mut().take(),
            None => let_go_with_others(self),
        };
        let Some(memory) = memory else {
            return;
        };
        release_in_pieces(memory.begin_release(memory::get()));
    }
}

/// Of several holders that let go at once one is the last.
#[cold]
fn let_go_with_others(space: Arc<Space>) -> Option<AddressSpace> {
    Arc::into_inner(space)?.memory.get_mut().take()
}

#[cold]
fn release_in_pieces(mut release: Release<'_, BoardMmu>) {
    while release.release_some() {
        // A thread that is told to end goes on: what it gives back is what others may be waiting for.
        scheduler::cond_resched();
    }
}
