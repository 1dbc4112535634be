//! Growing the last partition of a GPT, with the power going at every moment of it.

use std::sync::Mutex;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::partitions::gpt::{Gpt, Which};
use crate::partitions::{gpt, scan};

const SECTORS: usize = 8192;
const OLD_SECTORS: u64 = 4096;
const START: u64 = 2100;

/// A disk in memory that knows what it was asked to write, sector by sector, and between which of them it was flushed.
struct Image {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Step>>,
}

#[derive(Clone)]
enum Step {
    Write(u64, Vec<u8>),
    Flush,
}

impl Image {
    fn of(bytes: Vec<u8>) -> Image {
        Image {
            bytes: Mutex::new(bytes),
            log: Mutex::default(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("a test").clone()
    }
}

impl BlockDevice for Image {
    fn sectors(&self) -> u64 {
        SECTORS as u64
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        let at = sector as usize * SECTOR_SIZE;
        let bytes = self.bytes.lock().expect("a test");
        into.copy_from_slice(bytes.get(at..at + into.len()).ok_or(Errno::EIO)?);
        Ok(())
    }

    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno> {
        let mut bytes = self.bytes.lock().expect("a test");
        for (number, part) in (sector..).zip(from.chunks(SECTOR_SIZE)) {
            put(&mut bytes, number, part);
            let step = Step::Write(number, part.to_vec());
            self.log.lock().expect("a test").push(step);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Errno> {
        self.log.lock().expect("a test").push(Step::Flush);
        Ok(())
    }
}

fn put(bytes: &mut [u8], sector: u64, part: &[u8]) {
    let at = sector as usize * SECTOR_SIZE;
    bytes[at..at + part.len()].copy_from_slice(part);
}

/// A table for a disk of `OLD_SECTORS`, with two partitions, on one that is twice as large.
fn fresh() -> Vec<u8> {
    let mut bytes = vec![0; SECTORS * SECTOR_SIZE];
    bytes[MBR_TABLE + 4] = PROTECTIVE;
    bytes[MBR_TABLE + 8..MBR_TABLE + 12].copy_from_slice(&1_u32.to_le_bytes());
    bytes[MBR_TABLE + 12..MBR_TABLE + 16].copy_from_slice(&(OLD_SECTORS as u32 - 1).to_le_bytes());
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut table = vec![0; 32 * 128];
    for (index, (first, last)) in [(2048, START - 1), (START, 4061)].into_iter().enumerate() {
        let entry = &mut table[index * 128..][..128];
        entry[..32].fill(index as u8 + 1);
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    let mut header = vec![0; SECTOR_SIZE];
    header[..8].copy_from_slice(b"EFI PART");
    for (at, number) in [(12, 92_u32), (80, 32), (84, 128)] {
        header[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    header[40..48].copy_from_slice(&34_u64.to_le_bytes());
    header[48..56].copy_from_slice(&4062_u64.to_le_bytes());
    let whole = Gpt::for_tests(header, table);
    let disk = Image::of(bytes);
    whole.write(&disk, OLD_SECTORS, Which::Second).unwrap();
    whole.write(&disk, OLD_SECTORS, Which::First).unwrap();
    disk.bytes()
}

fn extents(disk: &Image) -> Vec<(u64, u64)> {
    let found = scan(disk).unwrap();
    found
        .iter()
        .map(|entry| (entry.extent.start, entry.extent.end))
        .collect()
}

const OLD: [(u64, u64); 2] = [(2048, START), (START, 4062)];
/// The last whole mebibyte in front of the copy of the table.
const NEW: [(u64, u64); 2] = [(2048, START), (START, 6144)];

#[test]
fn the_last_partition_reaches_to_the_last_mebibyte_and_both_tables_say_so() {
    let disk = Image::of(fresh());
    assert_eq!(extents(&disk), OLD);
    assert_eq!(grow_entry(&disk, 1, 2048), Ok(None), "another is behind it");
    assert_eq!(grow_entry(&disk, 2, 2048), Err(Errno::EUCLEAN));
    assert_eq!(grow_entry(&disk, 3, START), Err(Errno::EUCLEAN));
    assert_eq!(grow_entry(&disk, 2, START), Ok(Some(6144 - START)));
    assert_eq!(extents(&disk), NEW);
    let record = disk.bytes()[MBR_TABLE + 12..][..4].to_vec();
    assert_eq!(record, (SECTORS as u32 - 1).to_le_bytes());
    assert!(Gpt::read(&disk, SECTORS as u64 - 1).unwrap().is_some());
    // The first one is lost: the other says the same, and becomes the first again.
    put(&mut disk.bytes.lock().unwrap(), 1, &[0; SECTOR_SIZE]);
    assert_eq!(extents(&disk), NEW);
    assert_eq!(grow_entry(&disk, 2, START), Ok(None));
    assert!(Gpt::read(&disk, 1).unwrap().is_some());
    let steps = disk.log.lock().unwrap().len();
    assert_eq!(grow_entry(&disk, 2, START), Ok(None));
    assert_eq!(disk.log.lock().unwrap().len(), steps, "nothing more is written");
}

#[test]
fn a_damaged_table_is_left_alone() {
    let disk = Image::of(fresh());
    put(&mut disk.bytes.lock().unwrap(), 2, &[9; SECTOR_SIZE]);
    assert_eq!(grow_entry(&disk, 2, START), Err(Errno::EUCLEAN));
    assert!(disk.log.lock().unwrap().is_empty());
    assert_eq!(gpt::crc32(b"123456789"), 0xcbf4_3926);
}

/// Whatever of what is not flushed reaches the disk: the partition is as before or as long as it was to become, and the next growth ends it.
#[test]
fn power_may_go_at_any_moment() {
    let before = fresh();
    let whole = Image::of(before.clone());
    grow_entry(&whole, 2, START).unwrap();
    let steps = whole.log.lock().unwrap().clone();
    for cut in 0..steps.len() {
        for which in 0..4 {
            let disk = Image::of(after(&before, &steps[..cut], which));
            let seen = extents(&disk);
            assert!(seen == OLD || seen == NEW, "cut {cut}, {which}: {seen:?}");
            let grown = grow_entry(&disk, 2, START);
            assert!(grown.is_ok(), "cut {cut}, {which}: {grown:?}");
            assert_eq!(extents(&disk), NEW, "cut {cut}, {which}");
            for block in [1, SECTORS as u64 - 1] {
                assert!(Gpt::read(&disk, block).unwrap().is_some(), "cut {cut}, {which}");
            }
        }
    }
}

/// What the disk has behind these steps: all that was flushed, and of the rest all, none, every second sector or the others.
fn after(before: &[u8], steps: &[Step], which: usize) -> Vec<u8> {
    let flushed = steps.iter().rposition(|step| matches!(step, Step::Flush));
    let mut bytes = before.to_vec();
    for (index, step) in steps.iter().enumerate() {
        let is_there = flushed.is_some_and(|last| index < last)
            || match which {
                0 => true,
                1 => false,
                _ => index % 2 == which - 2,
            };
        if let Step::Write(sector, part) = step
            && is_there
        {
            put(&mut bytes, *sector, part);
        }
    }
    bytes
}
