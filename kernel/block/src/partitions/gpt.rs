//! GPT: a header in the second block and a table of entries, both a second time at the disk's end (UEFI specification 2.10, chapter 5).

use alloc::vec::Vec;

use abi::Errno;
use alloc::string::String;
use memory::fallible::{self, TryVec};

use super::{MOST_PARTITIONS, PartitionEntry, long, read_block, word};
use crate::device::{BlockDevice, SECTOR_SIZE};

/// Bytes of a table at most.
const MOST_TABLE_BYTES: usize = 128 * 1024;

// Where the fields of a header stand.
const HEADER_LEN: usize = 12;
const HEADER_CHECKSUM: usize = 16;
const OWN_BLOCK: usize = 24;
const OTHER_BLOCK: usize = 32;
const FIRST_USABLE: usize = 40;
const LAST_USABLE: usize = 48;
const TABLE_BLOCK: usize = 72;
const TABLE_CHECKSUM: usize = 88;

// And those of an entry.
const ENTRY_FIRST: usize = 32;
const ENTRY_LAST: usize = 40;

/// Of the two that a disk has.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// Behind the boot record.
    First,
    /// At the disk's end.
    Second,
}

/// A header with its table, both sound.
pub(crate) struct Gpt {
    header: Vec<u8>,
    /// Whole blocks.
    table: Vec<u8>,
    block_size: usize,
}

impl Gpt {
    /// The one whose header stands in `block`; `None` if none does, or a damaged one.
    pub(crate) fn read(disk: &dyn BlockDevice, block: u64) -> Result<Option<Gpt>, Errno> {
        let unit = (disk.block_size() / SECTOR_SIZE) as u64;
        let mut header = read_block(disk, block * unit)?;
        let len = word(&header, HEADER_LEN) as usize;
        if &header[..8] != b"EFI PART" || !(92..=SECTOR_SIZE).contains(&len) {
            return Ok(None);
        }
        let checksum = word(&header, HEADER_CHECKSUM);
        header[HEADER_CHECKSUM..HEADER_CHECKSUM + 4].fill(0);
        if crc32(&header[..len]) != checksum || long(&header, OWN_BLOCK) != block {
            return Ok(None);
        }
        let bytes = (word(&header, 80) as usize).saturating_mul(word(&header, 84) as usize);
        let at = long(&header, TABLE_BLOCK).checked_mul(unit);
        let (Some(at), 128.., ..=MOST_TABLE_BYTES) = (at, word(&header, 84), bytes) else {
            return Ok(None);
        };
        let mut table = fallible::filled(bytes.next_multiple_of(disk.block_size()), 0)?;
        disk.read(at, &mut table)?;
        if crc32(&table[..bytes]) != word(&header, TABLE_CHECKSUM) {
            return Ok(None);
        }
        let block_size = disk.block_size();
        Ok(Some(Gpt {
            header,
            table,
            block_size,
        }))
    }

    fn entry_size(&self) -> usize {
        word(&self.header, 84) as usize
    }

    /// Bytes that the table has without what fills its last block.
    fn table_len(&self) -> usize {
        word(&self.header, 80) as usize * self.entry_size()
    }

    fn table_blocks(&self) -> u64 {
        (self.table.len() / self.block_size) as u64
    }

    /// Number, first and last block, and GUID of each partition.
    fn entries(&self) -> impl Iterator<Item = (u32, u64, u64, &[u8])> {
        let entries = self.table[..self.table_len()].chunks_exact(self.entry_size());
        let numbered = (1..).zip(entries).filter(|(_, entry)| entry[..16] != [0; 16]);
        let seen = numbered.map(|(number, entry)| {
            let (first, last) = (long(entry, ENTRY_FIRST), long(entry, ENTRY_LAST));
            (number, first, last, &entry[16..32])
        });
        seen.filter(|(_, first, last, _)| first <= last)
    }

    /// What lies on the disk.
    pub(super) fn partitions(&self, disk: &dyn BlockDevice) -> Result<Vec<PartitionEntry>, Errno> {
        let unit = (self.block_size / SECTOR_SIZE) as u64;
        let mut found = Vec::new();
        for (number, first, last, uuid) in self.entries().take_while(|entry| entry.0 <= MOST_PARTITIONS) {
            let end = last.saturating_add(1).saturating_mul(unit);
            if end <= disk.sectors() {
                found.try_push(PartitionEntry {
                    number,
                    extent: first * unit..end,
                    uuid: guid(uuid)?,
                })?;
            }
        }
        Ok(found)
    }

    /// Makes the partition that begins at block `start` reach as far as a disk of `end` blocks allows, to a multiple of `alignment`; how many
    /// blocks it has then. `None`: it reaches as far already, or another is behind it.
    ///
    /// # Errors
    /// `EUCLEAN`: the table does not have it, or the disk has no room for the table itself.
    pub(crate) fn lengthen(
        &mut self,
        number: u32,
        start: u64,
        end: u64,
        alignment: u64,
    ) -> Result<Option<u64>, Errno> {
        let is_own = |entry: &(u32, u64, u64, &[u8])| entry.0 == number && entry.1 == start;
        let (_, _, last, _) = self.entries().find(is_own).ok_or(Errno::EUCLEAN)?;
        let is_last = self.entries().all(|entry| entry.1 <= start);
        let first_used = (end - 1).checked_sub(self.table_blocks()).ok_or(Errno::EUCLEAN)?;
        let new_end = first_used / alignment * alignment;
        if !is_last || new_end <= last + 1 {
            return Ok(None);
        }
        let at = (number as usize - 1) * self.entry_size() + ENTRY_LAST;
        self.table[at..at + 8].copy_from_slice(&(new_end - 1).to_le_bytes());
        self.put(LAST_USABLE, first_used - 1);
        Ok(Some(new_end - start))
    }

    /// Writes it as the first of the two of a disk of `end` blocks, or as the second, with its table.
    ///
    /// # Errors
    /// `EUCLEAN`: there is no room for the table. `EROFS`, `EIO`, `ENOMEM`.
    pub(crate) fn write(&self, disk: &dyn BlockDevice, end: u64, which: Which) -> Result<(), Errno> {
        let unit = (self.block_size / SECTOR_SIZE) as u64;
        let (own, other, table) = match which {
            Which::First => (1, end - 1, 2),
            Which::Second => (end - 1, 1, end - 1 - self.table_blocks()),
        };
        if long(&self.header, FIRST_USABLE) < 2 + self.table_blocks() {
            return Err(Errno::EUCLEAN);
        }
        let mut copy = Gpt {
            header: fallible::bytes(&self.header)?,
            table: Vec::new(),
            block_size: self.block_size,
        };
        copy.put(OWN_BLOCK, own);
        copy.put(OTHER_BLOCK, other);
        copy.put(TABLE_BLOCK, table);
        copy.seal(TABLE_CHECKSUM, crc32(&self.table[..self.table_len()]));
        let len = word(&copy.header, HEADER_LEN) as usize;
        copy.seal(HEADER_CHECKSUM, crc32(&copy.header[..len]));
        disk.write(table * unit, &self.table)?;
        disk.write(own * unit, &copy.header)?;
        disk.flush()
    }

    /// With sectors as blocks. Its sums are not right before it is written.
    #[cfg(test)]
    pub(crate) fn for_tests(header: Vec<u8>, table: Vec<u8>) -> Gpt {
        Gpt {
            header,
            table,
            block_size: SECTOR_SIZE,
        }
    }

    fn put(&mut self, at: usize, number: u64) {
        self.header[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }

    fn seal(&mut self, at: usize, checksum: u32) {
        self.header[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The text of a GUID, of which the first three parts have their lowest byte first.
fn guid(bytes: &[u8]) -> Result<String, Errno> {
    fallible::text(format_args!(
        "{:08x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
        word(bytes, 0),
        bytes[5],
        bytes[4],
        bytes[7],
        bytes[6],
        bytes[8],
        bytes[9],
        bytes[10],
        bytes[11],
        bytes[12],
        bytes[13],
        bytes[14],
        bytes[15],
    ))
}

/// The checksum of GPT: CRC-32 as of Ethernet.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
