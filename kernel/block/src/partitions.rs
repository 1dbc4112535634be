//! Partition tables: MBR with logical partitions, and GPT. Nothing in them is trusted: a partition
//! that does not lie on the disk is left out, and a chain of logical partitions ends somewhere.

pub(crate) mod gpt;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use alloc::string::String;
use memory::fallible::{self, TryVec};

use self::gpt::Gpt;
use crate::device::{BlockDevice, SECTOR_SIZE};

/// Partitions that a disk may have: its device numbers.
pub const MOST_PARTITIONS: u32 = 15;

/// The first logical partition.
const FIRST_LOGICAL: u32 = 5;
/// Boot records that a chain of logical partitions may have.
const LONGEST_CHAIN: usize = 64;

const MBR_SIGNATURE: [u8; 2] = [0x55, 0xaa];
pub(crate) const MBR_TABLE: usize = 446;
pub(crate) const MBR_ENTRY: usize = 16;
const MBR_ENTRIES: usize = 4;
const DISK_ID: usize = 440;
/// Types that hold further partitions, and the one that says that there is a GPT.
pub(crate) const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
pub(crate) const PROTECTIVE: u8 = 0xee;

/// One that a table names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionEntry {
    /// Its number, from 1 on.
    pub number: u32,
    /// Its sectors of 512 bytes.
    pub extent: Range<u64>,
    /// `PARTUUID`.
    pub uuid: String,
}

/// The partitions of a disk; none if it has no table.
///
/// # Errors
/// `EIO`, `ENOMEM`.
pub fn scan(disk: &dyn BlockDevice) -> Result<Vec<PartitionEntry>, Errno> {
    let mbr = read_block(disk, 0)?;
    if !has_signature(&mbr) {
        return Ok(Vec::new());
    }
    let is_gpt = entries(&mbr).any(|entry| entry.kind == PROTECTIVE);
    if is_gpt {
        // The other header stands in the last block.
        for block in [1, blocks(disk).saturating_sub(1)] {
            if let Some(table) = Gpt::read(disk, block)? {
                return table.partitions(disk);
            }
        }
        return Ok(Vec::new());
    }
    scan_mbr(disk, &mbr)
}

/// How many blocks a disk has.
pub(crate) fn blocks(disk: &dyn BlockDevice) -> u64 {
    disk.sectors() / (disk.block_size() / SECTOR_SIZE) as u64
}

/// Reads the block at `sector`: its first bytes.
pub(crate) fn read_block(disk: &dyn BlockDevice, sector: u64) -> Result<Vec<u8>, Errno> {
    let mut block = fallible::filled(disk.block_size(), 0)?;
    disk.read(sector, &mut block)?;
    Ok(block)
}

pub(crate) fn has_signature(block: &[u8]) -> bool {
    block[SECTOR_SIZE - 2..SECTOR_SIZE] == MBR_SIGNATURE
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(core::array::from_fn(|index| bytes[at + index]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(core::array::from_fn(|index| bytes[at + index]))
}

/// What one of the four entries says.
#[derive(Clone, Copy)]
pub(crate) struct MbrEntry {
    pub(crate) kind: u8,
    pub(crate) start: u64,
    pub(crate) count: u64,
}

pub(crate) fn entries(block: &[u8]) -> impl Iterator<Item = MbrEntry> {
    (0..MBR_ENTRIES).map(|index| {
        let at = MBR_TABLE + index * MBR_ENTRY;
        MbrEntry {
            kind: block[at + 4],
            start: word(block, at + 8).into(),
            count: word(block, at + 12).into(),
        }
    })
}

fn scan_mbr(disk: &dyn BlockDevice, mbr: &[u8]) -> Result<Vec<PartitionEntry>, Errno> {
    let unit = (disk.block_size() / SECTOR_SIZE) as u64;
    let id = word(mbr, DISK_ID);
    let mut found = Vec::new();
    for (number, entry) in (1..).zip(entries(mbr)) {
        if entry.kind == 0 || entry.count == 0 {
            continue;
        }
        let is_extended = EXTENDED.contains(&entry.kind);
        // Of one that holds others Linux shows the first two sectors, for boot loaders.
        let count = if is_extended {
            entry.count.min(2)
        } else {
            entry.count
        };
        add(&mut found, disk, id, number, entry.start * unit, count * unit)?;
        if is_extended {
            scan_logical(disk, &mut found, id, entry.start)?;
        }
    }
    Ok(found)
}

fn scan_logical(
    disk: &dyn BlockDevice,
    found: &mut Vec<PartitionEntry>,
    id: u32,
    extended: u64,
) -> Result<(), Errno> {
    let unit = (disk.block_size() / SECTOR_SIZE) as u64;
    let mut at = extended;
    let mut number = FIRST_LOGICAL;
    for _ in 0..LONGEST_CHAIN {
        if at.saturating_mul(unit) >= disk.sectors() || number > MOST_PARTITIONS {
            return Ok(());
        }
        let block = read_block(disk, at * unit)?;
        if !has_signature(&block) {
            return Ok(());
        }
        let is_partition = |entry: &MbrEntry| entry.count != 0 && !EXTENDED.contains(&entry.kind);
        for entry in entries(&block)
            .filter(is_partition)
            .filter(|entry| entry.kind != 0)
        {
            add(
                found,
                disk,
                id,
                number,
                (at + entry.start) * unit,
                entry.count * unit,
            )?;
            number += 1;
        }
        let next = entries(&block).find(|entry| EXTENDED.contains(&entry.kind) && entry.count != 0);
        let Some(next) = next else {
            return Ok(());
        };
        at = extended + next.start;
    }
    Ok(())
}

fn add(
    found: &mut Vec<PartitionEntry>,
    disk: &dyn BlockDevice,
    id: u32,
    number: u32,
    start: u64,
    count: u64,
) -> Result<(), Errno> {
    let end = start.saturating_add(count);
    if number > MOST_PARTITIONS || start >= end || end > disk.sectors() {
        return Ok(());
    }
    found.try_push(PartitionEntry {
        number,
        extent: start..end,
        uuid: fallible::text(format_args!("{id:08x}-{number:02x}"))?,
    })
}
