//! By what a file system can be named that nobody has mounted yet: its UUID and its label.

use block::{BlockDevice, Volume};
use memory::fallible;

/// Bytes that are looked at: a boot sector of FAT, and behind it a superblock of ext4.
const HEAD: usize = 2048;
const SUPERBLOCK: usize = 1024;

/// What a file system is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskIdentity {
    /// For machines: 16 bytes of ext4, 4 of FAT, as they are written.
    uuid: ([u8; 16], usize),
    /// For people.
    label: ([u8; 16], usize),
}

impl DiskIdentity {
    /// Whether `text` is that UUID: its digits, with hyphens wherever.
    pub fn has_uuid(&self, text: &str) -> bool {
        let digits = text.bytes().filter(|byte| *byte != b'-');
        let value = |digit: u8| char::from(digit).to_digit(16);
        let bytes = &self.uuid.0[..self.uuid.1];
        let mut expected = bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(u32::from);
        digits.map(value).all(|digit| digit == expected.next()) && expected.next().is_none()
    }

    /// Whether it is called that.
    pub fn has_label(&self, text: &str) -> bool {
        &self.label.0[..self.label.1] == text.as_bytes()
    }
}

/// What is on the disk, if that is one of these file systems.
pub fn identity(volume: &Volume) -> Option<DiskIdentity> {
    let mut head = fallible::filled(HEAD, 0).ok()?;
    volume.read(0, &mut head).ok()?;
    of_head(&head)
}

fn of_head(head: &[u8]) -> Option<DiskIdentity> {
    let padded = |from: &[u8]| core::array::from_fn(|index| from.get(index).copied().unwrap_or(0));
    let ext = &head[SUPERBLOCK..];
    if ext[0x38..0x3a] == [0x53, 0xef] {
        let label = &ext[0x78..0x88];
        let len = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
        return Some(DiskIdentity {
            uuid: (padded(&ext[0x68..0x78]), 16),
            label: (padded(label), len),
        });
    }
    if head[510..512] == [0x55, 0xaa] && &head[82..90] == b"FAT32   " {
        let label = &head[71..82];
        let len = label
            .iter()
            .rposition(|byte| *byte != b' ')
            .map_or(0, |last| last + 1);
        let len = if label == b"NO NAME    " { 0 } else { len };
        return Some(DiskIdentity {
            uuid: (padded(&[head[70], head[69], head[68], head[67]]), 4),
            label: (padded(label), len),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ext4_and_fat_have_uuid_and_label() {
        let mut head = [0; HEAD];
        assert_eq!(of_head(&head), None);
        head[510..512].copy_from_slice(&[0x55, 0xaa]);
        head[82..90].copy_from_slice(b"FAT32   ");
        head[71..82].copy_from_slice(b"HOLSTEIN   ");
        head[67..71].copy_from_slice(&[0x53, 0x4c, 0x4f, 0x48]);
        let fat = of_head(&head).unwrap();
        assert!(fat.has_uuid("484F-4C53") && fat.has_uuid("484f4c53") && !fat.has_uuid("484F-4C5"));
        assert!(fat.has_label("HOLSTEIN") && !fat.has_label("HOLSTEIN ") && !fat.has_label(""));
        head[SUPERBLOCK + 0x38..SUPERBLOCK + 0x3a].copy_from_slice(&[0x53, 0xef]);
        head[SUPERBLOCK + 0x78..SUPERBLOCK + 0x7d].copy_from_slice(b"stall");
        let ext = of_head(&head).unwrap();
        assert!(ext.has_label("stall") && ext.has_uuid("00000000-0000-0000-0000-000000000000"));
        assert!(!ext.has_uuid("0000-0000"));
    }
}
