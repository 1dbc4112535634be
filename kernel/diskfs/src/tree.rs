//! What this crate asks of a file system on a disk: names and inodes by numbers, and where the pages of a file are.

use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use abi::xattr::XattrFlags;
use ext4::{Access, BlockState, Change, Ext4, Listed, New, RenameTarget, Size, Status};
use mm::PAGE_SIZE;
use vfs::filesystem::FilesystemUsage;
use vfs::inode_ops::RangeShift;

/// Where some pages of a file are that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct PageRun {
    /// The first sector; `None`: there is nothing but zeros.
    pub sector: Option<u64>,
    /// How many pages, at least one.
    pub len: u32,
}

/// Whether names that differ in case alone are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameCase {
    /// They are two.
    Counts,
    /// They are one.
    Ignored,
}

/// What went wrong since it was mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeFault {
    /// What stands on the disk cannot be.
    Damaged,
    /// The disk could not be written, and is not written any more.
    Aborted(Errno),
}

/// A file system on a disk. One call at a time; each happens as a whole or not at all, as far as the file system can promise that.
///
/// Errors are those of system calls, and `EUCLEAN`, `EIO`, `ENOMEM`; `ESTALE` for a number that stands for nothing.
pub trait DiskTree: Send {
    /// The number of the root directory.
    fn root(&self) -> u32;
    /// Whether names that differ in case alone are the same.
    fn name_case(&self) -> NameCase {
        NameCase::Counts
    }
    /// Whether each file has an owner and permissions of its own.
    fn keeps_owners(&self) -> bool {
        true
    }
    /// Whether it may be changed.
    fn access(&self) -> Access;
    /// It may be changed from now on, or no longer.
    fn set_access(&mut self, access: Access) -> Result<(), Errno>;
    /// What went wrong since it was mounted, the worst of it.
    fn fault(&self) -> Option<TreeFault> {
        None
    }
    /// Makes all that was done stay.
    fn commit(&mut self) -> Result<(), Errno>;
    /// It is not used any more.
    fn unmount(&mut self) -> Result<(), Errno>;
    /// Makes it as large as its disk, as far as that can be done; how many bytes it has then.
    fn grow(&mut self) -> Result<u64, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// How full it is.
    fn usage(&mut self) -> Result<FilesystemUsage, Errno>;

    /// What stat(2) says.
    fn status(&mut self, number: u32) -> Result<Status, Errno>;
    /// Bytes of a file or directory, and sectors that it has.
    fn extent(&mut self, number: u32) -> Result<(u64, u64), Errno>;
    /// The value of an extended attribute.
    fn extended_attribute(&mut self, _number: u32, _name: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// The names of all extended attributes, each with a NUL.
    fn extended_names(&mut self, _number: u32) -> Result<Vec<u8>, Errno> {
        Ok(Vec::new())
    }
    /// Sets an extended attribute, or takes it away.
    fn set_extended(
        &mut self,
        _number: u32,
        _name: &[u8],
        _value: Option<&[u8]>,
        _flags: XattrFlags,
    ) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Stores attributes.
    fn change_status(&mut self, number: u32, change: &Change) -> Result<(), Errno>;
    /// The number that a name stands for.
    fn lookup(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno>;
    /// Gives the names from a position on to `take` until it answers `false`; the position behind the last that it took.
    fn list(
        &mut self,
        directory: u32,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno>;
    /// The text of a symbolic link.
    fn link_text(&mut self, number: u32) -> Result<Vec<u8>, Errno>;
    /// Makes a file; its number.
    fn create(&mut self, directory: u32, name: &[u8], new: &New<'_>) -> Result<u32, Errno>;
    /// Makes a file without a name; its number.
    fn create_unnamed(&mut self, directory: u32, new: &New<'_>) -> Result<u32, Errno>;
    /// Gives a file one more name.
    fn link(&mut self, directory: u32, name: &[u8], number: u32) -> Result<(), Errno>;
    /// Takes a name away; how many are left.
    fn unlink(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno>;
    /// Takes an empty directory away.
    fn remove_directory(&mut self, directory: u32, name: &[u8]) -> Result<(), Errno>;
    /// Renames a file.
    fn rename(&mut self, old: (u32, &[u8]), new: (u32, &[u8]), target: RenameTarget) -> Result<(), Errno>;
    /// Frees a file that lost its last name.
    fn release(&mut self, number: u32) -> Result<(), Errno>;
    /// Nobody in memory has that number any more.
    fn forget(&mut self, number: u32);

    /// Where a page of a file is, and how many behind it; `None` if it is no whole page on the disk, or not all of it counts.
    fn page_run(&mut self, number: u32, page: u64, most: u32) -> Result<Option<PageRun>, Errno>;
    /// The same with room made for a file that is to have `size` bytes; `None` if that cannot be said in whole pages.
    fn allocate_run(
        &mut self,
        number: u32,
        page: u64,
        most: u32,
        size: u64,
    ) -> Result<Option<PageRun>, Errno>;
    /// These pages were written; the file has at least `size` bytes.
    fn written(&mut self, number: u32, pages: Range<u64>, size: u64) -> Result<(), Errno>;
    /// Reads bytes, as far as the file goes; how many.
    fn read(&mut self, number: u32, at: u64, bytes: &mut [u8]) -> Result<usize, Errno>;
    /// Writes bytes.
    fn write(&mut self, number: u32, at: u64, bytes: &[u8]) -> Result<(), Errno>;
    /// Makes room for bytes.
    fn reserve(&mut self, number: u32, bytes: Range<u64>, change: Size) -> Result<(), Errno>;
    /// Bytes of the units in which ranges of the file go and come; `EOPNOTSUPP` where they cannot.
    fn range_unit(&mut self, _number: u32) -> Result<u64, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Takes a range out of a file, or puts one in.
    fn shift(&mut self, _number: u32, _bytes: Range<u64>, _shift: RangeShift) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Gives up whole blocks inside the range: they are zeros.
    fn punch(&mut self, _number: u32, _bytes: Range<u64>) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Makes a file longer or shorter.
    fn truncate(&mut self, number: u32, size: u64) -> Result<(), Errno>;
}

/// Sectors of a page.
const PAGE_SECTORS: u64 = (PAGE_SIZE / block::SECTOR_SIZE) as u64;

impl DiskTree for Ext4 {
    fn root(&self) -> u32 {
        ext4::ROOT
    }

    fn access(&self) -> Access {
        Ext4::access(self)
    }

    fn set_access(&mut self, access: Access) -> Result<(), Errno> {
        Ext4::set_access(self, access)
    }

    fn fault(&self) -> Option<TreeFault> {
        let damaged = || self.is_damaged().then_some(TreeFault::Damaged);
        self.aborted().map(TreeFault::Aborted).or_else(damaged)
    }

    fn commit(&mut self) -> Result<(), Errno> {
        Ext4::commit(self)
    }

    fn unmount(&mut self) -> Result<(), Errno> {
        Ext4::unmount(self)
    }

    fn grow(&mut self) -> Result<u64, Errno> {
        Ok(self.grow_to_disk()? * self.block_size() as u64)
    }

    fn usage(&mut self) -> Result<FilesystemUsage, Errno> {
        let usage = Ext4::usage(self)?;
        Ok(FilesystemUsage {
            block_size: self.block_size() as u64,
            blocks: usage.blocks,
            free_blocks: usage.free_blocks,
            available_blocks: usage.free_blocks.saturating_sub(usage.reserved_blocks),
            inodes: usage.inodes.into(),
            free_inodes: usage.free_inodes.into(),
        })
    }

    fn status(&mut self, number: u32) -> Result<Status, Errno> {
        Ext4::status(self, number)
    }

    fn extent(&mut self, number: u32) -> Result<(u64, u64), Errno> {
        let status = Ext4::status(self, number)?;
        Ok((status.size, status.sectors))
    }

    fn extended_attribute(&mut self, number: u32, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.attribute(number, name)
    }

    fn extended_names(&mut self, number: u32) -> Result<Vec<u8>, Errno> {
        self.attribute_names(number)
    }

    fn set_extended(
        &mut self,
        number: u32,
        name: &[u8],
        value: Option<&[u8]>,
        flags: XattrFlags,
    ) -> Result<(), Errno> {
        if !flags.is_empty() {
            let is_there = match self.attribute(number, name) {
                Ok(_) => true,
                Err(Errno::ENODATA) => false,
                Err(error) => return Err(error),
            };
            if is_there && flags.contains(XattrFlags::XATTR_CREATE) {
                return Err(Errno::EEXIST);
            }
            if !is_there && flags.contains(XattrFlags::XATTR_REPLACE) {
                return Err(Errno::ENODATA);
            }
        }
        self.set_attribute(number, name, value)
    }

    fn change_status(&mut self, number: u32, change: &Change) -> Result<(), Errno> {
        Ext4::change_status(self, number, change)
    }

    fn lookup(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        Ext4::lookup(self, directory, name)
    }

    fn list(
        &mut self,
        directory: u32,
        from: u64,
        take: &mut dyn FnMut(Listed<'_>) -> bool,
    ) -> Result<u64, Errno> {
        Ext4::list(self, directory, from, take)
    }

    fn link_text(&mut self, number: u32) -> Result<Vec<u8>, Errno> {
        Ext4::link_text(self, number)
    }

    fn create(&mut self, directory: u32, name: &[u8], new: &New<'_>) -> Result<u32, Errno> {
        Ext4::create(self, directory, name, new)
    }

    fn create_unnamed(&mut self, directory: u32, new: &New<'_>) -> Result<u32, Errno> {
        Ext4::create_unnamed(self, directory, new)
    }

    fn link(&mut self, directory: u32, name: &[u8], number: u32) -> Result<(), Errno> {
        Ext4::link(self, directory, name, number)
    }

    fn unlink(&mut self, directory: u32, name: &[u8]) -> Result<u32, Errno> {
        Ext4::unlink(self, directory, name).map(|(_, links)| links.into())
    }

    fn remove_directory(&mut self, directory: u32, name: &[u8]) -> Result<(), Errno> {
        Ext4::remove_directory(self, directory, name).map(drop)
    }

    fn rename(&mut self, old: (u32, &[u8]), new: (u32, &[u8]), target: RenameTarget) -> Result<(), Errno> {
        Ext4::rename(self, old, new, target).map(drop)
    }

    fn release(&mut self, number: u32) -> Result<(), Errno> {
        Ext4::release(self, number)
    }

    fn forget(&mut self, _number: u32) {}

    fn page_run(&mut self, number: u32, page: u64, most: u32) -> Result<Option<PageRun>, Errno> {
        if self.block_size() != PAGE_SIZE {
            return Ok(None);
        }
        let Ok(block) = u32::try_from(page) else {
            return Ok(Some(PageRun {
                sector: None,
                len: most,
            }));
        };
        let found = self.map(number, block, most)?;
        let is_written = found.state == BlockState::Written;
        Ok(Some(PageRun {
            sector: is_written.then_some(found.physical * PAGE_SECTORS),
            len: found.len,
        }))
    }

    fn allocate_run(
        &mut self,
        number: u32,
        page: u64,
        most: u32,
        _size: u64,
    ) -> Result<Option<PageRun>, Errno> {
        if self.block_size() != PAGE_SIZE {
            return Ok(None);
        }
        let block = u32::try_from(page).map_err(|_| Errno::EFBIG)?;
        let found = self.allocate(number, block, most)?;
        Ok(Some(PageRun {
            sector: Some(found.physical * PAGE_SECTORS),
            len: found.len,
        }))
    }

    fn written(&mut self, number: u32, pages: Range<u64>, size: u64) -> Result<(), Errno> {
        let block = |page| u32::try_from(page).map_err(|_| Errno::EFBIG);
        Ext4::written(self, number, block(pages.start)?..block(pages.end)?, size)
    }

    fn read(&mut self, number: u32, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        Ext4::read(self, number, at, bytes)
    }

    fn write(&mut self, number: u32, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        Ext4::write(self, number, at, bytes)
    }

    fn reserve(&mut self, number: u32, bytes: Range<u64>, change: Size) -> Result<(), Errno> {
        Ext4::reserve(self, number, bytes, change)
    }

    fn range_unit(&mut self, number: u32) -> Result<u64, Errno> {
        Ext4::range_unit(self, number)
    }

    fn shift(&mut self, number: u32, bytes: Range<u64>, shift: RangeShift) -> Result<(), Errno> {
        match shift {
            RangeShift::Collapse => self.collapse(number, bytes),
            RangeShift::Insert => self.insert(number, bytes),
        }
    }

    fn punch(&mut self, number: u32, bytes: Range<u64>) -> Result<(), Errno> {
        Ext4::punch(self, number, bytes)
    }

    fn truncate(&mut self, number: u32, size: u64) -> Result<(), Errno> {
        Ext4::truncate(self, number, size)
    }
}
