//! Mappings that move in pieces (mremap(2) of much memory), and who waits for their end: a fault on what has not come yet, a fork, an
//! access by another process.

use super::{Space, mappings};
use crate::scheduler;
use crate::time;
use crate::wait::WaitQueue;
use mm::{Interrupted, MapError, Move, Portion, VirtAddr};

/// Whoever waits for the end of a move.
static ARRIVED: WaitQueue = WaitQueue::new();

/// Nanoseconds after which a move looks again whether pages of a file are still being taken from all spaces.
const NAP: u64 = 1_000_000;

impl Space {
    /// Moves a mapping piece by piece, others run in between; where it is then. Even a process that is to end brings this to its end:
    /// others may live in the space. No lock is held.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: nobody could be ended for it but the caller.
    pub fn finish_move(&self, mut moving: Move) -> Result<VirtAddr, MapError> {
        let mut has_failed = false;
        let end = loop {
            let moved = self.edit(|space| {
                // Nothing may move behind the back of whoever takes pages of a file from all spaces.
                (!mappings::walks().is_one_under_way())
                    .then(|| space.move_some(memory::get(), &mut moving, Portion::USUAL))
            });
            match moved {
                Some(Ok(true)) => break Ok(moving.target()),
                Some(Ok(false)) => {}
                Some(Err(error)) if has_failed && !memory::reclaim() => {
                    self.with(|space| space.give_up_move(moving));
                    break Err(error);
                }
                Some(Err(_)) => has_failed = true,
                None => nap_while_walked(),
            }
            scheduler::cond_resched();
        };
        ARRIVED.wake_all();
        end
    }

    /// Waits if a mapping is on its way to `address`, and not there yet. Whether the access is to be tried again.
    pub fn wait_for_arrival(&self, address: VirtAddr) -> bool {
        let is_awaited = || self.with(|space| space.is_moving_to(address));
        is_awaited() && ARRIVED.wait_killable(|| (!is_awaited()).then_some(())).is_ok()
    }

    /// Waits until no mapping is on its way. No lock is held.
    ///
    /// # Errors
    /// The process is to end.
    pub(super) fn wait_for_moves(&self) -> Result<(), Interrupted> {
        let is_still = || (!self.with(|space| space.is_moving())).then_some(());
        ARRIVED.wait_killable(is_still).map_err(|_| Interrupted)
    }
}

fn nap_while_walked() {
    let is_over = || (!mappings::walks().is_one_under_way()).then_some(());
    // Whoever is to end does not sleep, and looks again at once.
    let _is_over = ARRIVED
        .wait_killable_deadline(Some(time::deadline_after(NAP)), is_over)
        .is_ok();
}
