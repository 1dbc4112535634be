//! Changes of a tree of extents.

use super::node::{self, ENTRY, FileExtent, Index, LONGEST, LONGEST_UNWRITTEN, NodeEntry};
use super::{DEEPEST, ExtentStep};
use crate::allocation::Contents;
use crate::inode::DiskInode;
use crate::seal::Seal;
use crate::volume::Ext4;
use abi::Errno;
use alloc::vec::Vec;
use memory::fallible::{self, TryVec};

/// Entries of the root.
const ROOT_ENTRIES: usize = 4;

impl Ext4 {
    fn node_entries(&self) -> usize {
        (self.geometry.block_size - ENTRY) / ENTRY
    }

    /// Gives an inode blocks at a place where it has none. The inode is written by the caller.
    pub(crate) fn insert_extent(&mut self, inode: &mut DiskInode, extent: FileExtent) -> Result<(), Errno> {
        self.change_leaf(inode, extent.logical, |extents| {
            let at = extents.partition_point(|other| other.logical < extent.logical);
            let is_free = extents
                .get(at)
                .is_none_or(|next| u64::from(next.logical) >= extent.end())
                && (at == 0 || extents[at - 1].end() <= u64::from(extent.logical));
            if !is_free {
                return Err(Errno::EUCLEAN);
            }
            extents.try_insert(at, extent)?;
            join(extents, at);
            Ok(())
        })
    }

    /// From `start` to before `end` there are bytes now: what is unwritten there becomes written.
    pub(crate) fn set_written(&mut self, inode: &mut DiskInode, start: u32, end: u64) -> Result<(), Errno> {
        let mut at = u64::from(start);
        while at < end {
            let found = self.map_inode(inode, at as u32, (end - at).min(u64::from(LONGEST)) as u32)?;
            let next = at + u64::from(found.len.max(1));
            if found.state == super::BlockState::Unwritten {
                self.split_extent(inode, at as u32, next, |part| {
                    Some(FileExtent {
                        is_unwritten: false,
                        ..part
                    })
                })?;
            }
            at = next;
        }
        Ok(())
    }

    /// Replaces the part `start..end` of one extent by what `change` makes of it.
    fn split_extent(
        &mut self,
        inode: &mut DiskInode,
        start: u32,
        end: u64,
        change: impl Fn(FileExtent) -> Option<FileExtent>,
    ) -> Result<(), Errno> {
        self.change_leaf(inode, start, |extents| {
            let at = extents.partition_point(|other| other.logical <= start);
            let at = at.checked_sub(1).ok_or(Errno::EUCLEAN)?;
            let whole = extents[at];
            if end > whole.end() {
                return Err(Errno::EUCLEAN);
            }
            let before = (whole.logical < start).then(|| whole.part(whole.logical, u64::from(start)));
            let after = (end < whole.end()).then(|| whole.part(end as u32, whole.end()));
            let parts = [before, change(whole.part(start, end)), after];
            extents.remove(at);
            for part in parts.into_iter().rev().flatten() {
                extents.try_insert(at, part)?;
            }
            // Neighbours on both sides may join.
            for at in (at.saturating_sub(1)..(at + 4).min(extents.len())).rev() {
                join(extents, at);
            }
            Ok(())
        })
    }

    /// Takes blocks away from `start` on to before `end`, from the end on, until that is done or the call under way is large;
    /// whether it is done.
    pub(crate) fn remove_extents(
        &mut self,
        inode: &mut DiskInode,
        start: u32,
        end: u64,
    ) -> Result<bool, Errno> {
        let contents = if inode.is_regular()? {
            Contents::Bytes
        } else {
            Contents::Metadata
        };
        let mut end = end;
        while !self.is_large() {
            let Some(extent) = self.last_extent_before(inode, end)? else {
                return Ok(true);
            };
            if extent.end() <= u64::from(start) {
                return Ok(true);
            }
            let (from, to) = (extent.logical.max(start), extent.end().min(end));
            let gone = extent.part(from, to);
            self.split_extent(inode, from, to, |_| None)?;
            self.free_blocks(gone.physical, gone.len, contents)?;
            inode.add_blocks(&self.geometry, -i64::from(gone.len))?;
            end = u64::from(from);
            if from == start {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last extent that begins before `end`.
    pub(crate) fn last_extent_before(
        &mut self,
        inode: &DiskInode,
        end: u64,
    ) -> Result<Option<FileExtent>, Errno> {
        let Some(last) = end.checked_sub(1) else {
            return Ok(None);
        };
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        let path = self.path(inode, last)?;
        let step = path.last().ok_or(Errno::EUCLEAN)?;
        let extents = self.leaf(&step.bytes)?;
        let at = extents.partition_point(|extent| extent.logical <= last);
        Ok(at.checked_sub(1).map(|at| extents[at]))
    }

    /// Changes the list of extents of the leaf that `at` belongs into. `change` adds three at most.
    pub(super) fn change_leaf(
        &mut self,
        inode: &mut DiskInode,
        at: u32,
        change: impl FnOnce(&mut Vec<FileExtent>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut path = self.path(inode, at)?;
        let step = path.pop().ok_or(Errno::EUCLEAN)?;
        let mut extents = self.leaf(&step.bytes)?;
        let is_append = extents.last().is_none_or(|last| last.logical < at);
        change(&mut extents)?;
        let place = if is_append { Split::Last } else { Split::Middle };
        self.store(inode, path, step, 0, &extents, place)
    }

    /// Writes the entries of a node, and what that means for those above.
    fn store<T: NodeEntry>(
        &mut self,
        inode: &mut DiskInode,
        path: Vec<ExtentStep>,
        step: ExtentStep,
        depth: u16,
        entries: &[T],
        place: Split,
    ) -> Result<(), Errno> {
        let Some(block) = step.block else {
            return self.store_root(inode, depth, entries, place);
        };
        let most = self.node_entries();
        let seed = inode.seed(&self.geometry)?;
        if entries.is_empty() {
            self.free_node(inode, block)?;
            return self.store_above(inode, path, depth + 1, place, |indexes, at| {
                indexes.remove(at);
                Ok(())
            });
        }
        let (left, right) = entries.split_at(place.left(entries.len(), most));
        node::write(self.change(block, Seal::Extents(seed))?, most, depth, left)?;
        let old = node::find_first(&step.bytes)?;
        let first = left.first().map_or(old, NodeEntry::logical);
        let new = match right.first() {
            None => None,
            Some(entry) => Some(Index {
                logical: entry.logical(),
                physical: self.new_node(inode, block)?,
            }),
        };
        if let Some(index) = new {
            node::write(
                self.create_block(index.physical, Seal::Extents(seed))?,
                most,
                depth,
                right,
            )?;
        }
        if first == old && new.is_none() {
            return Ok(());
        }
        self.store_above(inode, path, depth + 1, place, |indexes, at| {
            indexes[at].logical = first;
            new.map_or(Ok(()), |new| indexes.try_insert(at + 1, new))
        })
    }

    fn store_above(
        &mut self,
        inode: &mut DiskInode,
        mut path: Vec<ExtentStep>,
        depth: u16,
        place: Split,
        change: impl FnOnce(&mut Vec<Index>, usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let step = path.pop().ok_or(Errno::EUCLEAN)?;
        let mut indexes = self.indexes(&step.bytes)?;
        if step.at >= indexes.len() {
            return Err(Errno::EUCLEAN);
        }
        change(&mut indexes, step.at)?;
        self.store(inode, path, step, depth, &indexes, place)
    }

    /// Writes the root; what it has no room for goes into new nodes below it.
    fn store_root<T: NodeEntry>(
        &mut self,
        inode: &mut DiskInode,
        depth: u16,
        entries: &[T],
        place: Split,
    ) -> Result<(), Errno> {
        if entries.len() <= ROOT_ENTRIES {
            // A root without entries is a leaf.
            let depth = if entries.is_empty() { 0 } else { depth };
            return node::write(inode.block_bytes_mut()?, ROOT_ENTRIES, depth, entries);
        }
        if depth >= DEEPEST {
            return Err(Errno::EFBIG);
        }
        let most = self.node_entries();
        let seed = inode.seed(&self.geometry)?;
        let mut indexes: Vec<Index> = fallible::with_room(2)?;
        let (left, right) = entries.split_at(place.left(entries.len(), most));
        for part in [left, right] {
            let Some(first) = part.first() else {
                continue;
            };
            let block = self.new_node(inode, 0)?;
            node::write(self.create_block(block, Seal::Extents(seed))?, most, depth, part)?;
            indexes.try_push(Index {
                logical: first.logical(),
                physical: block,
            })?;
        }
        node::write(inode.block_bytes_mut()?, ROOT_ENTRIES, depth + 1, &indexes)
    }

    fn new_node(&mut self, inode: &mut DiskInode, near: u64) -> Result<u64, Errno> {
        let goal = if near == 0 {
            self.inode_goal(inode.number)
        } else {
            near
        };
        let (block, _) = self.allocate_blocks(goal, 1)?;
        inode.add_blocks(&self.geometry, 1)?;
        Ok(block)
    }

    fn free_node(&mut self, inode: &mut DiskInode, block: u64) -> Result<(), Errno> {
        self.free_blocks(block, 1, Contents::Metadata)?;
        inode.add_blocks(&self.geometry, -1)
    }

    /// Most blocks of an extent in that state.
    pub(crate) fn longest_extent(state: super::BlockState) -> u32 {
        if state == super::BlockState::Unwritten {
            LONGEST_UNWRITTEN
        } else {
            LONGEST
        }
    }
}

/// Where a node that is full is split.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    /// A file that grows leaves full nodes behind.
    Last,
    /// Elsewhere both halves get room.
    Middle,
}

impl Split {
    /// How many of the entries stay.
    fn left(self, len: usize, most: usize) -> usize {
        match self {
            _ if len <= most => len,
            Split::Last => most,
            Split::Middle => len / 2,
        }
    }
}

/// Makes one of the extent at `at` and its neighbours, if they are.
pub(super) fn join(extents: &mut Vec<FileExtent>, at: usize) {
    if at + 1 < extents.len() && extents[at].joins(&extents[at + 1]) {
        extents[at].len += extents[at + 1].len;
        extents.remove(at + 1);
    }
    if at > 0 && at < extents.len() && extents[at - 1].joins(&extents[at]) {
        extents[at - 1].len += extents[at].len;
        extents.remove(at);
    }
}
