//! The checksums of ext4: CRC32C for metadata and journal, CRC16 for group descriptors of older file systems.

use crc::{Algorithm, Crc, Table};

/// CRC32C without its final inversion: ext4 goes on from the last sum.
const CRC32C: Algorithm<u32> = Algorithm {
    width: 32,
    poly: 0x1edc_6f41,
    init: 0xffff_ffff,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0x1cf9_6d7c,
    residue: 0,
};

/// CRC16, begun with ones.
const CRC16: Algorithm<u16> = Algorithm {
    width: 16,
    poly: 0x8005,
    init: 0xffff,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0x4b37,
    residue: 0,
};

static SUM32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC32C);
static SUM16: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC16);

/// The sum to begin with.
pub const START: u32 = 0xffff_ffff;

/// Goes on with a CRC32C.
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let mut digest = SUM32.digest_with_initial(seed.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

/// The CRC16 of all parts.
pub fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = SUM16.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}

#[test]
fn known_sums() {
    assert_eq!(!crc32c(START, b"123456789"), 0xe306_9283);
    assert_eq!(
        crc32c(crc32c(START, b"1234"), b"56789"),
        crc32c(START, b"123456789")
    );
    assert_eq!(crc16(&[b"1234", b"56789"]), 0x4b37);
}
