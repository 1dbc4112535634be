//! Sleeping until something is so. A [`WaitQueue`] belongs to the thing that changes; whoever changes it wakes the queue.
//!
//! No wake-up is lost. A sleeper first calls itself asleep ([`Thread::prepare_to_sleep`]), then stands in the queue, and only
//! then looks whether the condition holds. Whoever makes it hold looks into the queue afterwards. The queue's lock puts the
//! two in order: either the waker finds the sleeper, and then also its state, or the sleeper came after the waker had looked,
//! and sees what the waker did. The look after a sleep, before the thread stands in the queue anew, is only a short cut: it
//! may find the condition, but never lets the thread sleep. What a wake-up does to a sleeper that has not left its
//! processor yet is told in `scheduler`.
//!
//! No wake-up is wasted: [`WaitQueue::wake_one`] takes a sleeper out of the queue, and if that one goes away for another reason,
//! a signal or its deadline, it wakes the next in its place.
//!
//! A queue's lock is taken with other locks held (by a waker), and none is taken under it.

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
        let (mut next, mut behind) = self.take_next();
        while let Some(thread) = next {
            scheduler::wake_owned(thread);
            if behind == 0 {
                // Whoever came meanwhile has seen what the caller did.
                return;
            }
            behind -= 1;
            (next, _) = self.take_next();
        }
    }

    /// Wakes whoever has waited longest.
    pub fn wake_one(&self) {
        while let (Some(thread), _) = self.take_next() {
            if scheduler::wake_owned(thread) {
                return;
            }
        }
    }

    /// Takes out whoever has waited longest; how many wait behind. They are woken without the lock: on its processor a woken
    /// thread comes for it at once.
    fn take_next(&self) -> (Option<Arc<Thread>>, usize) {
        let mut sleepers = self.sleepers.lock();
        let next = match sleepers.len() {
            0 | 1 => sleepers.pop(),
            _ => Some(sleepers.remove(0)),
        };
        (next, sleepers.len())
    }

    fn enter(&self, thread: &Arc<Thread>) {
        self.sleepers.lock().push(thread.clone());
    }

    /// Leaves the queue; whether the thread still stood in it: if not, somebody woke it.
    fn leave(&self, thread: &Arc<Thread>) -> bool {
        let mut sleepers = self.sleepers.lock();
        let at = sleepers.iter().position(|sleeper| Arc::ptr_eq(sleeper, thread));
        let own = at.map(|at| sleepers.remove(at));
        drop(sleepers);
        own.is_some()
    }

    /// The sleep is over with `answer`. If that is not what somebody woke the thread for, another is woken.
    fn leave_with<T>(&self, thread: &Arc<Thread>, answer: &Option<Result<Option<T>, Interrupted>>) {
        let was_woken = !self.leave(thread);
        if was_woken && matches!(answer, Some(Ok(None) | Err(Interrupted))) {
            self.wake_one();
        }
    }
}

impl Default for WaitQueue {
    fn default() -> WaitQueue {
        WaitQueue::new()
    }
}

/// Sleeps until `ready` answers with something, looking again whenever one of `queues` is woken; `Ok(None)` when the
/// timer passes `deadline`. For poll(2) and select(2), and so not for queues that are woken by [`WaitQueue::wake_one`]: who
/// polls takes nothing. With no queue at all it is a plain sleep.
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
        current.prepare_to_sleep();
        queues.iter().for_each(|queue| queue.enter(&current));
        let mut answer = look(&current, deadline, interruption, &mut ready);
        if answer.is_none() {
            scheduler::block(&current);
        }
        current.end_sleep();
        if answer.is_none() {
            // Mostly the sleep was worth it. If not, it is looked again from the queue.
            answer = look(&current, deadline, interruption, &mut ready);
        }
        queues
            .iter()
            .for_each(|queue| queue.leave_with(&current, &answer));
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
        Interruption::ByDeath => current.is_ending(),
    };
    is_interrupted.then_some(Err(Interrupted))
}
