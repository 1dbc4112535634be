//! What the superblock of the journal says, and what its blocks look like.

use crate::bytes::{be32, byte, put_be32, slice};
use crate::checksum::{START, crc32c};
use abi::Errno;
use alloc::vec::Vec;

/// `JBD2_MAGIC_NUMBER`.
pub const MAGIC: u32 = 0xc03b_3998;

/// `h_blocktype`.
pub mod kind {
    pub const DESCRIPTOR: u32 = 1;
    pub const COMMIT: u32 = 2;
    pub const SUPERBLOCK_V1: u32 = 3;
    pub const SUPERBLOCK_V2: u32 = 4;
    pub const REVOKE: u32 = 5;
}

/// `s_feature_incompat`.
pub mod incompatible {
    pub const REVOKE: u32 = 1;
    pub const BITS64: u32 = 2;
    pub const ASYNCHRONOUS: u32 = 4;
    pub const CHECKSUM_V2: u32 = 8;
    pub const CHECKSUM_V3: u32 = 16;
    pub const KNOWN: u32 = REVOKE | BITS64 | ASYNCHRONOUS | CHECKSUM_V2 | CHECKSUM_V3;
}

/// Flags of a tag.
pub mod tag {
    pub const ESCAPED: u32 = 1;
    pub const SAME_UUID: u32 = 2;
    pub const LAST: u32 = 8;
}

/// Blocks of the journal that follow each other on the disk.
#[derive(Clone, Copy, Debug)]
pub struct LogRun {
    pub first: u32,
    pub len: u32,
    pub physical: u64,
}

/// A journal that is in use.
pub struct Journal {
    pub runs: Vec<LogRun>,
    /// Its blocks, the superblock among them.
    pub blocks: u32,
    /// The first block that may hold transactions.
    pub first: u32,
    pub features: u32,
    pub seed: u32,
    pub uuid: [u8; 16],
    /// The number of the next transaction.
    pub sequence: u32,
    /// Where the next one is written.
    pub head: u32,
    /// Where the oldest one begins that counts, and its number; `None`: there is none.
    pub tail: Option<(u32, u32)>,
    /// The superblock as it is on the disk.
    pub raw: Vec<u8>,
}

impl Journal {
    /// Blocks for transactions.
    pub fn capacity(&self) -> usize {
        self.blocks.saturating_sub(self.first) as usize
    }

    pub fn has(&self, feature: u32) -> bool {
        self.features & feature != 0
    }

    pub fn has_checksums(&self) -> bool {
        self.has(incompatible::CHECKSUM_V2 | incompatible::CHECKSUM_V3)
    }

    /// Bytes of a tag without the UUID.
    pub fn tag_size(&self) -> usize {
        if self.has(incompatible::CHECKSUM_V3) {
            return 16;
        }
        let wide = if self.has(incompatible::BITS64) { 12 } else { 8 };
        wide + if self.has(incompatible::CHECKSUM_V2) { 2 } else { 0 }
    }

    /// Bytes of a block's number in a record of revoked blocks.
    pub fn number_size(&self) -> usize {
        if self.has(incompatible::BITS64) { 8 } else { 4 }
    }

    /// Bytes behind the tags and numbers of a block.
    pub fn tail_size(&self) -> usize {
        if self.has_checksums() { 4 } else { 0 }
    }

    /// The block behind one, around the end.
    pub fn after(&self, block: u32) -> u32 {
        if block + 1 >= self.blocks {
            self.first
        } else {
            block + 1
        }
    }

    /// Where a block of the journal is on the disk.
    pub fn physical(&self, block: u32) -> Result<u64, Errno> {
        let at = self.runs.partition_point(|run| run.first + run.len <= block);
        let run = self.runs.get(at).ok_or(Errno::EUCLEAN)?;
        let offset = block.checked_sub(run.first).ok_or(Errno::EUCLEAN)?;
        Ok(run.physical + u64::from(offset))
    }

    /// Reads the superblock of a journal. `EUCLEAN`; `EINVAL` if it needs what is not there.
    pub fn read(raw: Vec<u8>, runs: Vec<LogRun>, block_size: usize) -> Result<Journal, Errno> {
        let version = be32(&raw, 4)?;
        let is_sound = be32(&raw, 0)? == MAGIC
            && matches!(version, kind::SUPERBLOCK_V1 | kind::SUPERBLOCK_V2)
            && be32(&raw, 12)? as usize == block_size;
        if !is_sound {
            return Err(Errno::EUCLEAN);
        }
        let features = if version == kind::SUPERBLOCK_V2 {
            be32(&raw, 0x28)?
        } else {
            0
        };
        if features & !incompatible::KNOWN != 0 || (version == kind::SUPERBLOCK_V2 && be32(&raw, 0x2c)? != 0)
        {
            return Err(Errno::EINVAL);
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(slice(&raw, 0x30, 16)?);
        let covered = runs.last().map_or(0, |run| run.first + run.len);
        let journal = Journal {
            runs,
            blocks: be32(&raw, 16)?,
            first: be32(&raw, 20)?,
            features,
            seed: crc32c(START, &uuid),
            uuid,
            sequence: be32(&raw, 24)?,
            head: be32(&raw, 28)?,
            tail: None,
            raw,
        };
        if journal.has_checksums() {
            let is_right =
                byte(&journal.raw, 0x50)? == 4 && journal.superblock_sum()? == be32(&journal.raw, 0xfc)?;
            if !is_right || (journal.has(incompatible::CHECKSUM_V2) && journal.has(incompatible::CHECKSUM_V3))
            {
                return Err(Errno::EUCLEAN);
            }
        }
        let is_sound = journal.first >= 1
            && journal.blocks <= covered
            && journal.blocks.saturating_sub(journal.first) >= 64
            && (journal.head == 0 || (journal.first..journal.blocks).contains(&journal.head));
        if is_sound {
            Ok(journal)
        } else {
            Err(Errno::EUCLEAN)
        }
    }

    pub fn superblock_sum(&self) -> Result<u32, Errno> {
        let sum = crc32c(START, slice(&self.raw, 0, 0xfc)?);
        let sum = crc32c(sum, &[0; 4]);
        Ok(crc32c(sum, slice(&self.raw, 0x100, 1024 - 0x100)?))
    }

    /// Writes to the copy of the superblock where the log begins.
    pub fn note_tail(&mut self) -> Result<(), Errno> {
        let (start, sequence) = self.tail.unwrap_or((0, self.sequence));
        put_be32(&mut self.raw, 24, sequence)?;
        put_be32(&mut self.raw, 28, start)?;
        if self.has_checksums() {
            let sum = self.superblock_sum()?;
            put_be32(&mut self.raw, 0xfc, sum)?;
        }
        Ok(())
    }
}
