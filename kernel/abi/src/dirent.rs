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

    /// Writes the record at the start of `buffer` and returns its length; `None` if it does not fit.
    pub fn write_to(&self, buffer: &mut [u8]) -> Option<usize> {
        let len = self.record_len();
        let record = buffer.get_mut(..len)?;
        let record_len = u16::try_from(len).ok()?;
        record.fill(0);
        record[..8].copy_from_slice(&self.ino.to_le_bytes());
        record[8..16].copy_from_slice(&self.next_offset.to_le_bytes());
        record[16..18].copy_from_slice(&record_len.to_le_bytes());
        record[18] = self.kind;
        record[HEADER_LEN..HEADER_LEN + self.name.len()].copy_from_slice(self.name);
        Some(len)
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
        let mut buffer = [0xff; 40];
        assert_eq!(dirent.write_to(&mut buffer), Some(32));
        assert_eq!(
            buffer[..32],
            *b"\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x20\0\x08hello\0\0\0\0\0\0\0\0"
        );
        let (back, rest) = Dirent::read_from(&buffer).unwrap();
        assert_eq!((back, rest.len()), (dirent, 8));
        assert_eq!(
            dirent.write_to(&mut buffer[..31]),
            None,
            "the padding must fit too"
        );
        assert!(Dirent::read_from(&buffer[..31]).is_none());
    }
}
