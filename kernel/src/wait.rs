//! Sleeping until something is so. A [`WaitQueue`] belongs to the thing that changes; whoever changes it wakes the queue.
//!
//! No wake-up is lost: a sleeper first stands in the queue and calls itself asleep ([`Thread::prepare_to_sleep`]), and
//! only then looks whether the condition holds. A change before that look is seen by it; a change after it finds the
//! sleeper in the queue. What happens when the two meet on different processors is told in `scheduler`.
//!
//! A queue's lock is a leaf: it is taken with other locks held (by a waker) and takes none but the run queue's.

use crate::scheduler;
use crate::signal;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use crate::time;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The sleep ended because a signal is to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

impl From<Interrupted> for Errno {
    fn from(_: Interrupted) -> Errno {
        Errno::RESTART
    }
}

/// Threads that wait for one thing.
pub struct WaitQueue {
    sleepers: Mutex<Vec<Arc<Thread>>, { rank::WAIT_QUEUE }>,
}

/// What may end a sleep before its condition holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interruption {
    /// Any signal that will be delivered.
    BySignal,
    /// Only the end of the process.
    ByDeath,
}

impl WaitQueue {
    /// A queue in which nobody waits.
    pub const fn new() -> WaitQueue {
        WaitQueue {
            sleepers: Mutex::new(Vec::new()),
        }
    }

    /// Sleeps until `ready` answers with something. `ready` is called with no lock of this queue held, several times, and
    /// must not sleep.
    pub fn wait_until<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        sleep(&[self], None, Interruption::BySignal, ready).map(expect_some)
    }

    /// As [`WaitQueue::wait_until`], until the timer passes `deadline` (ticks of `platform::timer`): then `Ok(None)`.
    pub fn wait_until_deadline<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        sleep(&[self], deadline, Interruption::BySignal, ready)
    }

    /// As [`WaitQueue::wait_until`], but only a signal that ends the process interrupts it.
    pub fn wait_killable<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        sleep(&[self], None, Interruption::ByDeath, ready).map(expect_some)
    }

    /// Wakes everybody who waits here.
    pub fn wake_all(&self) {
        let mut sleepers = self.sleepers.lock();
        for thread in sleepers.drain(..) {
            scheduler::wake(&thread);
        }
    }

    /// Wakes whoever has waited longest.
    pub fn wake_one(&self) {
        let mut sleepers = self.sleepers.lock();
        while !sleepers.is_empty() {
            if scheduler::wake(&sleepers.remove(0)) {
                return;
            }
        }
    }

    fn enter(&self, thread: &Arc<Thread>) {
        self.sleepers.lock().push(thread.clone());
    }

    fn leave(&self, thread: &Arc<Thread>) {
        self.sleepers
            .lock()
            .retain(|sleeper| !Arc::ptr_eq(sleeper, thread));
    }
}

impl Default for WaitQueue {
    fn default() -> WaitQueue {
        WaitQueue::new()
    }
}

/// Sleeps until `ready` answers with something, looking again whenever one of `queues` is woken; `Ok(None)` when the
/// timer passes `deadline`. For poll(2) and select(2); with no queue at all it is a plain sleep.
pub fn wait_on_any<T>(
    queues: &[&WaitQueue],
    deadline: Option<u64>,
    ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    sleep(queues, deadline, Interruption::BySignal, ready)
}

fn expect_some<T>(answer: Option<T>) -> T {
    answer.expect("a sleep without a deadline ends by its condition")
}

fn sleep<T>(
    queues: &[&WaitQueue],
    deadline: Option<u64>,
    interruption: Interruption,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    if let Some(answer) = ready() {
        return Ok(Some(answer));
    }
    let current = scheduler::current();
    let alarm = deadline.map(|at| time::wake_at(at, &current));
    let answer = loop {
        queues.iter().for_each(|queue| queue.enter(&current));
        current.prepare_to_sleep();
        let answer = look(&current, deadline, interruption, &mut ready);
        if answer.is_none() {
            scheduler::block(&current);
        }
        current.end_sleep();
        queues.iter().for_each(|queue| queue.leave(&current));
        if let Some(answer) = answer {
            break answer;
        }
    };
    if let Some(alarm) = alarm {
        time::cancel(alarm);
    }
    answer
}

/// What there is to say without sleeping (further); `None` to sleep on.
fn look<T>(
    current: &Thread,
    deadline: Option<u64>,
    interruption: Interruption,
    ready: &mut impl FnMut() -> Option<T>,
) -> Option<Result<Option<T>, Interrupted>> {
    if let Some(answer) = ready() {
        return Some(Ok(Some(answer)));
    }
    if deadline.is_some_and(|at| platform::timer::ticks() >= at) {
        return Some(Ok(None));
    }
    let is_interrupted = match interruption {
        Interruption::BySignal => signal::is_pending(current),
        Interruption::ByDeath => current.process.is_ending(),
    };
    is_interrupted.then_some(Err(Interrupted))
}
