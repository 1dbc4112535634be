//! An inode: a file's attributes and its body, whatever names it has.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::fallible;
use crate::sync::{Mutex, rank};
use abi::Errno;
use abi::file::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, S_ISGID, S_ISUID, S_IXGRP};
use abi::mount::{MS_NOATIME, MS_NODIRATIME};
use abi::time::TimeSpec;

use super::contents::Contents;
use super::dentry::Dentry;
use super::device_registry::DeviceNumber;
use super::directory::Children;
use super::filesystem::Filesystem;
use super::locks::Locks;
use super::object::Object;
use super::open_file::Hold;
use super::permission::Subject;
use super::pipe::Pipe;
use super::xattr;
use crate::time;

/// What a file is made of.
pub enum Body {
    /// Bytes in page frames.
    Regular(Contents),
    /// A directory in memory.
    Directory(Children),
    /// The text of a symbolic link.
    Symlink(Box<[u8]>),
    /// A character device.
    Character(DeviceNumber),
    /// A block device.
    Block(DeviceNumber),
    /// A pipe, with a name or without.
    Fifo(Arc<Pipe>),
    /// A socket's name in the file tree.
    Socket,
    /// A directory whose entries are found when asked for.
    Listing(Box<dyn Listing>),
    /// A file whose text is made when it is opened.
    Generated(Box<dyn Generated>),
    /// A symbolic link that knows its target.
    Magic(Box<dyn Magic>),
}

/// A directory whose entries are found when asked for.
pub trait Listing: Send + Sync {
    /// The inode of that name; `ENOENT` if there is none.
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno>;

    /// The first entry whose position is `from` or later. Positions below 2 belong to `.` and `..`. `ENOMEM`.
    fn next(&self, from: u64) -> Result<Option<Listed>, Errno>;
}

/// One entry of a [`Listing`].
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// `d_ino`.
    pub inode: u64,
    /// `d_type`, as the `S_IFMT` bits.
    pub kind: u32,
    /// The position to ask for next.
    pub next: u64,
}

/// A file whose text is made when it is opened.
pub trait Generated: Send + Sync {
    /// What an open of it reads and writes.
    fn open(&self) -> Result<Arc<dyn Object>, Errno>;
}

/// A symbolic link that knows its target.
pub trait Magic: Send + Sync {
    /// What readlink(2) says.
    fn text(&self) -> Result<Vec<u8>, Errno>;

    /// Where a path walk goes; `None`: along the text.
    fn target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        Ok(None)
    }
}

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

/// The mode without set-user-id, and without set-group-id where that means execution.
pub fn without_set_ids(mode: u32) -> u32 {
    let group = if mode & S_IXGRP != 0 { S_ISGID } else { 0 };
    mode & !(S_ISUID | group)
}

/// A file. Names refer to it through [`Dentry`]; it lives as long as a name or an open file refers to it.
pub struct Inode {
    /// Where it lives.
    pub filesystem: Arc<Filesystem>,
    /// Its number there.
    pub number: u64,
    /// What it is made of.
    pub body: Body,
    /// Advisory locks of fcntl(2) and flock(2).
    pub locks: Locks,
    /// Extended attributes.
    pub extended: xattr::Attributes,
    attributes: Mutex<Attributes, { rank::ATTRIBUTES }>,
    /// Open files that write (positive) or executions (negative).
    holds: AtomicI32,
}

impl Inode {
    /// A new inode with a number of its own. `ENOMEM`.
    pub fn new(filesystem: &Arc<Filesystem>, body: Body, attributes: Attributes) -> Result<Arc<Self>, Errno> {
        let number = filesystem.number_inode();
        Self::numbered(filesystem, number, body, attributes)
    }

    /// An inode whose number is derived from what it stands for (`/proc`). `ENOMEM`.
    pub fn numbered(
        filesystem: &Arc<Filesystem>,
        number: u64,
        body: Body,
        mut attributes: Attributes,
    ) -> Result<Arc<Self>, Errno> {
        if matches!(body, Body::Directory(_) | Body::Listing(_)) {
            attributes.links = 2;
        }
        let attributes = Mutex::new(attributes);
        let (filesystem, locks) = (filesystem.clone(), Locks::new());
        // One that finds no memory is dropped here, and uncounted by that.
        fallible::arc_with(|| Inode {
            filesystem,
            number,
            body,
            locks,
            extended: xattr::Attributes::default(),
            attributes,
            holds: AtomicI32::new(0),
        })
    }

    /// The `S_IFMT` bits.
    pub fn kind(&self) -> u32 {
        match self.body {
            Body::Regular(_) | Body::Generated(_) => S_IFREG,
            Body::Directory(_) | Body::Listing(_) => S_IFDIR,
            Body::Symlink(_) | Body::Magic(_) => S_IFLNK,
            Body::Character(_) => S_IFCHR,
            Body::Block(_) => S_IFBLK,
            Body::Fifo(_) => S_IFIFO,
            Body::Socket => S_IFSOCK,
        }
    }

    /// Whether names can be looked up in it.
    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_) | Body::Listing(_))
    }

    /// Whether a path walk goes on elsewhere from it.
    pub fn is_symlink(&self) -> bool {
        matches!(self.body, Body::Symlink(_) | Body::Magic(_))
    }

    /// Whether it is not stored but made when asked for (`/proc`).
    pub fn is_made_up(&self) -> bool {
        matches!(self.body, Body::Listing(_) | Body::Generated(_) | Body::Magic(_))
    }

    /// `st_rdev`.
    pub fn device_number(&self) -> u64 {
        match self.body {
            Body::Character(number) | Body::Block(number) => number.encode(),
            _ => 0,
        }
    }

    /// `st_size`.
    pub fn size(&self) -> u64 {
        match &self.body {
            Body::Regular(contents) => contents.size(),
            Body::Directory(children) => (children.len() as u64 + 2) * 20,
            Body::Symlink(text) => text.len() as u64,
            _ => 0,
        }
    }

    /// Pages that hold its contents.
    pub fn page_count(&self) -> u64 {
        match &self.body {
            Body::Regular(contents) => contents.page_count(),
            _ => 0,
        }
    }

    /// A copy of the attributes.
    pub fn attributes(&self) -> Attributes {
        *self.attributes.lock()
    }

    /// Changes attributes; the time of the change is noted.
    pub fn change(&self, how: impl FnOnce(&mut Attributes)) {
        let now = now();
        let mut attributes = self.attributes.lock();
        attributes.changed = now;
        how(&mut attributes);
    }

    /// Counts a further name. `ENOENT` for a file that lost its last one, `EMLINK`.
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

    /// `subject` changed the contents now: as [`Inode::note_modified`], and set-ID bits go unless it has `CAP_FSETID`
    /// (chmod(2)).
    pub fn note_written_by(&self, subject: &Subject) {
        self.note_written(|mode, group| subject.mode_after_writing(mode, group));
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
        let is_off = flags.has(MS_NOATIME) || flags.has(MS_NODIRATIME) && self.is_directory();
        if is_off || flags.is_read_only() {
            return;
        }
        let now = now();
        let mut attributes = self.attributes.lock();
        let last = attributes.accessed;
        let is_stale = last <= attributes.modified || last <= attributes.changed;
        if is_stale || now.sec - last.sec >= DAY {
            attributes.accessed = now;
        }
    }

    /// Keeps executions or writers away while the file is written or executed. `ETXTBSY`, `EROFS`.
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

    /// The text of a symbolic link; `EINVAL` if it is none, `ENOMEM`.
    pub fn link_text(&self) -> Result<Vec<u8>, Errno> {
        match &self.body {
            Body::Symlink(text) => fallible::bytes(text),
            Body::Magic(link) => link.text(),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.extended.release(&self.filesystem);
        self.filesystem.forget_inode();
    }
}
