//! The entries of a block of a directory.

use crate::bytes::{byte, le16, le32, put, put16, put32, slice};
use abi::Errno;

/// Bytes before the name.
pub const HEAD: usize = 8;

/// Bytes that an entry with a name of that length needs.
pub fn needed(name: usize) -> usize {
    (HEAD + name).next_multiple_of(4)
}

/// A length as an entry has it.
pub fn short(len: usize) -> u16 {
    match u16::try_from(len) {
        Ok(len) if len < 65535 => len,
        _ => 65535,
    }
}

/// A place for an entry.
#[derive(Clone, Copy)]
pub struct EntrySlot<'a> {
    /// Where it stands in the block.
    pub at: usize,
    /// Bytes up to the next.
    pub len: usize,
    /// 0: it is free.
    pub inode: u32,
    /// `file_type`.
    pub kind: u8,
    pub name: &'a [u8],
}

impl EntrySlot<'_> {
    /// Bytes of it that are in use.
    pub fn used(&self) -> usize {
        if self.inode == 0 {
            0
        } else {
            needed(self.name.len())
        }
    }
}

/// Whether entries say what kind of file they stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// They do.
    Stored,
    /// They have zeros there: longer names were once foreseen.
    Missing,
}

/// All of them, one after the other; damage ends them.
pub struct EntrySlots<'a> {
    bytes: &'a [u8],
    at: usize,
    kinds: Kinds,
    has_open_end: bool,
}

impl<'a> EntrySlots<'a> {
    /// The places in these bytes, which they fill.
    pub fn new(bytes: &'a [u8], kinds: Kinds) -> EntrySlots<'a> {
        EntrySlots {
            bytes,
            at: 0,
            kinds,
            has_open_end: false,
        }
    }

    /// The last one goes on behind the bytes.
    pub fn with_open_end(mut self) -> EntrySlots<'a> {
        self.has_open_end = true;
        self
    }

    /// The place that stands there.
    pub fn at(&mut self, at: usize) -> Result<EntrySlot<'a>, Errno> {
        self.at = at;
        self.read()
    }

    fn read(&self) -> Result<EntrySlot<'a>, Errno> {
        let (bytes, at) = (self.bytes, self.at);
        let len = match le16(bytes, at + 4)? {
            65535 | 0 => 65536,
            len => usize::from(len),
        };
        let name = usize::from(byte(bytes, at + 6)?);
        let kind = byte(bytes, at + 7)?;
        if self.kinds == Kinds::Missing && kind != 0 {
            return Err(Errno::EUCLEAN);
        }
        let end = at + len;
        let fits = end <= bytes.len() || (self.has_open_end && at > 0);
        // What follows must have room for an entry.
        let is_sound = len.is_multiple_of(4)
            && len >= needed(1)
            && len >= needed(name)
            && fits
            && (end >= bytes.len() || bytes.len() - end >= needed(1) || self.has_open_end);
        if !is_sound {
            return Err(Errno::EUCLEAN);
        }
        let slot = EntrySlot {
            at,
            len,
            inode: le32(bytes, at)?,
            kind,
            name: slice(bytes, at + HEAD, name)?,
        };
        let is_name = slot.inode == 0 || (name > 0 && !slot.name.iter().any(|byte| matches!(byte, 0 | b'/')));
        if is_name { Ok(slot) } else { Err(Errno::EUCLEAN) }
    }
}

impl<'a> Iterator for EntrySlots<'a> {
    type Item = Result<EntrySlot<'a>, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let slot = self.read();
        self.at = match &slot {
            Ok(slot) => slot.at + slot.len,
            Err(_) => self.bytes.len(),
        };
        Some(slot)
    }
}

/// A name to be entered.
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    pub name: &'a [u8],
    pub inode: u32,
    /// `file_type`; 0 in a file system that has none.
    pub kind: u8,
}

/// Writes an entry that fills `len` bytes.
pub fn write(bytes: &mut [u8], at: usize, len: usize, entry: &NewEntry<'_>) -> Result<(), Errno> {
    put32(bytes, at, entry.inode)?;
    put16(bytes, at + 4, short(len))?;
    put(bytes, at + 6, &[entry.name.len() as u8, entry.kind])?;
    put(bytes, at + HEAD, entry.name)
}

/// Writes an entry into the place `slot`, behind what that has.
pub fn write_behind(
    bytes: &mut [u8],
    slot: (usize, usize, usize),
    entry: &NewEntry<'_>,
) -> Result<(), Errno> {
    let (at, len, used) = slot;
    if used > 0 {
        put16(bytes, at + 4, short(used))?;
    }
    write(bytes, at + used, len - used, entry)
}
