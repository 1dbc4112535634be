//! Names: files are made, linked, unlinked and renamed.

use crate::allocation::InodeKind;
use crate::bytes::{put, put16, put32};
use crate::directory::{FoundEntry, kind_of};
use crate::inode::{BLOCK_BYTES, DiskInode, Stamp, flag};
use crate::superblock::{incompatible, writing};
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible;

/// Most names of a file; directories may have more where `dir_nlink` is set, and say 1 then.
const MOST_LINKS: u16 = 65000;

/// A file to be made.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Kind and permissions, as `st_mode`.
    pub mode: u16,
    /// Who owns it.
    pub user: u32,
    /// The group that owns it.
    pub group: u32,
    /// Text of a symbolic link.
    pub target: &'a [u8],
    /// Major and minor number of a device node.
    pub device: (u32, u32),
}

impl Ext4 {
    /// The inode that a name stands for, in a directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn lookup(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        let directory = self.live_inode(directory)?;
        Ok(self.find(&directory, name)?.inode)
    }

    /// A directory that entries are put into or taken out of.
    pub(crate) fn open_directory(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let directory = self.live_inode(number)?;
        if !directory.is_directory()? {
            return Err(Errno::ENOTDIR);
        }
        if directory.flags()? & flag::IMMUTABLE != 0 {
            return Err(Errno::EPERM);
        }
        Ok(directory)
    }

    pub(crate) fn must_be_free(&mut self, directory: &DiskInode, name: &[u8]) -> Result<(), Errno> {
        if directory.links()? == 0 {
            return Err(Errno::ENOENT);
        }
        if name.is_empty() || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return Err(Errno::EINVAL);
        }
        match self.find(directory, name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a file with a name; its inode.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` in a directory without a name, `ENOSPC`, `EMLINK`, `EROFS`, `EPERM`, as of [`Ext4::lookup`].
    pub fn create(&mut self, directory: u32, name: &[u8], new: &New<'_>) -> Result<u32, Errno> {
        self.transact(|volume| {
            let mut parent = volume.open_directory(directory)?;
            volume.must_be_free(&parent, name)?;
            let is_directory = new.mode & 0xf000 == 0x4000;
            let mut inode = volume.new_inode(&parent, new)?;
            if is_directory {
                volume.make_directory(&mut inode, directory)?;
                put16(&mut inode.raw, 0x1a, 2)?;
                volume.add_link(&mut parent)?;
            }
            volume.put_inode(&mut inode)?;
            volume.add_entry(&mut parent, name, inode.number, kind_of(new.mode))?;
            volume.touch(&mut parent, &[Stamp::Modify, Stamp::Change])?;
            volume.put_inode(&mut parent)?;
            Ok(inode.number)
        })
    }

    /// Makes a file without a name (`O_TMPFILE`): an orphan until it gets one; its inode.
    ///
    /// # Errors
    /// As of [`Ext4::create`].
    pub fn create_unnamed(&mut self, directory: u32, new: &New<'_>) -> Result<u32, Errno> {
        self.transact(|volume| {
            let parent = volume.open_directory(directory)?;
            let mut inode = volume.new_inode(&parent, new)?;
            put16(&mut inode.raw, 0x1a, 0)?;
            volume.add_orphan(&mut inode)?;
            volume.put_inode(&mut inode)?;
            Ok(inode.number)
        })
    }

    /// An inode with one name, not yet written.
    fn new_inode(&mut self, parent: &DiskInode, new: &New<'_>) -> Result<DiskInode, Errno> {
        let kind = if new.mode & 0xf000 == 0x4000 {
            InodeKind::Directory
        } else {
            InodeKind::File
        };
        let number = self.allocate_inode(parent.number, kind)?;
        let size = self.geometry.inode_size;
        let mut inode = DiskInode {
            number,
            raw: fallible::filled(size, 0)?,
        };
        let raw = &mut inode.raw;
        put16(raw, 0, new.mode)?;
        put16(raw, 0x1a, 1)?;
        put32(raw, 0x64, self.surroundings.random())?;
        if size > 128 {
            put16(
                raw,
                0x80,
                self.geometry.wanted_extra.max(28).min(size as u16 - 128),
            )?;
        }
        inode.set_owner(new.user, new.group)?;
        let flags = parent.flags()? & flag::INHERITED;
        put32(&mut inode.raw, 0x20, flags)?;
        self.touch(
            &mut inode,
            &[Stamp::Access, Stamp::Modify, Stamp::Change, Stamp::Create],
        )?;
        match new.mode & 0xf000 {
            0x8000 | 0x4000 => self.use_extents(&mut inode)?,
            0xa000 => self.set_target(&mut inode, new.target)?,
            0x2000 | 0x6000 => inode.set_device(new.device.0, new.device.1)?,
            0x1000 | 0xc000 => {}
            _ => return Err(Errno::EINVAL),
        }
        Ok(inode)
    }

    fn use_extents(&self, inode: &mut DiskInode) -> Result<(), Errno> {
        if !self.geometry.has_incompatible(incompatible::EXTENTS) {
            return Err(Errno::EOPNOTSUPP);
        }
        let flags = inode.flags()? | flag::EXTENTS;
        put32(&mut inode.raw, 0x20, flags)?;
        put(inode.block_bytes_mut()?, 0, &[0x0a, 0xf3, 0, 0, 4, 0, 0, 0])
    }

    /// Whether the text of a symbolic link stands in the inode.
    pub(crate) fn is_fast_symlink(&self, inode: &DiskInode) -> Result<bool, Errno> {
        Ok(inode.flags()? & flag::EXTENTS == 0 && inode.size()? < BLOCK_BYTES as u64)
    }

    fn set_target(&mut self, inode: &mut DiskInode, target: &[u8]) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() >= self.geometry.block_size.min(4096) {
            return Err(Errno::ENAMETOOLONG);
        }
        if target.len() < BLOCK_BYTES {
            put(inode.block_bytes_mut()?, 0, target)?;
        } else {
            self.use_extents(inode)?;
            let (_, block) = self.append_block(inode)?;
            put(self.create_block(block, crate::seal::Seal::None)?, 0, target)?;
        }
        inode.set_size(target.len() as u64)
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    /// `EINVAL` if it is none, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn link_text(&mut self, number: u32) -> Result<alloc::vec::Vec<u8>, Errno> {
        let inode = self.live_inode(number)?;
        if !inode.is_symlink()? {
            return Err(Errno::EINVAL);
        }
        let len = usize::try_from(inode.size()?).map_err(|_| Errno::EUCLEAN)?;
        if len == 0 || len > self.geometry.block_size {
            return Err(Errno::EUCLEAN);
        }
        if self.is_fast_symlink(&inode)? {
            return fallible::bytes(crate::bytes::slice(inode.block_bytes()?, 0, len)?);
        }
        let block = self.directory_block(&inode, 0)?;
        let bytes = self.block(block, crate::seal::Seal::None)?;
        fallible::bytes(crate::bytes::slice(&bytes, 0, len)?)
    }

    /// One more directory has this one as its parent.
    pub(crate) fn add_link(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        let links = inode.links()?;
        let is_directory = inode.is_directory()?;
        let may_overflow = is_directory && self.geometry.has_writing(writing::MANY_LINKS);
        let links = match links {
            1 if is_directory => 1,
            links if links < MOST_LINKS => links + 1,
            _ if may_overflow && self.is_indexed(inode)? => 1,
            _ => return Err(Errno::EMLINK),
        };
        put16(&mut inode.raw, 0x1a, links)
    }

    /// One fewer has.
    pub(crate) fn drop_link(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        let links = inode.links()?;
        // A directory that says 1 has lost count.
        if !(inode.is_directory()? && links <= 2) {
            put16(&mut inode.raw, 0x1a, links.checked_sub(1).ok_or(Errno::EUCLEAN)?)?;
        }
        Ok(())
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// `EPERM` for a directory, `EMLINK`, as of [`Ext4::create`].
    pub fn link(&mut self, directory: u32, name: &[u8], number: u32) -> Result<(), Errno> {
        self.transact(|volume| {
            let mut parent = volume.open_directory(directory)?;
            let mut inode = volume.live_inode(number)?;
            if inode.is_directory()? {
                return Err(Errno::EPERM);
            }
            volume.must_be_free(&parent, name)?;
            if inode.links()? == 0 {
                // What O_TMPFILE made.
                volume.remove_orphan(&mut inode)?;
            }
            volume.add_link(&mut inode)?;
            volume.touch(&mut inode, &[Stamp::Change])?;
            volume.put_inode(&mut inode)?;
            volume.add_entry(&mut parent, name, number, kind_of(inode.mode()?))?;
            volume.touch(&mut parent, &[Stamp::Modify, Stamp::Change])?;
            volume.put_inode(&mut parent)
        })
    }

    /// Takes a name away. The inode, and how many names it still has: if none, it stays until [`Ext4::release`].
    ///
    /// # Errors
    /// `EISDIR`, `ENOENT`, `EROFS`, `EPERM`, as of [`Ext4::lookup`].
    pub fn unlink(&mut self, directory: u32, name: &[u8]) -> Result<(u32, u16), Errno> {
        self.transact(|volume| {
            let mut parent = volume.open_directory(directory)?;
            let found = volume.find(&parent, name)?;
            let mut inode = volume.live_inode(found.inode)?;
            if inode.is_directory()? {
                return Err(Errno::EISDIR);
            }
            volume.remove_entry(&parent, found)?;
            volume.touch(&mut parent, &[Stamp::Modify, Stamp::Change])?;
            volume.put_inode(&mut parent)?;
            volume.lose_name(&mut inode)?;
            Ok((inode.number, inode.links()?))
        })
    }

    /// A file has one name fewer; without any it is an orphan.
    pub(crate) fn lose_name(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        match inode.is_directory()? {
            true => put16(&mut inode.raw, 0x1a, 0)?,
            false => self.drop_link(inode)?,
        }
        if inode.links()? == 0 {
            self.add_orphan(inode)?;
        }
        self.touch(inode, &[Stamp::Change])?;
        self.put_inode(inode)
    }

    /// Takes an empty directory away; its inode stays until [`Ext4::release`].
    ///
    /// # Errors
    /// `ENOTEMPTY`, `ENOTDIR`, as of [`Ext4::unlink`].
    pub fn remove_directory(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        self.transact(|volume| {
            let mut parent = volume.open_directory(directory)?;
            let found = volume.find(&parent, name)?;
            let mut inode = volume.empty_directory(found)?;
            volume.remove_entry(&parent, found)?;
            volume.drop_link(&mut parent)?;
            volume.touch(&mut parent, &[Stamp::Modify, Stamp::Change])?;
            volume.put_inode(&mut parent)?;
            volume.lose_name(&mut inode)?;
            Ok(inode.number)
        })
    }

    /// A directory that has no entries. `ENOTEMPTY`, `ENOTDIR`.
    pub(crate) fn empty_directory(&mut self, found: FoundEntry) -> Result<DiskInode, Errno> {
        let inode = self.live_inode(found.inode)?;
        if !inode.is_directory()? {
            return Err(Errno::ENOTDIR);
        }
        if found.inode == crate::inode::ROOT {
            return Err(Errno::EUCLEAN);
        }
        if self.is_empty_directory(&inode)? {
            Ok(inode)
        } else {
            Err(Errno::ENOTEMPTY)
        }
    }
}
