//! Ranges that are taken out of the middle of a file or put into it: fallocate(2), `FALLOC_FL_COLLAPSE_RANGE` and
//! `FALLOC_FL_INSERT_RANGE`.
//!
//! The bytes behind the range stay where they are on the disk. What is too large for one transaction is done in several: if the power goes
//! between two of them, the file has a hole as long as the range at some place behind it, and all of its bytes, as on Linux.

use crate::inode::{DiskInode, Stamp};
use crate::volume::Ext4;
use abi::Errno;
use core::ops::Range;

impl Ext4 {
    /// The bytes of the range go, and those behind it take their place.
    ///
    /// # Errors
    /// `EINVAL`: not in whole blocks, or nothing is behind it. `EOPNOTSUPP` for a file of ext3; as of [`Ext4::truncate`].
    pub fn collapse(&mut self, number: u32, bytes: Range<u64>) -> Result<(), Errno> {
        let blocks = self.whole_blocks(&bytes)?;
        if bytes.end >= self.regular(number)?.size()? {
            return Err(Errno::EINVAL);
        }
        let mut from = None;
        loop {
            let next = self.transact(|volume| {
                let mut inode = volume.file_with_extents(number)?;
                if from.is_none() && !volume.remove_extents(&mut inode, blocks.start, blocks.end.into())? {
                    volume.put_changed(&mut inode)?;
                    return Ok(Some(None));
                }
                let behind = from.unwrap_or(u64::from(blocks.end));
                let next = volume.lower_extents(&mut inode, behind, blocks.end - blocks.start)?;
                if next.is_none() {
                    let size = inode.size()?;
                    let left = size.checked_sub(bytes.end - bytes.start).ok_or(Errno::EUCLEAN)?;
                    inode.set_size(left)?;
                }
                volume.put_changed(&mut inode)?;
                Ok(next.map(Some))
            })?;
            match next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// A hole comes to where the range is; what was there and behind it comes behind it.
    ///
    /// # Errors
    /// `EINVAL`: not in whole blocks, behind the end of the file, or room behind its end would have no number. `EFBIG`. `EOPNOTSUPP` for a
    /// file of ext3; as of [`Ext4::truncate`], and then nothing is changed.
    pub fn insert(&mut self, number: u32, bytes: Range<u64>) -> Result<(), Errno> {
        let blocks = self.whole_blocks(&bytes)?;
        let by = blocks.end - blocks.start;
        let size = self.regular(number)?.size()?;
        if bytes.end - bytes.start > self.longest_file().saturating_sub(size) {
            return Err(Errno::EFBIG);
        }
        if bytes.start >= size {
            return Err(Errno::EINVAL);
        }
        let mut end = None;
        loop {
            end = self.transact(|volume| {
                let mut inode = volume.file_with_extents(number)?;
                if end.is_none() {
                    volume.begin_insert(&mut inode, blocks.start, by)?;
                    volume.set_size_of(&mut inode, size + (bytes.end - bytes.start))?;
                }
                let next = volume.raise_extents(&mut inode, blocks.start, end.unwrap_or(1 << 32), by)?;
                volume.put_changed(&mut inode)?;
                Ok(next)
            })?;
            if end.is_none() {
                return Ok(());
            }
        }
    }

    /// What may need room, and what may be too much: behind this nothing is in the way.
    fn begin_insert(&mut self, inode: &mut DiskInode, start: u32, by: u32) -> Result<(), Errno> {
        let last = self.last_extent_before(inode, 1 << 32)?;
        if last.is_some_and(|last| last.end() + u64::from(by) > u64::from(u32::MAX)) {
            return Err(Errno::EINVAL);
        }
        self.split_at(inode, start)
    }

    /// A range of bytes in blocks.
    fn whole_blocks(&self, bytes: &Range<u64>) -> Result<Range<u32>, Errno> {
        let (shift, inside) = (self.geometry.block_shift, self.geometry.block_size as u64 - 1);
        if (bytes.start | bytes.end) & inside != 0 || bytes.start >= bytes.end {
            return Err(Errno::EINVAL);
        }
        let block = |at: u64| u32::try_from(at >> shift).map_err(|_| Errno::EFBIG);
        Ok(block(bytes.start)?..block(bytes.end)?)
    }

    /// Writes an inode whose bytes are others now.
    pub(crate) fn put_changed(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        let now = self.now();
        inode.set_time(Stamp::Modify, now)?;
        inode.set_time(Stamp::Change, now)?;
        self.put_inode(inode)
    }
}
