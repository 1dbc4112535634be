//! Directories as tables of entries: an entry says how its text, link or object is made from the directory's subject
//! (nothing, or a process).

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{S_IFDIR, S_IFLNK, S_IFREG};

use super::node::{Generated, Magic, PseudoDirectory, PseudoEntry, PseudoNode};
use super::proc_task::ProcTask;
use super::seq_file;
use super::text::Text;
use memory::fallible;
use vfs::file_ops::FileOps;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

/// The position of the first entry of a listing: `.` and `..` stand before it.
pub const FIRST: u64 = 2;
/// Distance of the inode numbers of directories about nothing in particular.
pub const SPREAD: u64 = 64;
/// `st_ino` of /proc itself; its entries follow.
pub const ROOT_INODE: u64 = 1;

/// What the entries of a directory are about.
pub trait ProcSubject: Clone + Send + Sync + 'static {
    /// Whether epoll(7) takes files about it: those about nothing in particular (`proc_reg_poll` of Linux, `proc_sys_poll`).
    const CAN_BE_WATCHED: bool;
}

impl ProcSubject for () {
    const CAN_BE_WATCHED: bool = true;
}

/// A processor: files of /sys (`kernfs_fop_poll`).
impl ProcSubject for usize {
    const CAN_BE_WATCHED: bool = true;
}

impl ProcSubject for ProcTask {
    const CAN_BE_WATCHED: bool = false;
}

/// One entry of a directory about `C`.
pub struct FixedEntry<C: 'static> {
    name: &'static str,
    mode: u32,
    /// Whether epoll(7) takes it, whatever it is about.
    can_be_watched: bool,
    content: Content<C>,
}

/// Makes a directory. The number is that of its inode.
pub type MakeDirectory<C> = fn(&C, &Arc<SuperBlock>, u64) -> Result<PseudoNode, Errno>;

/// What an entry is, and how it is made.
pub enum Content<C: 'static> {
    /// A file of text.
    Text(fn(&C, &mut Text) -> Result<(), Errno>),
    /// A file with rules of its own.
    Object(fn(&C) -> Result<Arc<dyn FileOps>, Errno>),
    /// A symbolic link.
    Link(fn(&C) -> Result<PseudoNode, Errno>),
    /// A directory.
    Directory(MakeDirectory<C>),
}

impl<C> FixedEntry<C> {
    /// A file of text that everybody may read.
    pub const fn text(name: &'static str, make: fn(&C, &mut Text) -> Result<(), Errno>) -> Self {
        FixedEntry {
            name,
            mode: 0o444,
            can_be_watched: false,
            content: Content::Text(make),
        }
    }

    /// A file with rules of its own.
    pub const fn object(
        name: &'static str,
        mode: u32,
        open: fn(&C) -> Result<Arc<dyn FileOps>, Errno>,
    ) -> Self {
        FixedEntry {
            name,
            mode,
            can_be_watched: false,
            content: Content::Object(open),
        }
    }

    /// A symbolic link.
    pub const fn link(name: &'static str, make: fn(&C) -> Result<PseudoNode, Errno>) -> Self {
        FixedEntry {
            name,
            mode: 0o777,
            can_be_watched: false,
            content: Content::Link(make),
        }
    }

    /// A directory.
    pub const fn directory(name: &'static str, mode: u32, make: MakeDirectory<C>) -> Self {
        FixedEntry {
            name,
            mode,
            can_be_watched: false,
            content: Content::Directory(make),
        }
    }

    /// The same, and epoll(7) takes it.
    pub const fn watched(mut self) -> Self {
        self.can_be_watched = true;
        self
    }

    fn kind(&self) -> u32 {
        match self.content {
            Content::Text(_) | Content::Object(_) => S_IFREG,
            Content::Link(_) => S_IFLNK,
            Content::Directory(_) => S_IFDIR,
        }
    }
}

/// A directory of fixed entries about `subject`.
pub struct Directory<C: 'static> {
    /// Where its inodes live.
    pub filesystem: Arc<SuperBlock>,
    /// What its entries are about.
    pub subject: C,
    /// What is in it.
    pub entries: &'static [FixedEntry<C>],
    /// The inode of the directory; those of its entries follow it.
    pub inode: u64,
    /// User and group that own its entries.
    pub owner: (u32, u32),
    /// User and group that own entries that are directories for everybody.
    pub directory_owner: (u32, u32),
}

impl<C: ProcSubject> PseudoDirectory for Directory<C> {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.name.as_bytes() == name)
            .ok_or(Errno::ENOENT)?;
        let (entry, number) = (&self.entries[index], self.number(index));
        let subject = self.subject.clone();
        let can_be_watched = C::CAN_BE_WATCHED || entry.can_be_watched;
        let node = match entry.content {
            Content::Text(make) => PseudoNode::file(TextFile { subject, make })?,
            Content::Object(open) => PseudoNode::file(ObjectFile {
                subject,
                open,
                can_be_watched,
            })?,
            Content::Link(make) => make(&subject)?,
            Content::Directory(make) => make(&subject, &self.filesystem, number)?,
        };
        let is_open_to_all = entry.kind() == S_IFDIR && entry.mode == 0o555;
        let (user, group) = if is_open_to_all {
            self.directory_owner
        } else {
            self.owner
        };
        let attributes = Attributes::new(entry.mode, user, group);
        node.inode(&self.filesystem, number, attributes)
    }

    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno> {
        let index = usize::try_from(from.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        let Some(entry) = self.entries.get(index) else {
            return Ok(None);
        };
        Ok(Some(PseudoEntry {
            name: fallible::bytes(entry.name.as_bytes())?,
            inode: self.number(index),
            kind: entry.kind(),
            next: index as u64 + FIRST + 1,
        }))
    }
}

impl Directory<()> {
    /// A directory about nothing in particular.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fixed(
        filesystem: &Arc<SuperBlock>,
        inode: u64,
        entries: &'static [FixedEntry<()>],
    ) -> Result<PseudoNode, Errno> {
        PseudoNode::directory(Directory {
            filesystem: filesystem.clone(),
            subject: (),
            entries,
            inode,
            owner: (0, 0),
            directory_owner: (0, 0),
        })
    }
}

impl<C> Directory<C> {
    fn number(&self, index: usize) -> u64 {
        self.inode + 1 + index as u64
    }
}

struct TextFile<C: 'static> {
    subject: C,
    make: fn(&C, &mut Text) -> Result<(), Errno>,
}

impl<C: ProcSubject> Generated for TextFile<C> {
    fn open(&self) -> Result<Arc<dyn FileOps>, Errno> {
        let (subject, make) = (self.subject.clone(), self.make);
        seq_file::open_whole(move |text| make(&subject, text))
    }

    fn can_be_watched(&self) -> bool {
        C::CAN_BE_WATCHED
    }
}

struct ObjectFile<C: 'static> {
    subject: C,
    open: fn(&C) -> Result<Arc<dyn FileOps>, Errno>,
    can_be_watched: bool,
}

impl<C: Send + Sync + 'static> Generated for ObjectFile<C> {
    fn open(&self) -> Result<Arc<dyn FileOps>, Errno> {
        (self.open)(&self.subject)
    }

    fn can_be_watched(&self) -> bool {
        self.can_be_watched
    }
}

/// A link along a text that is known.
pub struct TextLink(pub &'static [u8]);

impl Magic for TextLink {
    fn text(&self) -> Result<Vec<u8>, Errno> {
        fallible::bytes(self.0)
    }
}
