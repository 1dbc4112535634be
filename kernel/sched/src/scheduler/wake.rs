//! Making threads run that sleep, or are about to.

use super::account::State;
use super::place;
use super::share::Arrival;
use crate::Thread;
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};

/// Wakes a thread that sleeps or is about to; whether it was. What the caller did before is seen by the thread when it looks
/// again for what it waits for, also if it was not asleep yet.
pub fn wake(thread: &Arc<Thread>) -> bool {
    match rouse(thread) {
        Some(State::Asleep) => place::enqueue(thread.clone(), Arrival::Woken),
        Some(_) => {}
        None => return false,
    }
    true
}

/// As [`wake`], for one who has a reference to spare.
pub fn wake_owned(thread: Arc<Thread>) -> bool {
    match rouse(&thread) {
        Some(State::Asleep) => place::enqueue(thread, Arrival::Woken),
        Some(_) => {}
        None => return false,
    }
    true
}

/// Makes a thread that sleeps or is about to `Running`; from which of the two states.
#[inline]
fn rouse(thread: &Thread) -> Option<State> {
    fence(Ordering::SeqCst);
    try_rouse(thread).or_else(|| rouse_running(thread))
}

/// As [`rouse`], for a thread that was seen to run: it is told that it was to be woken, in case that it is about to sleep.
#[cold]
fn rouse_running(thread: &Thread) -> Option<State> {
    thread.miss_wakeup();
    try_rouse(thread)
}

#[inline]
fn try_rouse(thread: &Thread) -> Option<State> {
    // Mostly it sleeps long since.
    if thread.state() == State::Asleep && thread.change_state(State::Asleep, State::Running) {
        return Some(State::Asleep);
    }
    // In this order: a thread goes from `Sleeping` to `Asleep` between the two, not the other way round.
    let from = |state| thread.change_state(state, State::Running).then_some(state);
    from(State::Sleeping).or_else(|| from(State::Asleep))
}
