//! New entries: into a block that has room, into a new block, into an index that grows.

use super::entries::{self, EntrySlots, Kinds, NewEntry, needed};
use super::hash::{self, version};
use super::index::{IndexStep, IndexWay, NODE_AT, ROOT_AT};
use crate::bytes::{le32, put, put16, put32, slice};
use crate::cache::Bytes;
use crate::extents::FileExtent;
use crate::inode::{DiskInode, flag};
use crate::seal::Seal;
use crate::superblock::incompatible;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// An entry of a leaf that is split.
struct MovedEntry {
    hash: u32,
    at: usize,
}

impl Ext4 {
    /// Adds an entry, which there is none of yet. The caller writes the inode of the directory.
    pub(crate) fn add_entry(
        &mut self,
        directory: &mut DiskInode,
        name: &[u8],
        inode: u32,
        kind: u8,
    ) -> Result<(), Errno> {
        if name.len() > super::LONGEST_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        let has_kinds = self.geometry.has_incompatible(incompatible::FILETYPE);
        let entry = NewEntry {
            name,
            inode,
            kind: if has_kinds { kind } else { 0 },
        };
        if self.is_indexed(directory)? {
            return self.add_by_hash(directory, &entry);
        }
        let blocks = self.directory_blocks(directory)?;
        for at in 0..blocks {
            let block = self.directory_block(directory, at)?;
            if self.add_to_leaf(directory, at, block, &entry)? {
                return Ok(());
            }
        }
        if blocks == 1 && self.has_index() && directory.has_extents()? {
            self.make_index(directory)?;
            return self.add_by_hash(directory, &entry);
        }
        let seed = directory.seed(&self.geometry)?;
        let (at, block) = self.append_block(directory)?;
        self.create_leaf(block, seed)?;
        self.add_to_leaf(directory, at, block, &entry).map(|_| ())
    }

    /// Gives a directory one more block; its number, and that on the disk.
    pub(crate) fn append_block(&mut self, directory: &mut DiskInode) -> Result<(u32, u64), Errno> {
        if !directory.has_extents()? {
            return Err(Errno::EOPNOTSUPP);
        }
        let size = directory.size()?;
        let at = u32::try_from(size >> self.geometry.block_shift).map_err(|_| Errno::EFBIG)?;
        let goal = match at.checked_sub(1) {
            Some(last) => self.directory_block(directory, last)? + 1,
            None => self.inode_goal(directory.number),
        };
        let (block, _) = self.allocate_blocks(goal, 1)?;
        directory.add_blocks(&self.geometry, 1)?;
        let extent = FileExtent {
            logical: at,
            physical: block,
            len: 1,
            is_unwritten: false,
        };
        self.insert_extent(directory, extent)?;
        directory.set_size(size + self.geometry.block_size as u64)?;
        Ok((at, block))
    }

    /// Adds an entry to a block if there is room.
    fn add_to_leaf(
        &mut self,
        directory: &DiskInode,
        at: u32,
        block: u64,
        entry: &NewEntry<'_>,
    ) -> Result<bool, Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (_, bytes) = self.leaf_block(directory, at)?;
        let wanted = needed(entry.name.len());
        let mut place = None;
        for slot in self.slots(&bytes)? {
            let slot = slot?;
            if slot.len - slot.used() >= wanted {
                place = Some((slot.at, slot.len, slot.used()));
                break;
            }
        }
        let Some(place) = place else {
            return Ok(false);
        };
        entries::write_behind(self.change(block, Seal::Leaf(seed))?, place, entry)?;
        Ok(true)
    }

    fn add_by_hash(&mut self, directory: &mut DiskInode, entry: &NewEntry<'_>) -> Result<(), Errno> {
        let (_, _, version) = self.index_root(directory)?;
        let (hash, _) = hash::of(&self.geometry, version, entry.name);
        // The index grows by a level or a node, the leaf is split, and then there is room.
        for _ in 0..8 {
            let way = self.index_way(directory, hash)?;
            let leaf = way.leaf()?;
            let block = self.directory_block(directory, leaf)?;
            if self.add_to_leaf(directory, leaf, block, entry)? {
                return Ok(());
            }
            match way.steps.iter().rposition(|step| !step.is_full()) {
                Some(level) if level + 1 == way.steps.len() => self.split_leaf(directory, &way, leaf)?,
                Some(level) => self.split_index(directory, &way, level)?,
                None => self.deepen_index(directory, &way)?,
            }
        }
        Err(Errno::EUCLEAN)
    }

    /// Moves the upper half of a leaf's entries, by hash, to a new one.
    fn split_leaf(&mut self, directory: &mut DiskInode, way: &IndexWay, leaf: u32) -> Result<(), Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (block, old) = self.leaf_block(directory, leaf)?;
        let mut moved: Vec<MovedEntry> = fallible::with_room(old.len() / entries::needed(1))?;
        for slot in self.slots(&old)? {
            let slot = slot?;
            if slot.inode != 0 {
                let (hash, _) = hash::of(&self.geometry, way.version, slot.name);
                moved.try_push(MovedEntry { hash, at: slot.at })?;
            }
        }
        moved.sort_unstable_by_key(|entry| (entry.hash, entry.at));
        let mut size = 0;
        let half = self.entry_bytes() / 2;
        let split = moved.iter().position(|entry| {
            let name = old.get(entry.at + 6).map_or(0, |len| usize::from(*len));
            size += needed(name);
            size > half
        });
        let split = split.unwrap_or(0).clamp(1, moved.len().saturating_sub(1).max(1));
        if split >= moved.len() {
            return Err(Errno::EUCLEAN);
        }
        let (low, high) = moved.split_at(split);
        let goes_on = u32::from(low[split - 1].hash == high[0].hash);
        let (number, new) = self.append_block(directory)?;
        self.fill_leaf(new, seed, &old, high)?;
        self.fill_leaf(block, seed, &old, low)?;
        let step = way.steps.last().ok_or(Errno::EUCLEAN)?;
        self.insert_index(seed, step, high[0].hash | goes_on, number)
    }

    /// Makes a leaf of some entries of another.
    fn fill_leaf(&mut self, block: u64, seed: u32, old: &Bytes, moved: &[MovedEntry]) -> Result<(), Errno> {
        self.create_leaf(block, seed)?;
        let end = self.entry_bytes();
        let bytes = self.change(block, Seal::Leaf(seed))?;
        let mut at = 0;
        for (index, entry) in moved.iter().enumerate() {
            let len = needed(usize::from(crate::bytes::byte(old, entry.at + 6)?));
            put(bytes, at, slice(old, entry.at, len)?)?;
            let room = if index + 1 == moved.len() { end - at } else { len };
            put16(bytes, at + 4, entries::short(room))?;
            at += len;
        }
        Ok(())
    }

    /// Moves the upper half of a node of the index to a new one; the node above, at `level`, has room.
    fn split_index(&mut self, directory: &mut DiskInode, way: &IndexWay, level: usize) -> Result<(), Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (above, full) = match way.steps.get(level..level + 2) {
            Some([above, full]) => (above, full),
            _ => return Err(Errno::EUCLEAN),
        };
        let keep = full.count / 2;
        let hash = full.hash(keep)?;
        let (number, block) = self.append_block(directory)?;
        self.create_index(block, seed, full, keep)?;
        self.write_index_head(full.block, seed, full.start, keep)?;
        self.insert_index(seed, above, hash, number)
    }

    /// A new node with the entries of another from `from` on.
    fn create_index(&mut self, block: u64, seed: u32, full: &IndexStep, from: usize) -> Result<(), Errno> {
        let size = self.geometry.block_size;
        let count = full.count - from;
        let bytes = self.create_block(block, Seal::Index(seed, NODE_AT))?;
        put16(bytes, 4, entries::short(size))?;
        put(
            bytes,
            NODE_AT,
            slice(&full.bytes, full.start + 8 * from, 8 * count)?,
        )?;
        self.write_index_head(block, seed, NODE_AT, count)
    }

    /// Puts a level between the root, which is full, and what is below it.
    fn deepen_index(&mut self, directory: &mut DiskInode, way: &IndexWay) -> Result<(), Errno> {
        let has_three = self.geometry.has_incompatible(incompatible::LARGE_DIRECTORIES);
        let root = way.steps.first().ok_or(Errno::EUCLEAN)?;
        if way.steps.len() > if has_three { 2 } else { 1 } {
            return Err(Errno::ENOSPC);
        }
        let seed = directory.seed(&self.geometry)?;
        let (number, block) = self.append_block(directory)?;
        self.create_index(block, seed, root, 0)?;
        self.write_index_head(root.block, seed, ROOT_AT, 1)?;
        let bytes = self.change(root.block, Seal::Index(seed, ROOT_AT))?;
        put32(bytes, ROOT_AT + 4, number)?;
        put(bytes, 30, &[way.steps.len() as u8])
    }

    /// Makes of a directory of one block one with an index of one leaf.
    fn make_index(&mut self, directory: &mut DiskInode) -> Result<(), Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (root, old) = self.leaf_block(directory, 0)?;
        let mut moved: Vec<MovedEntry> = fallible::with_room(old.len() / needed(1))?;
        let mut parent = None;
        for slot in self.slots(&old)? {
            let slot = slot?;
            match slot.name {
                b".." => parent = Some(slot.inode),
                _ if slot.inode == 0 || slot.name == b"." => {}
                _ => moved.try_push(MovedEntry { hash: 0, at: slot.at })?,
            }
        }
        let parent = parent.ok_or(Errno::EUCLEAN)?;
        let kind = if self.geometry.has_incompatible(incompatible::FILETYPE) {
            2
        } else {
            0
        };
        let (number, leaf) = self.append_block(directory)?;
        self.fill_leaf(leaf, seed, &old, &moved)?;
        let size = self.geometry.block_size;
        let used = match self.geometry.hash_version {
            found @ (version::LEGACY | version::HALF_MD4 | version::TEA) => found,
            _ => version::HALF_MD4,
        };
        let bytes = self.create_block(root, Seal::Index(seed, ROOT_AT))?;
        entries::write(
            bytes,
            0,
            12,
            &NewEntry {
                name: b".",
                inode: directory.number,
                kind,
            },
        )?;
        entries::write(
            bytes,
            12,
            size - 12,
            &NewEntry {
                name: b"..",
                inode: parent,
                kind,
            },
        )?;
        put(bytes, 28, &[used, 8, 0, 0])?;
        put32(bytes, ROOT_AT + 4, number)?;
        self.write_index_head(root, seed, ROOT_AT, 1)?;
        let flags = directory.flags()? | flag::INDEX;
        put32(&mut directory.raw, 0x20, flags)
    }

    /// The first block of a new directory: `.` and `..`.
    pub(crate) fn make_directory(&mut self, directory: &mut DiskInode, parent: u32) -> Result<(), Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (_, block) = self.append_block(directory)?;
        self.create_leaf(block, seed)?;
        let end = self.entry_bytes();
        let kind = if self.geometry.has_incompatible(incompatible::FILETYPE) {
            2
        } else {
            0
        };
        let bytes = self.change(block, Seal::Leaf(seed))?;
        entries::write(
            bytes,
            0,
            12,
            &NewEntry {
                name: b".",
                inode: directory.number,
                kind,
            },
        )?;
        entries::write(
            bytes,
            12,
            end - 12,
            &NewEntry {
                name: b"..",
                inode: parent,
                kind,
            },
        )
    }

    /// Whether the name of `..` is where it must be, and its inode.
    pub(crate) fn parent_of(&mut self, directory: &DiskInode) -> Result<u32, Errno> {
        let block = self.directory_block(directory, 0)?;
        let bytes = self.block(block, Seal::None)?;
        let slots = EntrySlots::new(slice(&bytes, 0, 24)?, Kinds::Stored).with_open_end();
        let second = slots.into_iter().nth(1).ok_or(Errno::EUCLEAN)??;
        if second.name != b".." {
            Err(Errno::EUCLEAN)
        } else {
            le32(&bytes, second.at)
        }
    }
}
