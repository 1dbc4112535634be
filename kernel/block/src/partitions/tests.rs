//! Tables made by hand.

use super::gpt::crc32;
use super::*;
use std::sync::Mutex;
use std::vec;

/// A disk in memory.
struct Image(Mutex<Vec<u8>>);

impl Image {
    fn new(sectors: usize) -> Image {
        Image(Mutex::new(vec![0; sectors * SECTOR_SIZE]))
    }

    fn put(&self, sector: u64, at: usize, bytes: &[u8]) {
        let at = sector as usize * SECTOR_SIZE + at;
        self.0.lock().expect("a test")[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A boot record with these entries: type, start, sectors.
    fn put_table(&self, sector: u64, entries: &[(u8, u32, u32)]) {
        for (index, (kind, start, count)) in entries.iter().enumerate() {
            let at = MBR_TABLE + index * MBR_ENTRY;
            self.put(sector, at + 4, &[*kind]);
            self.put(sector, at + 8, &start.to_le_bytes());
            self.put(sector, at + 12, &count.to_le_bytes());
        }
        self.put(sector, SECTOR_SIZE - 2, &MBR_SIGNATURE);
    }

    /// A GPT with header at `sector`, table behind it, of one partition.
    fn put_gpt(&self, sector: u64, table: u64) {
        let mut entries = [0; 128 * 4];
        entries[128..144].fill(7);
        entries[144..160].copy_from_slice(&core::array::from_fn::<u8, 16, _>(|index| index as u8));
        entries[160..168].copy_from_slice(&100_u64.to_le_bytes());
        entries[168..176].copy_from_slice(&199_u64.to_le_bytes());
        self.put(table, 0, &entries);
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[12..16].copy_from_slice(&92_u32.to_le_bytes());
        header[24..32].copy_from_slice(&sector.to_le_bytes());
        header[72..80].copy_from_slice(&table.to_le_bytes());
        header[80..84].copy_from_slice(&4_u32.to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        header[88..92].copy_from_slice(&crc32(&entries).to_le_bytes());
        let checksum = crc32(&header);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        self.put(sector, 0, &header);
    }
}

impl BlockDevice for Image {
    fn sectors(&self) -> u64 {
        (self.0.lock().expect("a test").len() / SECTOR_SIZE) as u64
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        let at = sector as usize * SECTOR_SIZE;
        let bytes = self.0.lock().expect("a test");
        let from = bytes.get(at..at + into.len()).ok_or(Errno::EIO)?;
        into.copy_from_slice(from);
        Ok(())
    }

    fn write(&self, _sector: u64, _from: &[u8]) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    fn flush(&self) -> Result<(), Errno> {
        Ok(())
    }
}

fn found(disk: &Image) -> Vec<(u32, Range<u64>)> {
    let all = scan(disk).expect("it can be read");
    all.into_iter()
        .map(|entry| (entry.number, entry.extent))
        .collect()
}

#[test]
fn primary_and_logical_partitions_are_numbered_as_linux_does() {
    let disk = Image::new(1000);
    assert_eq!(found(&disk), []);
    disk.put_table(
        0,
        &[(0x83, 10, 90), (0, 0, 0), (0x0f, 200, 600), (0x0c, 900, 100)],
    );
    disk.put_table(200, &[(0x83, 10, 50), (0x05, 100, 100)]);
    disk.put_table(300, &[(0x83, 1, 20)]);
    let expected = [
        (1, 10..100),
        (3, 200..202),
        (5, 210..260),
        (6, 301..321),
        (4, 900..1000),
    ];
    assert_eq!(found(&disk), expected);
}

#[test]
fn what_does_not_lie_on_the_disk_is_left_out_and_a_chain_that_bites_its_tail_ends() {
    let disk = Image::new(1000);
    disk.put_table(
        0,
        &[(0x83, 10, 991), (0x83, u32::MAX, u32::MAX), (0x05, 200, 600)],
    );
    disk.put_table(200, &[(0x83, 10, 50), (0x05, 0, 100)]);
    let all = found(&disk);
    assert_eq!(all.len(), 1 + (MOST_PARTITIONS - FIRST_LOGICAL + 1) as usize);
    assert_eq!(all[0], (2 + 1, 200..202));
}

#[test]
fn a_gpt_is_found_and_where_it_is_damaged_the_other_one() {
    let disk = Image::new(1000);
    disk.put_table(0, &[(PROTECTIVE, 1, 999)]);
    assert_eq!(found(&disk), []);
    disk.put_gpt(1, 2);
    disk.put_gpt(999, 990);
    let all = scan(&disk).expect("it can be read");
    assert_eq!((all[0].number, all[0].extent.clone()), (2, 100..200));
    assert_eq!(all[0].uuid, "03020100-0504-0706-0809-0a0b0c0d0e0f");
    disk.put(2, 200, &[1]);
    assert_eq!(found(&disk), [(2, 100..200)]);
    disk.put(990, 200, &[1]);
    assert_eq!(found(&disk), []);
}

#[test]
fn the_checksum_is_that_of_ethernet() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
