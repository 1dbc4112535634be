//! Who stays in a queue and is told of each wake-up, without sleeping there: what epoll(7) watches.
//!
//! A wake-up reaches a watcher in two steps. With the queue locked it notes that something has changed, so that whoever looks behind
//! the wake-up sees it noted. Then, with no lock held, it wakes those who wait for it. For the second step the watchers are taken one
//! by one from the front of the queue and go to its end: as many steps as there are watchers reach each of them, whoever else does the
//! same at the same time, comes or goes. A watcher that has left may still be told to wake somebody; whom it wakes looks again.
//!
//! Nothing is allocated here but by [`WaitQueue::watch`]: a watcher brings its places along.

use super::WaitQueue;
use abi::Errno;
use alloc::sync::Arc;
use memory::fallible;
use platform::queue::{Member, Queue};

/// A watcher's place in a queue.
pub type WatchPlace = Member<dyn Watcher>;

pub(super) type Watchers = Queue<Arc<dyn Watcher>>;

/// Which wake-ups a watcher is told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// Each.
    Shared,
    /// Each for all; of those for one only if it comes first of those who have somebody to wake (`EPOLLEXCLUSIVE`).
    Exclusive,
}

/// Who watches queues.
pub trait Watcher: Send + Sync {
    /// Where it stands: in up to two queues.
    fn places(&self) -> &[WatchPlace; 2];

    /// Which wake-ups it is told of; always the same.
    fn kind(&self) -> WatchKind;

    /// Something has changed. The queue is locked: only leaves of the order of locks may be taken, and nobody may be woken. Whether
    /// somebody waits for it.
    fn note(self: Arc<Self>) -> bool;

    /// Wakes who waits for it, behind [`Watcher::note`], with no lock held that comes behind the waker's.
    fn wake(self: Arc<Self>);
}

/// How many of the exclusive watchers are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    One,
}

/// Whether an exclusive watcher has somebody to wake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    No,
}

impl WaitQueue {
    /// Lets `watcher` stay here from now on, in its place of that number, in which it stands nowhere.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn watch(&self, watcher: Arc<dyn Watcher>, place: usize) -> Result<(), Errno> {
        let mut made = None;
        let mut sleepers = self.sleepers.lock();
        if sleepers.watchers.is_none() {
            drop(sleepers);
            made = Some(fallible::boxed_with(Watchers::new)?);
            sleepers = self.sleepers.lock();
        }
        if sleepers.watchers.is_none() {
            sleepers.watchers = made.take();
        }
        if let Some(watchers) = &mut sleepers.watchers {
            watchers.enter_member(watcher, |watcher| &watcher.places()[place]);
        }
        drop(sleepers);
        drop(made);
        Ok(())
    }

    /// As [`WaitQueue::watch`]; nothing happens if `watcher` stands here in that place already. It stands nowhere else.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn rewatch(&self, watcher: Arc<dyn Watcher>, place: usize) -> Result<(), Errno> {
        let stands = |watchers: &Watchers| watchers.has_member(&watcher.places()[place]);
        if self.sleepers.lock().watchers.as_deref().is_some_and(stands) {
            return Ok(());
        }
        self.watch(watcher, place)
    }

    /// Lets it go, if it stands here in that place.
    pub fn unwatch(&self, watcher: &dyn Watcher, place: usize) {
        let mut sleepers = self.sleepers.lock();
        let gone = sleepers
            .watchers
            .as_mut()
            .and_then(|watchers| watchers.leave_member(&watcher.places()[place]));
        drop(sleepers);
        drop(gone);
    }

    /// Tells those who watch the queue, and nobody else: what they look at has changed again, though nobody need be woken for it.
    #[cold]
    pub fn note_change(&self) {
        self.tell_watchers(Extent::One);
    }

    pub(super) fn tell_watchers(&self, extent: Extent) -> Taken {
        let mut sleepers = self.sleepers.lock();
        let Some(watchers) = &mut sleepers.watchers else {
            return Taken::No;
        };
        let taker = note_all(watchers, extent);
        let mut left = watchers.len();
        let mut next = watchers.rotate().cloned();
        drop(sleepers);
        while let Some(watcher) = next {
            if watcher.kind() == WatchKind::Shared || extent == Extent::All {
                watcher.wake();
            }
            left -= 1;
            next = if left > 0 { self.next_watcher() } else { None };
        }
        match taker {
            Some(taker) => {
                taker.wake();
                Taken::Yes
            }
            None => Taken::No,
        }
    }

    fn next_watcher(&self) -> Option<Arc<dyn Watcher>> {
        self.sleepers.lock().watchers.as_mut()?.rotate().cloned()
    }
}

/// The first step. Which exclusive watcher is to wake somebody.
fn note_all(watchers: &mut Watchers, extent: Extent) -> Option<Arc<dyn Watcher>> {
    let mut taker = None;
    watchers.for_each(|watcher| {
        if extent == Extent::All || watcher.kind() == WatchKind::Shared {
            watcher.clone().note();
        } else if taker.is_none() && watcher.clone().note() {
            taker = Some(watcher.clone());
        }
    });
    taker
}
