//! Orphans: inodes without a name that are still open, and files that are being made shorter. The disk has a list of them, so that
//! whoever mounts it next finishes the work.

use crate::allocation::InodeKind;
use crate::bytes::{le32, put32};
use crate::inode::{DiskInode, Stamp};
use crate::superblock::{field, writing};
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible;
use memory::fallible::TryVec;

/// `i_dtime`, which has the number of the next orphan.
const NEXT_AT: usize = 0x14;

/// Bytes at the end of a block of the orphan file: magic number and checksum.
const FILE_TAIL: usize = 8;

impl Ext4 {
    /// Puts an inode at the head of the list, unless it is in it. The caller writes the inode.
    pub(crate) fn add_orphan(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        if self.orphan_before(inode.number)?.is_some() {
            return Ok(());
        }
        let raw = self.change_superblock()?;
        let head = le32(raw, field::LAST_ORPHAN)?;
        put32(raw, field::LAST_ORPHAN, inode.number)?;
        put32(&mut inode.raw, NEXT_AT, head)
    }

    /// What comes before an inode in the list: an inode, or 0 for the head; `None`: the inode is not in it.
    fn orphan_before(&mut self, number: u32) -> Result<Option<u32>, Errno> {
        let mut next = le32(&self.superblock_bytes()?, field::LAST_ORPHAN)?;
        let mut before = 0;
        for _ in 0..self.geometry.inodes {
            if next == 0 {
                return Ok(None);
            }
            if next == number {
                return Ok(Some(before));
            }
            before = next;
            next = le32(&self.raw_inode(next)?.raw, NEXT_AT)?;
        }
        Err(Errno::EUCLEAN)
    }

    /// Takes an inode off the list. The caller writes the inode.
    pub(crate) fn remove_orphan(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        let next = le32(&inode.raw, NEXT_AT)?;
        match self.orphan_before(inode.number)? {
            None => return Ok(()),
            Some(0) => put32(self.change_superblock()?, field::LAST_ORPHAN, next)?,
            Some(before) => {
                let mut before = self.inode(before)?;
                put32(&mut before.raw, NEXT_AT, next)?;
                self.put_inode(&mut before)?;
            }
        }
        put32(&mut inode.raw, NEXT_AT, 0)
    }

    /// Frees an inode that has no name, when nobody has it open any more; does nothing with one that has names.
    ///
    /// # Errors
    /// `EROFS`, `EUCLEAN`, `EIO`, `ENOMEM`: it stays in the list of orphans.
    pub fn release(&mut self, number: u32) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        if inode.links()? > 0 || inode.mode()? == 0 {
            return Ok(());
        }
        let kind = if inode.is_directory()? {
            InodeKind::Directory
        } else {
            InodeKind::File
        };
        if self.has_blocks(&inode)? {
            loop {
                let is_done = self.transact(|volume| {
                    let mut inode = volume.inode(number)?;
                    let is_done = volume.remove_blocks(&mut inode, 0)?;
                    if is_done {
                        inode.set_size(0)?;
                    }
                    volume.put_inode(&mut inode)?;
                    Ok(is_done)
                })?;
                if is_done {
                    break;
                }
            }
        }
        let now = self.now().seconds;
        self.transact(|volume| {
            let mut inode = volume.inode(number)?;
            volume.drop_attribute_block(&mut inode)?;
            volume.remove_orphan(&mut inode)?;
            // The time of its end; what looks like the number of an inode would be taken for an orphan.
            put32(
                &mut inode.raw,
                NEXT_AT,
                (now as u32).max(volume.geometry.inodes + 1),
            )?;
            inode.set_size(0)?;
            crate::bytes::put(&mut inode.raw, 0, &[0, 0])?;
            volume.put_inode(&mut inode)?;
            volume.free_inode(number, kind)
        })
    }

    /// Whether its `i_block` says where blocks are.
    pub(crate) fn has_blocks(&self, inode: &DiskInode) -> Result<bool, Errno> {
        let is_slow = inode.is_symlink()? && !self.is_fast_symlink(inode)?;
        Ok(inode.is_regular()? || inode.is_directory()? || is_slow)
    }

    /// Finishes what the last one that had it mounted did not: frees inodes without names, shortens files.
    pub(crate) fn free_orphans(&mut self) -> Result<(), Errno> {
        for _ in 0..=self.geometry.inodes {
            let head = le32(&self.superblock_bytes()?, field::LAST_ORPHAN)?;
            if head == 0 {
                return self.empty_orphan_file();
            }
            let is_usual = head >= self.geometry.first_inode && head <= self.geometry.inodes;
            if !is_usual || self.free_orphan(head).is_err() {
                // Whatever the list has, nobody can tell: e2fsck will.
                self.is_damaged = true;
                return self.transact(|volume| put32(volume.change_superblock()?, field::LAST_ORPHAN, 0));
            }
        }
        Err(Errno::EUCLEAN)
    }

    fn free_orphan(&mut self, number: u32) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        if inode.mode()? == 0 {
            return Err(Errno::EUCLEAN);
        }
        if inode.links()? == 0 {
            self.release(number)
        } else {
            self.finish_truncate(number)
        }
    }

    /// The same with the file of orphans that newer versions of Linux keep.
    fn empty_orphan_file(&mut self) -> Result<(), Errno> {
        if !self.geometry.has_writing(writing::ORPHAN_PRESENT) {
            return Ok(());
        }
        let file = self.inode(self.geometry.orphan_file)?;
        let blocks = file.size()? >> self.geometry.block_shift;
        for at in 0..u32::try_from(blocks).map_err(|_| Errno::EUCLEAN)? {
            let block = self.directory_block(&file, at)?;
            let mut bytes = fallible::filled(self.geometry.block_size, 0)?;
            self.read_blocks(block, &mut bytes)?;
            for place in (0..bytes.len() - FILE_TAIL).step_by(4) {
                let number = le32(&bytes, place)?;
                if number != 0 && self.free_orphan(number).is_err() {
                    self.is_damaged = true;
                }
            }
            self.transact(|volume| volume.clear_orphan_block(&file, block))?;
        }
        let features = self.geometry.writing & !writing::ORPHAN_PRESENT;
        self.transact(|volume| put32(volume.change_superblock()?, field::READ_ONLY_COMPATIBLE, features))?;
        self.geometry.writing = features;
        Ok(())
    }

    fn clear_orphan_block(&mut self, file: &DiskInode, block: u64) -> Result<(), Errno> {
        use crate::checksum::crc32c;
        use crate::seal::Seal;
        let (seed, has_checksums) = (file.seed(&self.geometry)?, self.geometry.has_checksums());
        let bytes = self.change(block, Seal::None)?;
        let end = bytes.len() - FILE_TAIL;
        bytes.iter_mut().take(end).for_each(|byte| *byte = 0);
        if has_checksums {
            let sum = crc32c(
                crc32c(seed, &block.to_le_bytes()),
                bytes.get(..end).ok_or(Errno::EIO)?,
            );
            put32(bytes, end + 4, sum)?;
        }
        Ok(())
    }

    /// All inodes in the list of orphans, for tests.
    ///
    /// # Errors
    /// `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn orphans(&mut self) -> Result<alloc::vec::Vec<u32>, Errno> {
        let mut found = alloc::vec::Vec::new();
        let mut next = le32(&self.superblock_bytes()?, field::LAST_ORPHAN)?;
        while next != 0 && found.len() < self.geometry.inodes as usize {
            found.try_push(next)?;
            next = le32(&self.raw_inode(next)?.raw, NEXT_AT)?;
        }
        Ok(found)
    }

    /// Its last change is now.
    pub(crate) fn touch(&mut self, inode: &mut DiskInode, stamps: &[Stamp]) -> Result<(), Errno> {
        let now = self.now();
        stamps.iter().try_for_each(|stamp| inode.set_time(*stamp, now))
    }
}
