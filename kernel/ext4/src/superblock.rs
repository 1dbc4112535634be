//! The superblock: what does not change while the file system is mounted.

use crate::bytes::{byte, halves, le16, le32, put32, slice};
use crate::checksum::{START, crc32c};
use abi::Errno;

/// Bytes of it, and where it begins on the disk.
pub const SUPERBLOCK_SIZE: usize = 1024;
/// Where it begins on the disk.
pub const SUPERBLOCK_OFFSET: u64 = 1024;

/// `EXT4_SUPER_MAGIC`.
pub const MAGIC: u16 = 0xef53;

/// Fields that are read and written where they stand in the block.
pub mod field {
    pub const INODES: usize = 0x00;
    pub const FREE_BLOCKS_LOW: usize = 0x0c;
    pub const FREE_INODES: usize = 0x10;
    pub const MOUNT_TIME: usize = 0x2c;
    pub const WRITE_TIME: usize = 0x30;
    pub const MOUNT_COUNT: usize = 0x34;
    pub const STATE: usize = 0x3a;
    pub const INCOMPATIBLE: usize = 0x60;
    pub const READ_ONLY_COMPATIBLE: usize = 0x64;
    pub const LAST_ORPHAN: usize = 0xe8;
    pub const FREE_BLOCKS_HIGH: usize = 0x158;
    pub const CHECKSUM: usize = 0x3fc;
}

/// `s_state`: unmounted cleanly, and errors were seen.
pub const STATE_CLEAN: u16 = 1;
/// `s_state`: errors were seen.
pub const STATE_ERRORS: u16 = 2;

/// Features that a driver must know to read.
pub mod incompatible {
    pub const FILETYPE: u32 = 0x2;
    pub const RECOVER: u32 = 0x4;
    pub const META_BG: u32 = 0x10;
    pub const EXTENTS: u32 = 0x40;
    pub const BITS64: u32 = 0x80;
    pub const FLEX_BG: u32 = 0x200;
    pub const CHECKSUM_SEED: u32 = 0x2000;
    pub const LARGE_DIRECTORIES: u32 = 0x4000;
    /// All that are understood here.
    pub const KNOWN: u32 =
        FILETYPE | RECOVER | META_BG | EXTENTS | BITS64 | FLEX_BG | CHECKSUM_SEED | LARGE_DIRECTORIES;
}

/// Features that a driver must know to write.
pub mod writing {
    pub const SPARSE_SUPER: u32 = 0x1;
    pub const LARGE_FILE: u32 = 0x2;
    pub const HUGE_FILE: u32 = 0x8;
    pub const GROUP_CHECKSUM: u32 = 0x10;
    pub const MANY_LINKS: u32 = 0x20;
    pub const EXTRA_SIZE: u32 = 0x40;
    /// `bigalloc`: bitmaps are of clusters, so that it cannot be mounted at all.
    pub const CLUSTERS: u32 = 0x200;
    pub const METADATA_CHECKSUM: u32 = 0x400;
    pub const ORPHAN_PRESENT: u32 = 0x10000;
    /// All that are understood here.
    pub const KNOWN: u32 = SPARSE_SUPER
        | LARGE_FILE
        | HUGE_FILE
        | GROUP_CHECKSUM
        | MANY_LINKS
        | EXTRA_SIZE
        | METADATA_CHECKSUM
        | ORPHAN_PRESENT;
}

/// Features that a driver may ignore.
pub mod compatible {
    pub const JOURNAL: u32 = 0x4;
    pub const EXTENDED_ATTRIBUTES: u32 = 0x8;
    pub const DIRECTORY_INDEX: u32 = 0x20;
    pub const SPARSE_SUPER2: u32 = 0x200;
}

/// Whether the checksum of a superblock must be right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It must.
    Whole,
    /// Power may have gone while it was written: it is two sectors. The journal has a whole one then.
    Torn,
}

/// What the superblock says, checked.
#[derive(Clone, Debug)]
pub struct Geometry {
    pub inodes: u32,
    pub blocks: u64,
    pub reserved_blocks: u64,
    pub first_block: u64,
    pub block_size: usize,
    pub block_shift: u32,
    pub blocks_per_group: u32,
    pub inodes_per_group: u32,
    pub groups: u32,
    pub inode_size: usize,
    pub wanted_extra: u16,
    pub first_inode: u32,
    pub descriptor_size: usize,
    pub reserved_descriptors: u32,
    pub first_meta_group: u32,
    pub flex_shift: u32,
    pub compatible: u32,
    pub incompatible: u32,
    pub writing: u32,
    pub uuid: [u8; 16],
    pub label: [u8; 16],
    pub journal_inode: u32,
    pub orphan_file: u32,
    pub backup_groups: [u32; 2],
    pub hash_seed: [u32; 4],
    pub hash_version: u8,
    pub hash_is_unsigned: bool,
    pub checksum_seed: u32,
}

impl Geometry {
    /// Reads and checks it.
    ///
    /// # Errors
    /// `EINVAL` if it is no such file system or one that is not understood, `EUCLEAN` if it is damaged.
    pub fn read(raw: &[u8], disk: u64, trust: Trust) -> Result<Geometry, Errno> {
        if raw.len() < SUPERBLOCK_SIZE || le16(raw, 0x38)? != MAGIC {
            return Err(Errno::EINVAL);
        }
        let is_dynamic = le32(raw, 0x4c)? >= 1;
        let features = |at| if is_dynamic { le32(raw, at) } else { Ok(0) };
        let (compatible, incompatible, writing) = (features(0x5c)?, features(0x60)?, features(0x64)?);
        if incompatible & !incompatible::KNOWN != 0 || writing & writing::CLUSTERS != 0 {
            return Err(Errno::EINVAL);
        }
        if writing & writing::METADATA_CHECKSUM != 0 {
            let sum = crc32c(START, slice(raw, 0, field::CHECKSUM)?);
            let is_right = sum == le32(raw, field::CHECKSUM)? || trust == Trust::Torn;
            if byte(raw, 0x175)? != 1 || !is_right {
                return Err(Errno::EUCLEAN);
            }
        }
        let has_64 = incompatible & incompatible::BITS64 != 0;
        let high = |at| if has_64 { le32(raw, at) } else { Ok(0) };
        let mut uuid = [0; 16];
        uuid.copy_from_slice(slice(raw, 0x68, 16)?);
        let mut label = [0; 16];
        label.copy_from_slice(slice(raw, 0x78, 16)?);
        let mut hash_seed = [0; 4];
        for (index, part) in hash_seed.iter_mut().enumerate() {
            *part = le32(raw, 0xec + 4 * index)?;
        }
        let shift = le32(raw, 0x18)?;
        if shift > 6 {
            return Err(Errno::EUCLEAN);
        }
        let descriptor_size = if has_64 { usize::from(le16(raw, 0xfe)?) } else { 32 };
        let checksum_seed = if incompatible & incompatible::CHECKSUM_SEED != 0 {
            le32(raw, 0x270)?
        } else {
            crc32c(START, &uuid)
        };
        let mut geometry = Geometry {
            inodes: le32(raw, 0)?,
            blocks: halves(le32(raw, 4)?, high(0x150)?),
            reserved_blocks: halves(le32(raw, 8)?, high(0x154)?),
            first_block: u64::from(le32(raw, 0x14)?),
            block_size: 1024 << shift,
            block_shift: 10 + shift,
            blocks_per_group: le32(raw, 0x20)?,
            inodes_per_group: le32(raw, 0x28)?,
            groups: 0,
            inode_size: if is_dynamic {
                usize::from(le16(raw, 0x58)?)
            } else {
                128
            },
            wanted_extra: le16(raw, 0x15e)?.max(le16(raw, 0x15c)?),
            first_inode: if is_dynamic { le32(raw, 0x54)? } else { 11 },
            descriptor_size,
            reserved_descriptors: u32::from(le16(raw, 0xce)?),
            first_meta_group: le32(raw, 0x104)?,
            flex_shift: u32::from(byte(raw, 0x174)?),
            compatible,
            incompatible,
            writing,
            uuid,
            label,
            journal_inode: le32(raw, 0xe0)?,
            orphan_file: le32(raw, 0x280)?,
            backup_groups: [le32(raw, 0x24c)?, le32(raw, 0x250)?],
            hash_seed,
            hash_version: byte(raw, 0xfc)?,
            hash_is_unsigned: le32(raw, 0x160)? & 2 != 0,
            checksum_seed,
        };
        geometry.check(disk)?;
        Ok(geometry)
    }

    /// Checks what belongs together, and counts the groups.
    fn check(&mut self, disk: u64) -> Result<(), Errno> {
        let bits = self.block_size as u64 * 8;
        let per_block = (self.block_size / self.inode_size.max(1)) as u32;
        let is_sound = self.first_block == u64::from(self.block_size == 1024)
            && self.blocks > self.first_block
            && self.blocks <= disk >> self.block_shift
            && self.blocks < 1 << 48
            && self.blocks_per_group >= 8
            && u64::from(self.blocks_per_group) <= bits
            && self.inodes_per_group >= per_block
            && u64::from(self.inodes_per_group) <= bits
            && self.inode_size.is_power_of_two()
            && (128..=self.block_size).contains(&self.inode_size)
            && self.first_inode >= 11
            && self.wanted_extra.is_multiple_of(4)
            && usize::from(self.wanted_extra) <= self.inode_size - 128
            && self.descriptor_size.is_power_of_two()
            && (32..=1024).contains(&self.descriptor_size)
            && (self.descriptor_size >= 64 || !self.has_incompatible(incompatible::BITS64))
            && self.flex_shift < 32;
        if !is_sound {
            return Err(Errno::EUCLEAN);
        }
        let groups = (self.blocks - self.first_block).div_ceil(u64::from(self.blocks_per_group));
        self.groups = u32::try_from(groups).map_err(|_| Errno::EUCLEAN)?;
        let inodes = u64::from(self.groups) * u64::from(self.inodes_per_group);
        if inodes != u64::from(self.inodes) || self.inodes < self.first_inode {
            return Err(Errno::EUCLEAN);
        }
        Ok(())
    }

    pub fn has_incompatible(&self, feature: u32) -> bool {
        self.incompatible & feature != 0
    }

    pub fn has_writing(&self, feature: u32) -> bool {
        self.writing & feature != 0
    }

    pub fn has_compatible(&self, feature: u32) -> bool {
        self.compatible & feature != 0
    }

    /// Whether metadata has checksums (CRC32C).
    pub fn has_checksums(&self) -> bool {
        self.has_writing(writing::METADATA_CHECKSUM)
    }

    /// The block that has the superblock, and where it begins in it.
    pub fn superblock_place(&self) -> (u64, usize) {
        match self.block_size {
            1024 => (1, 0),
            _ => (0, SUPERBLOCK_OFFSET as usize),
        }
    }

    /// The first block of a group.
    pub fn group_start(&self, group: u32) -> u64 {
        self.first_block + u64::from(group) * u64::from(self.blocks_per_group)
    }

    /// Blocks of a group: the last may be smaller.
    pub fn group_blocks(&self, group: u32) -> u32 {
        let left = self.blocks.saturating_sub(self.group_start(group));
        left.min(u64::from(self.blocks_per_group)) as u32
    }

    /// The group of a block, and its number there. `EUCLEAN` if there is no such block.
    pub fn group_of(&self, block: u64) -> Result<(u32, u32), Errno> {
        if block < self.first_block || block >= self.blocks {
            return Err(Errno::EUCLEAN);
        }
        let number = block - self.first_block;
        let per_group = u64::from(self.blocks_per_group);
        Ok(((number / per_group) as u32, (number % per_group) as u32))
    }

    /// Blocks of the table of inodes of each group.
    pub fn table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * self.inode_size as u64).div_ceil(self.block_size as u64)
    }

    /// Blocks at the start of a group that hold copies of superblock and descriptors.
    pub fn head_of(&self, group: u32) -> u64 {
        let per_block = (self.block_size / self.descriptor_size) as u32;
        let backup = u64::from(self.has_backup(group));
        let number = group / per_block;
        if self.has_incompatible(incompatible::META_BG) && number >= self.first_meta_group {
            let place = group % per_block;
            return backup + u64::from(place < 2 || place == per_block - 1);
        }
        if backup == 0 {
            return 0;
        }
        let blocks = self.groups.div_ceil(per_block);
        let blocks = match self.has_incompatible(incompatible::META_BG) {
            true => blocks.min(self.first_meta_group),
            false => blocks + self.reserved_descriptors,
        };
        (1 + u64::from(blocks)).min(u64::from(self.group_blocks(group)))
    }

    /// Whether a group begins with a copy of the superblock.
    pub fn has_backup(&self, group: u32) -> bool {
        if group == 0 {
            return true;
        }
        if self.has_compatible(compatible::SPARSE_SUPER2) {
            return self.backup_groups.contains(&group);
        }
        if group == 1 || !self.has_writing(writing::SPARSE_SUPER) {
            return true;
        }
        [3u32, 5, 7].into_iter().any(|base| is_power(group, base))
    }
}

fn is_power(mut number: u32, base: u32) -> bool {
    while number > 1 && number.is_multiple_of(base) {
        number /= base;
    }
    number == 1
}

/// Writes the checksum of a superblock.
pub fn seal_superblock(raw: &mut [u8], geometry: &Geometry) -> Result<(), Errno> {
    if geometry.has_checksums() {
        let sum = crc32c(START, slice(raw, 0, field::CHECKSUM)?);
        put32(raw, field::CHECKSUM, sum)?;
    }
    Ok(())
}

/// Free blocks, by the superblock.
pub fn free_blocks(raw: &[u8], geometry: &Geometry) -> Result<u64, Errno> {
    let has_64 = geometry.has_incompatible(incompatible::BITS64);
    let high = if has_64 {
        le32(raw, field::FREE_BLOCKS_HIGH)?
    } else {
        0
    };
    Ok(halves(le32(raw, field::FREE_BLOCKS_LOW)?, high))
}
