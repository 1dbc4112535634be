//! Bytes of regular files: where the page cache finds them, and room for more.

use alloc::sync::Arc;

use abi::Errno;
use block::{BlockDevice, SECTOR_SIZE};
use ext4::{BlockMapping, BlockState, Size};
use memory::{FrameHandle, fallible};
use mm::PAGE_SIZE;
use pagecache::PageStore;
use platform::frame;
use vfs::inode_ops::{RegularOps, Seek, SizeChange};

use crate::PAGE;
use crate::inode::StoredInode;
use crate::mounted::Mounted;

/// The pages of one file.
pub struct FilePages {
    mounted: Arc<Mounted>,
    number: u32,
}

impl FilePages {
    /// Those of the file with that inode.
    pub fn new(mounted: &Arc<Mounted>, number: u32) -> FilePages {
        FilePages {
            mounted: mounted.clone(),
            number,
        }
    }

    fn has_whole_pages(&self) -> bool {
        self.mounted.block_size == PAGE_SIZE
    }

    fn sector(&self, mapping: &BlockMapping) -> u64 {
        mapping.physical * (self.mounted.block_size / SECTOR_SIZE) as u64
    }

    fn read_run(&self, at: u64, pages: &[FrameHandle]) -> Result<usize, Errno> {
        let Ok(block) = u32::try_from(at) else {
            return Ok(zero(pages));
        };
        let found = self
            .mounted
            .with(|ext4| ext4.map(self.number, block, pages.len() as u32))?;
        let len = (found.len as usize).clamp(1, pages.len());
        if found.state == BlockState::Written {
            self.mounted.disk.read_pages(self.sector(&found), &pages[..len])?;
        } else {
            zero(&pages[..len]);
        }
        Ok(len)
    }

    fn write_run(&self, at: u64, pages: &[FrameHandle], size: u64) -> Result<usize, Errno> {
        let block = u32::try_from(at).map_err(|_| Errno::EFBIG)?;
        let found = self
            .mounted
            .with(|ext4| ext4.allocate(self.number, block, pages.len() as u32))?;
        let len = (found.len as usize).clamp(1, pages.len());
        self.mounted
            .disk
            .write_pages(self.sector(&found), &pages[..len])?;
        let end = size.min((at + len as u64) * PAGE);
        self.mounted
            .with(|ext4| ext4.written(self.number, block..block + len as u32, end))?;
        Ok(len)
    }
}

fn zero(pages: &[FrameHandle]) -> usize {
    for page in pages {
        frame::zero(page.frame(), 0, PAGE_SIZE);
    }
    pages.len()
}

impl PageStore for FilePages {
    fn read(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        let mut done = 0;
        while self.has_whole_pages() && done < pages.len() {
            done += self.read_run(first + done as u64, &pages[done..])?;
        }
        if done == pages.len() {
            return Ok(());
        }
        let mut bytes = fallible::filled(PAGE_SIZE, 0)?;
        for (index, page) in (first..).zip(pages) {
            let len = self
                .mounted
                .with(|ext4| ext4.read(self.number, index * PAGE, &mut bytes))?;
            bytes[len..].fill(0);
            frame::write(page.frame(), 0, &bytes);
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
        while self.has_whole_pages() && done < pages.len() {
            done += self.write_run(first + done as u64, &pages[done..], size)?;
        }
        if done == pages.len() {
            return Ok(());
        }
        let mut bytes = fallible::filled(PAGE_SIZE, 0)?;
        for (index, page) in (first..).zip(pages) {
            frame::read(page.frame(), 0, &mut bytes);
            let len = (size - index * PAGE).min(PAGE) as usize;
            self.mounted
                .with(|ext4| ext4.write(self.number, index * PAGE, &bytes[..len]))?;
        }
        Ok(())
    }

    fn reserve(&self, start: u64, end: u64) -> Result<(), Errno> {
        self.mounted
            .with(|ext4| ext4.reserve(self.number, start..end, Size::Stays))
    }

    fn commit(&self) -> Result<(), Errno> {
        self.mounted.with(|ext4| ext4.commit())
    }
}

impl StoredInode {
    fn pages(&self) -> Result<&Arc<pagecache::CachedFile>, Errno> {
        self.file().ok_or(Errno::EINVAL)
    }
}

impl RegularOps for StoredInode {
    fn truncate(&self, size: u64) -> Result<(), Errno> {
        let file = self.pages()?;
        let _writer = file.writer()?;
        let old = file.size();
        if size > old {
            file.clear_gap(size)?;
            self.mounted.with(|ext4| ext4.truncate(self.number, size))?;
            file.set_size(size)?;
        } else {
            file.set_size(size)?;
            self.mounted.with(|ext4| ext4.truncate(self.number, size))?;
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
            .with(|ext4| ext4.reserve(self.number, start..end, change))?;
        if size == SizeChange::Grow && end > file.size() {
            file.set_size(end)?;
        }
        self.refresh();
        Ok(())
    }

    /// All of it counts as data, which lseek(2) allows.
    fn seek(&self, at: u64, what: Seek) -> Result<u64, Errno> {
        let size = self.pages()?.size();
        match what {
            _ if at >= size => Err(Errno::ENXIO),
            Seek::Data => Ok(at),
            Seek::Hole => Ok(size),
        }
    }
}
