//! Making a file system as large as its disk, while it is mounted.
//!
//! The last group gets the blocks that it lacks, and further groups come behind it. A new group has its own bitmaps and table of inodes,
//! which are not written: flags of its descriptor say so, as mke2fs leaves them. So all of it is one transaction of a few blocks: after
//! a loss of power the file system is as it was, or as it is to be.
//!
//! Where descriptors stand in one table at the beginning (without `meta_bg`), that table is not made longer: the file system grows as far
//! as its last block has room for descriptors.

use crate::bytes::{le32, put16, put32, slice_mut};
use crate::group::{
    BLOCKS_UNINITIALISED, GroupDescriptor, INODES_UNINITIALISED, descriptor_place, place_descriptor,
    put_count,
};
use crate::seal::Seal;
use crate::superblock::{
    Geometry, SUPERBLOCK_SIZE, Trust, field, free_blocks, incompatible, seal_superblock, writing,
};
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible;

/// Blocks that a last group has at least behind what it has of its own: one with fewer is not made.
const LEAST_BLOCKS: u64 = 50;
/// Groups of one call, so that its transaction is not larger than a small journal.
const MOST_GROUPS: u32 = 1024;
/// Where the superblock says how many blocks only root may use.
const RESERVED_LOW: usize = 0x08;
const RESERVED_HIGH: usize = 0x154;
const BLOCKS_LOW: usize = 0x04;
const BLOCKS_HIGH: usize = 0x150;
/// Where a copy of the superblock says of which group it is.
const GROUP_NUMBER: usize = 0x5a;

impl Ext4 {
    /// Makes it as large as its disk, as far as that can be done; how many blocks it has then.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: it has no checksums of groups, so that bitmaps could not be left for later. `EROFS`, `EIO`, `ENOMEM`, `EUCLEAN`.
    pub fn grow_to_disk(&mut self) -> Result<u64, Errno> {
        self.may_write()?;
        loop {
            let wanted = self.grown()?;
            if wanted.blocks <= self.geometry.blocks {
                return Ok(self.geometry.blocks);
            }
            let old = self.geometry.clone();
            let first_new = old.groups;
            if let Err(error) = self.transact(|volume| volume.add_blocks(&old, &wanted)) {
                self.geometry = old;
                return Err(error);
            }
            self.commit()?;
            self.checkpoint()?;
            // Which blocks are its own is asked of the descriptors, whose checksums came with the commit.
            self.system.clear();
            self.read_groups(Trust::Whole)?;
            self.write_copies(first_new)?;
        }
    }

    /// How it is to be behind one call.
    fn grown(&self) -> Result<Geometry, Errno> {
        let mut wanted = self.geometry.clone();
        let has_64 = wanted.has_incompatible(incompatible::BITS64);
        let has_lazy = wanted.has_writing(writing::GROUP_CHECKSUM | writing::METADATA_CHECKSUM);
        if !has_lazy {
            return Err(Errno::EOPNOTSUPP);
        }
        let most = if has_64 { 1 << 48 } else { u64::from(u32::MAX) };
        let blocks = (self.disk.sectors() >> (wanted.block_shift - 9)).min(most - 1);
        let per_group = u64::from(wanted.blocks_per_group);
        let per_block = (wanted.block_size / wanted.descriptor_size) as u32;
        let groups = (blocks.saturating_sub(wanted.first_block)).div_ceil(per_group);
        let most_inodes = u64::from(u32::MAX / wanted.inodes_per_group);
        let mut groups = groups
            .min(most_inodes)
            .min(u64::from(wanted.groups + MOST_GROUPS)) as u32;
        if !wanted.has_incompatible(incompatible::META_BG) {
            groups = groups.min(wanted.groups.next_multiple_of(per_block));
        }
        if groups < wanted.groups {
            return Ok(wanted);
        }
        wanted.groups = groups;
        wanted.blocks = blocks.min(wanted.group_start(groups));
        let last = wanted.blocks - wanted.group_start(groups - 1);
        let own = wanted.head_of(groups - 1) + 2 + wanted.table_blocks();
        if groups > self.geometry.groups && last < own + LEAST_BLOCKS {
            wanted.groups -= 1;
            wanted.blocks = wanted.group_start(wanted.groups);
        }
        wanted.inodes = wanted.groups * wanted.inodes_per_group;
        let share = |blocks: u64| u128::from(self.geometry.reserved_blocks) * u128::from(blocks);
        wanted.reserved_blocks = (share(wanted.blocks) / u128::from(self.geometry.blocks)) as u64;
        Ok(wanted)
    }

    /// The transaction.
    fn add_blocks(&mut self, old: &Geometry, wanted: &Geometry) -> Result<(), Errno> {
        let last = old.groups - 1;
        let gained = wanted.group_blocks(last) - old.group_blocks(last);
        let mut free = u64::from(gained);
        if gained > 0 {
            self.lengthen(old, last, gained)?;
        }
        self.geometry = wanted.clone();
        for number in old.groups..wanted.groups {
            free += u64::from(self.add_group(number)?);
            if number % 64 == 63 {
                self.surroundings.breathe();
            }
        }
        let has_64 = wanted.has_incompatible(incompatible::BITS64);
        let high = |at| has_64.then_some(at);
        let count = free_blocks(&self.superblock_bytes()?, wanted)? + free;
        let inodes = u64::from(wanted.inodes - old.inodes) as u32;
        let raw = self.change_superblock()?;
        put_count(raw, BLOCKS_LOW, high(BLOCKS_HIGH), wanted.blocks)?;
        put_count(raw, RESERVED_LOW, high(RESERVED_HIGH), wanted.reserved_blocks)?;
        put_count(raw, field::FREE_BLOCKS_LOW, high(field::FREE_BLOCKS_HIGH), count)?;
        put32(raw, field::INODES, wanted.inodes)?;
        let free_inodes = le32(raw, field::FREE_INODES)? + inodes;
        put32(raw, field::FREE_INODES, free_inodes)
    }

    /// The group that was the last gets blocks behind those that it has.
    fn lengthen(&mut self, old: &Geometry, number: u32, gained: u32) -> Result<(), Errno> {
        let mut group = self.group(number)?;
        self.read_block_bitmap(number, &mut group)?;
        let from = old.group_blocks(number);
        let map = self.change(group.block_bitmap, Seal::Bitmap)?;
        for bit in from..from + gained {
            let place = map.get_mut(bit as usize / 8).ok_or(Errno::EUCLEAN)?;
            *place &= !(1 << (bit % 8));
        }
        group.free_blocks += gained;
        self.set_group(number, &group)
    }

    /// One more group; how many free blocks it has.
    fn add_group(&mut self, number: u32) -> Result<u32, Errno> {
        let start = self.geometry.group_start(number);
        let head = self.geometry.head_of(number);
        let own = head + 2 + self.geometry.table_blocks();
        let free = u64::from(self.geometry.group_blocks(number)).saturating_sub(own) as u32;
        let inodes = self.geometry.inodes_per_group;
        let mut group = GroupDescriptor {
            block_bitmap: start + head,
            inode_bitmap: start + head + 1,
            table: start + head + 2,
            free_blocks: free,
            free_inodes: inodes,
            directories: 0,
            flags: BLOCKS_UNINITIALISED | INODES_UNINITIALISED,
            unused_inodes: inodes,
        };
        let (block, at) = descriptor_place(&self.geometry, number);
        let size = self.geometry.descriptor_size;
        let bytes = match at {
            0 => self.create_block(block, Seal::None)?,
            _ => self.change(block, Seal::None)?,
        };
        place_descriptor(slice_mut(bytes, at, size)?, &group)?;
        self.set_group(number, &group)?;
        if number + 1 == self.geometry.groups {
            // The bitmap of the last group is always written: what lies behind its end counts as used there.
            self.read_block_bitmap(number, &mut group)?;
        }
        Ok(free)
    }

    /// Writes the copies of superblock and descriptors of the groups that came, and the superblock's of those before. Only e2fsck reads them,
    /// when the first ones are lost; so they go past the journal, when what they say is so already.
    fn write_copies(&mut self, first_new: u32) -> Result<(), Errno> {
        let geometry = self.geometry.clone();
        let raw = self.superblock_bytes()?;
        let mut block = fallible::filled(geometry.block_size, 0)?;
        let per_block = (geometry.block_size / geometry.descriptor_size) as u32;
        let is_meta = geometry.has_incompatible(incompatible::META_BG);
        for number in 1..geometry.groups {
            let start = geometry.group_start(number);
            let has_backup = geometry.has_backup(number);
            if has_backup {
                block.fill(0);
                let copy = slice_mut(&mut block, 0, SUPERBLOCK_SIZE)?;
                copy.copy_from_slice(&raw);
                // A copy says of which group it is, and that it needs no journal.
                put16(copy, GROUP_NUMBER, number as u16)?;
                let features = le32(copy, field::INCOMPATIBLE)? & !incompatible::RECOVER;
                put32(copy, field::INCOMPATIBLE, features)?;
                seal_superblock(copy, &geometry)?;
                self.write_blocks(start, &block)?;
            }
            let place = number % per_block;
            let first = number - place;
            let mut at = start + u64::from(has_backup);
            if is_meta && first / per_block >= geometry.first_meta_group {
                if (place == 1 || place == per_block - 1) && first + per_block > first_new {
                    self.copy_block(descriptor_place(&geometry, first).0, at)?;
                }
            } else if has_backup {
                for table in 0..geometry.groups.div_ceil(per_block) {
                    self.copy_block(descriptor_place(&geometry, table * per_block).0, at)?;
                    at += 1;
                }
            }
            if number % 64 == 63 {
                self.surroundings.breathe();
            }
        }
        self.disk.flush()
    }

    fn copy_block(&mut self, from: u64, to: u64) -> Result<(), Errno> {
        let bytes = self.block(from, Seal::None)?;
        self.write_blocks(to, &bytes)
    }
}
