//! What is told to those who watch inodes, and when (`fsnotify` of Linux).

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{AccessMode, NAME_MAX};

use super::dentry::Dentry;
use super::inode::Inode;
use super::inode_watch::{FileEvent, NoteCause};
use super::open_file::OpenFile;

impl Inode {
    /// `IN_ISDIR` if it is a directory.
    fn kind_flag(&self) -> InotifyEvents {
        if self.is_directory() {
            InotifyEvents::IN_ISDIR
        } else {
            InotifyEvents::empty()
        }
    }

    /// It happened to this file, by whatever name.
    #[inline]
    pub(super) fn note(&self, mask: InotifyEvents) {
        if self.watches.are_none() {
            return;
        }
        let event = FileEvent {
            mask: mask | self.kind_flag(),
            name: b"",
            cookie: 0,
        };
        self.watches.tell(&event, |_| false);
    }

    /// It got another name; nobody is told whether it is a directory.
    #[inline]
    pub(super) fn note_moved(&self) {
        if self.watches.are_none() {
            return;
        }
        let event = FileEvent {
            mask: InotifyEvents::IN_MOVE_SELF,
            name: b"",
            cookie: 0,
        };
        self.watches.tell(&event, |_| false);
    }

    /// It happened to the entry `name` of this directory, which stands for `entry`.
    #[inline]
    pub fn note_entry(&self, mask: InotifyEvents, name: &[u8], entry: &Inode, cookie: u32) {
        if self.watches.are_none() {
            return;
        }
        let event = FileEvent {
            mask: mask | entry.kind_flag(),
            name,
            cookie,
        };
        self.watches.tell(&event, |_| false);
    }

    /// A name is gone for good: if it was the last one, so is the file.
    #[inline]
    pub(super) fn note_name_gone(&self) {
        if !self.watches.are_none() && self.attributes().links == 0 {
            self.watches.end(InotifyEvents::IN_DELETE_SELF);
        }
    }

    /// Its file system is gone.
    #[inline]
    pub(super) fn note_unmounted(&self) {
        if !self.watches.are_none() {
            self.watches.end(InotifyEvents::IN_UNMOUNT | self.kind_flag());
        }
    }
}

impl Dentry {
    /// It happened to the file that was found by this name.
    #[inline]
    pub fn note(&self, mask: InotifyEvents, cause: NoteCause) {
        if !self.is_unwatched() {
            self.tell_watchers(mask, cause);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_watchers(&self, mask: InotifyEvents, cause: NoteCause) {
        let mask = mask | self.inode.kind_flag();
        let mut name = [0; NAME_MAX];
        let mut len = 0;
        let above = self.watched_directory(|found| {
            len = found.len().min(NAME_MAX);
            name[..len].copy_from_slice(&found[..len]);
        });
        let is_excluded = |wanted: InotifyEvents| {
            cause == NoteCause::OpenFile
                && wanted.contains(InotifyEvents::IN_EXCL_UNLINK)
                && self.is_removed()
        };
        if let Some(above) = above {
            let event = FileEvent {
                mask,
                name: &name[..len],
                cookie: 0,
            };
            above.inode.watches.tell(&event, is_excluded);
        }
        let event = FileEvent {
            mask,
            name: b"",
            cookie: 0,
        };
        self.inode.watches.tell(&event, is_excluded);
    }
}

impl OpenFile {
    /// So many bytes of it were read, or written.
    #[inline]
    pub fn note_transfer(&self, mask: InotifyEvents, result: &Result<usize, Errno>) {
        if !self.dentry.is_unwatched() && matches!(result, Ok(1..)) {
            self.dentry.tell_watchers(mask, NoteCause::OpenFile);
        }
    }

    /// It was opened by its name.
    #[inline]
    pub(super) fn note_opened(&self) {
        self.dentry.note(InotifyEvents::IN_OPEN, NoteCause::OpenFile);
    }

    /// Nobody has it open any more.
    pub(super) fn note_closed(&self) {
        if self.dentry.is_unwatched() || self.is_path() {
            return;
        }
        let mask = match self.flags().access() {
            AccessMode::Write | AccessMode::ReadWrite => InotifyEvents::IN_CLOSE_WRITE,
            AccessMode::Read | AccessMode::Neither => InotifyEvents::IN_CLOSE_NOWRITE,
        };
        self.dentry.note(mask, NoteCause::OpenFile);
    }
}
