//! How directories, files and links that are made when they are asked for answer the file layer.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::{OpenFlags, S_IFDIR, S_IFLNK, S_IFREG};

use memory::fallible;
use sched::scheduler;
use vfs::Dentry;
use vfs::file_ops::{DirectoryEntry, FileOps};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::InodeOps;
use vfs::super_block::SuperBlock;

/// A directory whose entries are found when asked for.
pub trait PseudoDirectory: Send + Sync + 'static {
    /// The inode of that name; `ENOENT` if there is none.
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno>;

    /// The first entry whose position is `from` or later. Positions below 2 belong to `.` and `..`. `ENOMEM`.
    fn next(&self, from: u64) -> Result<Option<PseudoEntry>, Errno>;
}

/// One entry of a [`PseudoDirectory`].
pub struct PseudoEntry {
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
pub trait Generated: Send + Sync + 'static {
    /// What an open of it reads and writes.
    fn open(&self) -> Result<Arc<dyn FileOps>, Errno>;

    /// Whether epoll(7) takes it.
    fn can_be_watched(&self) -> bool {
        false
    }
}

/// A symbolic link that knows its target.
pub trait Magic: Send + Sync + 'static {
    /// What readlink(2) says.
    fn text(&self) -> Result<Vec<u8>, Errno>;

    /// Where a path walk goes; `None`: along the text.
    fn target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        Ok(None)
    }
}

/// What an inode is to be made of: the `S_IFMT` bits, and what answers for it.
pub struct PseudoNode {
    kind: u32,
    ops: Arc<dyn InodeOps>,
}

impl PseudoNode {
    /// A directory.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn directory(listing: impl PseudoDirectory) -> Result<PseudoNode, Errno> {
        let ops = fallible::arc(ListingOps(listing))?;
        Ok(PseudoNode { kind: S_IFDIR, ops })
    }

    /// A regular file.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn file(file: impl Generated) -> Result<PseudoNode, Errno> {
        let ops = fallible::arc(GeneratedOps(file))?;
        Ok(PseudoNode { kind: S_IFREG, ops })
    }

    /// A symbolic link.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn link(link: impl Magic) -> Result<PseudoNode, Errno> {
        let ops = fallible::arc(MagicOps(link))?;
        Ok(PseudoNode { kind: S_IFLNK, ops })
    }

    /// The inode of that number.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn inode(
        self,
        super_block: &Arc<SuperBlock>,
        number: u64,
        attributes: Attributes,
    ) -> Result<Arc<Inode>, Errno> {
        Inode::numbered(super_block, number, self.kind, self.ops, attributes)
    }
}

struct ListingOps<L>(L);

/// The listing behind an inode, if it is of that kind.
pub fn listing_of<L: PseudoDirectory>(inode: &Inode) -> Option<&L> {
    let ops: &dyn Any = &*inode.ops;
    ops.downcast_ref().map(|ListingOps(listing)| listing)
}

impl<L: PseudoDirectory> InodeOps for ListingOps<L> {
    fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let inode = self.0.lookup(name)?;
        match inode.filesystem.covered(inode.number) {
            Some(covered) => Ok(covered),
            None => Dentry::new(Some(directory), name, inode),
        }
    }

    fn list(&self, start: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        let mut position = start;
        loop {
            let entry = match self.0.next(position) {
                Err(error) if position == start => return Err(error),
                Err(_) | Ok(None) => break,
                Ok(Some(entry)) => entry,
            };
            if !take(DirectoryEntry {
                name: &entry.name,
                inode: entry.inode,
                kind: entry.kind,
                next: entry.next,
            }) {
                break;
            }
            position = entry.next;
            scheduler::cond_resched();
        }
        Ok(position)
    }
}

struct GeneratedOps<G>(G);

impl<G: Generated> InodeOps for GeneratedOps<G> {
    fn open(self: Arc<Self>, _dentry: &Arc<Dentry>, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        self.0.open()
    }

    fn can_be_watched(&self) -> bool {
        self.0.can_be_watched()
    }
}

struct MagicOps<M>(M);

impl<M: Magic> InodeOps for MagicOps<M> {
    fn link_text(&self) -> Result<Vec<u8>, Errno> {
        self.0.text()
    }

    fn link_target(&self) -> Result<Option<Arc<Dentry>>, Errno> {
        self.0.target()
    }
}
