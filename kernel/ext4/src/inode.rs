//! Inodes: what the tables of the disk have of them.

use crate::bytes::{halves, le16, le32, put16, put32, slice, slice_mut};
use crate::checksum::crc32c;
use crate::host::Moment;
use crate::seal::Seal;
use crate::superblock::{Geometry, writing};
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible;

/// The root directory.
pub const ROOT: u32 = 2;

/// Bytes of `i_block`, and where they stand.
pub const BLOCK_BYTES: usize = 60;
/// Where `i_block` stands.
pub const BLOCK_AT: usize = 0x28;

/// `i_flags`.
pub mod flag {
    /// Nothing of it changes.
    pub const IMMUTABLE: u32 = 0x10;
    /// Bytes are only added.
    pub const APPEND: u32 = 0x20;
    /// A directory with an index.
    pub const INDEX: u32 = 0x1000;
    pub const HUGE_FILE: u32 = 0x4_0000;
    /// Its blocks are extents.
    pub const EXTENTS: u32 = 0x8_0000;
    /// What is not understood here: bytes in the inode, attributes in inodes, encrypted, verified, names without case.
    pub const STRANGE: u32 = 0x1000_0000 | 0x20_0000 | 0x800 | 0x10_0000 | 0x4000_0000;
    /// What a new file takes over from its directory.
    pub const INHERITED: u32 = 0x8 | 0x40 | 0x80;
}

/// Where times stand, and what belongs to them behind the first 128 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// Last read.
    Access,
    /// Last change of the bytes.
    Modify,
    /// Last change of anything.
    Change,
    /// When the inode was made.
    Create,
}

impl Stamp {
    fn place(self) -> (usize, usize) {
        match self {
            Stamp::Access => (0x8, 0x8c),
            Stamp::Change => (0xc, 0x84),
            Stamp::Modify => (0x10, 0x88),
            Stamp::Create => (0x90, 0x94),
        }
    }
}

/// An inode that was read; [`Ext4::put_inode`] writes it back.
pub struct DiskInode {
    /// Its number.
    pub number: u32,
    /// As the table has it.
    pub raw: Vec<u8>,
}

impl DiskInode {
    pub fn mode(&self) -> Result<u16, Errno> {
        le16(&self.raw, 0)
    }

    fn is_kind(&self, kind: u16) -> Result<bool, Errno> {
        Ok(self.mode()? & 0xf000 == kind)
    }

    pub fn is_directory(&self) -> Result<bool, Errno> {
        self.is_kind(0x4000)
    }

    pub fn is_regular(&self) -> Result<bool, Errno> {
        self.is_kind(0x8000)
    }

    pub fn is_symlink(&self) -> Result<bool, Errno> {
        self.is_kind(0xa000)
    }

    pub fn flags(&self) -> Result<u32, Errno> {
        le32(&self.raw, 0x20)
    }

    pub fn has_extents(&self) -> Result<bool, Errno> {
        Ok(self.flags()? & flag::EXTENTS != 0)
    }

    pub fn links(&self) -> Result<u16, Errno> {
        le16(&self.raw, 0x1a)
    }

    pub fn size(&self) -> Result<u64, Errno> {
        Ok(halves(le32(&self.raw, 4)?, le32(&self.raw, 0x6c)?))
    }

    pub fn set_size(&mut self, size: u64) -> Result<(), Errno> {
        put32(&mut self.raw, 4, size as u32)?;
        put32(&mut self.raw, 0x6c, (size >> 32) as u32)
    }

    pub fn generation(&self) -> Result<u32, Errno> {
        le32(&self.raw, 0x64)
    }

    /// Blocks of 512 bytes.
    pub fn sectors(&self, geometry: &Geometry) -> Result<u64, Errno> {
        let count = halves(le32(&self.raw, 0x1c)?, u32::from(le16(&self.raw, 0x74)?));
        let is_huge = self.flags()? & flag::HUGE_FILE != 0;
        Ok(if is_huge {
            count << (geometry.block_shift - 9)
        } else {
            count
        })
    }

    /// Counts blocks in or out. `EFBIG` if the inode cannot say so.
    pub fn add_blocks(&mut self, geometry: &Geometry, blocks: i64) -> Result<(), Errno> {
        let sectors = self.sectors(geometry)? as i64 + (blocks << (geometry.block_shift - 9));
        let sectors = u64::try_from(sectors).map_err(|_| Errno::EUCLEAN)?;
        let is_huge = self.flags()? & flag::HUGE_FILE != 0;
        let count = if is_huge {
            sectors >> (geometry.block_shift - 9)
        } else {
            sectors
        };
        if count >= 1 << 48 || (count >= 1 << 32 && !geometry.has_writing(writing::HUGE_FILE)) {
            return Err(Errno::EFBIG);
        }
        put32(&mut self.raw, 0x1c, count as u32)?;
        put16(&mut self.raw, 0x74, (count >> 32) as u16)
    }

    /// The block with its extended attributes; 0: there is none.
    pub fn attribute_block(&self) -> Result<u64, Errno> {
        Ok(halves(le32(&self.raw, 0x68)?, u32::from(le16(&self.raw, 0x76)?)))
    }

    pub fn set_attribute_block(&mut self, block: u64) -> Result<(), Errno> {
        put32(&mut self.raw, 0x68, block as u32)?;
        put16(&mut self.raw, 0x76, (block >> 32) as u16)
    }

    /// Bytes of the fields behind the first 128.
    pub fn extra(&self) -> Result<usize, Errno> {
        if self.raw.len() <= 128 {
            return Ok(0);
        }
        let extra = usize::from(le16(&self.raw, 0x80)?);
        let is_sound = extra.is_multiple_of(4) && 128 + extra <= self.raw.len();
        if is_sound { Ok(extra) } else { Err(Errno::EUCLEAN) }
    }

    fn has_field(&self, at: usize, len: usize) -> Result<bool, Errno> {
        Ok(at + len <= 128 + self.extra()?)
    }

    /// One of its times: 34 bits of seconds, nanoseconds if there is room for them.
    pub fn time(&self, stamp: Stamp) -> Result<Moment, Errno> {
        let (at, extra_at) = stamp.place();
        if stamp == Stamp::Create && !self.has_field(at, 4)? {
            return self.time(Stamp::Change);
        }
        let seconds = i64::from(le32(&self.raw, at)? as i32);
        if !self.has_field(extra_at, 4)? {
            return Ok(Moment {
                seconds,
                nanoseconds: 0,
            });
        }
        let extra = le32(&self.raw, extra_at)?;
        Ok(Moment {
            seconds: seconds + (i64::from(extra & 3) << 32),
            nanoseconds: (extra >> 2).min(999_999_999),
        })
    }

    /// Sets one of its times; what the inode cannot say becomes the nearest that it can.
    pub fn set_time(&mut self, stamp: Stamp, moment: Moment) -> Result<(), Errno> {
        let (at, extra_at) = stamp.place();
        if stamp == Stamp::Create && !self.has_field(extra_at, 4)? {
            return Ok(());
        }
        let has_extra = self.has_field(extra_at, 4)?;
        let last = if has_extra {
            i64::from(i32::MAX) + (3 << 32)
        } else {
            i64::from(i32::MAX)
        };
        let seconds = moment.seconds.clamp(i64::from(i32::MIN), last);
        put32(&mut self.raw, at, seconds as u32)?;
        if has_extra {
            let epoch = (seconds - i64::from(seconds as i32)) >> 32;
            put32(
                &mut self.raw,
                extra_at,
                epoch as u32 & 3 | moment.nanoseconds << 2,
            )?;
        }
        Ok(())
    }

    /// User and group.
    pub fn owner(&self) -> Result<(u32, u32), Errno> {
        let wide = |low, high| {
            Ok::<u32, Errno>(u32::from(le16(&self.raw, low)?) | u32::from(le16(&self.raw, high)?) << 16)
        };
        Ok((wide(2, 0x78)?, wide(0x18, 0x7a)?))
    }

    pub fn set_owner(&mut self, user: u32, group: u32) -> Result<(), Errno> {
        put16(&mut self.raw, 2, user as u16)?;
        put16(&mut self.raw, 0x78, (user >> 16) as u16)?;
        put16(&mut self.raw, 0x18, group as u16)?;
        put16(&mut self.raw, 0x7a, (group >> 16) as u16)
    }

    /// `i_block`.
    pub fn block_bytes(&self) -> Result<&[u8], Errno> {
        slice(&self.raw, BLOCK_AT, BLOCK_BYTES)
    }

    pub fn block_bytes_mut(&mut self) -> Result<&mut [u8], Errno> {
        slice_mut(&mut self.raw, BLOCK_AT, BLOCK_BYTES)
    }

    /// With what the checksums of everything begin that belongs to it.
    pub fn seed(&self, geometry: &Geometry) -> Result<u32, Errno> {
        let seed = crc32c(geometry.checksum_seed, &self.number.to_le_bytes());
        Ok(crc32c(seed, &self.generation()?.to_le_bytes()))
    }

    fn checksum(&self, geometry: &Geometry) -> Result<u32, Errno> {
        let (raw, seed) = (&self.raw, self.seed(geometry)?);
        let sum = crc32c(crc32c(seed, slice(raw, 0, 0x7c)?), &[0; 2]);
        let sum = crc32c(sum, slice(raw, 0x7e, 2)?);
        if raw.len() <= 128 {
            return Ok(sum);
        }
        let sum = crc32c(sum, slice(raw, 0x80, 2)?);
        if !self.has_field(0x82, 2)? {
            return Ok(crc32c(sum, slice(raw, 0x82, raw.len() - 0x82)?));
        }
        Ok(crc32c(crc32c(sum, &[0; 2]), slice(raw, 0x84, raw.len() - 0x84)?))
    }

    /// The checksum as the inode has it, and as it should be.
    fn sums(&self, geometry: &Geometry) -> Result<(u32, u32), Errno> {
        let sum = self.checksum(geometry)?;
        let low = u32::from(le16(&self.raw, 0x7c)?);
        match self.raw.len() > 128 && self.has_field(0x82, 2)? {
            true => Ok((low | u32::from(le16(&self.raw, 0x82)?) << 16, sum)),
            false => Ok((low, sum & 0xffff)),
        }
    }

    fn seal(&mut self, geometry: &Geometry) -> Result<(), Errno> {
        if geometry.has_checksums() {
            let sum = self.checksum(geometry)?;
            put16(&mut self.raw, 0x7c, sum as u16)?;
            if self.raw.len() > 128 && self.has_field(0x82, 2)? {
                put16(&mut self.raw, 0x82, (sum >> 16) as u16)?;
            }
        }
        Ok(())
    }

    /// What a device node stands for: major and minor.
    pub fn device(&self) -> Result<(u32, u32), Errno> {
        let (old, new) = (le32(&self.raw, BLOCK_AT)?, le32(&self.raw, BLOCK_AT + 4)?);
        if old != 0 {
            return Ok((old >> 8 & 0xff, old & 0xff));
        }
        Ok((new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xf_ff00))
    }

    /// Sets what a device node stands for.
    pub fn set_device(&mut self, major: u32, minor: u32) -> Result<(), Errno> {
        if major < 256 && minor < 256 {
            return put32(&mut self.raw, BLOCK_AT, major << 8 | minor);
        }
        let new = minor & 0xff | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12;
        put32(&mut self.raw, BLOCK_AT + 4, new)
    }
}

impl Ext4 {
    /// Where an inode stands: block and offset.
    pub(crate) fn inode_place(&mut self, number: u32) -> Result<(u64, usize), Errno> {
        if number == 0 || number > self.geometry.inodes {
            return Err(Errno::EUCLEAN);
        }
        let per_group = self.geometry.inodes_per_group;
        let (group, index) = ((number - 1) / per_group, (number - 1) % per_group);
        let table = self.group(group)?.table;
        let offset = u64::from(index) * self.geometry.inode_size as u64;
        let block = table + (offset >> self.geometry.block_shift);
        Ok((block, offset as usize & (self.geometry.block_size - 1)))
    }

    /// Reads an inode. `EUCLEAN` if its checksum is wrong or it needs what is not understood.
    pub(crate) fn inode(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let inode = self.raw_inode(number)?;
        if self.geometry.has_checksums() {
            let (is, should) = inode.sums(&self.geometry)?;
            if is != should {
                return Err(Errno::EUCLEAN);
            }
        }
        if inode.flags()? & flag::STRANGE != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(inode)
    }

    /// As it stands in the table.
    pub(crate) fn raw_inode(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let (block, at) = self.inode_place(number)?;
        let bytes = self.block(block, Seal::None)?;
        let raw = fallible::bytes(slice(&bytes, at, self.geometry.inode_size)?)?;
        Ok(DiskInode { number, raw })
    }

    /// An inode that is in use. `ESTALE` if it is not.
    pub(crate) fn live_inode(&mut self, number: u32) -> Result<DiskInode, Errno> {
        let inode = self.inode(number)?;
        if inode.mode()? == 0 {
            return Err(Errno::ESTALE);
        }
        Ok(inode)
    }

    /// Writes an inode, as part of the call under way.
    pub(crate) fn put_inode(&mut self, inode: &mut DiskInode) -> Result<(), Errno> {
        inode.seal(&self.geometry)?;
        let (block, at) = self.inode_place(inode.number)?;
        let bytes = self.change(block, Seal::None)?;
        crate::bytes::put(bytes, at, &inode.raw)
    }
}
