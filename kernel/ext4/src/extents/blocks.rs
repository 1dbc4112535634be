//! Files of ext2 and ext3: a list of blocks, with blocks of further numbers. They are read, and freed.

use super::{BlockMapping, BlockState};
use crate::allocation::Contents;
use crate::bytes::{le32, put32};
use crate::inode::DiskInode;
use crate::seal::Seal;
use crate::volume::Ext4;
use abi::Errno;

/// Blocks that stand in the inode itself.
const DIRECT: u32 = 12;

impl Ext4 {
    /// As `map_inode`, of a file without extents.
    pub(super) fn map_by_blocks(
        &mut self,
        inode: &DiskInode,
        at: u32,
        most: u32,
    ) -> Result<BlockMapping, Errno> {
        let first = self.block_by_number(inode, at)?;
        let mut len = 1;
        // Blocks that follow are gathered, but not for long: the caller asks again.
        while len < most.min(256) {
            let Some(next) = at.checked_add(len) else {
                break;
            };
            let next = self.block_by_number(inode, next)?;
            let follows = if first == 0 {
                next == 0
            } else {
                next == first + u64::from(len)
            };
            if !follows {
                break;
            }
            len += 1;
        }
        let len = len.min(most);
        if first == 0 {
            return Ok(BlockMapping::hole(len));
        }
        Ok(BlockMapping {
            state: BlockState::Written,
            physical: first,
            len,
        })
    }

    /// The block of the disk that is the block `at` of a file; 0: a hole.
    fn block_by_number(&mut self, inode: &DiskInode, at: u32) -> Result<u64, Errno> {
        let per_block = (self.geometry.block_size / 4) as u64;
        let mut rest = u64::from(at);
        let direct = u64::from(DIRECT);
        if rest < direct {
            return self.checked(le32(inode.block_bytes()?, 4 * rest as usize)?);
        }
        rest -= direct;
        for level in 1..=3u32 {
            let covered = per_block.pow(level);
            if rest < covered {
                let slot = (DIRECT + level - 1) as usize;
                let mut block = self.checked(le32(inode.block_bytes()?, 4 * slot)?)?;
                for below in (0..level).rev() {
                    if block == 0 {
                        return Ok(0);
                    }
                    let bytes = self.block(block, Seal::None)?;
                    let index = rest / per_block.pow(below) % per_block;
                    block = self.checked(le32(&bytes, 4 * index as usize)?)?;
                }
                return Ok(block);
            }
            rest -= covered;
        }
        Err(Errno::EFBIG)
    }

    fn checked(&self, block: u32) -> Result<u64, Errno> {
        let block = u64::from(block);
        if block != 0 && self.is_system(block, 1) {
            return Err(Errno::EUCLEAN);
        }
        Ok(block)
    }

    /// Frees the blocks of such a file from `start` on, until that is done or the call under way is large; whether it is done.
    pub(crate) fn remove_by_blocks(&mut self, inode: &mut DiskInode, start: u32) -> Result<bool, Errno> {
        let per_block = (self.geometry.block_size / 4) as u64;
        let mut base = u64::from(DIRECT);
        let mut bases = [0; 3];
        for (level, first) in (1..).zip(&mut bases) {
            *first = base;
            base += per_block.pow(level);
        }
        for level in (1..=3u32).rev() {
            let at = 4 * (DIRECT + level - 1) as usize;
            let block = self.checked(le32(inode.block_bytes()?, at)?)?;
            if block != 0 {
                let from = u64::from(start).saturating_sub(bases[level as usize - 1]);
                match self.remove_below(inode, block, level, from)? {
                    Removed::All => put32(inode.block_bytes_mut()?, at, 0)?,
                    Removed::Some => {}
                    Removed::NotDone => return Ok(false),
                }
            }
        }
        for at in (start.min(DIRECT)..DIRECT).rev() {
            let block = self.checked(le32(inode.block_bytes()?, 4 * at as usize)?)?;
            if block != 0 {
                self.remove_one(inode, block, Contents::Bytes)?;
                put32(inode.block_bytes_mut()?, 4 * at as usize, 0)?;
            }
        }
        Ok(true)
    }

    fn remove_one(&mut self, inode: &mut DiskInode, block: u64, how: Contents) -> Result<(), Errno> {
        self.free_blocks(block, 1, how)?;
        inode.add_blocks(&self.geometry, -1)
    }

    /// Frees what a block of numbers leads to from `from` on, and the block itself if nothing is left.
    fn remove_below(
        &mut self,
        inode: &mut DiskInode,
        block: u64,
        level: u32,
        from: u64,
    ) -> Result<Removed, Errno> {
        let per_block = (self.geometry.block_size / 4) as u64;
        let covered = per_block.pow(level - 1);
        if from >= covered * per_block {
            return Ok(Removed::Some);
        }
        for index in (from / covered..per_block).rev() {
            let bytes = self.block(block, Seal::None)?;
            let child = self.checked(le32(&bytes, 4 * index as usize)?)?;
            if child == 0 {
                continue;
            }
            if self.is_large() {
                return Ok(Removed::NotDone);
            }
            let inside = from.saturating_sub(index * covered);
            let removed = match level {
                1 => self
                    .remove_one(inode, child, Contents::Bytes)
                    .map(|()| Removed::All)?,
                _ => self.remove_below(inode, child, level - 1, inside)?,
            };
            match removed {
                Removed::All => put32(self.change(block, Seal::None)?, 4 * index as usize, 0)?,
                Removed::Some => {}
                Removed::NotDone => return Ok(Removed::NotDone),
            }
        }
        if from > 0 {
            return Ok(Removed::Some);
        }
        self.remove_one(inode, block, Contents::Metadata)?;
        Ok(Removed::All)
    }
}

/// What is left of what a block of numbers led to.
enum Removed {
    All,
    Some,
    NotDone,
}
