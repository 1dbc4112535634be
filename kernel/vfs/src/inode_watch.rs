//! Who watches a file or a directory by its inode, and is told of what happens to it: inotify(7).
//!
//! What happens to a file is told to those who watch the directory that it was found in, with its name, and then to those who watch
//! the file itself. An entry that comes or goes is told to those who watch its directory.
//!
//! While nobody watches anything, that is all that is asked. Else files that nobody watches pay one comparison more: each first watch of
//! an inode begins a new *generation*, and a name remembers in which generation it was last seen that neither its file nor its directory
//! is watched ([`Dentry::is_unwatched`](super::Dentry::is_unwatched)). A name that is moved forgets it. What tells watchers is in `noting`.
//!
//! Watchers are told with no lock of this crate held, and may take leaves and wake.

use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use abi::Errno;
use abi::events::InotifyEvents;
use lock::Mutex;
use memory::fallible::map::Map;

/// How many inodes began to be watched.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many watches there are of all inodes.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// The number that ties the halves of the next move together.
static NEXT_COOKIE: AtomicU32 = AtomicU32::new(1);

/// What happened, for one watcher.
pub struct FileEvent<'a> {
    /// What it was.
    pub mask: InotifyEvents,
    /// The entry of the watched directory; nothing: it happened to the watched file itself.
    pub name: &'a [u8],
    /// The same in both halves of a move.
    pub cookie: u32,
}

/// Who watches an inode.
pub trait InodeWatch: Any + Send + Sync {
    /// What it wants to be told, with `IN_UNMOUNT`, and `IN_EXCL_UNLINK`; nothing if it is over.
    fn wanted(&self) -> InotifyEvents;

    /// It happened.
    fn tell(self: Arc<Self>, event: &FileEvent<'_>);

    /// The file, or its file system, is gone; the inode has let go of this watch.
    fn inode_gone(self: Arc<Self>);
}

/// Those who watch one inode.
pub struct InodeWatches {
    /// What all of them want, or more. Changed with the list locked; read without.
    wanted: AtomicU32,
    list: Mutex<Map<usize, Arc<dyn InodeWatch>>>,
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NoteCause {
    /// What is known of the file changed.
    Attributes,
    /// Somebody opened, read, wrote or closed it: who watches with `IN_EXCL_UNLINK` is told only while the file has that name.
    OpenFile,
}

/// Which generation it is.
#[inline]
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// Whether nobody watches anything.
#[inline]
pub(super) fn is_nobody_watching() -> bool {
    WATCHES.load(Ordering::Relaxed) == 0
}

/// A number for both halves of a move.
pub(super) fn next_cookie() -> u32 {
    NEXT_COOKIE.fetch_add(1, Ordering::Relaxed)
}

impl InodeWatches {
    /// Nobody.
    pub(super) const fn new() -> Self {
        InodeWatches {
            wanted: AtomicU32::new(0),
            list: Mutex::new(Map::new()),
        }
    }

    /// What watchers want.
    #[inline]
    pub(super) fn wanted(&self) -> InotifyEvents {
        InotifyEvents::from_bits_retain(self.wanted.load(Ordering::Relaxed))
    }

    /// The watch that was put there by that key.
    pub fn find(&self, key: usize) -> Option<Arc<dyn InodeWatch>> {
        self.list.lock().get(&key).cloned()
    }

    /// Adds one by a key of its own.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn insert(&self, key: usize, watch: Arc<dyn InodeWatch>) -> Result<(), Errno> {
        let wanted = watch.wanted();
        let mut list = self.list.lock();
        let replaced = list.insert(key, watch)?;
        self.wanted.fetch_or(wanted.bits(), Ordering::Relaxed);
        if replaced.is_none() {
            WATCHES.fetch_add(1, Ordering::Relaxed);
        }
        GENERATION.fetch_add(1, Ordering::Release);
        drop(list);
        drop(replaced);
        Ok(())
    }

    /// A watcher wants more than before.
    pub fn widen(&self, wanted: InotifyEvents) {
        let list = self.list.lock();
        if !list.is_empty() {
            self.wanted.fetch_or(wanted.bits(), Ordering::Relaxed);
        }
    }

    /// Takes out the one of that key.
    pub fn remove(&self, key: usize) {
        let mut list = self.list.lock();
        let gone = list.remove(&key);
        if gone.is_some() {
            WATCHES.fetch_sub(1, Ordering::Relaxed);
        }
        if list.is_empty() {
            self.wanted.store(0, Ordering::Relaxed);
        }
        drop(list);
        drop(gone);
    }

    /// Whether nobody wants to know of anything.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        is_nobody_watching() || self.wanted().is_empty()
    }

    fn next(&self, from: usize) -> Option<(usize, Arc<dyn InodeWatch>)> {
        let list = self.list.lock();
        let (key, watch) = list.range(from..).next()?;
        Some((*key, watch.clone()))
    }

    /// Tells those who want to know and are not excluded by what they want.
    pub(super) fn tell(&self, event: &FileEvent<'_>, is_excluded: impl Fn(InotifyEvents) -> bool) {
        if !self.wanted().intersects(event.mask & InotifyEvents::ALL_EVENTS) {
            return;
        }
        let mut from = 0;
        while let Some((key, watch)) = self.next(from) {
            let wanted = watch.wanted();
            if wanted.intersects(event.mask & InotifyEvents::ALL_EVENTS) && !is_excluded(wanted) {
                watch.tell(event);
            }
            from = key + 1;
        }
    }

    /// The file, or its file system, is gone: all are told that, and watch no more.
    #[cold]
    pub(super) fn end(&self, mask: InotifyEvents) {
        let event = FileEvent {
            mask,
            name: b"",
            cookie: 0,
        };
        loop {
            let mut list = self.list.lock();
            let next = list.pop_first();
            if list.is_empty() {
                self.wanted.store(0, Ordering::Relaxed);
            }
            drop(list);
            let Some((_, watch)) = next else { return };
            WATCHES.fetch_sub(1, Ordering::Relaxed);
            if watch.wanted().intersects(mask) {
                watch.clone().tell(&event);
            }
            watch.inode_gone();
        }
    }
}
