//! Owners of open directories that are told by a signal of what happens in them: fcntl(2), `F_NOTIFY`. What came before inotify(7).
//!
//! A notice stands with the inode among those who watch it, and with the open directory, which takes it out there: when it is told once,
//! when a process closes the directory, when nobody has it open.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::DirectoryEvents;
use lock::Mutex;
use memory::fallible::{self, TryVec};

use super::file_owner::{Event, HasOwner, tell_by};
use super::inode::Inode;
use super::inode_watch::{FileEvent, InodeWatch};

/// Whether anybody is told: /proc/sys/fs/dir-notify-enable.
pub static IS_ENABLED: AtomicBool = AtomicBool::new(true);

/// The notices of one open directory, one for each table of descriptors whose holders asked.
pub struct DirectoryNotices(Mutex<Vec<Arc<DirectoryNotice>>>);

/// Somebody is to be told.
struct DirectoryNotice {
    file: Weak<dyn HasOwner>,
    inode: Weak<Inode>,
    table: u64,
    /// By the name of that descriptor.
    descriptor: AtomicI32,
    wanted: AtomicU32,
}

/// What is asked for.
pub struct DirectoryWish {
    /// Which events; and whether more than one of them.
    pub wanted: DirectoryEvents,
    /// By whose table of descriptors, and which of them.
    pub table: u64,
    /// The descriptor.
    pub descriptor: i32,
}

impl DirectoryNotices {
    /// Nobody.
    pub(super) const fn new() -> DirectoryNotices {
        DirectoryNotices(Mutex::new(Vec::new()))
    }

    /// The owner of `file`, which has the directory `inode` open, is to be told of that, beside what it asked for before.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn add<F: HasOwner>(
        &self,
        file: &Arc<F>,
        inode: &Arc<Inode>,
        wish: &DirectoryWish,
    ) -> Result<(), Errno> {
        let file: Weak<dyn HasOwner> = Arc::<F>::downgrade(file);
        let fresh = fallible::arc_with(|| DirectoryNotice {
            file,
            inode: Arc::downgrade(inode),
            table: wish.table,
            descriptor: AtomicI32::new(wish.descriptor),
            wanted: AtomicU32::new(wish.wanted.bits()),
        })?;
        let mut all = self.0.lock();
        if let Some(known) = all.iter().find(|notice| notice.table == wish.table).cloned() {
            drop(all);
            known.descriptor.store(wish.descriptor, Ordering::Relaxed);
            known.wanted.fetch_or(wish.wanted.bits(), Ordering::Relaxed);
            // One that was told meanwhile stands there no more.
            return inode.watches.insert(known.key(), known);
        }
        all.try_push(fresh.clone())?;
        drop(all);
        inode.watches.insert(fresh.key(), fresh)
    }

    /// Takes out those of a table, or all.
    pub(super) fn remove(&self, of: Option<u64>) {
        let is_meant = |notice: &Arc<DirectoryNotice>| of.is_none_or(|table| notice.table == table);
        loop {
            let mut all = self.0.lock();
            let Some(at) = all.iter().position(is_meant) else {
                return;
            };
            let gone = all.swap_remove(at);
            drop(all);
            gone.end();
        }
    }
}

impl DirectoryNotice {
    fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    fn events(&self) -> DirectoryEvents {
        DirectoryEvents::from_bits_retain(self.wanted.load(Ordering::Relaxed))
    }

    /// It is over: its inode lets go of it.
    fn end(self: Arc<Self>) {
        self.wanted.store(0, Ordering::Relaxed);
        if let Some(inode) = self.inode.upgrade() {
            inode.watches.remove(self.key());
        }
    }
}

/// What inotify calls it.
fn masks(events: DirectoryEvents) -> InotifyEvents {
    const NAMES: [(DirectoryEvents, InotifyEvents); 6] = [
        (DirectoryEvents::DN_ACCESS, InotifyEvents::IN_ACCESS),
        (DirectoryEvents::DN_MODIFY, InotifyEvents::IN_MODIFY),
        (
            DirectoryEvents::DN_CREATE,
            InotifyEvents::IN_CREATE.union(InotifyEvents::IN_MOVED_TO),
        ),
        (
            DirectoryEvents::DN_DELETE,
            InotifyEvents::IN_DELETE.union(InotifyEvents::IN_MOVED_FROM),
        ),
        (DirectoryEvents::DN_RENAME, InotifyEvents::IN_MOVED_FROM),
        (DirectoryEvents::DN_ATTRIB, InotifyEvents::IN_ATTRIB),
    ];
    let asked = NAMES.into_iter().filter(|(event, _)| events.contains(*event));
    asked.fold(InotifyEvents::empty(), |all, (_, mask)| all | mask)
}

impl InodeWatch for DirectoryNotice {
    fn wanted(&self) -> InotifyEvents {
        masks(self.events())
    }

    fn tell(self: Arc<Self>, _event: &FileEvent<'_>) {
        let Some(file) = self.file.upgrade() else {
            return;
        };
        tell_by(&*file, self.descriptor.load(Ordering::Relaxed), Event::Message);
        if !self.events().contains(DirectoryEvents::DN_MULTISHOT) {
            self.end();
        }
    }

    fn inode_gone(self: Arc<Self>) {}
}
