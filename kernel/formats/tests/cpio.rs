//! cpio archives: those of the cpio program, hand-made ones, damaged ones.

mod here;

use formats::cpio::{Archive, CpioError, CpioErrorKind, Entry, is_cpio};
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};

/// One entry, padding included.
fn entry(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let sum = 0;
    entry_with_sum("070701", name, mode, data, sum)
}

fn entry_with_sum(magic: &str, name: &str, mode: u32, data: &[u8], sum: u32) -> Vec<u8> {
    let mut bytes = magic.as_bytes().to_vec();
    for field in [
        7,
        mode,
        1,
        2,
        1,
        99,
        data.len() as u32,
        8,
        9,
        5,
        1,
        name.len() as u32 + 1,
        sum,
    ] {
        bytes.extend(format!("{field:08X}").bytes());
    }
    bytes.extend(name.bytes().chain([0]));
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn trailer() -> Vec<u8> {
    entry("TRAILER!!!", 0, b"")
}

fn names(bytes: &[u8]) -> Result<Vec<String>, CpioError> {
    Archive::new(bytes)
        .map(|entry| entry.map(|entry| String::from_utf8_lossy(entry.name).into()))
        .collect()
}

fn error(bytes: &[u8]) -> (usize, CpioErrorKind) {
    let error = names(bytes).unwrap_err();
    (error.offset, error.kind)
}

#[test]
fn every_field_is_read() {
    let bytes = [entry("dev/console", 0o20600, b"abcde"), trailer()].concat();
    let expected = Entry {
        name: b"dev/console",
        ino: 7,
        mode: 0o20600,
        uid: 1,
        gid: 2,
        nlink: 1,
        mtime: 99,
        dev: (8, 9),
        rdev: (5, 1),
        data: b"abcde",
    };
    let entries: Vec<_> = Archive::new(&bytes).collect();
    assert_eq!(entries, [Ok(expected)]);
}

#[test]
fn archives_follow_each_other() {
    let first = [entry("a", 0o100644, b"1"), trailer()].concat();
    let mut two = first.clone();
    two.resize(two.len().next_multiple_of(512), 0);
    two.extend([entry("b", 0o100644, b"22"), trailer()].concat());
    two.resize(two.len() + 512, 0);
    assert_eq!(names(&two).unwrap(), ["a", "b"]);

    let mut then_gzip = [first.clone(), vec![0; 8]].concat();
    then_gzip.extend([0x1f, 0x8b, 8]);
    let mut archive = Archive::new(&then_gzip);
    assert_eq!(archive.by_ref().count(), 1);
    assert_eq!(archive.rest(), [0x1f, 0x8b, 8]);

    let crooked = [first.clone(), vec![0; 2], first].concat();
    let mut archive = Archive::new(&crooked);
    assert_eq!(archive.by_ref().count(), 1);
    assert!(
        is_cpio(archive.rest()),
        "an archive begins at a multiple of 4 only"
    );
}

#[test]
fn damage_is_named_with_its_place() {
    let good = [
        entry("a", 0o100644, b"12345"),
        entry("b", 0o100644, b""),
        trailer(),
    ]
    .concat();
    let second = entry("a", 0o100644, b"12345").len();
    assert_eq!(error(&good[..second]), (second, CpioErrorKind::NoTrailer));
    assert_eq!(error(&good[..second + 50]), (second, CpioErrorKind::Truncated));
    assert_eq!(error(&good[..115]), (0, CpioErrorKind::Truncated));
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(error(&with(second + 1, b'x')), (second, CpioErrorKind::BadMagic));
    assert_eq!(error(&with(second + 20, b'g')), (second, CpioErrorKind::BadDigit));
    assert_eq!(
        error(&with(54, b'7')),
        (0, CpioErrorKind::Truncated),
        "a length of 1.8 GB"
    );
    assert_eq!(error(&with(111, b'x')), (0, CpioErrorKind::NameNotTerminated));
    assert_eq!(
        error(&with(94, b'F')),
        (0, CpioErrorKind::Truncated),
        "a name of 251 MB"
    );
    assert_eq!(Archive::new(b"no archive").count(), 0);
    assert_eq!(Archive::new(b"no archive").rest(), b"no archive");
}

#[test]
fn names_that_are_empty_or_too_long_cost_their_own_entry() {
    let mut nameless = entry("", 0o100644, b"1234");
    nameless[94..102].copy_from_slice(b"00000000");
    let longest = "n".repeat(4095);
    let bytes = [
        entry("a", 0o100644, b"1"),
        entry(&"n".repeat(4096), 0o100644, b"12345"),
        nameless,
        entry(&longest, 0o100644, b""),
        trailer(),
    ]
    .concat();
    assert_eq!(names(&bytes).unwrap(), ["a", &longest]);
}

#[test]
fn the_ends_of_archives_are_counted() {
    let one = [entry("a", 0o100644, b"1"), trailer()].concat();
    let both = [one.clone(), one].concat();
    let mut archive = Archive::new(&both);
    let seen = |archive: &mut Archive<'_>| archive.next().map(|_| archive.finished());
    assert_eq!(
        [seen(&mut archive), seen(&mut archive), seen(&mut archive)],
        [Some(0), Some(1), None]
    );
    assert_eq!(archive.finished(), 2);
}

#[test]
fn sums_are_checked_where_the_header_has_them() {
    let good = [
        entry_with_sum("070702", "a", 0o100644, b"\x01\xff", 0x100),
        trailer(),
    ]
    .concat();
    assert_eq!(names(&good).unwrap(), ["a"]);
    let bad = [
        entry_with_sum("070702", "a", 0o100644, b"\x01\xff", 0x101),
        trailer(),
    ]
    .concat();
    assert_eq!(error(&bad), (0, CpioErrorKind::BadSum));
}

#[test]
fn the_cpio_program_is_understood() {
    let directory = here::scratch().join("cpio-tree");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("bin")).unwrap();
    std::fs::write(directory.join("bin/tool"), vec![b'x'; 5000]).unwrap();
    std::fs::hard_link(directory.join("bin/tool"), directory.join("bin/other")).unwrap();
    std::os::unix::fs::symlink("bin/tool", directory.join("init")).unwrap();
    let mut cpio = Command::new("cpio")
        .args(["--quiet", "-o", "-H", "newc"])
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cpio is needed");
    cpio.stdin
        .take()
        .unwrap()
        .write_all(b".\nbin\nbin/tool\nbin/other\ninit\n")
        .unwrap();
    let bytes = cpio.wait_with_output().unwrap().stdout;
    let entries: Vec<_> = Archive::new(&bytes).collect::<Result<_, _>>().unwrap();
    let find = |name: &str| {
        *entries
            .iter()
            .find(|entry| entry.name == name.as_bytes())
            .unwrap()
    };
    assert_eq!(entries.len(), 5);
    assert_eq!(find(".").mode & 0o170000, 0o040000);
    assert_eq!(find("init").data, b"bin/tool");
    let (tool, other) = (find("bin/tool"), find("bin/other"));
    assert_eq!((tool.ino, tool.nlink, other.nlink), (other.ino, 2, 2));
    assert_eq!(
        tool.data.len() + other.data.len(),
        5000,
        "one of both carries the data"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut archive = Archive::new(&bytes);
        let _ = (archive.by_ref().count(), archive.rest());
    }

    #[test]
    fn damaged_archives_never_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = [entry("a", 0o100644, b"12345"), entry("bb/c", 0o120777, b"a"), trailer(), vec![0; 7]].concat();
        for (index, byte) in damage {
            *index.get_mut(&mut bytes) = byte;
        }
        let mut archive = Archive::new(&bytes);
        let (count, errors) = archive.by_ref().fold((0, 0), |(count, errors), entry| (count + 1, errors + entry.is_err() as u32));
        prop_assert!(count <= 4 && errors <= 1 && archive.next().is_none());
    }

    #[test]
    fn entries_come_back(files in proptest::collection::vec(("[a-z/]{1,20}", proptest::collection::vec(any::<u8>(), 0..40)), 0..6)) {
        let mut bytes: Vec<u8> = files.iter().flat_map(|(name, data)| entry(name, 0o100644, data)).collect();
        bytes.extend(trailer());
        let back: Vec<_> = Archive::new(&bytes).map(|entry| entry.unwrap()).map(|e| (String::from_utf8_lossy(e.name).to_string(), e.data.to_vec())).collect();
        prop_assert_eq!(back, files);
    }
}
