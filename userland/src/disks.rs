//! Disks and their partitions, from /proc/partitions: what is on them, and where they are mounted.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::runtime::file::{self, File};

/// Bytes from the beginning of a disk that tell what is on it.
const HEAD: usize = 2048;
/// Where the superblock of ext4 is.
const SUPERBLOCK: usize = 1024;
/// What the first sector of a FAT ends with.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// What is on a disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// As mount(2) calls it: ext4, vfat; empty if that is not known.
    pub kind: &'static str,
    /// Its label; empty for none.
    pub label: String,
    /// Its UUID as blkid(8) writes it; empty for none.
    pub uuid: String,
}

/// A disk or a partition.
#[derive(Clone, Debug)]
pub struct DiskEntry {
    /// As in /dev.
    pub name: String,
    /// MAJOR:MINOR.
    pub number: String,
    /// How large it is.
    pub kibibytes: u64,
    /// What is on it, as far as the caller may read it.
    pub contents: Contents,
    /// Where it is mounted.
    pub place: Option<String>,
}

impl DiskEntry {
    /// Whether something on it can be mounted.
    pub fn is_file_system(&self) -> bool {
        !self.contents.kind.is_empty()
    }

    /// Whether the root is on it.
    pub fn is_root(&self) -> bool {
        self.place.as_deref() == Some("/")
    }
}

/// Every disk and partition, in the kernel's order; none if the kernel has no disks.
pub fn all() -> Vec<DiskEntry> {
    let table = file::read_text("/proc/partitions").unwrap_or_default();
    let mounts = file::read_text("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|line| entry(line, &mounts)).collect()
}

fn entry(line: &str, mounts: &str) -> Option<DiskEntry> {
    let mut words = line.split_whitespace();
    let (major, minor) = (words.next()?, words.next()?);
    let kibibytes = words.next()?.parse().ok()?;
    let name = String::from(words.next()?);
    let number = format!("{major}:{minor}");
    let contents = contents_of(&format!("/dev/{name}"));
    let place = mounts.lines().find_map(|mount| place_of(mount, &number));
    Some(DiskEntry {
        name,
        number,
        kibibytes,
        contents,
        place,
    })
}

/// The folder of a line of mountinfo, if it is of that device.
fn place_of(line: &str, number: &str) -> Option<String> {
    let mut words = line.split(' ').skip(2);
    (words.next()? == number).then_some(())?;
    words.nth(1).map(String::from)
}

/// What is on that disk; nothing if it cannot be read.
pub fn contents_of(path: &str) -> Contents {
    let mut head = [0; HEAD];
    match File::read_only(path).and_then(|disk| disk.read_at(0, &mut head)) {
        Ok(HEAD) => identify(&head),
        _ => Contents::default(),
    }
}

/// What begins like that.
fn identify(head: &[u8; HEAD]) -> Contents {
    let ext = &head[SUPERBLOCK..];
    if ext[0x38..0x3a] == [0x53, 0xef] {
        return Contents {
            kind: "ext4",
            label: text(&ext[0x78..0x88]),
            uuid: uuid(&ext[0x68..0x78]),
        };
    }
    if head[510..512] == SIGNATURE && &head[82..90] == b"FAT32   " {
        let label = text(&head[71..82]);
        return Contents {
            kind: "vfat",
            label: if label == "NO NAME" { String::new() } else { label },
            uuid: format!(
                "{:02X}{:02X}-{:02X}{:02X}",
                head[70], head[69], head[68], head[67]
            ),
        };
    }
    Contents::default()
}

fn text(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from(String::from_utf8_lossy(&bytes[..len]).trim_end_matches(' '))
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The disk that `LABEL=`, `UUID=` or a path means, as a path; `None` if there is none of that label or UUID.
pub fn find(wanted: &str) -> Option<String> {
    let is_meant: &dyn Fn(&Contents) -> bool = match wanted.split_once('=') {
        Some(("LABEL", label)) => &move |found: &Contents| found.label == label && !label.is_empty(),
        Some(("UUID", uuid)) => {
            &move |found: &Contents| found.uuid.eq_ignore_ascii_case(uuid) && !uuid.is_empty()
        }
        _ => return Some(String::from(wanted)),
    };
    let found = all().into_iter().find(|disk| is_meant(&disk.contents))?;
    Some(format!("/dev/{}", found.name))
}

/// Whether the root is on a disk, so that what is written to it stays.
pub fn is_root_kept() -> bool {
    all().iter().any(DiskEntry::is_root)
}

/// What a newcomer is told of the disks: whether what is written stays, and how.
pub fn advice() -> String {
    let all = all();
    if let Some(root) = all.iter().find(|disk| disk.is_root()) {
        return format!(
            "What you write stays: / is on the disk /dev/{}. End with `poweroff`.",
            root.name
        );
    }
    let Some(free) = all
        .iter()
        .find(|disk| disk.is_file_system() && disk.place.is_none())
    else {
        let what = match all.first() {
            Some(disk) => format!("the disk /dev/{} has nothing that can be mounted", disk.name),
            None => String::from("there is no disk"),
        };
        return format!("What you write is lost at power-off: {what}. `help files` tells more.");
    };
    format!(
        "What you write is in memory, and lost at power-off. A disk keeps it: `mount /dev/{} /mnt`; `help files`.",
        free.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superblocks_say_what_they_are() {
        let mut head = [0; HEAD];
        assert_eq!(identify(&head), Contents::default());
        head[510..512].copy_from_slice(&SIGNATURE);
        head[82..90].copy_from_slice(b"FAT32   ");
        head[71..82].copy_from_slice(b"HOLSTEIN   ");
        head[67..71].copy_from_slice(&[0x53, 0x4c, 0x4f, 0x48]);
        let fat = identify(&head);
        assert_eq!(
            (fat.kind, &*fat.label, &*fat.uuid),
            ("vfat", "HOLSTEIN", "484F-4C53")
        );
        head[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        head[1024 + 0x68..1024 + 0x78].copy_from_slice(&core::array::from_fn::<u8, 16, _>(|at| at as u8));
        head[1024 + 0x78..1024 + 0x7d].copy_from_slice(b"stall");
        let ext = identify(&head);
        assert_eq!((ext.kind, &*ext.label), ("ext4", "stall"));
        assert_eq!(ext.uuid, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn a_line_of_mountinfo_names_device_and_place() {
        let line = "21 1 254:1 / /mnt rw,relatime - ext4 /dev/vda1 rw";
        assert_eq!(place_of(line, "254:1").as_deref(), Some("/mnt"));
        assert_eq!(place_of(line, "254:0"), None);
        let found = entry(" 254        1       8192 vda1", line).unwrap();
        assert_eq!((&*found.name, found.kibibytes), ("vda1", 8192));
        assert_eq!(found.place.as_deref(), Some("/mnt"));
        assert!(entry("major minor  #blocks  name", line).is_none());
    }

    #[test]
    fn a_path_means_itself() {
        assert_eq!(find("/dev/vda").as_deref(), Some("/dev/vda"));
        assert_eq!(find("LABEL=none"), None);
    }
}
