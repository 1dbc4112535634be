//! gzip files: a compressed initramfs.

use crate::seeds;
use formats::gzip::{inflate, is_gzip};

pub const WORDS: &[&[u8]] = &[b"\x1f\x8b\x08", b"\x1f\x8b\x08\x1e", b"\0\0\xff\xff", b"\x03\0"];

/// Most bytes that may come out.
const LIMIT: usize = 1 << 20;

pub fn run(bytes: &[u8]) -> bool {
    let inflated = match inflate(bytes, LIMIT) {
        Ok(inflated) => inflated,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert!(is_gzip(bytes) && inflated.consumed <= bytes.len() && inflated.data.len() <= LIMIT);
    // The members alone give the same, and not one byte less is allowed.
    let (len, members) = (inflated.data.len(), &bytes[..inflated.consumed]);
    assert_eq!(inflate(members, len).as_ref(), Ok(&inflated));
    assert!(len == 0 || inflate(members, len - 1).is_err());
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let text = b"All tables are shared copy-on-write. ".repeat(40);
    let gzip = |data: &[u8], level| seeds::filter("gzip", &[level, "-c"], data);
    let plain = gzip(&text, "-9");
    let mut named = plain[..10].to_vec();
    named[3] = 0x1c;
    named.extend(b"\x03\0xyzname\0comment\0");
    named.extend(&plain[10..]);
    let noise: Vec<u8> = (0..600u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let two = [gzip(b"one", "-1"), gzip(&noise, "-1"), vec![0; 7]].concat();
    vec![plain, named, two]
}
