//! Watches, and the instance that has them.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::events::InotifyEvents;
use lock::Mutex;
use memory::fallible;
use memory::fallible::map::Map;
use sched::SleepingMutex;
use vfs::Inode;
use vfs::inode_watch::{FileEvent, InodeWatch};

use super::most_watches;
use super::queue::{EventQueue, QueuedEvent};
use crate::users::User;

/// What a watch keeps of how it was asked for, beside the events.
const KEPT: InotifyEvents = InotifyEvents::IN_EXCL_UNLINK.union(InotifyEvents::IN_ONESHOT);

/// What is told whether anybody asks for it or not; so who wants nothing at all is over.
const ALWAYS: InotifyEvents = InotifyEvents::IN_UNMOUNT;

/// Watches by number.
#[derive(Default)]
struct WatchNumbers {
    watches: Map<i32, Arc<NumberedWatch>>,
    last: i32,
}

/// An instance: what is watched, and what has happened.
pub struct InotifyInstance {
    /// What has happened.
    pub queue: EventQueue,
    /// Held by who adds a watch, so that no inode gets two.
    pub adding: SleepingMutex,
    numbers: Mutex<WatchNumbers>,
    user: User,
}

/// An inode that is watched.
pub struct NumberedWatch {
    instance: Arc<InotifyInstance>,
    /// What is watched.
    pub inode: Arc<Inode>,
    /// Its number in its instance.
    pub number: i32,
    wanted: AtomicU32,
}

impl WatchNumbers {
    /// The next number that is free: numbers that were given back come again late. `ENOSPC`.
    fn next_free(&self) -> Result<i32, Errno> {
        let after = self.last.checked_add(1).unwrap_or(1);
        let free_from = |from: i32| {
            let mut free = from;
            for (number, _) in self.watches.range(from..) {
                if *number != free {
                    break;
                }
                free = free.checked_add(1)?;
            }
            Some(free)
        };
        free_from(after).or_else(|| free_from(1)).ok_or(Errno::ENOSPC)
    }
}

impl InotifyInstance {
    /// An instance that watches nothing, of a user that was charged for it.
    pub fn new(queue: EventQueue, user: User) -> InotifyInstance {
        InotifyInstance {
            queue,
            adding: SleepingMutex::new(),
            numbers: Mutex::new(WatchNumbers::default()),
            user,
        }
    }

    /// By which inodes know it.
    pub fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// The watch of that number.
    pub fn find(&self, number: i32) -> Option<Arc<NumberedWatch>> {
        self.numbers.lock().watches.get(&number).cloned()
    }

    /// The first watch from that number on.
    pub fn next(&self, from: i32) -> Option<Arc<NumberedWatch>> {
        let numbers = self.numbers.lock();
        let (_, watch) = numbers.watches.range(from..).next()?;
        Some(watch.clone())
    }

    /// How many watches there are.
    pub fn count(&self) -> usize {
        self.numbers.lock().watches.len()
    }

    /// Takes a watch out; whether it was there: who took it out ends it.
    fn take_out(&self, watch: &NumberedWatch) -> bool {
        let taken = self.numbers.lock().watches.remove(&watch.number);
        taken.is_some()
    }
}

impl Drop for InotifyInstance {
    fn drop(&mut self) {
        self.user.counts().inotify_instances.give_back();
    }
}

impl NumberedWatch {
    /// Watches `inode` from now on; the number. The caller keeps others from adding.
    ///
    /// # Errors
    /// `ENOSPC`: the user watches as much as it may. `ENOMEM`.
    pub fn add(
        instance: &Arc<InotifyInstance>,
        inode: &Arc<Inode>,
        wanted: InotifyEvents,
    ) -> Result<i32, Errno> {
        let number = {
            let mut numbers = instance.numbers.lock();
            numbers.last = numbers.next_free()?;
            numbers.last
        };
        let counts = instance.user.counts();
        if !counts.inotify_watches.take_one(most_watches()) {
            return Err(Errno::ENOSPC);
        }
        NumberedWatch::insert(instance, inode, number, wanted)
            .inspect_err(|_| counts.inotify_watches.give_back())?;
        Ok(number)
    }

    fn insert(
        instance: &Arc<InotifyInstance>,
        inode: &Arc<Inode>,
        number: i32,
        wanted: InotifyEvents,
    ) -> Result<(), Errno> {
        let watch = fallible::arc(NumberedWatch {
            instance: instance.clone(),
            inode: inode.clone(),
            number,
            wanted: AtomicU32::new(kept_of(wanted).bits()),
        })?;
        instance.numbers.lock().watches.insert(number, watch.clone())?;
        let stands = inode.watches.insert(instance.key(), watch.clone());
        stands.inspect_err(|_| {
            instance.take_out(&watch);
        })
    }

    /// Watches for something else, or with `IN_MASK_ADD` for more.
    pub fn change(&self, wanted: InotifyEvents) {
        let kept = kept_of(wanted);
        if wanted.contains(InotifyEvents::IN_MASK_ADD) {
            self.wanted.fetch_or(kept.bits(), Ordering::Relaxed);
        } else {
            self.wanted.store(kept.bits(), Ordering::Relaxed);
        }
        self.inode.watches.widen(kept);
    }

    /// What /proc/PID/fdinfo says of it.
    pub fn shown_mask(&self) -> InotifyEvents {
        self.wanted() - ALWAYS
    }

    fn queue(&self, mask: InotifyEvents, cookie: u32, name: &[u8]) {
        let event = QueuedEvent::new(self.number, mask, cookie, name);
        self.instance.queue.add(event.ok());
    }

    /// It is over: its inode lets go of it, and that is told.
    pub fn end(&self) {
        if self.stop() {
            self.inode.watches.remove(self.instance.key());
            self.queue(InotifyEvents::IN_IGNORED, 0, b"");
        }
    }

    /// As [`NumberedWatch::end`], where nobody will read.
    pub fn end_silently(&self) {
        if self.stop() {
            self.inode.watches.remove(self.instance.key());
        }
    }

    /// Leaves the instance and gives back what its user was charged; whether it is this call that ends it.
    fn stop(&self) -> bool {
        let is_first = self.instance.take_out(self);
        if is_first {
            self.wanted.store(0, Ordering::Relaxed);
            self.instance.user.counts().inotify_watches.give_back();
        }
        is_first
    }
}

/// What a watch keeps of what was asked for.
fn kept_of(wanted: InotifyEvents) -> InotifyEvents {
    wanted & (InotifyEvents::ALL_EVENTS | KEPT) | ALWAYS
}

impl InodeWatch for NumberedWatch {
    fn wanted(&self) -> InotifyEvents {
        InotifyEvents::from_bits_retain(self.wanted.load(Ordering::Relaxed))
    }

    fn tell(self: Arc<Self>, event: &FileEvent<'_>) {
        let is_last = self.wanted().contains(InotifyEvents::IN_ONESHOT);
        self.queue(event.mask, event.cookie, event.name);
        if is_last {
            self.end();
        }
    }

    fn inode_gone(self: Arc<Self>) {
        if self.stop() {
            self.queue(InotifyEvents::IN_IGNORED, 0, b"");
        }
    }
}
