//! Listing directories, in an order that insertions do not disturb.

use super::hash;
use crate::inode::DiskInode;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// An entry that is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The inode.
    pub inode: u32,
    /// `file_type`: 1 regular, 2 directory, 3 character device, 4 block device, 5 FIFO, 6 socket, 7 symbolic link; 0 if the file system does
    /// not say.
    pub kind: u8,
    /// Where the one behind it begins.
    pub next: u64,
}

/// Positions of `.` and `..`, which the file layer answers itself.
const FIRST: u64 = 2;

/// The end, for which no hash stands.
const END: u64 = i64::MAX as u64;

/// An entry of a leaf with its position.
struct Ordered {
    position: u64,
    at: usize,
}

/// The position of an entry: 31 bits of one hash, 32 of the other.
fn position((major, minor): (u32, u32)) -> u64 {
    (u64::from(major >> 1) << 32 | u64::from(minor)).clamp(FIRST, END - 1)
}

impl Ext4 {
    /// Gives the entries of a directory from `from` on, without `.` and `..`, to `take` until that answers `false`; the position behind the
    /// last taken one. Positions stay good while entries come and go.
    ///
    /// # Errors
    /// `ENOTDIR`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn list(
        &mut self,
        directory: u32,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let directory = self.live_inode(directory)?;
        if !directory.is_directory()? {
            return Err(Errno::ENOTDIR);
        }
        let from = from.max(FIRST);
        if from >= END {
            return Ok(from);
        }
        if self.is_indexed(&directory)? {
            return self.list_by_hash(&directory, from, take);
        }
        // One block may get an index while it is listed, and the hashes stay.
        if self.has_index() && self.directory_blocks(&directory)? == 1 {
            let version = self.default_version();
            let taken = self.list_leaf(&directory, 0, version, from, take)?;
            return Ok(taken.unwrap_or(END));
        }
        self.list_in_place(&directory, from, take)
    }

    fn default_version(&self) -> u8 {
        let version = match self.geometry.hash_version {
            found @ 0..=2 => found,
            _ => hash::version::HALF_MD4,
        };
        if self.geometry.hash_is_unsigned {
            version + hash::version::UNSIGNED
        } else {
            version
        }
    }

    fn list_by_hash(
        &mut self,
        directory: &DiskInode,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let start = if from == FIRST { 0 } else { (from >> 32) as u32 * 2 };
        let mut way = self.index_way(directory, start)?;
        // No directory has more leaves than blocks.
        for _ in 0..=self.directory_blocks(directory)? {
            let leaf = way.leaf()?;
            if let Some(stopped) = self.list_leaf(directory, leaf, way.version, from, take)? {
                return Ok(stopped);
            }
            if !self.next_leaf(directory, &mut way)? {
                return Ok(END);
            }
            self.surroundings.breathe();
        }
        Err(Errno::EUCLEAN)
    }

    /// Gives the entries of one block in the order of their hashes; where `take` ended it, if it did.
    fn list_leaf(
        &mut self,
        directory: &DiskInode,
        leaf: u32,
        version: u8,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<Option<u64>, Errno> {
        let (_, bytes) = self.leaf_block(directory, leaf)?;
        let mut ordered: Vec<Ordered> = fallible::with_room(bytes.len() / super::entries::needed(1))?;
        for slot in self.slots(&bytes)? {
            let slot = slot?;
            if slot.inode == 0 || slot.name == b"." || slot.name == b".." {
                continue;
            }
            let position = position(hash::of(&self.geometry, version, slot.name));
            if position >= from {
                ordered.try_push(Ordered {
                    position,
                    at: slot.at,
                })?;
            }
        }
        ordered.sort_unstable_by_key(|entry| (entry.position, entry.at));
        for entry in &ordered {
            let mut slots = self.slots(&bytes)?;
            let slot = slots.at(entry.at)?;
            let listed = Listed {
                name: slot.name,
                inode: slot.inode,
                kind: slot.kind & 7,
                next: entry.position + 1,
            };
            if !take(listed) {
                return Ok(Some(entry.position));
            }
        }
        Ok(None)
    }

    /// Lists blocks one after the other: entries of such a directory never move.
    fn list_in_place(
        &mut self,
        directory: &DiskInode,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let shift = self.geometry.block_shift;
        let blocks = self.directory_blocks(directory)?;
        let first = u32::try_from(from >> shift).unwrap_or(u32::MAX);
        for at in first..blocks {
            let (_, bytes) = self.leaf_block(directory, at)?;
            for slot in self.slots(&bytes)? {
                let slot = slot?;
                let position = (u64::from(at) << shift) + slot.at as u64;
                let is_shown = slot.inode != 0 && slot.name != b"." && slot.name != b"..";
                if !is_shown || position < from {
                    continue;
                }
                let next = position + slot.len as u64;
                let listed = Listed {
                    name: slot.name,
                    inode: slot.inode,
                    kind: slot.kind & 7,
                    next,
                };
                if !take(listed) {
                    return Ok(position);
                }
            }
            self.surroundings.breathe();
        }
        Ok(END)
    }
}
