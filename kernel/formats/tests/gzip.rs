//! gzip files: those of the gzip program, hand-made headers, damaged ones.

use formats::gzip::{GzipError, Inflated, inflate, is_gzip};
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What the gzip program makes of the data.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is needed");
    let (mut stdin, data) = (child.stdin.take().unwrap(), data.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&data));
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap().unwrap();
    output
}

/// Text that compresses, with some noise.
fn text() -> Vec<u8> {
    (0..60_000u32)
        .map(|i| {
            if i % 97 == 0 {
                (i.wrapping_mul(2_654_435_761) >> 24) as u8
            } else {
                b'a' + (i % 7) as u8
            }
        })
        .collect()
}

fn sample() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| gzip(&text()))
}

#[test]
fn the_gzip_program_is_understood() {
    assert!(is_gzip(sample()));
    let inflated = inflate(sample(), 60_000).unwrap();
    assert_eq!((inflated.consumed, &inflated.data), (sample().len(), &text()));
    let large: Vec<u8> = text().repeat(40);
    assert_eq!(inflate(&gzip(&large), usize::MAX).unwrap().data, large);
    assert_eq!(inflate(&gzip(b""), 0).unwrap().data, b"");
}

#[test]
fn members_follow_each_other_and_the_rest_is_left() {
    let two = [gzip(b"one "), gzip(b""), gzip(b"two"), vec![0; 5]].concat();
    let inflated = inflate(&two, 100).unwrap();
    assert_eq!(
        inflated,
        Inflated {
            data: b"one two".to_vec(),
            consumed: two.len() - 5
        }
    );
    assert_eq!(inflate(&two, 7).unwrap().data, b"one two");
    assert_eq!(inflate(&two, 6).unwrap_err(), GzipError::TooLong);
}

#[test]
fn optional_parts_of_the_header_are_skipped() {
    let plain = gzip(b"data");
    let mut file = plain[..10].to_vec();
    file[3] = 0x1e;
    file.extend(b"\x03\0xyz" as &[u8]);
    file.extend(b"name\0comment\0");
    let sum = crc32fast::hash(&file) as u16;
    file.extend(sum.to_le_bytes());
    file.extend(&plain[10..]);
    assert_eq!(inflate(&file, 10).unwrap().data, b"data");
    file[16] ^= 1;
    assert_eq!(inflate(&file, 10).unwrap_err(), GzipError::BadHeaderSum);
}

#[test]
fn damage_is_named() {
    assert_eq!(inflate(b"07070", 10).unwrap_err(), GzipError::NotGzip);
    assert_eq!(inflate(&sample()[..5], 10).unwrap_err(), GzipError::Truncated);
    assert_eq!(
        inflate(&sample()[..200], 1 << 20).unwrap_err(),
        GzipError::Truncated
    );
    assert_eq!(
        inflate(&sample()[..sample().len() - 3], 1 << 20).unwrap_err(),
        GzipError::Truncated
    );
    assert_eq!(inflate(sample(), 59_999).unwrap_err(), GzipError::TooLong);
    let with = |from_end: usize| {
        let mut file = sample().to_vec();
        let at = file.len() - from_end;
        file[at] ^= 0x10;
        inflate(&file, 1 << 20).unwrap_err()
    };
    assert_eq!(with(8), GzipError::BadSum);
    assert_eq!(with(4), GzipError::BadLength);
    let mut method = sample().to_vec();
    method[2] = 7;
    assert_eq!(inflate(&method, 10).unwrap_err(), GzipError::Unsupported);
    let mut block = sample().to_vec();
    block[10] |= 6;
    assert_eq!(inflate(&block, 1 << 20).unwrap_err(), GzipError::BadData);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_files_never_panic_nor_exceed_the_limit(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        limit in 0usize..100_000,
    ) {
        let mut file = sample().to_vec();
        for (index, byte) in damage {
            *index.get_mut(&mut file) = byte;
        }
        if let Ok(inflated) = inflate(&file, limit) {
            prop_assert!(inflated.data.len() <= limit && inflated.data.capacity() <= limit + 1);
        }
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let file = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &body[..]].concat();
        let _ = inflate(&file, 100_000);
    }
}
