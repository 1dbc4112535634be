//! The cpio archive of an initramfs.

use crate::seeds;
use formats::cpio::Archive;
use image::cpio::{Entry, archive, file_type};

pub const WORDS: &[&[u8]] = &[
    b"070701",
    b"070702",
    b"TRAILER!!!",
    b"00000000",
    b"ffffffff",
    b"\0\0\0\0",
    b"0000000B",
];

pub fn run(bytes: &[u8]) -> bool {
    let mut archive = Archive::new(bytes);
    let (mut entries, mut offset, mut is_whole) = (0, 0, true);
    while let Some(entry) = archive.next() {
        assert!(is_whole, "something follows an error");
        assert!((offset..=bytes.len()).contains(&archive.offset()));
        offset = archive.offset();
        match entry {
            Ok(entry) => {
                entries += 1;
                assert!(!entry.name.contains(&0) && entry.name.len() < 4096);
                assert!(110 + entry.name.len() + entry.data.len() < offset + 4);
            }
            Err(error) => {
                is_whole = false;
                assert!(error.offset <= bytes.len() && !error.to_string().is_empty());
            }
        }
    }
    assert!(entries * 110 <= bytes.len() && archive.finished() * 110 <= bytes.len());
    assert!(archive.next().is_none() && bytes.ends_with(archive.rest()));
    is_whole && archive.finished() > 0
}

pub fn seeds() -> Vec<Vec<u8>> {
    let entry = |path: &str, mode, data: &[u8], device| Entry {
        path: path.to_owned(),
        mode,
        data: data.to_vec(),
        device,
        owner: (0, 0),
    };
    let ours = archive(&[
        entry("dev", file_type::DIRECTORY | 0o755, b"", (0, 0)),
        entry("dev/console", file_type::CHARACTER | 0o600, b"", (5, 1)),
        entry("init", file_type::REGULAR | 0o755, b"#!/bin/sh\n", (0, 0)),
        entry("sh", file_type::LINK | 0o777, b"init", (0, 0)),
    ]);
    let ours = ours.expect("a small archive");
    let cpio = |format| {
        seeds::filter(
            "cpio",
            &["-o", "-H", format, "--quiet"],
            b"/etc/hostname\n/etc/passwd\n/etc\n",
        )
    };
    // Two archives in a row, with zeros between them, as boot loaders join them.
    let joined = [&ours[..], &[0; 256], &ours[..]].concat();
    vec![ours, joined, cpio("newc"), cpio("crc")]
}
