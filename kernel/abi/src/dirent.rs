//! The records that getdents64(2) writes (`struct linux_dirent64` in `linux/dirent.h`): inode (8 bytes), offset of the
//! next entry (8), length of this record (2), kind (1), name with its NUL, padding to a multiple of 8.

/// Bytes of a record before its name.
pub const HEADER_LEN: usize = 19;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirent<'a> {
    /// Inode number.
    pub ino: u64,
    /// Where lseek(2) continues behind this entry.
    pub next_offset: i64,
    /// `DT_*`.
    pub kind: u8,
    /// The name, without NUL.
    pub name: &'a [u8],
}

impl<'a> Dirent<'a> {
    /// Length of the record, padding included.
    pub const fn record_len(&self) -> usize {
        (HEADER_LEN + self.name.len() + 1).next_multiple_of(8)
    }

    /// What stands before the name; `None` for a name that is too long for any record.
    pub fn header(&self) -> Option<[u8; HEADER_LEN]> {
        let record_len = u16::try_from(self.record_len()).ok()?;
        let mut header = [0; HEADER_LEN];
        header[..8].copy_from_slice(&self.ino.to_le_bytes());
        header[8..16].copy_from_slice(&self.next_offset.to_le_bytes());
        header[16..18].copy_from_slice(&record_len.to_le_bytes());
        header[18] = self.kind;
        Some(header)
    }

    /// What stands behind the name: its NUL and the padding, 1 to 8 bytes.
    pub const fn end(&self) -> &'static [u8] {
        const ZEROS: [u8; 8] = [0; 8];
        let len = self.record_len() - HEADER_LEN - self.name.len();
        ZEROS.split_at(len).0
    }

    /// Reads the record at the start of `buffer`; also returns what follows. `None` if there is no whole record.
    pub fn read_from(buffer: &'a [u8]) -> Option<(Dirent<'a>, &'a [u8])> {
        let record_len = u16::from_le_bytes(*buffer.get(16..)?.first_chunk()?) as usize;
        let record = buffer.get(..record_len)?;
        let name = record.get(HEADER_LEN..)?;
        let dirent = Dirent {
            ino: u64::from_le_bytes(*record.first_chunk()?),
            next_offset: i64::from_le_bytes(*record.get(8..)?.first_chunk()?),
            kind: record[18],
            name: &name[..name.iter().position(|&byte| byte == 0)?],
        };
        Some((dirent, &buffer[record_len..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_as_linux_writes_it() {
        let dirent = Dirent {
            ino: 7,
            next_offset: 3,
            kind: 8,
            name: b"hello",
        };
        let header = dirent.header().expect("a short name");
        let record = [&header, dirent.name, dirent.end()].concat();
        assert_eq!(
            record,
            b"\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x20\0\x08hello\0\0\0\0\0\0\0\0"
        );
        assert_eq!(record.len(), dirent.record_len());
        let more = [&record[..], &[0xff; 8]].concat();
        let (back, rest) = Dirent::read_from(&more).unwrap();
        assert_eq!((back, rest.len()), (dirent, 8));
        assert!(Dirent::read_from(&record[..31]).is_none());
        let long = Dirent {
            name: &[b'a'; 1 << 16],
            ..dirent
        };
        assert_eq!(long.header(), None);
    }
}
