//! Sleeping until something is so. A [`WaitQueue`] belongs to the thing that changes; whoever changes it wakes the queue.
//!
//! No wake-up is lost. A sleeper first calls itself asleep (`ThreadCore::prepare_to_sleep`), then stands in the queue, and only
//! then looks whether the condition holds. Whoever makes it hold looks into the queue afterwards. The queue's lock puts the
//! two in order: either the waker finds the sleeper, and then also its state, or the sleeper came after the waker had looked,
//! and sees what the waker did. A sleeper that still stands there from its last look need not enter again: a waker that finds it
//! makes it run, and then it enters anew before it looks. The look after a sleep, before the thread stands in the queue anew, is
//! only a short cut: it may find the condition, but never lets the thread sleep. What a wake-up does to a sleeper that has not
//! left its processor yet is told in `scheduler`.
//!
//! Some sleepers take what they wait for (*exclusive* ones, as Linux calls them: readers of a pipe), others only look.
//! [`WaitQueue::wake_one`] wakes all of those who look and one of the others. No such wake-up is wasted: if that one goes away for
//! another reason, a signal or its deadline, it wakes the next in its place; and who took less than there was wakes the next,
//! too (`fs::pipe`).
//!
//! Others do not sleep, but stay and are told of every wake-up ([`watch`]): epoll(7).
//!
//! To enter and to leave takes a few steps however many wait, and no memory: the nodes of a queue live with its sleepers, on their
//! stacks ([`with_node`]) or, for poll(2), in a [`WaitSet`]. A queue's lock is taken with other locks held (by a waker), and none is
//! taken under it.

use crate::Thread;
use crate::scheduler;
use crate::thread;
use crate::time::timers;
use alloc::boxed::Box;
use alloc::sync::Arc;
use lock::{Mutex, rank};
use platform::queue::{Node, Queue, with_node};

mod interrupted;
mod set;
mod wake;
mod watch;

pub use interrupted::Interrupted;
pub use set::WaitSet;
use watch::Watchers;
pub use watch::{WatchKind, WatchPlace, Watcher};

/// Threads that wait for one thing.
pub struct WaitQueue {
    sleepers: Mutex<Sleepers, { rank::WAIT_QUEUE }>,
}

/// Those who wait, of each kind the longest waiting first.
struct Sleepers {
    /// Those who look: every wake-up is for all of them.
    shared: Queue<Arc<Thread>>,
    /// Those who take.
    exclusive: Queue<Arc<Thread>>,
    /// Those who stay and are told of each wake-up, if there ever were any.
    watchers: Option<Box<Watchers>>,
}

/// What a sleeper does with what it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WaitKind {
    /// It looks.
    Shared,
    /// It takes it, so that there may be nothing left for another.
    Exclusive,
}

/// What may end a sleep before its condition holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interruption {
    /// Any signal that will be delivered.
    Signal,
    /// Only the end of the process.
    Death,
    /// The same, but not if the thread has begun to leave already.
    NewDeath,
    /// Nothing: what is waited for comes, or its giver says that it does not.
    Nothing,
}

impl Sleepers {
    fn queue(&mut self, kind: WaitKind) -> &mut Queue<Arc<Thread>> {
        match kind {
            WaitKind::Shared => &mut self.shared,
            WaitKind::Exclusive => &mut self.exclusive,
        }
    }

    /// Takes out the first, of those who look if there are any; how many are left.
    #[inline]
    fn take_first(&mut self) -> (Option<Arc<Thread>>, usize) {
        let first = self.shared.take_first().or_else(|| self.exclusive.take_first());
        (first, self.shared.len() + self.exclusive.len())
    }
}

impl WaitQueue {
    /// A queue in which nobody waits.
    pub const fn new() -> WaitQueue {
        WaitQueue {
            sleepers: Mutex::new(Sleepers {
                shared: Queue::new(),
                exclusive: Queue::new(),
                watchers: None,
            }),
        }
    }

    /// Sleeps until `ready` answers with something. `ready` is called with no lock of this queue held, several times, and
    /// must not sleep.
    ///
    /// # Errors
    /// [`Interrupted`]: the sleep ended because of a signal, or the thread is to end.
    pub fn wait_until<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        self.sleep(WaitKind::Shared, None, Interruption::Signal, ready)
            .map(expect_some)
    }

    /// As [`WaitQueue::wait_until`], for one who has looked already, in vain, and still holds the lock that everybody takes who lets
    /// `ready` hold: whoever takes it later finds the sleeper in the queue.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    #[inline]
    pub fn wait_behind<T, G>(&self, guard: G, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        self.sleep_in(WaitKind::Shared, None, Interruption::Signal, Some(guard), ready)
            .map(expect_some)
    }

    /// As [`WaitQueue::wait_until`], until the timer passes `deadline` (ticks of `platform::timer`): then `Ok(None)`.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    pub fn wait_until_deadline<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        self.sleep(WaitKind::Shared, deadline, Interruption::Signal, ready)
    }

    /// As [`WaitQueue::wait_until`], but only a signal that ends the process interrupts it.
    ///
    /// # Errors
    /// [`Interrupted`]: the thread is to end.
    pub fn wait_killable<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        self.sleep(WaitKind::Shared, None, Interruption::Death, ready)
            .map(expect_some)
    }

    /// As [`WaitQueue::wait_until_deadline`], but only a signal that ends the process interrupts it.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_killable`].
    pub fn wait_killable_deadline<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        self.sleep(WaitKind::Shared, deadline, Interruption::Death, ready)
    }

    /// As [`WaitQueue::wait_killable_deadline`], for a page that a fault needs. A thread that leaves its memory still goes through its
    /// robust futexes (`futex`): it was killed already, and waits to the end.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_killable`].
    pub fn wait_for_page<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        self.sleep(WaitKind::Shared, deadline, Interruption::NewDeath, ready)
    }

    /// As [`WaitQueue::wait_until_deadline`], but nothing interrupts it: for what is sure to come, as the end of what a device does.
    pub fn wait_uninterruptible<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let answer = self.sleep(WaitKind::Shared, deadline, Interruption::Nothing, ready);
        answer.expect("nothing interrupts it")
    }

    /// As [`WaitQueue::wait_exclusive`], but nothing interrupts it.
    pub fn wait_exclusive_uninterruptible<T>(&self, ready: impl FnMut() -> Option<T>) -> T {
        let answer = self.sleep(WaitKind::Exclusive, None, Interruption::Nothing, ready);
        answer.map(expect_some).expect("nothing interrupts it")
    }

    /// As [`WaitQueue::wait_until`], for one who takes what it waits for: [`WaitQueue::wake_one`] wakes it only if it is first.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    pub fn wait_exclusive<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        self.sleep(WaitKind::Exclusive, None, Interruption::Signal, ready)
            .map(expect_some)
    }

    /// As [`WaitQueue::wait_exclusive`], until the timer passes `deadline`: then `Ok(None)`.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    pub fn wait_exclusive_deadline<T>(
        &self,
        deadline: Option<u64>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        self.sleep(WaitKind::Exclusive, deadline, Interruption::Signal, ready)
    }

    /// As [`WaitQueue::wait_exclusive`], for one who has looked already, in vain, and still holds the lock that everybody takes
    /// who lets `ready` hold: whoever takes it later finds the sleeper in the queue.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_until`].
    #[inline]
    pub fn wait_exclusive_behind<T, G>(
        &self,
        guard: G,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Interrupted> {
        self.sleep_in(
            WaitKind::Exclusive,
            None,
            Interruption::Signal,
            Some(guard),
            ready,
        )
        .map(expect_some)
    }

    /// As [`WaitQueue::wait_exclusive`], but only a signal that ends the process interrupts it.
    ///
    /// # Errors
    /// As [`WaitQueue::wait_killable`].
    pub fn wait_exclusive_killable<T>(&self, ready: impl FnMut() -> Option<T>) -> Result<T, Interrupted> {
        self.sleep(WaitKind::Exclusive, None, Interruption::Death, ready)
            .map(expect_some)
    }

    /// Stands in the queue from now on, if it does not yet.
    #[inline]
    fn enter(&self, kind: WaitKind, node: &Node<Arc<Thread>>, thread: &Arc<Thread>) {
        if !node.stands() {
            let thread = thread.clone();
            self.sleepers.lock().queue(kind).enter(node, thread);
        }
    }

    /// Leaves the queue; whether it still stood in it: if not, somebody woke it.
    #[inline]
    fn leave(&self, kind: WaitKind, node: &Node<Arc<Thread>>) -> bool {
        if !node.stands() {
            return false;
        }
        let own = self.sleepers.lock().queue(kind).leave(node);
        own.is_some()
    }

    fn sleep<T>(
        &self,
        kind: WaitKind,
        deadline: Option<u64>,
        interruption: Interruption,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        match ready() {
            Some(answer) => Ok(Some(answer)),
            None => self.sleep_in(kind, deadline, interruption, None::<()>, ready),
        }
    }

    fn sleep_in<T, G>(
        &self,
        kind: WaitKind,
        deadline: Option<u64>,
        interruption: Interruption,
        guard: Option<G>,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        with_node(|node| {
            let answer = sleep(
                |current| self.enter(kind, node, current),
                deadline,
                interruption,
                guard,
                ready,
            );
            let was_woken = !self.leave(kind, node);
            if was_woken && kind == WaitKind::Exclusive && !matches!(answer, Ok(Some(_))) {
                // It was not for this one that somebody woke it.
                self.wake_next();
            }
            answer
        })
    }
}

impl Default for WaitQueue {
    fn default() -> WaitQueue {
        WaitQueue::new()
    }
}

/// Sleeps until `ready` answers with something, looking again whenever somebody wakes the thread itself; `Ok(None)` when the
/// timer passes `deadline`.
///
/// # Errors
/// [`Interrupted`]: the sleep ended because of a signal, or the thread is to end.
pub fn wait_alone<T>(
    deadline: Option<u64>,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    match ready() {
        Some(answer) => Ok(Some(answer)),
        None => sleep(|_| {}, deadline, Interruption::Signal, None::<()>, ready),
    }
}

fn expect_some<T>(answer: Option<T>) -> T {
    answer.expect("a sleep without a deadline ends by its condition")
}

/// Sleeps until `ready` answers with something. `enter` lets the thread stand where those look who change what `ready` looks at;
/// the caller leaves there. Under `guard` the caller has looked already; it is held until the thread stands there.
fn sleep<T, G>(
    enter: impl Fn(&Arc<Thread>),
    deadline: Option<u64>,
    interruption: Interruption,
    mut guard: Option<G>,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    let current = scheduler::current();
    let alarm = deadline.map(|at| timers::wake_at(at, &current));
    let answer = loop {
        current.prepare_to_sleep();
        enter(&current);
        let mut answer = match guard.take() {
            Some(guard) => {
                drop(guard);
                end(&current, deadline, interruption)
            }
            None => look(&current, deadline, interruption, &mut ready),
        };
        if answer.is_none() {
            scheduler::block(&current);
        }
        current.end_sleep();
        if answer.is_none() {
            // Mostly the sleep was worth it. If not, it is looked again from the queue.
            answer = look(&current, deadline, interruption, &mut ready);
        }
        if let Some(answer) = answer {
            break answer;
        }
    };
    if let Some(alarm) = alarm {
        alarm.take_back(&current);
    }
    answer
}

/// What there is to say without sleeping (further); `None` to sleep on.
#[inline(always)]
fn look<T>(
    current: &Thread,
    deadline: Option<u64>,
    interruption: Interruption,
    ready: &mut impl FnMut() -> Option<T>,
) -> Option<Result<Option<T>, Interrupted>> {
    match ready() {
        Some(answer) => Some(Ok(Some(answer))),
        None => end(current, deadline, interruption),
    }
}

/// What ends a sleep whose condition does not hold.
fn end<T>(
    current: &Thread,
    deadline: Option<u64>,
    interruption: Interruption,
) -> Option<Result<Option<T>, Interrupted>> {
    if deadline.is_some_and(|at| platform::timer::ticks_behind_stores() >= at) {
        return Some(Ok(None));
    }
    let is_interrupted = match interruption {
        Interruption::Signal => thread::is_interrupted(current),
        Interruption::Death => current.is_ending(),
        Interruption::NewDeath => current.is_ending() && !thread::has_begun_to_end(current),
        Interruption::Nothing => false,
    };
    is_interrupted.then_some(Err(Interrupted))
}
