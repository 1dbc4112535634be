//! Groups: their descriptors, and where their bitmaps and tables are.

use crate::bytes::{halves, le16, le32, put16, put32, slice};
use crate::checksum::{crc16, crc32c};
use crate::seal::Seal;
use crate::superblock::{Geometry, Trust, incompatible, writing};
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::TryVec;

/// `bg_flags`: the table of inodes, the bitmap of inodes was not written yet.
pub const INODES_UNINITIALISED: u16 = 1;
/// `bg_flags`: the bitmap of blocks was not written yet.
pub const BLOCKS_UNINITIALISED: u16 = 2;

/// What a descriptor says.
#[derive(Clone, Copy, Debug)]
pub struct GroupDescriptor {
    pub block_bitmap: u64,
    pub inode_bitmap: u64,
    pub table: u64,
    pub free_blocks: u32,
    pub free_inodes: u32,
    pub directories: u32,
    pub flags: u16,
    pub unused_inodes: u32,
}

/// Where the descriptor of a group stands: block and offset.
pub fn descriptor_place(geometry: &Geometry, group: u32) -> (u64, usize) {
    let per_block = (geometry.block_size / geometry.descriptor_size) as u32;
    let (number, at) = (
        group / per_block,
        (group % per_block) as usize * geometry.descriptor_size,
    );
    let is_meta = geometry.has_incompatible(incompatible::META_BG) && number >= geometry.first_meta_group;
    if !is_meta {
        return (geometry.superblock_place().0 + 1 + u64::from(number), at);
    }
    let first = number * per_block;
    let backup = u64::from(geometry.has_backup(first));
    (geometry.group_start(first) + backup, at)
}

fn read_descriptor(geometry: &Geometry, raw: &[u8]) -> Result<GroupDescriptor, Errno> {
    let is_wide = geometry.descriptor_size >= 64;
    let high32 = |at| if is_wide { le32(raw, at) } else { Ok(0) };
    let high16 = |at| if is_wide { le16(raw, at) } else { Ok(0) };
    let wide = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
    let found = GroupDescriptor {
        block_bitmap: halves(le32(raw, 0)?, high32(0x20)?),
        inode_bitmap: halves(le32(raw, 4)?, high32(0x24)?),
        table: halves(le32(raw, 8)?, high32(0x28)?),
        free_blocks: wide(le16(raw, 0xc)?, high16(0x2c)?),
        free_inodes: wide(le16(raw, 0xe)?, high16(0x2e)?),
        directories: wide(le16(raw, 0x10)?, high16(0x30)?),
        flags: le16(raw, 0x12)?,
        unused_inodes: wide(le16(raw, 0x1c)?, high16(0x32)?),
    };
    let is_inside = |block: u64, len: u64| {
        block > geometry.superblock_place().0
            && block.checked_add(len).is_some_and(|end| end <= geometry.blocks)
    };
    let is_sound = is_inside(found.block_bitmap, 1)
        && is_inside(found.inode_bitmap, 1)
        && is_inside(found.table, geometry.table_blocks())
        && found.free_blocks <= geometry.blocks_per_group
        && found.free_inodes <= geometry.inodes_per_group
        && found.unused_inodes <= geometry.inodes_per_group;
    if is_sound { Ok(found) } else { Err(Errno::EUCLEAN) }
}

/// Writes where a group's bitmaps and table are, which stays; the rest is [`Ext4::set_group`]'s.
pub fn place_descriptor(raw: &mut [u8], group: &GroupDescriptor) -> Result<(), Errno> {
    let places = [group.block_bitmap, group.inode_bitmap, group.table];
    for (index, block) in places.into_iter().enumerate() {
        put32(raw, 4 * index, block as u32)?;
        if raw.len() >= 64 {
            put32(raw, 0x20 + 4 * index, (block >> 32) as u32)?;
        }
    }
    Ok(())
}

fn write_descriptor(geometry: &Geometry, group: &GroupDescriptor, raw: &mut [u8]) -> Result<(), Errno> {
    put16(raw, 0xc, group.free_blocks as u16)?;
    put16(raw, 0xe, group.free_inodes as u16)?;
    put16(raw, 0x10, group.directories as u16)?;
    put16(raw, 0x12, group.flags)?;
    put16(raw, 0x1c, group.unused_inodes as u16)?;
    if geometry.descriptor_size >= 64 {
        put16(raw, 0x2c, (group.free_blocks >> 16) as u16)?;
        put16(raw, 0x2e, (group.free_inodes >> 16) as u16)?;
        put16(raw, 0x30, (group.directories >> 16) as u16)?;
        put16(raw, 0x32, (group.unused_inodes >> 16) as u16)?;
    }
    Ok(())
}

/// The checksum of a descriptor; `None` if there is none.
fn descriptor_sum(geometry: &Geometry, group: u32, raw: &[u8]) -> Result<Option<u16>, Errno> {
    let number = group.to_le_bytes();
    let (before, after) = (
        slice(raw, 0, 0x1e)?,
        slice(raw, 0x20, geometry.descriptor_size - 0x20)?,
    );
    if geometry.has_checksums() {
        let sum = crc32c(crc32c(geometry.checksum_seed, &number), before);
        return Ok(Some(crc32c(crc32c(sum, &[0; 2]), after) as u16));
    }
    if geometry.has_writing(writing::GROUP_CHECKSUM) {
        return Ok(Some(crc16(&[&geometry.uuid, &number, before, after])));
    }
    Ok(None)
}

/// What a descriptor says, if its checksum is right.
fn checked_descriptor(geometry: &Geometry, number: u32, raw: &[u8]) -> Result<GroupDescriptor, Errno> {
    let sum = descriptor_sum(geometry, number, raw)?;
    match sum.is_none_or(|sum| Ok(sum) == le16(raw, 0x1e)) {
        true => read_descriptor(geometry, raw),
        false => Err(Errno::EUCLEAN),
    }
}

impl Ext4 {
    /// The descriptor of a group.
    pub(crate) fn group(&mut self, group: u32) -> Result<GroupDescriptor, Errno> {
        if group >= self.geometry.groups {
            return Err(Errno::EUCLEAN);
        }
        let (block, at) = descriptor_place(&self.geometry, group);
        let bytes = self.block(block, Seal::None)?;
        let raw = slice(&bytes, at, self.geometry.descriptor_size)?;
        read_descriptor(&self.geometry, raw)
    }

    /// Changes the descriptor of a group.
    pub(crate) fn set_group(&mut self, number: u32, group: &GroupDescriptor) -> Result<(), Errno> {
        self.touch_group(number)?;
        let (block, at) = descriptor_place(&self.geometry, number);
        let size = self.geometry.descriptor_size;
        let geometry = self.geometry.clone();
        let bytes = self.change(block, Seal::None)?;
        write_descriptor(&geometry, group, crate::bytes::slice_mut(bytes, at, size)?)
    }

    /// Its checksums are written with the next commit.
    fn touch_group(&mut self, group: u32) -> Result<(), Errno> {
        if let Err(at) = self.touched.binary_search(&group) {
            self.touched.try_insert(at, group)?;
        }
        Ok(())
    }

    /// Reads all descriptors once: are they sound, and which blocks belong to the file system itself? Those that the journal may have a sound
    /// one of are passed over.
    pub(crate) fn read_groups(&mut self, trust: Trust) -> Result<(), Errno> {
        let geometry = self.geometry.clone();
        let mut own: Vec<(u64, u64)> = Vec::new();
        for number in 0..geometry.groups {
            let (block, at) = descriptor_place(&geometry, number);
            let bytes = self.block(block, Seal::None)?;
            let raw = slice(&bytes, at, geometry.descriptor_size)?;
            let group = match checked_descriptor(&geometry, number, raw) {
                Err(Errno::EUCLEAN) if trust == Trust::Torn => continue,
                checked => checked?,
            };
            let head = geometry.head_of(number);
            own.try_extend(&[
                (geometry.group_start(number), geometry.group_start(number) + head),
                (group.block_bitmap, group.block_bitmap + 1),
                (group.inode_bitmap, group.inode_bitmap + 1),
                (group.table, group.table + geometry.table_blocks()),
            ])?;
            if number % 64 == 63 {
                self.cache.shrink();
                self.surroundings.breathe();
            }
        }
        own.sort_unstable();
        for (start, end) in own {
            match self.system.last_mut() {
                Some(last) if start < last.1 && start < end && trust == Trust::Whole => {
                    return Err(Errno::EUCLEAN);
                }
                Some(last) if start < last.1 => last.1 = end.max(last.1),
                Some(last) if start == last.1 => last.1 = end.max(last.1),
                _ if start < end => self.system.try_push((start, end))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether any of the blocks belongs to the file system itself, or is none of its blocks.
    pub(crate) fn is_system(&self, block: u64, len: u64) -> bool {
        let Some(end) = block.checked_add(len) else {
            return true;
        };
        let at = self.system.partition_point(|range| range.1 <= block);
        block < self.geometry.first_block
            || end > self.geometry.blocks
            || self.system.get(at).is_some_and(|range| range.0 < end)
    }

    /// Writes the checksums of the bitmaps and descriptors that the running transaction has changed.
    pub(crate) fn seal_groups(&mut self) -> Result<(), Errno> {
        let geometry = self.geometry.clone();
        for index in 0..self.touched.len() {
            let number = self.touched[index];
            let group = self.group(number)?;
            let sums = match geometry.has_checksums() {
                true => Some((
                    self.bitmap_sum(group.block_bitmap, geometry.blocks_per_group)?,
                    self.bitmap_sum(group.inode_bitmap, geometry.inodes_per_group)?,
                )),
                false => None,
            };
            let (block, at) = descriptor_place(&geometry, number);
            let Some(bytes) = self.cache.running_bytes(block)? else {
                continue;
            };
            let raw = crate::bytes::slice_mut(bytes, at, geometry.descriptor_size)?;
            if let Some((blocks, inodes)) = sums {
                put_sum(raw, blocks, 0x18, 0x38)?;
                put_sum(raw, inodes, 0x1a, 0x3a)?;
            }
            if let Some(sum) = descriptor_sum(&geometry, number, raw)? {
                put16(raw, 0x1e, sum)?;
            }
        }
        Ok(())
    }

    /// The checksum of a bitmap that the running transaction has changed.
    fn bitmap_sum(&mut self, block: u64, bits: u32) -> Result<Option<u32>, Errno> {
        let seed = self.geometry.checksum_seed;
        let Some(bytes) = self.cache.running_bytes(block)? else {
            return Ok(None);
        };
        Ok(Some(crc32c(seed, slice(bytes, 0, bits as usize / 8)?)))
    }

    /// Whether a bitmap that was read is what the descriptor has the checksum of.
    pub(crate) fn check_bitmap(
        &mut self,
        number: u32,
        bytes: &[u8],
        bits: u32,
        low: usize,
        high: usize,
    ) -> Result<(), Errno> {
        if !self.geometry.has_checksums() {
            return Ok(());
        }
        let (block, at) = descriptor_place(&self.geometry, number);
        let descriptors = self.block(block, Seal::None)?;
        let raw = slice(&descriptors, at, self.geometry.descriptor_size)?;
        let sum = crc32c(self.geometry.checksum_seed, slice(bytes, 0, bits as usize / 8)?);
        let is_wide = self.geometry.descriptor_size >= 64;
        let is_right = le16(raw, low)? == sum as u16 && (!is_wide || le16(raw, high)? == (sum >> 16) as u16);
        if is_right { Ok(()) } else { Err(Errno::EUCLEAN) }
    }
}

fn put_sum(raw: &mut [u8], sum: Option<u32>, low: usize, high: usize) -> Result<(), Errno> {
    if let Some(sum) = sum {
        put16(raw, low, sum as u16)?;
        if raw.len() >= 64 {
            put16(raw, high, (sum >> 16) as u16)?;
        }
    }
    Ok(())
}

/// Writes the halves of a count of the superblock.
pub fn put_count(raw: &mut [u8], low: usize, high: Option<usize>, count: u64) -> Result<(), Errno> {
    put32(raw, low, count as u32)?;
    high.map_or(Ok(()), |high| put32(raw, high, (count >> 32) as u32))
}
