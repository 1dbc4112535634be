//! Bytes of regular files: where the page cache finds them, and room for more.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use block::BlockDevice;
use ext4::Size;
use memory::{FrameHandle, fallible};
use mm::PAGE_SIZE;
use pagecache::PageStore;
use platform::frame;
use sched::scheduler;
use vfs::inode_ops::{PagesOnDisk, RangeShift, RegularOps, Seek, SizeChange};

use crate::PAGE;
use crate::inode::{StoredInode, pages_of};
use crate::mounted::Mounted;
use crate::tree::{DiskTree, PageRun};

/// The pages of one file.
pub struct FilePages {
    mounted: Arc<Mounted>,
    number: u32,
    /// Blocks of a page that the file has on the disk.
    blocks: Arc<AtomicU64>,
}

impl FilePages {
    /// Those of the file with that inode.
    pub fn new(mounted: &Arc<Mounted>, number: u32, blocks: &Arc<AtomicU64>) -> FilePages {
        FilePages {
            mounted: mounted.clone(),
            number,
            blocks: blocks.clone(),
        }
    }

    /// Notes how many blocks the file has, which a change of it may have changed.
    fn count_blocks(&self, tree: &mut dyn DiskTree) -> Result<(), Errno> {
        let (_, sectors) = tree.extent(self.number)?;
        self.blocks.store(pages_of(sectors), Ordering::Relaxed);
        Ok(())
    }

    /// Reads pages that follow each other on the disk; how many. 0: the first is no whole page there.
    fn read_run(&self, at: u64, pages: &[FrameHandle]) -> Result<usize, Errno> {
        let most = pages.len() as u32;
        let Some(found) = self.mounted.with(|tree| tree.page_run(self.number, at, most))? else {
            return Ok(0);
        };
        let len = (found.len as usize).clamp(1, pages.len());
        match found.sector {
            Some(sector) => self.mounted.disk.read_pages(sector, &pages[..len])?,
            None => zero(&pages[..len]),
        }
        Ok(len)
    }

    /// Writes pages that follow each other on the disk; how many. 0: the first is no whole page there.
    fn write_run(&self, at: u64, pages: &[FrameHandle], size: u64) -> Result<usize, Errno> {
        let most = pages.len() as u32;
        let found = self
            .mounted
            .with(|tree| tree.allocate_run(self.number, at, most, size))?;
        let Some(PageRun {
            sector: Some(sector),
            len,
        }) = found
        else {
            return Ok(0);
        };
        let len = (len as usize).clamp(1, pages.len());
        self.mounted.disk.write_pages(sector, &pages[..len])?;
        let end = at + len as u64;
        self.mounted.with(|tree| {
            tree.written(self.number, at..end, size.min(end * PAGE))?;
            self.count_blocks(tree)
        })?;
        Ok(len)
    }

    fn read_bytes(&self, index: u64, page: &FrameHandle) -> Result<(), Errno> {
        let mut bytes = fallible::filled(PAGE_SIZE, 0)?;
        let len = self
            .mounted
            .with(|tree| tree.read(self.number, index * PAGE, &mut bytes))?;
        bytes[len..].fill(0);
        frame::write(page.frame(), 0, &bytes);
        Ok(())
    }

    fn write_bytes(&self, index: u64, page: &FrameHandle, size: u64) -> Result<(), Errno> {
        let mut bytes = fallible::filled(PAGE_SIZE, 0)?;
        frame::read(page.frame(), 0, &mut bytes);
        let len = (size - index * PAGE).min(PAGE) as usize;
        self.mounted.with(|tree| {
            tree.write(self.number, index * PAGE, &bytes[..len])?;
            self.count_blocks(tree)
        })
    }
}

fn zero(pages: &[FrameHandle]) {
    for page in pages {
        frame::zero(page.frame(), 0, PAGE_SIZE);
    }
}

impl PageStore for FilePages {
    fn read(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        let mut done = 0;
        while done < pages.len() {
            let at = first + done as u64;
            done += match self.read_run(at, &pages[done..])? {
                0 => {
                    self.read_bytes(at, &pages[done])?;
                    1
                }
                len => len,
            };
        }
        Ok(())
    }

    fn write(&self, first: u64, pages: &[FrameHandle], size: u64) -> Result<(), Errno> {
        // Nobody is to find on the disk what a mapping has stored behind the end.
        let last = first + pages.len() as u64 - 1;
        let inside = (size % PAGE) as usize;
        if size / PAGE == last
            && inside > 0
            && let Some(page) = pages.last()
        {
            frame::zero(page.frame(), inside, PAGE_SIZE - inside);
        }
        let left = size.div_ceil(PAGE).saturating_sub(first);
        let pages = &pages[..pages.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        let mut done = 0;
        while done < pages.len() {
            let at = first + done as u64;
            done += match self.write_run(at, &pages[done..], size)? {
                0 => {
                    self.write_bytes(at, &pages[done], size)?;
                    1
                }
                len => len,
            };
        }
        Ok(())
    }

    fn reserve(&self, start: u64, end: u64) -> Result<(), Errno> {
        self.mounted.with(|tree| {
            tree.reserve(self.number, start..end, Size::Stays)?;
            self.count_blocks(tree)
        })
    }

    fn punch(&self, start: u64, end: u64) -> Result<(), Errno> {
        self.mounted.with(|tree| tree.punch(self.number, start..end))
    }

    fn commit(&self) -> Result<(), Errno> {
        self.mounted.with(|tree| tree.commit())
    }
}

/// Pages that are looked at at once for [`RegularOps::seek`]: the pages of the cache are locked meanwhile.
const STRETCH: u64 = 256;

impl StoredInode {
    /// What page `page` is, and how many from there on are the same, at least.
    fn stretch(&self, page: u64, most: u64) -> Result<(Seek, u64), Errno> {
        let run = self
            .mounted
            .with(|tree| tree.page_run(self.number, page, most as u32))?;
        let Some(run) = run else {
            return Ok((Seek::Data, 1)); // not to be told in whole pages
        };
        let len = u64::from(run.len).clamp(1, most);
        if run.sector.is_some() {
            return Ok((Seek::Data, len));
        }
        Ok(match self.pages()?.next_unwritten(page..page + len) {
            Some(data) if data == page => (Seek::Data, 1),
            Some(data) => (Seek::Hole, data - page),
            None => (Seek::Hole, len),
        })
    }

    fn pages(&self) -> Result<&Arc<pagecache::CachedFile>, Errno> {
        self.file().ok_or(Errno::EINVAL)
    }
}

/// How long a file is behind it.
fn shifted(size: u64, bytes: Range<u64>, shift: RangeShift) -> Result<u64, Errno> {
    let len = bytes.end - bytes.start;
    match shift {
        RangeShift::Collapse if bytes.end < size => Ok(size - len),
        RangeShift::Insert if bytes.start < size => size.checked_add(len).ok_or(Errno::EFBIG),
        _ => Err(Errno::EINVAL),
    }
}

impl RegularOps for StoredInode {
    fn truncate(&self, size: u64) -> Result<(), Errno> {
        let file = self.pages()?;
        let _writer = file.writer()?;
        let old = file.size();
        if size > old {
            file.clear_gap(size)?;
            self.mounted.with(|tree| tree.truncate(self.number, size))?;
            file.set_size(size)?;
        } else {
            file.set_size(size)?;
            self.mounted.with(|tree| tree.truncate(self.number, size))?;
        }
        self.refresh();
        Ok(())
    }

    fn allocate(&self, start: u64, end: u64, size: SizeChange) -> Result<(), Errno> {
        let file = self.pages()?;
        let _writer = file.writer()?;
        let change = match size {
            SizeChange::Grow => Size::Grows,
            SizeChange::Keep => Size::Stays,
        };
        if size == SizeChange::Grow {
            file.clear_gap(end)?;
        }
        self.mounted
            .with(|tree| tree.reserve(self.number, start..end, change))?;
        if size == SizeChange::Grow && end > file.size() {
            file.set_size(end)?;
        }
        self.refresh();
        Ok(())
    }

    fn punch(&self, start: u64, end: u64) -> Result<(), Errno> {
        let file = self.pages()?;
        let _writer = file.writer()?;
        // Before anything is forgotten that the disk cannot.
        self.mounted.with(|tree| tree.range_unit(self.number))?;
        file.punch(start, end)?;
        self.refresh();
        Ok(())
    }

    /// What is there goes, and new room comes: whole blocks of it hold nothing yet.
    fn zero(&self, start: u64, end: u64, size: SizeChange) -> Result<(), Errno> {
        self.punch(start, end)?;
        self.allocate(start, end, size)
    }

    /// The pages behind the start are written and forgotten first: they are read from their new places.
    fn shift(&self, start: u64, end: u64, shift: RangeShift) -> Result<(), Errno> {
        let file = self.pages()?;
        let _writer = file.writer()?;
        let unit = self.mounted.with(|tree| tree.range_unit(self.number))?;
        if !start.is_multiple_of(unit) || !end.is_multiple_of(unit) {
            return Err(Errno::EINVAL);
        }
        let size = shifted(file.size(), start..end, shift)?;
        file.rearrange(start, size, || {
            self.mounted
                .with(|tree| tree.shift(self.number, start..end, shift))
        })?;
        self.refresh();
        Ok(())
    }

    fn pages_on_disk(&self, page: u64, most: u32) -> Result<PagesOnDisk, Errno> {
        let run = self.mounted.with(|tree| tree.page_run(self.number, page, most))?;
        let run = run.ok_or(Errno::EINVAL)?;
        Ok(PagesOnDisk {
            sector: run.sector.ok_or(Errno::EINVAL)?,
            len: run.len.clamp(1, most),
        })
    }

    /// In whole pages: what has a place on the disk and was written there, and what is about to be, is data. Room that nobody wrote to is a hole.
    fn seek(&self, at: u64, what: Seek) -> Result<u64, Errno> {
        let size = self.pages()?.size();
        if at >= size {
            return Err(Errno::ENXIO);
        }
        let (mut page, end) = (at / PAGE, size.div_ceil(PAGE));
        while page < end {
            let (found, len) = self.stretch(page, (end - page).min(STRETCH))?;
            if found == what {
                return Ok(at.max(page * PAGE));
            }
            page += len;
            scheduler::cond_resched_killable()?;
        }
        match what {
            Seek::Data => Err(Errno::ENXIO),
            Seek::Hole => Ok(size),
        }
    }
}
