//! Replay: what whole transactions of the journal have is written to its places.

use super::log::{Journal, MAGIC, incompatible, kind, tag};
use crate::bytes::{be16, be32, be64, halves, put_be32, slice};
use crate::checksum::crc32c;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::map::Map;
use memory::fallible::{self, TryVec};

/// What a tag says of the block of the log that belongs to it.
struct Tag {
    block: u64,
    flags: u32,
    sum: u32,
}

/// What is done on the way through the log.
enum Pass<'a> {
    /// Its end is looked for.
    Scan,
    /// Revoked blocks are collected, with the last transaction that says so.
    Revoke(&'a mut Map<u64, u32>),
    /// Blocks are written.
    Write(&'a Map<u64, u32>),
}

/// Whether a number of a transaction is not before another; they start again at 0.
fn is_not_before(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) as i32 >= 0
}

impl Ext4 {
    /// Replays the journal, which has something.
    pub(super) fn replay(&mut self, journal: &mut Journal) -> Result<(), Errno> {
        let end = self.pass(journal, None, Pass::Scan)?;
        let mut revoked = Map::new();
        self.pass(journal, Some(end), Pass::Revoke(&mut revoked))?;
        self.pass(journal, Some(end), Pass::Write(&revoked))?;
        self.disk.flush()?;
        journal.sequence = end;
        Ok(())
    }

    /// Goes through the log until the transaction `end`; without one, until there is no whole one. The number of the one behind the
    /// last.
    fn pass(&mut self, journal: &Journal, end: Option<u32>, mut pass: Pass<'_>) -> Result<u32, Errno> {
        let mut sequence = journal.sequence;
        let mut at = journal.head;
        // No log is longer than once around.
        let mut left = journal.blocks;
        let mut log = fallible::filled(self.geometry.block_size, 0)?;
        let mut data = fallible::filled(self.geometry.block_size, 0)?;
        while end != Some(sequence) && left > 0 {
            self.read_blocks(journal.physical(at)?, &mut log)?;
            if be32(&log, 0)? != MAGIC || be32(&log, 8)? != sequence {
                break;
            }
            at = journal.after(at);
            left -= 1;
            match be32(&log, 4)? {
                kind::DESCRIPTOR => {
                    if !journal.is_whole(&log)? {
                        break;
                    }
                    let tags = journal.tags(&log)?;
                    left = match left.checked_sub(tags.len() as u32) {
                        Some(left) => left,
                        None => break,
                    };
                    for tag in &tags {
                        if let Pass::Write(revoked) = &pass {
                            self.write_logged(journal, (at, sequence), tag, revoked, &mut data)?;
                        }
                        at = journal.after(at);
                    }
                }
                kind::REVOKE => {
                    if let Pass::Revoke(revoked) = &mut pass {
                        journal.revoke(&log, sequence, revoked)?;
                    }
                }
                kind::COMMIT if journal.is_commit_whole(&mut log)? => sequence = sequence.wrapping_add(1),
                _ => break,
            }
            self.surroundings.breathe();
        }
        match end {
            Some(end) if end != sequence => Err(Errno::EUCLEAN),
            _ => Ok(sequence),
        }
    }

    /// Writes a logged block to its place, if no later transaction has revoked it.
    fn write_logged(
        &mut self,
        journal: &Journal,
        (at, sequence): (u32, u32),
        tag: &Tag,
        revoked: &Map<u64, u32>,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        if revoked
            .get(&tag.block)
            .is_some_and(|last| is_not_before(*last, sequence))
        {
            return Ok(());
        }
        // The superblock may be of before the file system grew.
        let blocks = self.disk.sectors() >> (self.geometry.block_shift - 9);
        if tag.block >= blocks || journal.is_own(tag.block) {
            return Err(Errno::EUCLEAN);
        }
        self.read_blocks(journal.physical(at)?, data)?;
        if journal.has_checksums() {
            let sum = crc32c(crc32c(journal.seed, &sequence.to_be_bytes()), data);
            let is_right = match journal.has(incompatible::CHECKSUM_V3) {
                true => sum == tag.sum,
                false => sum & 0xffff == tag.sum,
            };
            if !is_right {
                return Err(Errno::EUCLEAN);
            }
        }
        if tag.flags & tag::ESCAPED != 0 {
            put_be32(data, 0, MAGIC)?;
        }
        self.write_blocks(tag.block, data)
    }
}

impl Journal {
    /// Whether the block of the disk belongs to the journal itself.
    fn is_own(&self, block: u64) -> bool {
        self.runs
            .iter()
            .any(|run| (run.physical..run.physical + u64::from(run.len)).contains(&block))
    }

    /// Whether the checksum at the end of a descriptor or a record of revoked blocks is right.
    fn is_whole(&self, log: &[u8]) -> Result<bool, Errno> {
        if !self.has_checksums() {
            return Ok(true);
        }
        let end = log.len() - 4;
        let sum = crc32c(crc32c(self.seed, slice(log, 0, end)?), &[0; 4]);
        Ok(sum == be32(log, end)?)
    }

    fn is_commit_whole(&self, log: &mut [u8]) -> Result<bool, Errno> {
        if !self.has_checksums() {
            return Ok(true);
        }
        let sum = be32(log, 16)?;
        put_be32(log, 16, 0)?;
        Ok(crc32c(self.seed, log) == sum)
    }

    fn tags(&self, log: &[u8]) -> Result<Vec<Tag>, Errno> {
        let size = self.tag_size();
        let end = log.len() - self.tail_size();
        let mut tags = fallible::with_room((end - 12) / size)?;
        let mut at = 12;
        while at + size <= end && tags.len() < tags.capacity() {
            let low = be32(log, at)?;
            let is_wide = self.has(incompatible::BITS64);
            let (flags, high, sum) = if self.has(incompatible::CHECKSUM_V3) {
                (be32(log, at + 4)?, be32(log, at + 8)?, be32(log, at + 12)?)
            } else {
                let high = if is_wide { be32(log, at + 8)? } else { 0 };
                (u32::from(be16(log, at + 6)?), high, u32::from(be16(log, at + 4)?))
            };
            let high = if is_wide { high } else { 0 };
            tags.try_push(Tag {
                block: halves(low, high),
                flags,
                sum,
            })?;
            at += size + if flags & tag::SAME_UUID == 0 { 16 } else { 0 };
            if flags & tag::LAST != 0 {
                break;
            }
        }
        Ok(tags)
    }

    /// Notes the blocks of a record of revoked ones.
    fn revoke(&self, log: &[u8], sequence: u32, revoked: &mut Map<u64, u32>) -> Result<(), Errno> {
        let end = be32(log, 12)? as usize;
        let size = self.number_size();
        if !self.is_whole(log)? || !(16..=log.len() - self.tail_size()).contains(&end) {
            return Err(Errno::EUCLEAN);
        }
        for at in (16..(end + 1).saturating_sub(size)).step_by(size) {
            let block = if size == 8 {
                be64(log, at)?
            } else {
                u64::from(be32(log, at)?)
            };
            // Transactions come in their order: the later one counts.
            revoked.insert(block, sequence)?;
        }
        Ok(())
    }
}
