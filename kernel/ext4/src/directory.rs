//! Directories: names and the inodes that they stand for.
//!
//! A directory of one block, or of a file system without indexes, is a list. A larger one has an index of hashes.

mod entries;
pub(crate) mod hash;
mod index;
mod insert;
mod list;

pub use list::Listed;

use crate::bytes::{byte, le16, le32, put, put16, put32, slice};
use crate::cache::Bytes;
use crate::extents::BlockState;
use crate::inode::{DiskInode, flag};
use crate::seal::Seal;
use crate::superblock::incompatible;
use crate::volume::Ext4;
use abi::Errno;
use entries::{EntrySlots, Kinds};

/// Longest name.
pub const LONGEST_NAME: usize = 255;

/// Bytes of the entry at the end of a block that has the checksum.
const TAIL: usize = 12;

/// An entry of a directory that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundEntry {
    /// The inode.
    pub inode: u32,
    /// The block of the disk, and where in it the entry stands.
    place: (u64, usize),
}

/// `file_type` of an entry: what kind of file the mode says.
pub fn kind_of(mode: u16) -> u8 {
    match mode >> 12 {
        0x8 => 1,
        0x4 => 2,
        0x2 => 3,
        0x6 => 4,
        0x1 => 5,
        0xc => 6,
        0xa => 7,
        _ => 0,
    }
}

impl Ext4 {
    /// The block of the disk that is block `at` of a directory.
    pub(crate) fn directory_block(&mut self, inode: &DiskInode, at: u32) -> Result<u64, Errno> {
        let found = self.map_inode(inode, at, 1)?;
        if found.state == BlockState::Written {
            Ok(found.physical)
        } else {
            Err(Errno::EUCLEAN)
        }
    }

    /// How many blocks a directory has.
    pub(crate) fn directory_blocks(&self, inode: &DiskInode) -> Result<u32, Errno> {
        let size = inode.size()?;
        let is_whole = size.is_multiple_of(self.geometry.block_size as u64);
        let blocks = u32::try_from(size >> self.geometry.block_shift).ok();
        blocks
            .filter(|blocks| is_whole && *blocks > 0 && u64::from(*blocks) <= self.geometry.blocks)
            .ok_or(Errno::EUCLEAN)
    }

    /// A block of entries, checked.
    fn leaf_block(&mut self, inode: &DiskInode, at: u32) -> Result<(u64, Bytes), Errno> {
        let block = self.directory_block(inode, at)?;
        let seed = inode.seed(&self.geometry)?;
        let bytes = self.block(block, Seal::Leaf(seed))?;
        if self.geometry.has_checksums() {
            let tail = bytes.len() - TAIL;
            let is_tail =
                le32(&bytes, tail)? == 0 && le16(&bytes, tail + 4)? == 12 && byte(&bytes, tail + 7)? == 0xde;
            if !is_tail {
                return Err(Errno::EUCLEAN);
            }
        }
        Ok((block, bytes))
    }

    /// Bytes of a block in which entries may stand.
    pub(crate) fn entry_bytes(&self) -> usize {
        let tail = if self.geometry.has_checksums() { TAIL } else { 0 };
        self.geometry.block_size - tail
    }

    fn slots<'a>(&self, bytes: &'a [u8]) -> Result<EntrySlots<'a>, Errno> {
        let kinds = match self.geometry.has_incompatible(incompatible::FILETYPE) {
            true => Kinds::Stored,
            false => Kinds::Missing,
        };
        Ok(EntrySlots::new(slice(bytes, 0, self.entry_bytes())?, kinds))
    }

    /// Makes an empty block of entries.
    pub(crate) fn create_leaf(&mut self, block: u64, seed: u32) -> Result<(), Errno> {
        let (has_tail, end) = (self.geometry.has_checksums(), self.entry_bytes());
        let bytes = self.create_block(block, Seal::Leaf(seed))?;
        put16(bytes, 4, entries::short(end))?;
        if has_tail {
            put16(bytes, end + 4, TAIL as u16)?;
            put(bytes, end + 7, &[0xde])?;
        }
        Ok(())
    }

    /// The entry of that name. `ENOENT`.
    pub(crate) fn find(&mut self, directory: &DiskInode, name: &[u8]) -> Result<FoundEntry, Errno> {
        if !directory.is_directory()? {
            return Err(Errno::ENOTDIR);
        }
        if name.len() > LONGEST_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        let is_dot = name == b"." || name == b"..";
        if self.is_indexed(directory)? && !is_dot {
            return self.find_by_hash(directory, name);
        }
        let blocks = if is_dot {
            1
        } else {
            self.directory_blocks(directory)?
        };
        for at in 0..blocks {
            if let Some(found) = self.find_in_block(directory, at, name)? {
                return Ok(found);
            }
            if at % 16 == 15 {
                self.surroundings.breathe();
            }
        }
        Err(Errno::ENOENT)
    }

    fn find_in_block(
        &mut self,
        directory: &DiskInode,
        at: u32,
        name: &[u8],
    ) -> Result<Option<FoundEntry>, Errno> {
        let is_root = at == 0 && self.is_indexed(directory)?;
        let (block, bytes) = match is_root {
            true => self
                .index_root(directory)
                .map(|(block, bytes, _)| (block, bytes))?,
            false => self.leaf_block(directory, at)?,
        };
        let slots = match is_root {
            true => EntrySlots::new(slice(&bytes, 0, 24)?, Kinds::Stored).with_open_end(),
            false => self.slots(&bytes)?,
        };
        for slot in slots {
            let slot = slot?;
            if slot.inode != 0 && slot.name == name {
                self.check_number(slot.inode)?;
                return Ok(Some(FoundEntry {
                    inode: slot.inode,
                    place: (block, slot.at),
                }));
            }
        }
        Ok(None)
    }

    fn check_number(&self, inode: u32) -> Result<(), Errno> {
        let is_usual = inode == crate::inode::ROOT || inode >= self.geometry.first_inode;
        if is_usual && inode <= self.geometry.inodes {
            Ok(())
        } else {
            Err(Errno::EUCLEAN)
        }
    }

    /// Whether it has an index that is understood.
    pub(crate) fn is_indexed(&self, directory: &DiskInode) -> Result<bool, Errno> {
        Ok(self.has_index() && directory.flags()? & flag::INDEX != 0)
    }

    /// Takes out an entry that was found.
    pub(crate) fn remove_entry(&mut self, directory: &DiskInode, found: FoundEntry) -> Result<(), Errno> {
        let (block, at) = found.place;
        let seed = directory.seed(&self.geometry)?;
        let bytes = self.block(block, Seal::Leaf(seed))?;
        let mut before = None;
        let mut len = None;
        for slot in self.slots(&bytes)? {
            let slot = slot?;
            if slot.at == at {
                len = Some(slot.len);
                break;
            }
            before = Some((slot.at, slot.len));
        }
        let len = len.ok_or(Errno::EUCLEAN)?;
        let bytes = self.change(block, Seal::Leaf(seed))?;
        match before {
            Some((before, room)) => put16(bytes, before + 4, entries::short(room + len))?,
            None => put32(bytes, at, 0)?,
        }
        Ok(())
    }

    /// Lets an entry that was found, or `..`, stand for another inode.
    pub(crate) fn set_entry(
        &mut self,
        directory: &DiskInode,
        found: FoundEntry,
        inode: u32,
        kind: u8,
    ) -> Result<(), Errno> {
        let (block, at) = found.place;
        let has_kinds = self.geometry.has_incompatible(incompatible::FILETYPE);
        let seed = directory.seed(&self.geometry)?;
        let is_root = self.is_indexed(directory)? && self.directory_block(directory, 0)? == block;
        let seal = if is_root {
            Seal::Index(seed, index::ROOT_AT)
        } else {
            Seal::Leaf(seed)
        };
        let bytes = self.change(block, seal)?;
        put32(bytes, at, inode)?;
        if has_kinds {
            put(bytes, at + 7, &[kind])?;
        }
        Ok(())
    }

    /// Whether a directory has no entries but `.` and `..`.
    pub(crate) fn is_empty_directory(&mut self, directory: &DiskInode) -> Result<bool, Errno> {
        let indexed = self.is_indexed(directory)?;
        for at in 0..self.directory_blocks(directory)? {
            if at == 0 && indexed {
                continue;
            }
            if indexed && self.is_index_block(directory, at)? {
                continue;
            }
            let (_, bytes) = self.leaf_block(directory, at)?;
            for slot in self.slots(&bytes)? {
                let slot = slot?;
                if slot.inode != 0 && slot.name != b"." && slot.name != b".." {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
