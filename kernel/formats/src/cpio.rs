//! The cpio "newc" archive of an initramfs: `Documentation/driver-api/early-userspace/buffer-format.rst`, and Linux's
//! reader `init/initramfs.c`. An entry is a header of 110 ASCII bytes, the name with its NUL, padding to 4, the data,
//! padding to 4. The entry `TRAILER!!!` ends an archive; behind it zeros, and further archives, may follow. An entry whose name
//! is empty or too long is passed over, as Linux does.

use core::fmt;

/// Length of an entry's header: the magic and 13 fields of 8 hexadecimal digits.
const HEADER_LEN: usize = 110;
/// Longest name, NUL included (`PATH_MAX`).
const NAME_MAX: usize = 4096;
const TRAILER: &[u8] = b"TRAILER!!!";

/// One entry. Hard links share `(dev, ino)` and have `nlink > 1`; only the last of them carries the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The path, without NUL, as the archive writes it: mostly without a leading slash, "." for the root.
    pub name: &'a [u8],
    /// Inode number in the archive.
    pub ino: u32,
    /// Kind and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names.
    pub nlink: u32,
    /// Last write, in seconds since 1970.
    pub mtime: u32,
    /// Device that held the file, major and minor number.
    pub dev: (u32, u32),
    /// The device that a device file stands for, major and minor number.
    pub rdev: (u32, u32),
    /// The file's bytes, or the target of a symbolic link.
    pub data: &'a [u8],
}

/// What is wrong with an archive, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpioError {
    /// Where the damaged entry begins.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: CpioErrorKind,
}

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpioErrorKind {
    /// No "070701" or "070702" where an entry should begin.
    BadMagic,
    /// A header field is not hexadecimal.
    BadDigit,
    /// The name does not end with NUL.
    NameNotTerminated,
    /// Header, name or data reach beyond the end.
    Truncated,
    /// The data do not have the sum that a "070702" header gives.
    BadSum,
    /// The bytes end without a trailer.
    NoTrailer,
}

/// Whether the bytes begin like an archive.
pub fn is_cpio(bytes: &[u8]) -> bool {
    bytes.starts_with(b"070701") || bytes.starts_with(b"070702")
}

/// Iterates over the entries of one or more archives that follow each other. After an error it ends.
///
/// ```
/// use formats::cpio::{Archive, CpioErrorKind};
///
/// let trailer = format!("070701{}{:08x}{:08x}TRAILER!!!\0\0\0\0", "0".repeat(88), 11, 0);
/// let mut archive = Archive::new(trailer.as_bytes());
/// assert!(archive.next().is_none() && archive.finished() == 1);
///
/// let error = Archive::new(b"070701").next().unwrap().unwrap_err();
/// assert_eq!((error.offset, error.kind), (0, CpioErrorKind::Truncated));
/// ```
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    offset: usize,
    is_inside: bool,
    finished: usize,
}

impl<'a> Archive<'a> {
    /// An archive at the start of `bytes`; zeros before it are skipped.
    pub fn new(bytes: &'a [u8]) -> Archive<'a> {
        Archive {
            bytes,
            offset: 0,
            is_inside: false,
            finished: 0,
        }
    }

    /// How many archives have ended: hard links join entries of one archive only.
    pub fn finished(&self) -> usize {
        self.finished
    }

    /// What follows the last archive, once the iterator has ended: empty, or something that does not begin like a cpio
    /// archive, such as a compressed one.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Skips zeros between archives; whether another archive begins there. Archives begin at a multiple of 4.
    fn find_next_archive(&mut self) -> bool {
        let zeros = self.rest().iter().take_while(|&&byte| byte == 0).count();
        self.offset += zeros;
        self.is_inside = self.offset.is_multiple_of(4) && is_cpio(self.rest());
        self.is_inside
    }

    /// Reads the entry at the current offset and moves behind it. `None` for one whose name is empty or too long.
    fn read_entry(&mut self) -> Result<Option<Entry<'a>>, CpioErrorKind> {
        if self.rest().is_empty() {
            return Err(CpioErrorKind::NoTrailer);
        }
        let header = Header::parse(self.rest())?;
        let name = self.part(HEADER_LEN, header.name_len)?;
        let data = self.part(
            (HEADER_LEN + header.name_len).next_multiple_of(4),
            header.data_len,
        )?;
        let has_name = (1..=NAME_MAX).contains(&header.name_len);
        let entry = has_name.then(|| header.entry(name, data)).transpose()?;
        let len = (HEADER_LEN + header.name_len).next_multiple_of(4) + data.len();
        // The padding of the last entry may be missing.
        self.offset = (self.offset + len).next_multiple_of(4).min(self.bytes.len());
        Ok(entry)
    }

    /// Bytes of the current entry.
    fn part(&self, start: usize, len: usize) -> Result<&'a [u8], CpioErrorKind> {
        let end = start.checked_add(len).ok_or(CpioErrorKind::Truncated)?;
        self.rest().get(start..end).ok_or(CpioErrorKind::Truncated)
    }
}

impl<'a> Iterator for Archive<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if !self.is_inside && !self.find_next_archive() {
                return None;
            }
            let offset = self.offset;
            match self.read_entry() {
                Ok(Some(entry)) if entry.name == TRAILER => {
                    self.is_inside = false;
                    self.finished += 1;
                }
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(kind) => {
                    self.offset = self.bytes.len();
                    self.is_inside = false;
                    return Some(Err(CpioError { offset, kind }));
                }
            }
        }
    }
}

impl core::iter::FusedIterator for Archive<'_> {}

/// The fields of an entry's header, in their order.
struct Header {
    fields: [u32; 13],
    name_len: usize,
    data_len: usize,
    has_sum: bool,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Header, CpioErrorKind> {
        if bytes.len() < HEADER_LEN && !is_cpio(bytes) {
            return Err(CpioErrorKind::BadMagic);
        }
        let (magic, digits) = bytes
            .get(..HEADER_LEN)
            .ok_or(CpioErrorKind::Truncated)?
            .split_at(6);
        if !is_cpio(magic) {
            return Err(CpioErrorKind::BadMagic);
        }
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(digits.chunks_exact(8)) {
            *field = hexadecimal(digits).ok_or(CpioErrorKind::BadDigit)?;
        }
        let (data_len, name_len) = (fields[6] as usize, fields[11] as usize);
        Ok(Header {
            fields,
            name_len,
            data_len,
            has_sum: magic[5] == b'2',
        })
    }

    /// The entry with this name, of which the NUL is the last byte, and these data.
    fn entry<'a>(&self, name: &'a [u8], data: &'a [u8]) -> Result<Entry<'a>, CpioErrorKind> {
        let Some((0, name)) = name.split_last() else {
            return Err(CpioErrorKind::NameNotTerminated);
        };
        let name = &name[..name.iter().position(|&byte| byte == 0).unwrap_or(name.len())];
        self.check_sum(data)?;
        let [
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            _,
            dev_major,
            dev_minor,
            rdev_major,
            rdev_minor,
            _,
            _,
        ] = self.fields;
        let (dev, rdev) = ((dev_major, dev_minor), (rdev_major, rdev_minor));
        Ok(Entry {
            name,
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            dev,
            rdev,
            data,
        })
    }

    fn check_sum(&self, data: &[u8]) -> Result<(), CpioErrorKind> {
        let sum = || data.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte as u32));
        if self.has_sum && sum() != self.fields[12] {
            Err(CpioErrorKind::BadSum)
        } else {
            Ok(())
        }
    }
}

/// The number that eight hexadecimal digits write.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, &digit| {
        Some(number << 4 | (digit as char).to_digit(16)?)
    })
}

impl fmt::Display for CpioErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CpioErrorKind::BadMagic => "no cpio header",
            CpioErrorKind::BadDigit => "a header field is not hexadecimal",
            CpioErrorKind::NameNotTerminated => "a name does not end with NUL",
            CpioErrorKind::Truncated => "an entry is cut short",
            CpioErrorKind::BadSum => "an entry's data do not have the sum given",
            CpioErrorKind::NoTrailer => "the archive ends without its trailer",
        })
    }
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpio archive damaged at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for CpioError {}
