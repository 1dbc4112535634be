//! Writing transactions to the journal, and their blocks to their places.

use super::log::{Journal, MAGIC, incompatible, kind, tag};
use crate::bytes::{put, put_be32};
use crate::cache::Bytes;
use crate::checksum::crc32c;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// Most bytes that are written by one request.
const PIECE: usize = 128 << 10;
/// What it must have room for.
const LARGEST_BLOCK: usize = 64 << 10;

/// Blocks that are gathered until they are written together.
struct Gathered {
    bytes: Vec<u8>,
    first: u64,
}

impl Gathered {
    fn new() -> Result<Gathered, Errno> {
        let bytes = fallible::with_room(PIECE).or_else(|_| fallible::with_room(LARGEST_BLOCK))?;
        Ok(Gathered { bytes, first: 0 })
    }

    fn add(&mut self, volume: &Ext4, block: u64, data: &[u8]) -> Result<(), Errno> {
        let next = self.first + (self.bytes.len() / data.len()) as u64;
        if block != next || self.bytes.len() + data.len() > self.bytes.capacity() {
            self.write(volume)?;
        }
        if self.bytes.is_empty() {
            self.first = block;
        }
        if data.len() > self.bytes.capacity() - self.bytes.len() {
            return Err(Errno::EIO);
        }
        self.bytes.try_extend(data)
    }

    fn write(&mut self, volume: &Ext4) -> Result<(), Errno> {
        if !self.bytes.is_empty() {
            volume.write_blocks(self.first, &self.bytes)?;
            self.bytes.clear();
            volume.surroundings.breathe();
        }
        Ok(())
    }
}

/// Where the next block of the log goes.
struct LogWriter<'a> {
    volume: &'a Ext4,
    journal: &'a Journal,
    gathered: Gathered,
    at: u32,
}

impl LogWriter<'_> {
    fn add(&mut self, log: &[u8]) -> Result<(), Errno> {
        let block = self.journal.physical(self.at)?;
        self.gathered.add(self.volume, block, log)?;
        self.at = self.journal.after(self.at);
        Ok(())
    }
}

impl Journal {
    fn header(&self, log: &mut [u8], kind: u32) -> Result<(), Errno> {
        log.fill(0);
        put_be32(log, 0, MAGIC)?;
        put_be32(log, 4, kind)?;
        put_be32(log, 8, self.sequence)
    }

    /// Writes the checksum at the end of a descriptor or a record of revoked blocks.
    fn seal(&self, log: &mut [u8]) -> Result<(), Errno> {
        if self.has_checksums() {
            let sum = crc32c(self.seed, log);
            put_be32(log, log.len() - 4, sum)?;
        }
        Ok(())
    }

    fn tags_of_a_block(&self, size: usize) -> usize {
        (size - 12 - 16 - self.tail_size()) / self.tag_size()
    }

    fn numbers_of_a_block(&self, size: usize) -> usize {
        (size - 16 - self.tail_size()) / self.number_size()
    }

    /// Blocks of the log that a transaction needs.
    fn needed(&self, blocks: usize, revoked: usize, size: usize) -> usize {
        let descriptors = blocks.div_ceil(self.tags_of_a_block(size));
        blocks + descriptors + revoked.div_ceil(self.numbers_of_a_block(size)) + 1
    }

    /// Blocks of the log that are free.
    fn free(&self) -> usize {
        let used = match self.tail {
            None => 0,
            Some((tail, _)) if self.head > tail => self.head - tail,
            Some((tail, _)) => self.blocks - self.first - (tail - self.head),
        };
        // One stays free: a full log and an empty one would look the same.
        self.capacity().saturating_sub(used as usize + 1)
    }

    fn put_tag(&self, log: &mut [u8], at: usize, block: u64, flags: u32, sum: u32) -> Result<(), Errno> {
        put_be32(log, at, block as u32)?;
        let high = (block >> 32) as u32;
        if self.has(incompatible::CHECKSUM_V3) {
            put_be32(log, at + 4, flags)?;
            put_be32(log, at + 8, high)?;
            return put_be32(log, at + 12, sum);
        }
        put(log, at + 4, &(sum as u16).to_be_bytes())?;
        put(log, at + 6, &(flags as u16).to_be_bytes())?;
        if self.has(incompatible::BITS64) {
            put_be32(log, at + 8, high)?;
        }
        Ok(())
    }
}

impl Ext4 {
    /// Writes the running transaction to the journal: when this returns, a loss of power does not take it back.
    pub(crate) fn write_journal(&mut self) -> Result<(), Errno> {
        let size = self.geometry.block_size;
        let (blocks, revoked) = (self.cache.running.len(), self.cache.revoked.len());
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        let needed = journal.needed(blocks, revoked, size);
        if needed > journal.free() {
            self.checkpoint()?;
        }
        let Some(mut journal) = self.journal.take() else {
            return Ok(());
        };
        let done = match needed > journal.free() {
            // A call is never so large.
            true => Err(Errno::EIO),
            false => self.write_transaction(&mut journal),
        };
        self.journal = Some(journal);
        done
    }

    fn write_transaction(&mut self, journal: &mut Journal) -> Result<(), Errno> {
        let mut log = fallible::filled(self.geometry.block_size, 0)?;
        let mut escaped = fallible::filled(self.geometry.block_size, 0)?;
        let gathered = Gathered::new()?;
        if journal.tail.is_none() {
            journal.tail = Some((journal.head, journal.sequence));
            journal.note_tail()?;
            self.write_blocks(journal.physical(0)?, &journal.raw)?;
            self.disk.flush()?;
        }
        let mut datas = fallible::with_room(self.cache.running.len())?;
        for index in 0..self.cache.running.len() {
            let block = self.cache.running[index];
            datas.try_push(self.cache.slot(block).ok_or(Errno::EIO)?.data.clone())?;
        }
        let (running, revoked) = (&self.cache.running, &self.cache.revoked);
        let at = self.write_log(
            journal,
            gathered,
            (running, &datas),
            revoked,
            (&mut log, &mut escaped),
        );
        // From here on half of it may be on the disk: not even a lack of memory is taken for nothing.
        journal.head = at.map_err(|_| Errno::EIO)?;
        journal.sequence = journal.sequence.wrapping_add(1);
        Ok(())
    }

    /// Where the next transaction begins.
    fn write_log(
        &self,
        journal: &Journal,
        gathered: Gathered,
        (running, datas): (&[u64], &[Bytes]),
        revoked: &[u64],
        (log, escaped): (&mut [u8], &mut [u8]),
    ) -> Result<u32, Errno> {
        let size = log.len();
        let mut writer = LogWriter {
            volume: self,
            journal,
            gathered,
            at: journal.head,
        };
        for part in revoked.chunks(journal.numbers_of_a_block(size)) {
            journal.header(log, kind::REVOKE)?;
            let width = journal.number_size();
            put_be32(log, 12, (16 + width * part.len()) as u32)?;
            for (index, block) in part.iter().enumerate() {
                let bytes = block.to_be_bytes();
                put(log, 16 + width * index, &bytes[8 - width..])?;
            }
            journal.seal(log)?;
            writer.add(log)?;
        }
        let chunk = journal.tags_of_a_block(size);
        for (blocks, datas) in running.chunks(chunk).zip(datas.chunks(chunk)) {
            journal.header(log, kind::DESCRIPTOR)?;
            let mut at = 12;
            for (index, (block, data)) in blocks.iter().zip(datas).enumerate() {
                let mut flags = if index == 0 { 0 } else { tag::SAME_UUID };
                flags |= if index + 1 == blocks.len() { tag::LAST } else { 0 };
                let logged = journal.logged(data, escaped)?;
                flags |= if logged.is_some() { tag::ESCAPED } else { 0 };
                let sum = crc32c(journal.seed, &journal.sequence.to_be_bytes());
                let sum = crc32c(sum, logged.unwrap_or(data));
                journal.put_tag(log, at, *block, flags, sum)?;
                at += journal.tag_size();
                if index == 0 {
                    put(log, at, &journal.uuid)?;
                    at += 16;
                }
            }
            journal.seal(log)?;
            writer.add(log)?;
            for data in datas {
                let logged = journal.logged(data, escaped)?;
                writer.add(logged.unwrap_or(data))?;
            }
        }
        writer.gathered.write(self)?;
        // Everything before, and the bytes of files that the transaction speaks of, comes before the block that makes it count.
        self.disk.flush()?;
        let (now, at) = (self.now(), writer.at);
        journal.header(log, kind::COMMIT)?;
        put(log, 48, &(now.seconds as u64).to_be_bytes())?;
        put_be32(log, 56, now.nanoseconds)?;
        if journal.has_checksums() {
            let sum = crc32c(journal.seed, log);
            put_be32(log, 16, sum)?;
        }
        self.write_blocks(journal.physical(at)?, log)?;
        self.disk.flush()?;
        Ok(journal.after(at))
    }

    /// Writes to their places what the journal has of blocks, and empties it.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Errno> {
        self.cache.tidy_awaiting();
        if self.cache.awaiting.is_empty() {
            return self.empty_journal();
        }
        let mut gathered = Gathered::new()?;
        for index in 0..self.cache.awaiting.len() {
            let block = self.cache.awaiting[index];
            let home = self.cache.slot(block).and_then(|slot| slot.home.clone());
            gathered.add(self, block, &home.ok_or(Errno::EIO)?)?;
        }
        gathered.write(self)?;
        self.disk.flush()?;
        self.cache.checkpointed();
        self.empty_journal()
    }

    fn empty_journal(&mut self) -> Result<(), Errno> {
        let is_used = self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.tail.is_some());
        if is_used { self.close_journal() } else { Ok(()) }
    }
}

impl Journal {
    /// The bytes of a block as the log has them, if they differ: one that looks like a block of the journal's own is changed.
    fn logged<'a>(&self, data: &[u8], escaped: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        if data.get(..4) != Some(&MAGIC.to_be_bytes()) {
            return Ok(None);
        }
        put(escaped, 0, data)?;
        put_be32(escaped, 0, 0)?;
        Ok(Some(escaped))
    }
}
