//! What watched files and their epoll know together: all of them, and those of which something was noted since they were last
//! found not ready.

use super::item::{Item, ItemKey, Seen};
use super::nesting;
use abi::Errno;
use abi::events::EpollEvents;
use alloc::sync::Arc;
use core::ops::RangeFrom;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use lock::Mutex;
use memory::fallible::map::Map;
use platform::queue::Queue;
use sched::wait::{Interrupted, WaitQueue};
use sched::{SleepingMutex, scheduler};

/// After so many files others may run.
pub(super) const STEPS: usize = 32;

/// An epoll, without who has it open.
pub(super) struct Lists {
    items: Mutex<Map<ItemKey, Arc<Item>>>,
    ready: Mutex<Queue<Arc<Item>>>,
    /// Who waits for events, and who looks whether there are some; woken when something is noted.
    pub waiters: WaitQueue,
    /// How many wait for events.
    waiting: AtomicUsize,
    /// Held by who reports events: nobody reports the same one meanwhile.
    pub reporting: SleepingMutex,
    /// How often somebody reported.
    rounds: AtomicU32,
    /// Held by who changes what is watched.
    pub changing: SleepingMutex,
}

/// What tells a watched file to leave the ready list.
const ONCE: EpollEvents = EpollEvents::EPOLLET.union(EpollEvents::EPOLLONESHOT);

/// What stays of a watched file's events when it is disarmed: it waits for nothing.
pub(super) const PRIVATE: EpollEvents = EpollEvents::EPOLLWAKEUP
    .union(EpollEvents::EPOLLONESHOT)
    .union(EpollEvents::EPOLLET)
    .union(EpollEvents::EPOLLEXCLUSIVE);

impl Lists {
    pub fn new() -> Lists {
        Lists {
            items: Mutex::new(Map::new()),
            ready: Mutex::new(Queue::new()),
            waiters: WaitQueue::new(),
            waiting: AtomicUsize::new(0),
            reporting: SleepingMutex::new(),
            rounds: AtomicU32::new(0),
            changing: SleepingMutex::new(),
        }
    }

    /// Which one it is, among all.
    pub fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    pub fn get(&self, key: ItemKey) -> Option<Arc<Item>> {
        self.items.lock().get(&key).cloned()
    }

    /// `ENOMEM`.
    pub fn insert(&self, item: &Arc<Item>) -> Result<(), Errno> {
        let old = self.items.lock().insert(item.key, item.clone())?;
        debug_assert!(old.is_none(), "epoll: a file is watched once by each descriptor");
        Ok(())
    }

    /// The first watched file from `from` on.
    pub fn next(&self, from: RangeFrom<ItemKey>) -> Option<Arc<Item>> {
        let items = self.items.lock();
        items.range(from).next().map(|(_, item)| item.clone())
    }

    /// How many files are watched.
    pub fn len(&self) -> usize {
        self.items.lock().len()
    }

    /// The file, whose queues and list it has left, is watched no more.
    pub fn forget(&self, item: &Arc<Item>) {
        let gone = self.items.lock().remove(&item.key);
        let mut ready = self.ready.lock();
        item.set_events(EpollEvents::empty());
        let not_ready = ready.leave_member(&item.ready_place);
        drop(ready);
        nesting::remove(self.address(), item.key);
        drop((gone, not_ready));
    }

    /// Changes a watched file, with the ready list locked.
    pub fn change(&self, change: impl FnOnce()) {
        let _ready = self.ready.lock();
        change();
    }

    /// Something has changed of a watched file. Whether somebody waits for it.
    pub fn note(&self, item: &Arc<Item>) -> bool {
        let mut ready = self.ready.lock();
        if PRIVATE.contains(item.events()) {
            return false;
        }
        item.add_note();
        if !ready.has_member(&item.ready_place) {
            ready.enter_member(item.clone(), |item| &item.ready_place);
        }
        drop(ready);
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Whether something was noted that was not looked at.
    pub fn has_notes(&self) -> bool {
        !self.ready.lock().is_empty()
    }

    /// How many files there are of which something was noted.
    pub fn notes(&self) -> usize {
        self.ready.lock().len()
    }

    /// A number for a new round of reports, for who reports.
    pub fn new_round(&self) -> u32 {
        let round = self.rounds.load(Ordering::Relaxed).wrapping_add(1);
        self.rounds.store(round, Ordering::Relaxed);
        round
    }

    /// The file that has waited longest to be looked at, which goes to the end.
    pub fn look_at_next(&self) -> Option<(Arc<Item>, Seen)> {
        let mut ready = self.ready.lock();
        let item = ready.rotate()?.clone();
        let seen = item.see();
        drop(ready);
        Some((item, seen))
    }

    /// The file was found not ready: it leaves the list, unless something was noted since.
    pub fn found_nothing(&self, item: &Item, seen: &Seen) {
        let mut ready = self.ready.lock();
        let gone = if item.is_as_noted(seen) {
            ready.leave_member(&item.ready_place)
        } else {
            None
        };
        drop(ready);
        drop(gone);
    }

    /// The file was reported.
    #[inline]
    pub fn reported(&self, item: &Item, seen: &Seen) {
        if seen.event.events.intersects(ONCE) {
            self.reported_once(item, seen);
        }
    }

    fn reported_once(&self, item: &Item, seen: &Seen) {
        let mut ready = self.ready.lock();
        if seen.event.events.contains(EpollEvents::EPOLLONESHOT) && item.is_unchanged(seen) {
            item.set_events(seen.event.events & PRIVATE);
        }
        let gone = if item.is_as_noted(seen) {
            ready.leave_member(&item.ready_place)
        } else {
            None
        };
        drop(ready);
        drop(gone);
    }

    /// Whether a file is ready that nobody has reported: poll(2) of the epoll itself. It may let others run.
    pub fn is_ready(&self) -> bool {
        let mut looked = 0;
        while let Some((item, seen)) = self.look_at_next() {
            if !item.ready(seen.event.events).is_empty() {
                return true;
            }
            self.found_nothing(&item, &seen);
            looked += 1;
            if looked % STEPS == 0 {
                scheduler::cond_resched();
            }
        }
        false
    }

    /// Sleeps until something is noted, or the timer passes `deadline`: then `false`.
    pub fn sleep(&self, deadline: Option<u64>) -> Result<bool, Interrupted> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let noted = self
            .waiters
            .wait_exclusive_deadline(deadline, || self.has_notes().then_some(()));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Ok(noted?.is_some())
    }

    /// The next one who waits may report what was left.
    pub fn wake_next(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 && self.has_notes() {
            self.waiters.wake_next();
        }
    }
}
