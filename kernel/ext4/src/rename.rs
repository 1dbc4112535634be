//! rename(2) and renameat2(2).

use crate::directory::{FoundEntry, kind_of};
use crate::inode::{DiskInode, Stamp};
use crate::volume::Ext4;
use abi::Errno;

/// What becomes of a file that has the new name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameTarget {
    /// It loses it.
    Replaced,
    /// It keeps it: `EEXIST` (`RENAME_NOREPLACE`).
    Kept,
    /// It gets the old one (`RENAME_EXCHANGE`).
    Exchanged,
}

/// A name: a directory, and what it is called there.
pub type Name<'a> = (u32, &'a [u8]);

impl Ext4 {
    /// Renames a file. If another lost its last name, its inode, which stays until [`Ext4::release`].
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `ENOTEMPTY`, `EISDIR`, `ENOTDIR`, `EINVAL` if a directory would get below itself, `EMLINK`, `ENOSPC`,
    /// `EROFS`, as of [`Ext4::lookup`].
    pub fn rename(
        &mut self,
        old: Name<'_>,
        new: Name<'_>,
        target: RenameTarget,
    ) -> Result<Option<u32>, Errno> {
        self.transact(|volume| {
            let from = volume.open_directory(old.0)?;
            let to = volume.open_directory(new.0)?;
            let moved = volume.find(&from, old.1)?;
            let inode = volume.live_inode(moved.inode)?;
            if inode.is_directory()? && old.0 != new.0 {
                volume.check_above(new.0, moved.inode)?;
            }
            let replaced = match volume.find(&to, new.1) {
                Ok(found) => Some(found),
                Err(Errno::ENOENT) => None,
                Err(error) => return Err(error),
            };
            match (replaced, target) {
                (Some(_), RenameTarget::Kept) => Err(Errno::EEXIST),
                (None, RenameTarget::Exchanged) => Err(Errno::ENOENT),
                // Two names of one file: nothing happens.
                (Some(found), _) if found.inode == moved.inode => Ok(None),
                (Some(found), RenameTarget::Exchanged) => {
                    let other = volume.live_inode(found.inode)?;
                    if other.is_directory()? && old.0 != new.0 {
                        volume.check_above(old.0, found.inode)?;
                    }
                    volume
                        .exchange((old.0, moved, inode), (new.0, found, other))
                        .map(|()| None)
                }
                (replaced, _) => volume.move_name(old, new, inode, replaced),
            }
        })
    }

    /// Whether a directory is neither `lower` nor below it. `EINVAL` else.
    fn check_above(&mut self, directory: u32, lower: u32) -> Result<(), Errno> {
        let mut at = directory;
        for _ in 0..self.geometry.inodes {
            if at == lower {
                return Err(Errno::EINVAL);
            }
            if at == crate::inode::ROOT {
                return Ok(());
            }
            let inode = self.live_inode(at)?;
            at = self.parent_of(&inode)?;
        }
        Err(Errno::EUCLEAN)
    }

    fn move_name(
        &mut self,
        old: Name<'_>,
        new: Name<'_>,
        mut inode: DiskInode,
        replaced: Option<FoundEntry>,
    ) -> Result<Option<u32>, Errno> {
        let is_directory = inode.is_directory()?;
        let kind = kind_of(inode.mode()?);
        let mut gone = None;
        match replaced {
            Some(found) => {
                let mut other = match is_directory {
                    true => self.empty_directory(found)?,
                    false => self.live_inode(found.inode)?,
                };
                if !is_directory && other.is_directory()? {
                    return Err(Errno::EISDIR);
                }
                let mut to = self.open_directory(new.0)?;
                self.set_entry(&to, found, inode.number, kind)?;
                if is_directory {
                    self.drop_link(&mut to)?;
                }
                self.stamp_directory(&mut to)?;
                self.lose_name(&mut other)?;
                gone = (other.links()? == 0).then_some(other.number);
            }
            None => {
                let mut to = self.open_directory(new.0)?;
                self.must_be_free(&to, new.1)?;
                self.add_entry(&mut to, new.1, inode.number, kind)?;
                self.stamp_directory(&mut to)?;
            }
        }
        // The new entry may have moved others.
        let mut from = self.open_directory(old.0)?;
        let found = self.find(&from, old.1)?;
        self.remove_entry(&from, found)?;
        if is_directory && old.0 != new.0 {
            self.drop_link(&mut from)?;
        }
        self.stamp_directory(&mut from)?;
        if is_directory && old.0 != new.0 {
            let mut to = self.open_directory(new.0)?;
            self.add_link(&mut to)?;
            self.put_inode(&mut to)?;
            self.set_parent(&inode, new.0)?;
        }
        self.touch(&mut inode, &[Stamp::Change])?;
        self.put_inode(&mut inode)?;
        Ok(gone)
    }

    fn stamp_directory(&mut self, directory: &mut DiskInode) -> Result<(), Errno> {
        self.touch(directory, &[Stamp::Modify, Stamp::Change])?;
        self.put_inode(directory)
    }

    fn set_parent(&mut self, directory: &DiskInode, parent: u32) -> Result<(), Errno> {
        let found = self.find(directory, b"..")?;
        self.set_entry(directory, found, parent, 2)
    }

    fn exchange(
        &mut self,
        (old_at, old, mut inode): (u32, FoundEntry, DiskInode),
        (new_at, new, mut other): (u32, FoundEntry, DiskInode),
    ) -> Result<(), Errno> {
        let mut from = self.open_directory(old_at)?;
        self.set_entry(&from, old, other.number, kind_of(other.mode()?))?;
        self.stamp_directory(&mut from)?;
        let mut to = self.open_directory(new_at)?;
        self.set_entry(&to, new, inode.number, kind_of(inode.mode()?))?;
        self.stamp_directory(&mut to)?;
        if old_at != new_at {
            let (first, second) = (inode.is_directory()?, other.is_directory()?);
            if first {
                self.set_parent(&inode, new_at)?;
            }
            if second {
                self.set_parent(&other, old_at)?;
            }
            if first != second {
                let (gains, loses) = if first { (new_at, old_at) } else { (old_at, new_at) };
                let mut directory = self.open_directory(gains)?;
                self.add_link(&mut directory)?;
                self.put_inode(&mut directory)?;
                let mut directory = self.open_directory(loses)?;
                self.drop_link(&mut directory)?;
                self.put_inode(&mut directory)?;
            }
        }
        for inode in [&mut inode, &mut other] {
            self.touch(inode, &[Stamp::Change])?;
            self.put_inode(inode)?;
        }
        Ok(())
    }
}
