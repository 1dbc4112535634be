//! Inodes: what stands behind a name, whatever its kind.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::file::{OpenFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use ext4::Status;
use fs::pipe::Pipe;
use memory::fallible;
use pagecache::CachedFile;
use vfs::dentry::Dentry;
use vfs::device_registry::{DeviceClass, DeviceNumber};
use vfs::file_ops::{DirectoryEntry, FileOps};
use vfs::inode::Inode;
use vfs::inode_ops::{DirectoryOps, InodeOps, RegularOps, StoredDirectory};
use vfs::special::{DeviceFile, SocketFile};

use crate::attributes::attributes;
use crate::directory::KeptNames;
use crate::file::FilePages;
use crate::mounted::Mounted;

/// A regular file, a directory or a symbolic link on a disk.
pub struct StoredInode {
    pub(crate) mounted: Arc<Mounted>,
    pub(crate) number: u32,
    pub(crate) contents: StoredContents,
    /// `st_size` of what has no pages, and blocks of a page: those of a file change as its pages are written.
    size: AtomicU64,
    blocks: Arc<AtomicU64>,
}

/// What an inode has in memory.
pub enum StoredContents {
    /// Pages.
    File(Arc<CachedFile>),
    /// Names.
    Directory(KeptNames),
    /// Nothing.
    Link,
}

impl StoredInode {
    /// The pages, if it is a regular file.
    pub fn file(&self) -> Option<&Arc<CachedFile>> {
        match &self.contents {
            StoredContents::File(file) => Some(file),
            _ => None,
        }
    }

    /// The names that are kept, if it is a directory.
    pub fn kept_names(&self) -> Result<&KeptNames, Errno> {
        match &self.contents {
            StoredContents::Directory(names) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Asks the disk how large it is: the entries of a directory have changed, or blocks of a file.
    pub fn refresh(&self) {
        if let Ok((size, sectors)) = self.mounted.with(|tree| tree.extent(self.number)) {
            self.size.store(size, Ordering::Relaxed);
            self.blocks.store(pages_of(sectors), Ordering::Relaxed);
        }
    }
}

/// Blocks of a page in so many sectors.
pub fn pages_of(sectors: u64) -> u64 {
    sectors.div_ceil(8)
}

/// As this crate's inode; `None` for the special ones.
pub fn stored(inode: &Inode) -> Option<&StoredInode> {
    let ops: &dyn core::any::Any = &*inode.ops;
    ops.downcast_ref()
}

impl Mounted {
    /// The inode of that number: the one in memory, or a new one.
    ///
    /// # Errors
    /// `ESTALE`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn inode(self: &Arc<Self>, number: u32) -> Result<Arc<Inode>, Errno> {
        if let Some(inode) = self.find_inode(number) {
            return Ok(inode);
        }
        self.finish_dropped();
        let status = self.with(|tree| tree.status(number))?;
        let kind = u32::from(status.mode) & S_IFMT;
        let ops = self.operations(&status, kind)?;
        let known = attributes(&status);
        let inode = Inode::numbered(self.super_block(), number.into(), kind, ops, known)?;
        inode.change(|attributes| *attributes = known);
        self.note_inode(number, &inode, known)?;
        Ok(inode)
    }

    fn operations(self: &Arc<Self>, status: &Status, kind: u32) -> Result<Arc<dyn InodeOps>, Errno> {
        let (major, minor) = status.device;
        let device = DeviceNumber { major, minor };
        let blocks = fallible::arc(AtomicU64::new(pages_of(status.sectors)))?;
        let contents = match kind {
            S_IFREG => {
                let pages = fallible::arc(FilePages::new(self, status.inode, &blocks))?;
                StoredContents::File(CachedFile::new(pages, status.size)?)
            }
            S_IFDIR => StoredContents::Directory(KeptNames::new(self.case)),
            S_IFLNK => StoredContents::Link,
            S_IFCHR => return Ok(fallible::arc(DeviceFile(DeviceClass::Character, device))?),
            S_IFBLK => return Ok(fallible::arc(DeviceFile(DeviceClass::Block, device))?),
            S_IFIFO => return Ok(Pipe::new()?),
            S_IFSOCK => return Ok(fallible::arc(SocketFile)?),
            _ => return Err(Errno::EUCLEAN),
        };
        Ok(fallible::arc(StoredInode {
            mounted: self.clone(),
            number: status.inode,
            contents,
            size: AtomicU64::new(status.size),
            blocks,
        })?)
    }
}

impl InodeOps for StoredInode {
    fn open(self: Arc<Self>, dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        self.open_file(dentry, flags)
    }

    fn size(&self) -> u64 {
        match &self.contents {
            StoredContents::File(file) => file.size(),
            _ => self.size.load(Ordering::Relaxed),
        }
    }

    fn page_count(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.look_up(directory, name)
    }

    fn list(&self, position: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        self.list_names(position, take)
    }

    fn keeps_owners(&self) -> bool {
        self.mounted.keeps_owners
    }

    fn as_directory(&self) -> Option<&dyn DirectoryOps> {
        self.kept_names().is_ok().then_some(self)
    }

    fn as_stored_directory(&self) -> Option<&dyn StoredDirectory> {
        self.kept_names().is_ok().then_some(self)
    }

    fn as_regular(&self) -> Option<&dyn RegularOps> {
        self.file().is_some().then_some(self)
    }

    fn link_text(&self) -> Result<Vec<u8>, Errno> {
        match self.contents {
            StoredContents::Link => self.mounted.with(|tree| tree.link_text(self.number)),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl Drop for StoredInode {
    fn drop(&mut self) {
        self.mounted.note_dropped(self.number, self.file().cloned());
    }
}
