//! The index of a directory: a tree of hashes, whose root is its first block.

use super::hash::{self, version};
use super::{FoundEntry, entries};
use crate::bytes::{byte, le16, le32, put16, put32};
use crate::cache::Bytes;
use crate::inode::DiskInode;
use crate::seal::Seal;
use crate::superblock::incompatible;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::TryVec;

/// Where the entries of the root begin, and those of other nodes.
pub const ROOT_AT: usize = 32;
/// Where the entries of a node below the root begin.
pub const NODE_AT: usize = 8;

/// A node on the way to a leaf.
pub struct IndexStep {
    pub block: u64,
    pub bytes: Bytes,
    /// Where its entries begin.
    pub start: usize,
    pub count: usize,
    pub limit: usize,
    /// The one that leads on.
    pub at: usize,
}

impl IndexStep {
    pub fn hash(&self, at: usize) -> Result<u32, Errno> {
        if at == 0 {
            Ok(0)
        } else {
            le32(&self.bytes, self.start + 8 * at)
        }
    }

    pub fn child(&self, at: usize) -> Result<u32, Errno> {
        Ok(le32(&self.bytes, self.start + 8 * at + 4)? & 0x0fff_ffff)
    }

    pub fn is_full(&self) -> bool {
        self.count >= self.limit
    }
}

/// The way to a leaf.
pub struct IndexWay {
    pub version: u8,
    pub steps: Vec<IndexStep>,
}

impl IndexWay {
    /// The block of the directory that the way leads to.
    pub fn leaf(&self) -> Result<u32, Errno> {
        let step = self.steps.last().ok_or(Errno::EUCLEAN)?;
        step.child(step.at)
    }

    /// From which hash on the next leaf has entries; `None`: this is the last. The lowest bit says that the hash before it goes on there.
    pub fn next_hash(&self) -> Result<Option<u32>, Errno> {
        for step in self.steps.iter().rev() {
            if step.at + 1 < step.count {
                return step.hash(step.at + 1).map(Some);
            }
        }
        Ok(None)
    }
}

impl Ext4 {
    /// Most entries of a node.
    pub(super) fn index_limit(&self, start: usize) -> usize {
        let tail = if self.geometry.has_checksums() { 8 } else { 0 };
        (self.geometry.block_size - start - tail) / 8
    }

    /// The root of the index: block, bytes, and the version of the hash.
    pub(super) fn index_root(&mut self, directory: &DiskInode) -> Result<(u64, Bytes, u8), Errno> {
        let block = self.directory_block(directory, 0)?;
        let seed = directory.seed(&self.geometry)?;
        let bytes = self.index_node(block, seed, ROOT_AT)?;
        let found = byte(&bytes, 28)?;
        let is_sound = byte(&bytes, 29)? == 8
            && byte(&bytes, 31)? & 1 == 0
            && found <= version::LAST
            && le16(&bytes, 4)? == 12
            && byte(&bytes, 6)? == 1;
        if !is_sound {
            return Err(Errno::EUCLEAN);
        }
        let found = if found < version::UNSIGNED && self.geometry.hash_is_unsigned {
            found + version::UNSIGNED
        } else {
            found
        };
        Ok((block, bytes, found))
    }

    fn index_node(&mut self, block: u64, seed: u32, start: usize) -> Result<Bytes, Errno> {
        let bytes = self.block(block, Seal::None)?;
        let (limit, count) = (
            usize::from(le16(&bytes, start)?),
            usize::from(le16(&bytes, start + 2)?),
        );
        if limit != self.index_limit(start) || count == 0 || count > limit {
            return Err(Errno::EUCLEAN);
        }
        self.block(block, Seal::Index(seed, start))
    }

    fn index_step(&mut self, block: u64, seed: u32, start: usize, hash: u32) -> Result<IndexStep, Errno> {
        let bytes = self.index_node(block, seed, start)?;
        let mut step = IndexStep {
            block,
            start,
            count: usize::from(le16(&bytes, start + 2)?),
            limit: usize::from(le16(&bytes, start)?),
            at: 0,
            bytes,
        };
        let (mut low, mut high) = (1, step.count);
        while low < high {
            let middle = (low + high) / 2;
            if step.hash(middle)? <= hash {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        step.at = low - 1;
        Ok(step)
    }

    /// The way to the leaf that has the entries with that hash.
    pub(super) fn index_way(&mut self, directory: &DiskInode, hash: u32) -> Result<IndexWay, Errno> {
        let seed = directory.seed(&self.geometry)?;
        let (root, bytes, version) = self.index_root(directory)?;
        let levels = byte(&bytes, 30)?;
        let most = if self.geometry.has_incompatible(incompatible::LARGE_DIRECTORIES) {
            2
        } else {
            1
        };
        if levels > most {
            return Err(Errno::EUCLEAN);
        }
        let mut way = IndexWay {
            version,
            steps: Vec::new(),
        };
        way.steps.try_push(self.index_step(root, seed, ROOT_AT, hash)?)?;
        for _ in 0..levels {
            let child = way.leaf()?;
            let block = self.child_block(directory, child)?;
            way.steps.try_push(self.index_step(block, seed, NODE_AT, hash)?)?;
        }
        Ok(way)
    }

    fn child_block(&mut self, directory: &DiskInode, child: u32) -> Result<u64, Errno> {
        if child == 0 || child >= self.directory_blocks(directory)? {
            return Err(Errno::EUCLEAN);
        }
        self.directory_block(directory, child)
    }

    /// Goes on to the next leaf; `false` if there is none.
    pub(super) fn next_leaf(&mut self, directory: &DiskInode, way: &mut IndexWay) -> Result<bool, Errno> {
        let seed = directory.seed(&self.geometry)?;
        let Some(level) = way.steps.iter().rposition(|step| step.at + 1 < step.count) else {
            return Ok(false);
        };
        way.steps[level].at += 1;
        for below in level + 1..way.steps.len() {
            let step = &way.steps[below - 1];
            let child = step.child(step.at)?;
            let block = self.child_block(directory, child)?;
            way.steps[below] = self.index_step(block, seed, NODE_AT, 0)?;
        }
        Ok(true)
    }

    /// The hash that the directory's index has of a name.
    pub(super) fn find_by_hash(&mut self, directory: &DiskInode, name: &[u8]) -> Result<FoundEntry, Errno> {
        let (_, _, version) = self.index_root(directory)?;
        let (hash, _) = hash::of(&self.geometry, version, name);
        let mut way = self.index_way(directory, hash)?;
        loop {
            let leaf = way.leaf()?;
            self.child_block(directory, leaf)?;
            if let Some(found) = self.find_in_block(directory, leaf, name)? {
                return Ok(found);
            }
            // Entries of one hash may go on in the next leaf.
            if way.next_hash()? != Some(hash | 1) || !self.next_leaf(directory, &mut way)? {
                return Err(Errno::ENOENT);
            }
        }
    }

    /// Whether a block of an indexed directory belongs to the index: its only entry is free and fills it.
    pub(super) fn is_index_block(&mut self, directory: &DiskInode, at: u32) -> Result<bool, Errno> {
        let block = self.directory_block(directory, at)?;
        let bytes = self.block(block, Seal::None)?;
        let size = self.geometry.block_size;
        let len = le16(&bytes, 4)?;
        Ok(le32(&bytes, 0)? == 0 && len == entries::short(size) && le16(&bytes, NODE_AT + 2)? > 0)
    }

    /// Writes the head of a node.
    pub(super) fn write_index_head(
        &mut self,
        block: u64,
        seed: u32,
        start: usize,
        count: usize,
    ) -> Result<(), Errno> {
        let limit = self.index_limit(start);
        let bytes = self.change(block, Seal::Index(seed, start))?;
        put16(bytes, start, limit as u16)?;
        put16(bytes, start + 2, count as u16)
    }

    /// Adds to a node, behind entry `at`, one for a child with the hashes from `hash` on.
    pub(super) fn insert_index(
        &mut self,
        seed: u32,
        step: &IndexStep,
        hash: u32,
        child: u32,
    ) -> Result<(), Errno> {
        if step.is_full() {
            return Err(Errno::EUCLEAN);
        }
        let bytes = self.change(step.block, Seal::Index(seed, step.start))?;
        let at = step.start + 8 * (step.at + 1);
        let end = step.start + 8 * step.count;
        if end + 8 > bytes.len() {
            return Err(Errno::EUCLEAN);
        }
        bytes.copy_within(at..end, at + 8);
        put32(bytes, at, hash)?;
        put32(bytes, at + 4, child)?;
        put16(bytes, step.start + 2, step.count as u16 + 1)
    }
}
