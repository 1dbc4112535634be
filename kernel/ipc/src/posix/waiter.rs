//! Threads that wait for a message, or for room for one. What one waits for is put into its hand, so nobody comes between: the
//! highest real-time priority first, and of one priority whoever waits longest.

use abi::Errno;
use alloc::sync::Arc;
use core::cmp::Reverse;
use lock::Mutex;
use memory::fallible;
use memory::fallible::map::Map;
use sched::Thread;
use sched::wait::{self, Interrupted};
use sched::{scheduler, time};

use super::queue::PosixMessage;

/// A thread that waits.
pub(super) struct QueueWaiter {
    thread: Arc<Thread>,
    /// What it wants to send, until that is taken; or what it gets.
    hand: Mutex<Option<PosixMessage>>,
}

/// Where one stands.
pub(super) type Turn = (Reverse<u8>, u64);

/// Those who wait for one thing.
pub(super) struct Waiters {
    waiting: Map<Turn, Arc<QueueWaiter>>,
    next: u64,
}

impl QueueWaiter {
    /// The running thread, with what it wants to send.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(message: Option<PosixMessage>) -> Result<Arc<QueueWaiter>, Errno> {
        fallible::arc_with(|| QueueWaiter {
            thread: scheduler::current(),
            hand: Mutex::new(message),
        })
    }

    /// Puts something into its hand.
    pub(super) fn give(&self, message: PosixMessage) {
        *self.hand.lock() = Some(message);
    }

    /// Takes what is in its hand.
    pub(super) fn take(&self) -> Option<PosixMessage> {
        self.hand.lock().take()
    }

    /// The priority of the message in its hand.
    pub(super) fn priority(&self) -> Option<u32> {
        self.hand.lock().as_ref().map(|message| message.priority)
    }

    /// Whether its hand is empty: what it wanted to send is sent.
    pub(super) fn is_empty_handed(&self) -> bool {
        self.hand.lock().is_none()
    }

    /// Something was put there, or taken. No lock may be held.
    pub(super) fn wake(&self) {
        scheduler::wake(&self.thread);
    }
}

impl Waiters {
    /// Nobody.
    pub(super) const fn new() -> Waiters {
        Waiters {
            waiting: Map::new(),
            next: 0,
        }
    }

    /// One more; where it stands.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn add(&mut self, waiter: &Arc<QueueWaiter>) -> Result<Turn, Errno> {
        let priority = waiter.thread.scheduling.attributes().effective_priority();
        let turn = (Reverse(priority), self.next);
        self.waiting.insert_new(turn, waiter.clone())?;
        self.next += 1;
        Ok(turn)
    }

    /// The first.
    pub(super) fn first(&self) -> Option<(Turn, Arc<QueueWaiter>)> {
        let (turn, waiter) = self.waiting.iter().next()?;
        Some((*turn, waiter.clone()))
    }

    /// It waits no longer; whether it did.
    pub(super) fn remove(&mut self, turn: Turn) -> Option<Arc<QueueWaiter>> {
        self.waiting.remove(&turn)
    }
}

/// Sleeps until `ready` answers, or `CLOCK_REALTIME` has passed `until`: then `None`.
pub(super) fn sleep<T>(
    until: Option<u64>,
    ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    match until {
        Some(nanos) => time::wait_until_realtime(nanos, ready),
        None => wait::wait_alone(None, ready),
    }
}
