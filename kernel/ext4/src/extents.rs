//! Where the blocks of a file are: a tree of extents, whose root stands in the inode.
//!
//! A node is read as a list, changed as a list and written as a list, which is where nodes are split, joined with their neighbours
//! and freed: there is one way for all changes.

mod blocks;
mod change;
mod node;
mod shift;

pub use node::FileExtent;

use crate::cache::Bytes;
use crate::inode::DiskInode;
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible::TryVec;
use node::{Head, Index, read_extents, read_indexes};

/// Deepest tree that there is.
const DEEPEST: u16 = 5;

/// What a file has at some place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockState {
    /// Nothing: zeros.
    Hole,
    /// Room, in which nothing was written yet: zeros.
    Unwritten,
    /// Bytes.
    Written,
}

/// Where some blocks of a file are that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockMapping {
    /// What is there.
    pub state: BlockState,
    /// The first block of the disk; of no meaning for a hole.
    pub physical: u64,
    /// How many blocks, at least one unless none was asked for.
    pub len: u32,
}

impl BlockMapping {
    fn hole(len: u32) -> BlockMapping {
        BlockMapping {
            state: BlockState::Hole,
            physical: 0,
            len,
        }
    }
}

/// A node on the way from the root to a leaf.
struct ExtentStep {
    /// The block that it is in; the root is in the inode.
    block: Option<u64>,
    /// Which of the entries leads on.
    at: usize,
    bytes: Bytes,
}

impl Ext4 {
    /// What an inode has from the block `at` on, at most `most` blocks.
    pub(crate) fn map_inode(&mut self, inode: &DiskInode, at: u32, most: u32) -> Result<BlockMapping, Errno> {
        if !inode.has_extents()? {
            return self.map_by_blocks(inode, at, most);
        }
        let found = self.extent_at(inode, at)?;
        Ok(match found {
            ExtentAt::Inside(extent) => {
                let skipped = at - extent.logical;
                BlockMapping {
                    state: if extent.is_unwritten {
                        BlockState::Unwritten
                    } else {
                        BlockState::Written
                    },
                    physical: extent.physical + u64::from(skipped),
                    len: most.min(extent.len - skipped),
                }
            }
            ExtentAt::Before(next) => BlockMapping::hole(most.min(next.map_or(u32::MAX, |next| next - at))),
        })
    }

    /// The extent that has the block, or where the next one begins.
    fn extent_at(&mut self, inode: &DiskInode, at: u32) -> Result<ExtentAt, Errno> {
        let seed = inode.seed(&self.geometry)?;
        let root = inode.block_bytes()?;
        let mut head = Head::read(root, root.len())?;
        if head.depth > DEEPEST {
            return Err(Errno::EUCLEAN);
        }
        let mut next = None;
        let mut held: Option<Bytes> = None;
        while head.depth > 0 {
            let bytes = held.as_ref().map_or(root, |held| held.as_slice());
            let (place, _) = node::find(bytes, head, at)?;
            let Some(place) = place else {
                // Before the first.
                let first = Index::read(bytes, 0)?.logical;
                return Ok(ExtentAt::Before(if head.entries == 0 {
                    next
                } else {
                    Some(first)
                }));
            };
            let index = Index::read(bytes, place)?;
            if place + 1 < usize::from(head.entries) {
                next = Some(Index::read(bytes, place + 1)?.logical);
            }
            let child = self.node(index.physical, seed, head.depth - 1)?;
            head = Head::read(&child, child.len())?;
            held = Some(child);
        }
        let bytes = held.as_ref().map_or(root, |held| held.as_slice());
        let (place, after) = node::find(bytes, head, at)?;
        let follows = after.or(next);
        let Some(place) = place else {
            return Ok(ExtentAt::Before(follows));
        };
        let extent = FileExtent::read(bytes, place)?;
        self.check_extent(&extent)?;
        if at - extent.logical < extent.len {
            return Ok(ExtentAt::Inside(extent));
        }
        match follows {
            Some(follows) if follows <= at => Err(Errno::EUCLEAN),
            follows => Ok(ExtentAt::Before(follows)),
        }
    }

    /// A node below the root, of that depth.
    fn node(&mut self, block: u64, seed: u32, depth: u16) -> Result<Bytes, Errno> {
        if self.is_system(block, 1) {
            return Err(Errno::EUCLEAN);
        }
        let bytes = self.block(block, crate::seal::Seal::Extents(seed))?;
        let head = Head::read(&bytes, bytes.len())?;
        if head.depth != depth || head.entries == 0 {
            return Err(Errno::EUCLEAN);
        }
        Ok(bytes)
    }

    /// Whether an extent is where files may be.
    fn check_extent(&self, extent: &FileExtent) -> Result<(), Errno> {
        let is_sound = extent.len > 0
            && extent.logical.checked_add(extent.len - 1).is_some()
            && !self.is_system(extent.physical, u64::from(extent.len));
        if is_sound { Ok(()) } else { Err(Errno::EUCLEAN) }
    }

    /// The way from the root to the leaf that `at` belongs into.
    fn path(&mut self, inode: &DiskInode, at: u32) -> Result<alloc::vec::Vec<ExtentStep>, Errno> {
        let seed = inode.seed(&self.geometry)?;
        let root = memory::fallible::arc(memory::fallible::bytes(inode.block_bytes()?)?)?;
        let mut head = Head::read(&root, root.len())?;
        if head.depth > DEEPEST {
            return Err(Errno::EUCLEAN);
        }
        let mut path = memory::fallible::with_room(usize::from(head.depth) + 1)?;
        path.try_push(ExtentStep {
            block: None,
            at: 0,
            bytes: root,
        })?;
        while head.depth > 0 {
            let step = path.last_mut().ok_or(Errno::EUCLEAN)?;
            if head.entries == 0 {
                return Err(Errno::EUCLEAN);
            }
            // What is before the first goes there too.
            step.at = node::find(&step.bytes, head, at)?.0.unwrap_or(0);
            let block = Index::read(&step.bytes, step.at)?.physical;
            let bytes = self.node(block, seed, head.depth - 1)?;
            head = Head::read(&bytes, bytes.len())?;
            path.try_push(ExtentStep {
                block: Some(block),
                at: 0,
                bytes,
            })?;
        }
        Ok(path)
    }

    /// All extents of a leaf, checked.
    fn leaf(&self, bytes: &[u8]) -> Result<alloc::vec::Vec<FileExtent>, Errno> {
        let extents = read_extents(bytes)?;
        let mut next = 0;
        for extent in &extents {
            self.check_extent(extent)?;
            if u64::from(extent.logical) < next {
                return Err(Errno::EUCLEAN);
            }
            next = u64::from(extent.logical) + u64::from(extent.len);
        }
        Ok(extents)
    }

    /// All indexes of a node above leaves, checked.
    fn indexes(&self, bytes: &[u8]) -> Result<alloc::vec::Vec<Index>, Errno> {
        let indexes = read_indexes(bytes)?;
        if indexes.is_sorted_by(|a, b| a.logical < b.logical) {
            Ok(indexes)
        } else {
            Err(Errno::EUCLEAN)
        }
    }
}

/// What is at a place of a file.
enum ExtentAt {
    /// An extent that has it.
    Inside(FileExtent),
    /// None; where the next one begins, if one does.
    Before(Option<u32>),
}
