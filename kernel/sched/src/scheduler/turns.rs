//! The turns of threads that somebody traces: an observer, who stands above, is told when such a thread gets a processor and when it
//! gives it back.

use super::account::State;
use crate::Thread;
use spin::Once;

/// What the observer is told of, and when that was, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The thread has this processor from now on.
    Begins,
    /// It had it since `begin`, and left it in that state.
    Ends {
        /// When it got it.
        begin: u64,
        /// When it gave it back.
        end: u64,
        /// Whether it could go on.
        state: State,
    },
}

static OBSERVER: Once<fn(&Thread, Turn)> = Once::new();

/// Has `act` called at both ends of each turn of those who are observed (`ThreadCore::begin_traced`). It is called on the stack of
/// the scheduler's loop, with no lock held, and must not sleep.
pub fn set_observer(act: fn(&Thread, Turn)) {
    OBSERVER.call_once(|| act);
}

/// Tells him, if the thread is one of those.
pub(super) fn tell(thread: &Thread, turn: Turn) {
    if thread.scheduling.is_observed()
        && let Some(observer) = OBSERVER.get()
    {
        observer(thread, turn);
    }
}
