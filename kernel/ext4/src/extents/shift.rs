//! Extents that get other places in their file: those behind a range that goes, or that comes.
//!
//! They keep their blocks, and their order. So leaf after leaf is written with other numbers, from the side that there is room on, and no
//! node is split or freed.

use super::ExtentAt;
use super::change::join;
use super::node::FileExtent;
use crate::inode::DiskInode;
use crate::volume::Ext4;
use abi::Errno;
use memory::fallible::TryVec;

impl Ext4 {
    /// Moves the extents from the block `from` on so many blocks down, until that is done or the call under way is large; where it has to
    /// go on. There are none in the blocks before `from` that they come to.
    pub(crate) fn lower_extents(
        &mut self,
        inode: &mut DiskInode,
        from: u64,
        by: u32,
    ) -> Result<Option<u64>, Errno> {
        let mut from = from;
        while let Some(first) = self.first_extent_from(inode, from)? {
            if self.is_large() {
                return Ok(Some(from));
            }
            let lower = |logical: u32| logical.checked_sub(by);
            from = self.move_leaf(inode, first, first, lower)?.1;
        }
        Ok(None)
    }

    /// Moves the extents that begin at `start` or behind it, and before `end`, so many blocks up, from the last one on, until that is done or
    /// the call under way is large; where it has to go on. None reaches over `start`.
    pub(crate) fn raise_extents(
        &mut self,
        inode: &mut DiskInode,
        start: u32,
        end: u64,
        by: u32,
    ) -> Result<Option<u64>, Errno> {
        let mut end = end;
        while let Some(last) = self.last_extent_before(inode, end)? {
            if last.logical < start {
                break;
            }
            if self.is_large() {
                return Ok(Some(end));
            }
            let raise = |logical: u32| logical.checked_add(by);
            end = self.move_leaf(inode, last.logical, start, raise)?.0;
        }
        Ok(None)
    }

    /// Gives the extents from `start` on other places, in the leaf that has `at`: where the first of them began and where the last ended.
    fn move_leaf(
        &mut self,
        inode: &mut DiskInode,
        at: u32,
        start: u32,
        place: impl Fn(u32) -> Option<u32>,
    ) -> Result<(u64, u64), Errno> {
        let mut moved = None;
        self.change_leaf(inode, at, |extents| {
            let first = extents.partition_point(|extent| extent.logical < start);
            let (Some(from), Some(last)) = (extents.get(first), extents.last()) else {
                return Err(Errno::EUCLEAN);
            };
            moved = Some((u64::from(from.logical), last.end()));
            for extent in &mut extents[first..] {
                extent.logical = place(extent.logical).ok_or(Errno::EUCLEAN)?;
            }
            join(extents, first);
            Ok(())
        })?;
        moved.ok_or(Errno::EUCLEAN)
    }

    /// Where the first extent begins that begins at `from` or behind it.
    fn first_extent_from(&mut self, inode: &DiskInode, from: u64) -> Result<Option<u32>, Errno> {
        let Ok(from) = u32::try_from(from) else {
            return Ok(None);
        };
        Ok(match self.extent_at(inode, from)? {
            ExtentAt::Inside(extent) if extent.logical == from => Some(from),
            ExtentAt::Inside(_) => return Err(Errno::EUCLEAN),
            ExtentAt::Before(next) => next,
        })
    }

    /// Makes two of the extent that reaches over the block `at`, if one does.
    pub(crate) fn split_at(&mut self, inode: &mut DiskInode, at: u32) -> Result<(), Errno> {
        let whole = match self.extent_at(inode, at)? {
            ExtentAt::Inside(extent) if extent.logical < at => extent,
            _ => return Ok(()),
        };
        self.change_leaf(inode, at, |extents| {
            let place = extents.partition_point(|extent| extent.logical < at);
            let before: &mut FileExtent = place
                .checked_sub(1)
                .and_then(|place| extents.get_mut(place))
                .ok_or(Errno::EUCLEAN)?;
            *before = whole.part(whole.logical, at.into());
            extents.try_insert(place, whole.part(at, whole.end()))
        })
    }
}
