//! Nodes of the tree of extents, as bytes and as lists.

use crate::bytes::{halves, le16, le32, put16, put32};
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// `EXT4_EXT_MAGIC`.
const MAGIC: u16 = 0xf30a;

/// Bytes of the head, and of each entry.
pub const ENTRY: usize = 12;

/// Most blocks of an extent that has bytes, and of one that has none yet.
pub const LONGEST: u32 = 32768;
/// Most blocks of an extent in which nothing was written.
pub const LONGEST_UNWRITTEN: u32 = 32767;

/// What the head of a node says.
#[derive(Clone, Copy)]
pub struct Head {
    pub entries: u16,
    pub most: u16,
    pub depth: u16,
}

impl Head {
    /// Reads and checks it.
    pub fn read(bytes: &[u8], size: usize) -> Result<Head, Errno> {
        let head = Head {
            entries: le16(bytes, 2)?,
            most: le16(bytes, 4)?,
            depth: le16(bytes, 6)?,
        };
        let is_sound = le16(bytes, 0)? == MAGIC
            && head.entries <= head.most
            && head.most > 0
            && ENTRY + ENTRY * usize::from(head.most) <= size;
        if is_sound { Ok(head) } else { Err(Errno::EUCLEAN) }
    }

    pub fn write(self, bytes: &mut [u8]) -> Result<(), Errno> {
        put16(bytes, 0, MAGIC)?;
        put16(bytes, 2, self.entries)?;
        put16(bytes, 4, self.most)?;
        put16(bytes, 6, self.depth)?;
        put32(bytes, 8, 0)
    }
}

/// Blocks of a file that follow each other on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileExtent {
    pub logical: u32,
    pub physical: u64,
    pub len: u32,
    pub is_unwritten: bool,
}

impl FileExtent {
    pub fn read(bytes: &[u8], at: usize) -> Result<FileExtent, Errno> {
        let at = ENTRY + ENTRY * at;
        let len = u32::from(le16(bytes, at + 4)?);
        let is_unwritten = len > LONGEST;
        Ok(FileExtent {
            logical: le32(bytes, at)?,
            physical: halves(le32(bytes, at + 8)?, u32::from(le16(bytes, at + 6)?)),
            len: if is_unwritten { len - LONGEST } else { len },
            is_unwritten,
        })
    }

    fn write(&self, bytes: &mut [u8], at: usize) -> Result<(), Errno> {
        let at = ENTRY + ENTRY * at;
        let len = if self.is_unwritten {
            self.len + LONGEST
        } else {
            self.len
        };
        put32(bytes, at, self.logical)?;
        put16(bytes, at + 4, len as u16)?;
        put16(bytes, at + 6, (self.physical >> 32) as u16)?;
        put32(bytes, at + 8, self.physical as u32)
    }

    /// The block of the file behind it.
    pub fn end(&self) -> u64 {
        u64::from(self.logical) + u64::from(self.len)
    }

    /// The part of it from `start` to before `end`, which it covers.
    pub fn part(&self, start: u32, end: u64) -> FileExtent {
        FileExtent {
            logical: start,
            physical: self.physical + u64::from(start - self.logical),
            len: (end - u64::from(start)) as u32,
            ..*self
        }
    }

    /// Whether both together are one.
    pub fn joins(&self, next: &FileExtent) -> bool {
        let longest = if self.is_unwritten {
            LONGEST_UNWRITTEN
        } else {
            LONGEST
        };
        self.is_unwritten == next.is_unwritten
            && self.end() == u64::from(next.logical)
            && self.physical + u64::from(self.len) == next.physical
            && self.len + next.len <= longest
    }
}

/// Where the node is that has what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index {
    pub logical: u32,
    pub physical: u64,
}

impl Index {
    pub fn read(bytes: &[u8], at: usize) -> Result<Index, Errno> {
        let at = ENTRY + ENTRY * at;
        Ok(Index {
            logical: le32(bytes, at)?,
            physical: halves(le32(bytes, at + 4)?, u32::from(le16(bytes, at + 8)?)),
        })
    }
}

/// The last entry that begins not behind `at`, and where the one behind that begins.
pub fn find(bytes: &[u8], head: Head, at: u32) -> Result<(Option<usize>, Option<u32>), Errno> {
    let (mut low, mut high) = (0, usize::from(head.entries));
    while low < high {
        let middle = (low + high) / 2;
        if le32(bytes, ENTRY + ENTRY * middle)? <= at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let after = match low < usize::from(head.entries) {
        true => Some(le32(bytes, ENTRY + ENTRY * low)?),
        false => None,
    };
    Ok((low.checked_sub(1), after))
}

/// All extents of a leaf.
pub fn read_extents(bytes: &[u8]) -> Result<Vec<FileExtent>, Errno> {
    let head = Head::read(bytes, bytes.len())?;
    // Room for what a change adds.
    let mut all = fallible::with_room(usize::from(head.entries) + 4)?;
    for at in 0..usize::from(head.entries) {
        all.try_push(FileExtent::read(bytes, at)?)?;
    }
    Ok(all)
}

/// All indexes of a node.
pub fn read_indexes(bytes: &[u8]) -> Result<Vec<Index>, Errno> {
    let head = Head::read(bytes, bytes.len())?;
    let mut all = fallible::with_room(usize::from(head.entries) + 4)?;
    for at in 0..usize::from(head.entries) {
        all.try_push(Index::read(bytes, at)?)?;
    }
    Ok(all)
}

/// What a node may hold: extents or indexes.
pub trait NodeEntry: Copy {
    /// The first block of the file that it is about.
    fn logical(&self) -> u32;
    /// Writes it as entry `at`.
    fn put(&self, bytes: &mut [u8], at: usize) -> Result<(), Errno>;
}

impl NodeEntry for FileExtent {
    fn logical(&self) -> u32 {
        self.logical
    }

    fn put(&self, bytes: &mut [u8], at: usize) -> Result<(), Errno> {
        self.write(bytes, at)
    }
}

impl NodeEntry for Index {
    fn logical(&self) -> u32 {
        self.logical
    }

    fn put(&self, bytes: &mut [u8], at: usize) -> Result<(), Errno> {
        let at = ENTRY + ENTRY * at;
        put32(bytes, at, self.logical)?;
        put32(bytes, at + 4, self.physical as u32)?;
        put16(bytes, at + 8, (self.physical >> 32) as u16)?;
        put16(bytes, at + 10, 0)
    }
}

/// Writes a node. What was in it behind the last entry stays: nobody looks at it.
pub fn write<T: NodeEntry>(bytes: &mut [u8], most: usize, depth: u16, entries: &[T]) -> Result<(), Errno> {
    let head = Head {
        entries: entries.len() as u16,
        most: most as u16,
        depth,
    };
    head.write(bytes)?;
    for (at, entry) in entries.iter().enumerate() {
        entry.put(bytes, at)?;
    }
    Ok(())
}

/// Where the first entry of a node begins.
pub fn find_first(bytes: &[u8]) -> Result<u32, Errno> {
    le32(bytes, ENTRY)
}
