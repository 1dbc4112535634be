//! Bytes of regular files: where they are, and room for more.
//!
//! The order of a write: [`Ext4::allocate`] makes room, which counts as zeros; the caller writes the bytes there; [`Ext4::written`] says
//! that they are, and how long the file is. So a loss of power shows no bytes of others, and no file longer than what was written.

use crate::bytes::{put32, slice};
use crate::extents::{BlockMapping, BlockState, FileExtent};
use crate::inode::{DiskInode, Stamp, flag};
use crate::superblock::{field, writing};
use crate::volume::Ext4;
use abi::Errno;
use core::ops::Range;
use memory::fallible;

/// What fallocate(2) does with the size of a file that ends before the room that it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// The file ends where the room does.
    Grows,
    /// It stays.
    Stays,
}

impl Ext4 {
    /// Longest file.
    pub fn longest_file(&self) -> u64 {
        (u64::from(u32::MAX) << self.geometry.block_shift).min(i64::MAX as u64)
    }

    pub(crate) fn regular(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let inode = self.live_inode(number)?;
        if inode.is_directory()? {
            return Err(Errno::EISDIR);
        }
        if inode.is_regular()? {
            Ok(inode)
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// One whose ranges may be changed.
    pub(crate) fn file_with_extents(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let inode = self.regular(number)?;
        match inode.has_extents()? {
            true => Ok(inode),
            false => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Bytes of the units in which ranges of a file go and come.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a file of ext3; as of [`Ext4::map`].
    pub fn range_unit(&mut self, number: u32) -> Result<u64, Errno> {
        self.file_with_extents(number)?;
        Ok(self.geometry.block_size as u64)
    }

    /// What a regular file has from the block `at` on, at most `most` blocks.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL` for what has no blocks of its own, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn map(&mut self, number: u32, at: u32, most: u32) -> Result<BlockMapping, Errno> {
        let inode = self.regular(number)?;
        self.map_inode(&inode, at, most)
    }

    /// Makes room for the block `at` and up to `most` blocks from there on, and says where the first of them are. What had no room has
    /// zeros until [`Ext4::written`].
    ///
    /// # Errors
    /// `ENOSPC`; `EROFS`; `EFBIG`; `EOPNOTSUPP` for a hole in a file of ext3; as of [`Ext4::map`].
    pub fn allocate(&mut self, number: u32, at: u32, most: u32) -> Result<BlockMapping, Errno> {
        let found = self.map(number, at, most)?;
        if found.state != BlockState::Hole {
            return Ok(found);
        }
        self.transact(|volume| {
            let mut inode = volume.regular(number)?;
            let found = volume.fill_hole(&mut inode, at, most)?;
            volume.put_inode(&mut inode)?;
            Ok(found)
        })
    }

    /// Room for a hole, as much as there is in one piece.
    fn fill_hole(&mut self, inode: &mut DiskInode, at: u32, most: u32) -> Result<BlockMapping, Errno> {
        if !inode.has_extents()? {
            return Err(Errno::EOPNOTSUPP);
        }
        let found = self.map_inode(inode, at, most)?;
        if found.state != BlockState::Hole {
            return Ok(found);
        }
        if at == u32::MAX {
            return Err(Errno::EFBIG);
        }
        let goal = match at.checked_sub(1) {
            None => self.inode_goal(inode.number),
            Some(before) => match self.map_inode(inode, before, 1)? {
                found if found.state != BlockState::Hole => found.physical + 1,
                _ => self.inode_goal(inode.number),
            },
        };
        let longest = Self::longest_extent(BlockState::Unwritten).min(u32::MAX - at);
        let (physical, len) = self.allocate_blocks(goal, found.len.clamp(1, longest))?;
        inode.add_blocks(&self.geometry, i64::from(len))?;
        self.insert_extent(
            inode,
            FileExtent {
                logical: at,
                physical,
                len,
                is_unwritten: true,
            },
        )?;
        Ok(BlockMapping {
            state: BlockState::Unwritten,
            physical,
            len,
        })
    }

    /// Says that the bytes of some blocks are on the disk, and that the file has at least `size` bytes. Times are the caller's affair.
    ///
    /// # Errors
    /// `EROFS`, `ENOSPC` (a tree that splits needs blocks), as of [`Ext4::map`].
    pub fn written(&mut self, number: u32, blocks: Range<u32>, size: u64) -> Result<(), Errno> {
        let inode = self.regular(number)?;
        let mut at = blocks.start;
        let mut is_new = size > inode.size()?;
        while !is_new && at < blocks.end {
            let found = self.map_inode(&inode, at, blocks.end - at)?;
            is_new = found.state == BlockState::Unwritten;
            at += found.len.max(1);
        }
        if !is_new {
            return Ok(());
        }
        self.transact(|volume| {
            let mut inode = volume.regular(number)?;
            volume.set_written(&mut inode, blocks.start, u64::from(blocks.end))?;
            volume.grow(&mut inode, size)?;
            volume.put_inode(&mut inode)
        })
    }

    fn grow(&mut self, inode: &mut DiskInode, size: u64) -> Result<(), Errno> {
        if size > inode.size()? {
            self.set_size_of(inode, size)?;
        }
        Ok(())
    }

    pub(crate) fn set_size_of(&mut self, inode: &mut DiskInode, size: u64) -> Result<(), Errno> {
        if size > self.longest_file() {
            return Err(Errno::EFBIG);
        }
        inode.set_size(size)?;
        if size > i32::MAX as u64 && !self.geometry.has_writing(writing::LARGE_FILE) {
            let features = self.geometry.writing | writing::LARGE_FILE;
            put32(self.change_superblock()?, field::READ_ONLY_COMPATIBLE, features)?;
            self.geometry.writing = features;
        }
        Ok(())
    }

    /// Reads from a file, as far as it goes; how much.
    ///
    /// # Errors
    /// As of [`Ext4::map`].
    pub fn read(&mut self, number: u32, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        let inode = self.regular(number)?;
        let left = inode.size()?.saturating_sub(at);
        let len = (bytes.len() as u64).min(left) as usize;
        let (size, shift) = (self.geometry.block_size, self.geometry.block_shift);
        let mut buffer = fallible::filled(size, 0)?;
        let mut done = 0;
        while done < len {
            let offset = at + done as u64;
            let block = u32::try_from(offset >> shift).map_err(|_| Errno::EFBIG)?;
            let inside = offset as usize & (size - 1);
            let part = (size - inside).min(len - done);
            let found = self.map_inode(&inode, block, 1)?;
            let out = bytes.get_mut(done..done + part).ok_or(Errno::EIO)?;
            if found.state == BlockState::Written {
                self.read_blocks(found.physical, &mut buffer)?;
                out.copy_from_slice(slice(&buffer, inside, part)?);
            } else {
                out.fill(0);
            }
            done += part;
        }
        Ok(len)
    }

    /// Writes to a file, block by block, in the order of a write.
    ///
    /// # Errors
    /// As of [`Ext4::allocate`]; what comes before the block that failed is written.
    pub fn write(&mut self, number: u32, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let end = at.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
        if end > self.longest_file() {
            return Err(Errno::EFBIG);
        }
        self.zero_tail(number, at)?;
        let (size, shift) = (self.geometry.block_size, self.geometry.block_shift);
        let mut buffer = fallible::filled(size, 0)?;
        let mut done = 0;
        while done < bytes.len() {
            let offset = at + done as u64;
            let block = (offset >> shift) as u32;
            let inside = offset as usize & (size - 1);
            let part = (size - inside).min(bytes.len() - done);
            let found = self.allocate(number, block, 1)?;
            buffer.fill(0);
            if found.state == BlockState::Written && part < size {
                self.read_blocks(found.physical, &mut buffer)?;
            }
            crate::bytes::put(&mut buffer, inside, slice(bytes, done, part)?)?;
            self.write_blocks(found.physical, &buffer)?;
            done += part;
            self.written(number, block..block + 1, at + done as u64)?;
        }
        Ok(())
    }

    /// The bytes behind the end in the last block become zeros: the file is about to have them.
    fn zero_tail(&mut self, number: u32, at: u64) -> Result<(), Errno> {
        let inode = self.regular(number)?;
        let size = inode.size()?;
        let inside = size as usize & (self.geometry.block_size - 1);
        if at <= size || inside == 0 {
            return Ok(());
        }
        let block = u32::try_from(size >> self.geometry.block_shift).map_err(|_| Errno::EFBIG)?;
        let found = self.map_inode(&inode, block, 1)?;
        if found.state == BlockState::Written {
            let mut buffer = fallible::filled(self.geometry.block_size, 0)?;
            self.read_blocks(found.physical, &mut buffer)?;
            if buffer.iter().skip(inside).any(|byte| *byte != 0) {
                buffer.iter_mut().skip(inside).for_each(|byte| *byte = 0);
                self.write_blocks(found.physical, &buffer)?;
            }
        }
        Ok(())
    }

    /// truncate(2). The bytes behind the new end in its last block are the caller's affair, as all bytes are; this clears them on the disk
    /// too.
    ///
    /// # Errors
    /// `EFBIG`, `EROFS`, `ENOSPC`, `EPERM`, as of [`Ext4::map`].
    pub fn truncate(&mut self, number: u32, size: u64) -> Result<(), Errno> {
        let inode = self.regular(number)?;
        if inode.flags()? & (flag::IMMUTABLE | flag::APPEND) != 0 {
            return Err(Errno::EPERM);
        }
        if size > self.longest_file() {
            return Err(Errno::EFBIG);
        }
        if size >= inode.size()? {
            self.may_write()?;
            self.zero_tail(number, size)?;
        }
        let now = self.now();
        let is_shorter = self.transact(|volume| {
            let mut inode = volume.regular(number)?;
            let old = inode.size()?;
            volume.set_size_of(&mut inode, size)?;
            inode.set_time(Stamp::Modify, now)?;
            inode.set_time(Stamp::Change, now)?;
            let is_shorter = size < old || inode.sectors(&volume.geometry)? > 0;
            if is_shorter && inode.links()? > 0 {
                volume.add_orphan(&mut inode)?;
            }
            volume.put_inode(&mut inode)?;
            Ok(is_shorter)
        })?;
        if is_shorter {
            self.finish_truncate(number)?;
            self.zero_tail(number, size + 1)?;
        }
        Ok(())
    }

    /// Frees what a file has behind its end, and takes it off the list of orphans.
    pub(crate) fn finish_truncate(&mut self, number: u32) -> Result<(), Errno> {
        loop {
            let is_done = self.transact(|volume| {
                let mut inode = volume.inode(number)?;
                let size = inode.size()?;
                let start = size.div_ceil(volume.geometry.block_size as u64);
                let is_done = volume.remove_blocks(&mut inode, start)?;
                if is_done && inode.links()? > 0 {
                    volume.remove_orphan(&mut inode)?;
                }
                volume.put_inode(&mut inode)?;
                Ok(is_done)
            })?;
            if is_done {
                return Ok(());
            }
        }
    }

    /// Frees the blocks of an inode from one on, until that is done or the call under way is large; whether it is done.
    pub(crate) fn remove_blocks(&mut self, inode: &mut DiskInode, start: u64) -> Result<bool, Errno> {
        let Ok(start) = u32::try_from(start) else {
            return Ok(true);
        };
        match inode.has_extents()? {
            true => self.remove_extents(inode, start, 1 << 32),
            false => self.remove_by_blocks(inode, start),
        }
    }

    /// fallocate(2): room for `start..end`.
    ///
    /// # Errors
    /// As of [`Ext4::allocate`]: what got room before keeps it.
    pub fn reserve(&mut self, number: u32, bytes: Range<u64>, change: Size) -> Result<(), Errno> {
        if bytes.end > self.longest_file() {
            return Err(Errno::EFBIG);
        }
        let shift = self.geometry.block_shift;
        let end = bytes.end.div_ceil(self.geometry.block_size as u64);
        let mut at = bytes.start >> shift;
        if change == Size::Grows {
            self.zero_tail(number, bytes.end)?;
        }
        while at < end {
            let found = self.allocate(number, at as u32, (end - at).min(1 << 15) as u32)?;
            at += u64::from(found.len.max(1));
        }
        let now = self.now();
        self.transact(|volume| {
            let mut inode = volume.regular(number)?;
            if change == Size::Grows {
                volume.grow(&mut inode, bytes.end)?;
            }
            inode.set_time(Stamp::Change, now)?;
            volume.put_inode(&mut inode)
        })
    }

    /// fallocate(2), `FALLOC_FL_PUNCH_HOLE`: whole blocks inside the range go. Zeros at its ends are the caller's affair.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a file of ext3; as of [`Ext4::truncate`].
    pub fn punch(&mut self, number: u32, bytes: Range<u64>) -> Result<(), Errno> {
        let size = self.geometry.block_size as u64;
        let limit = u64::from(u32::MAX);
        let start = bytes.start.div_ceil(size).min(limit) as u32;
        let end = (bytes.end / size).min(limit);
        while u64::from(start) < end {
            let is_done = self.transact(|volume| {
                let mut inode = volume.file_with_extents(number)?;
                let is_done = volume.remove_extents(&mut inode, start, end)?;
                volume.put_changed(&mut inode)?;
                Ok(is_done)
            })?;
            if is_done {
                break;
            }
        }
        Ok(())
    }
}
