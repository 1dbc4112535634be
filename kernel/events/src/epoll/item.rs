//! A watched file. What it waits for, and what is noted of it, changes under the lock of the ready list alone.

use super::lists::Lists;
use crate::users::Counts;
use abi::events::{EpollEvent, EpollEvents};
use abi::file::{POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use platform::queue::Member;
use sched::wait::{WatchKind, WatchPlace, Watcher};
use vfs::OpenFile;
use vfs::file_ops::Queues;
use vfs::file_watch::{FileWatch, FileWatchPlace};

/// Which watched file: the same one is watched once for each descriptor. Those that are epolls themselves come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ItemKey {
    /// The address of the open file: it stays there while somebody watches it.
    pub file: usize,
    /// The descriptor by which it was named.
    pub descriptor: i32,
}

/// What is told of input and of output: in this order the queues of a file are woken for them.
const WAYS: [i16; 2] = [
    POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND | POLLRDHUP,
    POLLOUT | POLLWRNORM | POLLWRBAND,
];

/// A watched file.
pub(super) struct Item {
    pub lists: Arc<Lists>,
    pub key: ItemKey,
    pub file: Weak<OpenFile>,
    kind: WatchKind,
    events: AtomicU32,
    data: AtomicU64,
    /// How often something was noted of it: who finds it not ready takes it off the list only if nothing was noted meanwhile.
    notes: AtomicU32,
    /// How often it was changed: who reports it disarms it only as it was.
    changes: AtomicU32,
    /// The last round of reports that looked at it; only who reports touches it.
    round: AtomicU32,
    places: [WatchPlace; 2],
    pub ready_place: Member<Item>,
    file_place: FileWatchPlace,
    user: Arc<Counts>,
}

/// What was known of an item when it was looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub event: EpollEvent,
    pub notes: u32,
    pub changes: u32,
}

impl Item {
    /// One that waits for nothing yet. `user` was charged for it.
    pub fn new(
        lists: Arc<Lists>,
        file: &Arc<OpenFile>,
        key: ItemKey,
        kind: WatchKind,
        user: Arc<Counts>,
    ) -> Item {
        Item {
            lists,
            key,
            file: Arc::downgrade(file),
            kind,
            events: AtomicU32::new(0),
            data: AtomicU64::new(0),
            notes: AtomicU32::new(0),
            changes: AtomicU32::new(0),
            round: AtomicU32::new(0),
            places: [WatchPlace::new(), WatchPlace::new()],
            ready_place: Member::new(),
            file_place: FileWatchPlace::new(),
            user,
        }
    }

    /// Whether this round of reports has not looked at it before, for who reports.
    pub fn is_new_in(&self, round: u32) -> bool {
        let last = self.round.load(Ordering::Relaxed);
        self.round.store(round, Ordering::Relaxed);
        last != round
    }

    /// What it waits for.
    pub fn events(&self) -> EpollEvents {
        EpollEvents::from_bits_retain(self.events.load(Ordering::Relaxed))
    }

    /// What is known of it, for who has the ready list locked.
    pub fn see(&self) -> Seen {
        Seen {
            event: EpollEvent {
                events: self.events(),
                padding: 0,
                data: self.data.load(Ordering::Relaxed),
            },
            notes: self.notes.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
        }
    }

    /// Something has come, for who has the ready list locked.
    pub fn add_note(&self) {
        self.notes.store(
            self.notes.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }

    /// Whether nothing was noted since, for who has the ready list locked.
    pub fn is_as_noted(&self, seen: &Seen) -> bool {
        self.notes.load(Ordering::Relaxed) == seen.notes
    }

    /// Whether it was not changed since, for who has the ready list locked.
    pub fn is_unchanged(&self, seen: &Seen) -> bool {
        self.changes.load(Ordering::Relaxed) == seen.changes
    }

    /// Waits for that from now on, for who has the ready list locked.
    pub fn set(&self, event: EpollEvent) {
        self.set_events(event.events);
        self.data.store(event.data, Ordering::Relaxed);
        self.changes.store(
            self.changes.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }

    /// The same, but its data stay and nobody needs to know.
    pub fn set_events(&self, events: EpollEvents) {
        self.events.store(events.bits(), Ordering::Relaxed);
    }

    /// What is ready of it now, of what it waits for.
    pub fn ready(&self, events: EpollEvents) -> EpollEvents {
        match self.file.upgrade() {
            Some(file) => EpollEvents::from_bits_retain(u32::from(file.poll() as u16)) & events,
            None => EpollEvents::empty(),
        }
    }

    /// In which of the file's queues one stands that waits for `events`: a file that has both tells of hang-ups in both.
    pub fn ways(queues: &Queues<'_>, events: EpollEvents) -> [bool; 2] {
        let wants = WAYS.map(|way| events.bits() as u16 & way as u16 != 0);
        let has = [queues[0].is_some(), queues[1].is_some()];
        let wants_none = wants == [false; 2];
        [0, 1].map(|way| has[way] && (wants[way] || wants_none || !has[1 - way]))
    }

    /// Leaves the file's queues.
    pub fn leave_queues(&self, queues: &Queues<'_>) {
        for (place, queue) in queues.iter().enumerate() {
            if let Some(queue) = queue {
                queue.unwatch(self, place);
            }
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.user.epoll_watches.give_back();
    }
}

impl Watcher for Item {
    fn places(&self) -> &[WatchPlace; 2] {
        &self.places
    }

    fn kind(&self) -> WatchKind {
        self.kind
    }

    fn note(self: Arc<Self>) -> bool {
        self.lists.note(&self)
    }

    fn wake(self: Arc<Self>) {
        self.lists.waiters.wake_one();
    }
}

impl FileWatch for Item {
    fn place(&self) -> &FileWatchPlace {
        &self.file_place
    }

    fn file_closed(self: Arc<Self>, queues: Queues<'_>) {
        self.leave_queues(&queues);
        self.lists.forget(&self);
    }
}
