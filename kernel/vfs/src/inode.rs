//! An inode: a file's attributes, and what its file system answers for it, whatever names it has.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use abi::Errno;
use abi::file::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_ISGID, S_ISUID, S_IXGRP};
use abi::mount::MountFlags;
use abi::time::TimeSpec;
use lock::{Mutex, rank};
use memory::fallible;

use super::inode_ops::{InodeOps, RegularOps};
use super::inode_watch::InodeWatches;
use super::locks::Locks;
use super::ownership::{KeptOwnership, Ownership};
use super::super_block::SuperBlock;
use super::xattr::ExtendedAttributes;
use sched::time::{self, LastLook};

/// The time that goes into time stamps.
pub fn now() -> TimeSpec {
    TimeSpec::from_nanoseconds(time::now_realtime_nanos())
}

/// What chmod(2), chown(2), utimensat(2) change.
#[derive(Clone, Copy)]
pub struct Attributes {
    /// Permission bits with set-user-id, set-group-id, sticky: 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names, and for a directory `.` and the `..` of each directory in it.
    pub links: u32,
    /// It has no name and may get one (`O_TMPFILE`); a file that lost its last name may not.
    pub is_linkable: bool,
    /// Last read.
    pub accessed: TimeSpec,
    /// Last change of the contents.
    pub modified: TimeSpec,
    /// Last change of attributes or contents.
    pub changed: TimeSpec,
    /// When it was made.
    pub born: TimeSpec,
}

impl Attributes {
    /// Attributes of a file made now.
    pub fn new(mode: u32, uid: u32, gid: u32) -> Self {
        let now = now();
        Attributes {
            mode: mode & 0o7777,
            uid,
            gid,
            links: 1,
            is_linkable: false,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
        }
    }
}

impl Attributes {
    fn ownership(&self) -> Ownership {
        Ownership {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
        }
    }
}

/// The mode without set-user-id, and without set-group-id where that means execution.
pub fn without_set_ids(mode: u32) -> u32 {
    let group = if mode & S_IXGRP != 0 { S_ISGID } else { 0 };
    mode & !(S_ISUID | group)
}

/// A file. Names refer to it through [`Dentry`](super::dentry::Dentry); it lives as long as a name or an open file refers to it.
pub struct Inode {
    /// Where it lives.
    pub filesystem: Arc<SuperBlock>,
    /// Its number there.
    pub number: u64,
    /// The `S_IFMT` bits.
    kind: u32,
    /// What its file system answers for it.
    pub ops: Arc<dyn InodeOps>,
    /// Advisory locks of fcntl(2) and flock(2).
    pub locks: Locks,
    /// Extended attributes.
    pub extended: ExtendedAttributes,
    /// Who is told of what happens to it.
    pub watches: InodeWatches,
    attributes: Mutex<Attributes, { rank::ATTRIBUTES }>,
    /// What the attributes say of it.
    ownership: KeptOwnership,
    /// When it was last looked whether the time of access is a day old; asked with the attributes locked.
    access_look: LastLook,
    /// Open files that write (positive) or executions (negative).
    holds: AtomicI32,
    /// Pages are swapped to it: no name of it may go (`S_SWAPFILE`).
    is_swapped_to: AtomicBool,
}

/// What keeps writers and executions of one file apart: `ETXTBSY`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Neither.
    None,
    /// It is open for writing.
    Write,
    /// It is being executed.
    Execute,
}

impl Inode {
    /// A new inode with a number of its own. `kind`: the `S_IFMT` bits.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(
        filesystem: &Arc<SuperBlock>,
        kind: u32,
        ops: Arc<dyn InodeOps>,
        attributes: Attributes,
    ) -> Result<Arc<Self>, Errno> {
        let number = filesystem.number_inode();
        Self::numbered(filesystem, number, kind, ops, attributes)
    }

    /// An inode whose number is derived from what it stands for (`/proc`).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn numbered(
        filesystem: &Arc<SuperBlock>,
        number: u64,
        kind: u32,
        ops: Arc<dyn InodeOps>,
        mut attributes: Attributes,
    ) -> Result<Arc<Self>, Errno> {
        if kind == S_IFDIR {
            attributes.links = 2;
        }
        let ownership = KeptOwnership::new(attributes.ownership());
        let attributes = Mutex::new(attributes);
        let (filesystem, locks) = (filesystem.clone(), Locks::new());
        // One that finds no memory is dropped here, and uncounted by that.
        fallible::arc_with(|| Inode {
            filesystem,
            number,
            kind,
            ops,
            locks,
            extended: ExtendedAttributes::default(),
            watches: InodeWatches::new(),
            attributes,
            ownership,
            access_look: LastLook::new(),
            holds: AtomicI32::new(0),
            is_swapped_to: AtomicBool::new(false),
        })
    }

    /// From now on pages are swapped to it; whether nobody did so before.
    pub fn begin_swapping(&self) -> bool {
        !self.is_swapped_to.swap(true, Ordering::Relaxed)
    }

    /// No page is in it any more.
    pub fn end_swapping(&self) {
        self.is_swapped_to.store(false, Ordering::Relaxed);
    }

    /// Whether pages are swapped to it.
    pub fn is_swapped_to(&self) -> bool {
        self.is_swapped_to.load(Ordering::Relaxed)
    }

    /// The `S_IFMT` bits.
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Whether names can be looked up in it.
    pub fn is_directory(&self) -> bool {
        self.kind == S_IFDIR
    }

    /// Whether a path walk goes on elsewhere from it.
    pub fn is_symlink(&self) -> bool {
        self.kind == S_IFLNK
    }

    /// Whether it stands for a device.
    pub fn is_device(&self) -> bool {
        matches!(self.kind, S_IFCHR | S_IFBLK)
    }

    /// How its bytes are kept, if it is a regular file that keeps some.
    pub fn regular(&self) -> Option<&dyn RegularOps> {
        self.ops.as_regular()
    }

    /// Whether it is not stored but made when asked for (`/proc`).
    pub fn is_made_up(&self) -> bool {
        self.filesystem.kind.is_made_up()
    }

    /// `st_rdev`.
    pub fn device_number(&self) -> u64 {
        self.ops.device_number()
    }

    /// `st_size`.
    pub fn size(&self) -> u64 {
        self.ops.size()
    }

    /// Pages that hold its contents.
    pub fn page_count(&self) -> u64 {
        self.ops.page_count()
    }

    /// A copy of the attributes.
    pub fn attributes(&self) -> Attributes {
        *self.attributes.lock()
    }

    /// Mode, owner and group, by which rights are judged. Takes no lock.
    #[inline]
    pub fn ownership(&self) -> Ownership {
        self.ownership.get()
    }

    /// Changes attributes; the time of the change is noted.
    pub fn change(&self, how: impl FnOnce(&mut Attributes)) {
        let now = now();
        let mut attributes = self.attributes.lock();
        attributes.changed = now;
        let before = attributes.ownership();
        how(&mut attributes);
        if attributes.ownership() != before {
            self.ownership.set(attributes.ownership());
        }
    }

    /// Counts a further name.
    ///
    /// # Errors
    /// `ENOENT` for a file that lost its last one, `EMLINK`.
    pub fn add_name(&self) -> Result<(), Errno> {
        let now = now();
        let mut attributes = self.attributes.lock();
        match attributes.links {
            0 if !attributes.is_linkable => return Err(Errno::ENOENT),
            u32::MAX => return Err(Errno::EMLINK),
            _ => {}
        }
        attributes.links += 1;
        attributes.changed = now;
        Ok(())
    }

    /// Counts a name less.
    pub fn remove_name(&self) {
        self.change(|attributes| attributes.links = attributes.links.saturating_sub(1));
    }

    /// The contents were changed now.
    pub fn note_modified(&self) {
        self.change(|attributes| attributes.modified = attributes.changed);
    }

    /// The contents were changed now: as [`Inode::note_modified`], and `new_mode` makes the mode of the mode and the group.
    pub fn note_written(&self, new_mode: impl Fn(u32, u32) -> u32) {
        self.change(|attributes| {
            attributes.modified = attributes.changed;
            attributes.mode = new_mode(attributes.mode, attributes.gid);
        });
    }

    /// The contents were read now. As with the mount option `relatime`, the time is stored only where it tells
    /// something new: after a change, or once a day.
    pub fn note_accessed(&self) {
        const DAY: i64 = 24 * 60 * 60;
        let flags = &self.filesystem.flags;
        let is_off =
            flags.has(MountFlags::MS_NOATIME) || flags.has(MountFlags::MS_NODIRATIME) && self.is_directory();
        if is_off || flags.is_read_only() {
            return;
        }
        let mut attributes = self.attributes.lock();
        let last = attributes.accessed;
        let is_stale = last <= attributes.modified || last <= attributes.changed;
        if !is_stale && self.access_look.is_recent() {
            return;
        }
        self.access_look.note();
        let now = now();
        if is_stale || now.sec - last.sec >= DAY {
            attributes.accessed = now;
        }
    }

    /// Keeps executions or writers away while the file is written or executed.
    ///
    /// # Errors
    /// `ETXTBSY`, `EROFS`.
    pub fn take_hold(&self, hold: Hold) -> Result<(), Errno> {
        if hold == Hold::Write {
            self.filesystem.flags.enter_writer()?;
        }
        let step = |holds: i32| match hold {
            Hold::None => Some(holds),
            Hold::Write => (holds >= 0).then(|| holds.saturating_add(1)),
            Hold::Execute => (holds <= 0).then(|| holds.saturating_sub(1)),
        };
        let result = self.holds.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        if result.is_err() && hold == Hold::Write {
            self.filesystem.flags.leave_writer();
        }
        result.map(|_| ()).map_err(|_| Errno::ETXTBSY)
    }

    /// Ends what [`Inode::take_hold`] began.
    pub fn release_hold(&self, hold: Hold) {
        if hold == Hold::Write {
            self.filesystem.flags.leave_writer();
        }
        match hold {
            Hold::None => 0,
            Hold::Write => self.holds.fetch_sub(1, Ordering::AcqRel),
            Hold::Execute => self.holds.fetch_add(1, Ordering::AcqRel),
        };
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` if it is none, `ENOMEM`.
    pub fn link_text(&self) -> Result<Vec<u8>, Errno> {
        self.ops.link_text()
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.extended.release(&self.filesystem);
        self.filesystem.forget_inode();
    }
}
