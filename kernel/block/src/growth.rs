//! Making the last partition of a disk as long as the disk: a card is larger than the image that was written to it.
//!
//! In a boot record its entry is one number in the first block, which is written in one piece and flushed before anybody uses what came. Of
//! a GPT the copy at the new end is written and flushed first: where the power goes while the first one is half written, the copy is sound.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use abi::Errno;

use crate::device::{BlockDevice, SECTOR_SIZE};
use crate::partitions::gpt::{Gpt, Which};
use crate::partitions::{
    EXTENDED, MBR_ENTRY, MBR_TABLE, PROTECTIVE, blocks, entries, has_signature, read_block,
};
use crate::volume::{self, Volume};

/// Partitions end at multiples of so many bytes.
const ALIGNMENT: u64 = 1 << 20;
/// Entries of a boot record.
const ENTRIES: u32 = 4;

/// Makes a partition as long as its disk has room behind it, in the table and as it is seen here; whether it is longer now.
///
/// # Errors
/// `EOPNOTSUPP`: it is none of the four of a boot record, nor of a GPT. `EUCLEAN`: the table does not have it any more. `EROFS`, `EIO`,
/// `ENOMEM`.
pub fn grow_partition(volume: &Volume) -> Result<bool, Errno> {
    let number = volume.partition.ok_or(Errno::EOPNOTSUPP)?;
    let (major, minor) = volume.number;
    let is_whole = |other: &Volume| other.number == (major, minor - number);
    let disk = volume::all().find(|other| is_whole(other)).ok_or(Errno::ENXIO)?;
    let unit = (disk.block_size() / SECTOR_SIZE) as u64;
    let Some(count) = grow_entry(&*disk, number, volume.start / unit)? else {
        return Ok(false);
    };
    volume.len.store(count * unit, Ordering::Relaxed);
    Ok(true)
}

/// Makes the entry of the partition that begins at block `start` longer, on the disk; how many blocks it has then. `None`: it is as it was.
fn grow_entry(disk: &dyn BlockDevice, number: u32, start: u64) -> Result<Option<u64>, Errno> {
    let unit = (disk.block_size() / SECTOR_SIZE) as u64;
    let mut record = read_block(disk, 0)?;
    if has_signature(&record) && entries(&record).any(|entry| entry.kind == PROTECTIVE) {
        return grow_gpt(disk, record, number, start);
    }
    let count = lengthen(&mut record, number, start, blocks(disk), unit)?;
    if count.is_some() {
        disk.write(0, &record)?;
        disk.flush()?;
    }
    Ok(count)
}

/// The same in a GPT, whose second copy moves to the new end of the disk.
fn grow_gpt(
    disk: &dyn BlockDevice,
    mut record: Vec<u8>,
    number: u32,
    start: u64,
) -> Result<Option<u64>, Errno> {
    let end = blocks(disk);
    let alignment = ALIGNMENT / disk.block_size() as u64;
    let Some(mut table) = Gpt::read(disk, 1)? else {
        // The power went while the first one was written: the copy is what it would have become.
        let mut copy = Gpt::read(disk, end - 1)?.ok_or(Errno::EUCLEAN)?;
        return match copy.lengthen(number, start, end, alignment)? {
            None => copy.write(disk, end, Which::First).map(|()| None),
            Some(_) => Err(Errno::EUCLEAN),
        };
    };
    let Some(count) = table.lengthen(number, start, end, alignment)? else {
        return Ok(None);
    };
    table.write(disk, end, Which::Second)?;
    table.write(disk, end, Which::First)?;
    protect(&mut record, end);
    disk.write(0, &record)?;
    disk.flush()?;
    Ok(Some(count))
}

/// The boot record in front of a GPT says that all of the disk is somebody's.
fn protect(record: &mut [u8], end: u64) {
    let Some(index) = entries(record).position(|entry| entry.kind == PROTECTIVE) else {
        return;
    };
    let at = MBR_TABLE + index * MBR_ENTRY + 12;
    let count = u32::try_from(end - 1).unwrap_or(u32::MAX);
    record[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

/// Changes the entry of a partition that begins at block `start`, on a disk of `end` blocks of `unit` sectors; how many blocks it has then.
/// `None`: there is no room behind it.
fn lengthen(record: &mut [u8], number: u32, start: u64, end: u64, unit: u64) -> Result<Option<u64>, Errno> {
    let is_plain = has_signature(record) && !entries(record).any(|entry| entry.kind == PROTECTIVE);
    if !is_plain || !(1..=ENTRIES).contains(&number) {
        return Err(Errno::EOPNOTSUPP);
    }
    let own = entries(record)
        .nth(number as usize - 1)
        .filter(|own| own.start == start && own.kind != 0 && !EXTENDED.contains(&own.kind))
        .ok_or(Errno::EUCLEAN)?;
    let is_last = entries(record).all(|other| other.count == 0 || other.start <= start);
    let blocks = ALIGNMENT / (SECTOR_SIZE as u64 * unit);
    let count = (end / blocks * blocks)
        .saturating_sub(start)
        .min(u64::from(u32::MAX));
    if !is_last || count <= own.count {
        return Ok(None);
    }
    let at = MBR_TABLE + (number as usize - 1) * MBR_ENTRY + 12;
    record[at..at + 4].copy_from_slice(&(count as u32).to_le_bytes());
    Ok(Some(count))
}

#[cfg(test)]
mod gpt_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn record(partitions: &[(u8, u32, u32)]) -> Vec<u8> {
        let mut record = vec![0; SECTOR_SIZE];
        for (index, (kind, start, count)) in partitions.iter().enumerate() {
            let at = MBR_TABLE + index * MBR_ENTRY;
            record[at + 4] = *kind;
            record[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
            record[at + 12..at + 16].copy_from_slice(&count.to_le_bytes());
        }
        record[510..].copy_from_slice(&[0x55, 0xaa]);
        record
    }

    #[test]
    fn the_last_partition_ends_at_the_last_whole_mebibyte() {
        let mut table = record(&[(0x0c, 2048, 129_024), (0x83, 131_072, 393_216)]);
        let card = 8_000_001;
        assert_eq!(
            lengthen(&mut table, 2, 131_072, card, 1),
            Ok(Some(7_999_488 - 131_072))
        );
        let expected = record(&[(0x0c, 2048, 129_024), (0x83, 131_072, 7_999_488 - 131_072)]);
        assert_eq!(table, expected);
        // It has everything now.
        assert_eq!(lengthen(&mut table, 2, 131_072, card, 1), Ok(None));
        assert_eq!(table, expected);
    }

    #[test]
    fn what_has_another_behind_it_or_is_no_entry_stays() {
        let parts = [(0x83, 2048, 2048), (0x83, 8192, 2048), (0x05, 20_480, 2048)];
        let mut table = record(&parts);
        assert_eq!(lengthen(&mut table, 1, 2048, 80_000, 1), Ok(None));
        assert_eq!(lengthen(&mut table, 2, 8192, 80_000, 1), Ok(None));
        assert_eq!(lengthen(&mut table, 3, 20_480, 80_000, 1), Err(Errno::EUCLEAN));
        assert_eq!(lengthen(&mut table, 2, 4096, 80_000, 1), Err(Errno::EUCLEAN));
        assert_eq!(lengthen(&mut table, 5, 8192, 80_000, 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(table, record(&parts));
        let mut protective = record(&[(PROTECTIVE, 1, 4096)]);
        assert_eq!(lengthen(&mut protective, 1, 1, 80_000, 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(
            lengthen(&mut vec![0; 512], 1, 1, 80_000, 1),
            Err(Errno::EOPNOTSUPP)
        );
    }

    #[test]
    fn a_card_of_more_than_two_tebibytes_is_used_as_far_as_the_entry_goes() {
        let mut table = record(&[(0x83, 2048, 2048)]);
        let most = u64::from(u32::MAX);
        assert_eq!(lengthen(&mut table, 1, 2048, 1 << 40, 1), Ok(Some(most)));
    }
}
