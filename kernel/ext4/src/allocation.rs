//! Which blocks and inodes are free: the bitmaps of the groups.

use crate::bytes::{byte, le32, put32};
use crate::cache::{Bytes, Forget};
use crate::group::{BLOCKS_UNINITIALISED, GroupDescriptor, INODES_UNINITIALISED, put_count};
use crate::seal::Seal;
use crate::superblock::{field, free_blocks, incompatible, writing};
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible;

/// What blocks hold that are freed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Bytes of a file, which the journal never has.
    Bytes,
    /// Directories, trees and the like.
    Metadata,
}

/// What kind of inode is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InodeKind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// The first bit from `from` on, before `end`, that is clear in all maps; `end` if there is none.
fn next_clear(maps: &[&[u8]], from: u32, end: u32) -> u32 {
    let mut at = from;
    while at < end {
        let all = maps
            .iter()
            .fold(0, |all, map| all | byte(map, at as usize / 8).unwrap_or(0xff));
        let free = !all & (0xff << (at % 8));
        if free != 0 {
            return ((at & !7) + free.trailing_zeros()).min(end);
        }
        at = (at & !7) + 8;
    }
    end
}

/// The first bit from `from` on, before `end`, that is set in one of the maps; `end` if there is none.
fn next_set(maps: &[&[u8]], from: u32, end: u32) -> u32 {
    let mut at = from;
    while at < end {
        let all = maps
            .iter()
            .fold(0, |all, map| all | byte(map, at as usize / 8).unwrap_or(0xff));
        let used = all & (0xff << (at % 8));
        if used != 0 {
            return ((at & !7) + used.trailing_zeros()).min(end);
        }
        at = (at & !7) + 8;
    }
    end
}

/// A run of clear bits from `from` on, of `wanted` bits, or else the longest.
fn find_run(maps: &[&[u8]], from: u32, end: u32, wanted: u32) -> Option<(u32, u32)> {
    let mut best: Option<(u32, u32)> = None;
    let mut at = from;
    loop {
        at = next_clear(maps, at, end);
        if at >= end {
            return best;
        }
        let stop = next_set(maps, at, end.min(at.saturating_add(wanted)));
        if stop - at >= wanted {
            return Some((at, wanted));
        }
        if best.is_none_or(|(_, len)| stop - at > len) {
            best = Some((at, stop - at));
        }
        at = stop;
    }
}

fn set_bits(map: &mut [u8], from: u32, len: u32) -> Result<(), Errno> {
    for at in from..from + len {
        let place = map.get_mut(at as usize / 8).ok_or(Errno::EUCLEAN)?;
        *place |= 1 << (at % 8);
    }
    Ok(())
}

/// Clears bits, all of which must be set.
fn clear_bits(map: &mut [u8], from: u32, len: u32) -> Result<(), Errno> {
    for at in from..from + len {
        let place = map.get_mut(at as usize / 8).ok_or(Errno::EUCLEAN)?;
        if *place & 1 << (at % 8) == 0 {
            return Err(Errno::EUCLEAN);
        }
        *place &= !(1 << (at % 8));
    }
    Ok(())
}

impl Ext4 {
    fn checked_bitmap(
        &mut self,
        number: u32,
        block: u64,
        bits: u32,
        (low, high): (usize, usize),
    ) -> Result<Bytes, Errno> {
        let is_known = self.cache.get(block).is_some_and(|(_, is_verified)| is_verified);
        let bytes = self.block(block, Seal::Bitmap)?;
        if !is_known {
            self.check_bitmap(number, &bytes, bits, low, high)?;
            self.cache.set_verified(block);
        }
        Ok(bytes)
    }

    fn has_lazy_bitmaps(&self) -> bool {
        self.geometry
            .has_writing(writing::GROUP_CHECKSUM | writing::METADATA_CHECKSUM)
    }

    /// Sees to it that the bitmap of blocks of a group is there.
    pub(crate) fn read_block_bitmap(
        &mut self,
        number: u32,
        group: &mut GroupDescriptor,
    ) -> Result<(), Errno> {
        self.block_bitmap(number, group).map(drop)
    }

    /// The bitmap of blocks of a group; one that was never written is made.
    fn block_bitmap(&mut self, number: u32, group: &mut GroupDescriptor) -> Result<Bytes, Errno> {
        let bits = self.geometry.blocks_per_group;
        if group.flags & BLOCKS_UNINITIALISED == 0 || !self.has_lazy_bitmaps() {
            return self.checked_bitmap(number, group.block_bitmap, bits, (0x18, 0x38));
        }
        let (start, blocks) = (
            self.geometry.group_start(number),
            self.geometry.group_blocks(number),
        );
        let mut map = fallible::filled(self.geometry.block_size, 0)?;
        set_bits(&mut map, 0, self.geometry.head_of(number) as u32)?;
        let own = [
            (group.block_bitmap, 1),
            (group.inode_bitmap, 1),
            (group.table, self.geometry.table_blocks()),
        ];
        for (first, len) in own {
            for block in first..first + len {
                if (start..start + u64::from(blocks)).contains(&block) {
                    set_bits(&mut map, (block - start) as u32, 1)?;
                }
            }
        }
        let size = 8 * self.geometry.block_size as u32;
        set_bits(&mut map, blocks, size - blocks)?;
        let bytes = self.create_block(group.block_bitmap, Seal::Bitmap)?;
        bytes.copy_from_slice(&map);
        group.flags &= !BLOCKS_UNINITIALISED;
        self.set_group(number, group)?;
        fallible::arc(map)
    }

    /// Where blocks of an inode are looked for if it has none.
    pub(crate) fn inode_goal(&self, inode: u32) -> u64 {
        let group = inode.saturating_sub(1) / self.geometry.inodes_per_group;
        // Groups of one flex group have their tables at its start; the bytes of its files begin behind them.
        let start = if self.geometry.has_incompatible(incompatible::FLEX_BG) {
            group >> self.geometry.flex_shift << self.geometry.flex_shift
        } else {
            group
        };
        let offset = u64::from(group - start) * u64::from(self.geometry.blocks_per_group);
        self.geometry.group_start(start) + offset
    }

    /// Allocates up to `wanted` blocks that follow each other, near `goal`; the first, and how many. `ENOSPC`.
    pub(crate) fn allocate_blocks(&mut self, goal: u64, wanted: u32) -> Result<(u64, u32), Errno> {
        let goal = if goal < self.geometry.blocks { goal } else { 0 };
        let (first, at) = self.geometry.group_of(goal.max(self.geometry.first_block))?;
        let groups = self.geometry.groups;
        for step in 0..=groups {
            let number = (first + step) % groups;
            // The first group comes again at last, from its start on.
            let from = if step == 0 { at } else { 0 };
            if let Some(found) = self.allocate_in(number, from, wanted)? {
                return Ok(found);
            }
            if step % 64 == 63 {
                self.surroundings.breathe();
            }
        }
        Err(Errno::ENOSPC)
    }

    fn allocate_in(&mut self, number: u32, from: u32, wanted: u32) -> Result<Option<(u64, u32)>, Errno> {
        let mut group = self.group(number)?;
        if group.free_blocks == 0 {
            return Ok(None);
        }
        let map = self.block_bitmap(number, &mut group)?;
        let committed = self.cache.committed(group.block_bitmap).ok_or(Errno::EIO)?;
        let blocks = self.geometry.group_blocks(number);
        let wanted = wanted.clamp(1, group.free_blocks);
        let Some((at, len)) = find_run(&[&map, &committed], from, blocks, wanted) else {
            return Ok(None);
        };
        let first = self.geometry.group_start(number) + u64::from(at);
        if self.is_system(first, u64::from(len)) {
            return Err(Errno::EUCLEAN);
        }
        set_bits(self.change(group.block_bitmap, Seal::Bitmap)?, at, len)?;
        group.free_blocks -= len;
        self.set_group(number, &group)?;
        self.count_blocks(-i64::from(len))?;
        Ok(Some((first, len)))
    }

    /// Frees blocks.
    pub(crate) fn free_blocks(&mut self, first: u64, len: u32, contents: Contents) -> Result<(), Errno> {
        if self.is_system(first, u64::from(len)) {
            return Err(Errno::EUCLEAN);
        }
        let (mut first, mut left) = (first, len);
        while left > 0 {
            let (number, at) = self.geometry.group_of(first)?;
            let part = left.min(self.geometry.group_blocks(number).saturating_sub(at));
            if part == 0 {
                return Err(Errno::EUCLEAN);
            }
            let mut group = self.group(number)?;
            self.block_bitmap(number, &mut group)?;
            let committed = self.cache.committed(group.block_bitmap).ok_or(Errno::EIO)?;
            clear_bits(self.change(group.block_bitmap, Seal::Bitmap)?, at, part)?;
            group.free_blocks += part;
            if group.free_blocks > self.geometry.group_blocks(number) {
                return Err(Errno::EUCLEAN);
            }
            self.set_group(number, &group)?;
            if contents == Contents::Metadata {
                self.forget_blocks(first, part, (&committed, at))?;
            }
            (first, left) = (first + u64::from(part), left - part);
        }
        self.freed += u64::from(len);
        self.count_blocks(i64::from(len))
    }

    /// The journal may have copies of blocks that the last commit had as used.
    fn forget_blocks(&mut self, first: u64, len: u32, (committed, at): (&[u8], u32)) -> Result<(), Errno> {
        for index in 0..len {
            let was_used = byte(committed, (at + index) as usize / 8)? & 1 << ((at + index) % 8) != 0;
            let how = if was_used { Forget::Revoke } else { Forget::Drop };
            self.forget(first + u64::from(index), how)?;
        }
        Ok(())
    }

    fn count_blocks(&mut self, change: i64) -> Result<(), Errno> {
        let has_64 = self.geometry.has_incompatible(incompatible::BITS64);
        let count = free_blocks(&self.superblock_bytes()?, &self.geometry)?;
        let count = count.saturating_add_signed(change);
        let high = has_64.then_some(field::FREE_BLOCKS_HIGH);
        put_count(self.change_superblock()?, field::FREE_BLOCKS_LOW, high, count)
    }

    fn count_inodes(&mut self, change: i32) -> Result<(), Errno> {
        let raw = self.change_superblock()?;
        let count = le32(raw, field::FREE_INODES)?.saturating_add_signed(change);
        put32(raw, field::FREE_INODES, count)
    }

    fn inode_bitmap(&mut self, number: u32, group: &mut GroupDescriptor) -> Result<(), Errno> {
        let bits = self.geometry.inodes_per_group;
        if group.flags & INODES_UNINITIALISED == 0 || !self.has_lazy_bitmaps() {
            return self
                .checked_bitmap(number, group.inode_bitmap, bits, (0x1a, 0x3a))
                .map(|_| ());
        }
        let size = 8 * self.geometry.block_size as u32;
        let map = self.create_block(group.inode_bitmap, Seal::None)?;
        set_bits(map, bits, size - bits)?;
        group.flags &= !INODES_UNINITIALISED;
        if group.flags & BLOCKS_UNINITIALISED != 0 {
            self.block_bitmap(number, group)?;
        }
        self.set_group(number, group)
    }

    /// The group for a new inode of a directory: the directory's own, but directories of the root are spread.
    fn inode_group(&mut self, parent: u32, wanted: InodeKind) -> Result<u32, Errno> {
        let own = (parent - 1) / self.geometry.inodes_per_group;
        if wanted == InodeKind::File || parent != crate::inode::ROOT {
            return Ok(own);
        }
        let groups = self.geometry.groups;
        let start = self.surroundings.random() % groups;
        let mut best = (0, own);
        // A few are enough to find one that is not full.
        for step in 0..groups.min(16) {
            let number = (start + step) % groups;
            let group = self.group(number)?;
            if group.free_inodes > 0 && group.free_blocks > best.0 {
                best = (group.free_blocks, number);
            }
        }
        Ok(best.1)
    }

    /// Allocates an inode near its directory. `ENOSPC`.
    pub(crate) fn allocate_inode(&mut self, parent: u32, wanted: InodeKind) -> Result<u32, Errno> {
        let first = self.inode_group(parent, wanted)?;
        for step in 0..self.geometry.groups {
            let number = (first + step) % self.geometry.groups;
            if let Some(inode) = self.allocate_inode_in(number, wanted)? {
                return Ok(inode);
            }
            if step % 64 == 63 {
                self.surroundings.breathe();
            }
        }
        Err(Errno::ENOSPC)
    }

    fn allocate_inode_in(&mut self, number: u32, wanted: InodeKind) -> Result<Option<u32>, Errno> {
        let mut group = self.group(number)?;
        if group.free_inodes == 0 {
            return Ok(None);
        }
        self.inode_bitmap(number, &mut group)?;
        let bits = self.geometry.inodes_per_group;
        let reserved = if number == 0 {
            self.geometry.first_inode - 1
        } else {
            0
        };
        let map = self.change(group.inode_bitmap, Seal::None)?;
        let at = next_clear(&[map], reserved, bits);
        if at >= bits {
            return Err(Errno::EUCLEAN);
        }
        set_bits(map, at, 1)?;
        let inode = number * bits + at + 1;
        if inode < self.geometry.first_inode {
            return Err(Errno::EUCLEAN);
        }
        group.free_inodes -= 1;
        group.directories += u32::from(wanted == InodeKind::Directory);
        group.unused_inodes = group.unused_inodes.min(bits - at - 1);
        self.set_group(number, &group)?;
        self.count_inodes(-1)?;
        Ok(Some(inode))
    }

    /// Frees an inode.
    pub(crate) fn free_inode(&mut self, inode: u32, kind: InodeKind) -> Result<(), Errno> {
        if inode < self.geometry.first_inode || inode > self.geometry.inodes {
            return Err(Errno::EUCLEAN);
        }
        let bits = self.geometry.inodes_per_group;
        let (number, at) = ((inode - 1) / bits, (inode - 1) % bits);
        let mut group = self.group(number)?;
        self.inode_bitmap(number, &mut group)?;
        clear_bits(self.change(group.inode_bitmap, Seal::None)?, at, 1)?;
        group.free_inodes += 1;
        let directories = u32::from(kind == InodeKind::Directory);
        group.directories = group.directories.checked_sub(directories).ok_or(Errno::EUCLEAN)?;
        self.set_group(number, &group)?;
        self.count_inodes(1)
    }
}
