//! What mmap(2) maps of a cached file.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::mount::MountFlags;
use mm::{AT_HAND, FileIdentity, Frame, Interrupted, PageError, PageSource, Sharing, WriteBackError};
use vfs::dentry::Dentry;
use vfs::inode::Hold;

use crate::cache::CachedFile;
use crate::errors::ErrorSeen;
use crate::page::PageFlags;

/// A cached file as address spaces see it.
pub struct CacheMapping {
    dentry: Option<Arc<Dentry>>,
    file: Arc<CachedFile>,
    /// The file is open for writing as long as it is mapped by whoever opened it so.
    hold: Hold,
    /// It is shared and can be written, or may become so.
    is_writing: bool,
    /// Errors that msync(2) has told.
    seen: ErrorSeen,
}

impl CacheMapping {
    /// A mapping of the file, whose name is `dentry` and which was opened for writing or not.
    ///
    /// # Errors
    /// `ETXTBSY`, `EROFS`.
    pub fn new(
        file: &Arc<CachedFile>,
        dentry: Option<Arc<Dentry>>,
        hold: Hold,
        sharing: Sharing,
    ) -> Result<CacheMapping, Errno> {
        if let Some(dentry) = &dentry {
            dentry.inode.take_hold(hold)?;
        }
        file.note_mapping();
        Ok(CacheMapping {
            dentry,
            file: file.clone(),
            seen: file.sample_errors(),
            hold,
            is_writing: sharing == Sharing::Shared && hold == Hold::Write,
        })
    }
}

impl Drop for CacheMapping {
    fn drop(&mut self) {
        self.file.note_unmapping();
        if let Some(dentry) = &self.dentry {
            dentry.inode.release_hold(self.hold);
        }
    }
}

impl PageSource for CacheMapping {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        let wanted = if self.is_writing {
            PageFlags::MAY_BE_STORED_TO
        } else {
            PageFlags::empty()
        };
        self.file.page(index, wanted)
    }

    fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        // What may be stored to is noted page by page.
        if !self.is_writing {
            self.file.pages_at_hand(first, wanted, found);
        }
    }

    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        self.file.wait_for_page(index)
    }

    fn identity(&self) -> FileIdentity {
        self.dentry
            .as_ref()
            .map_or(FileIdentity::default(), |dentry| FileIdentity {
                device: dentry.inode.filesystem.device,
                inode: dentry.inode.number,
            })
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        // Without memory for the path there is none to show.
        if let Some(Ok(path)) = self.dentry.as_ref().map(|dentry| dentry.shown_path()) {
            write(&path);
        }
    }

    fn object(&self) -> usize {
        self.file.object()
    }

    fn note_change(&self, new_mode: &dyn Fn(u32, u32) -> u32) {
        if let Some(dentry) = &self.dentry {
            dentry.inode.note_written(new_mode);
        }
    }

    fn has_page(&self, index: u64) -> bool {
        self.file.has_page(index)
    }

    fn may_write(&self) -> bool {
        self.is_writing
    }

    fn may_execute(&self) -> bool {
        let is_forbidden = |dentry: &Arc<Dentry>| dentry.inode.filesystem.flags.has(MountFlags::MS_NOEXEC);
        !self.dentry.as_ref().is_some_and(is_forbidden)
    }

    fn note_write(&self) {
        if let Some(dentry) = &self.dentry {
            dentry.inode.note_modified();
        }
    }

    fn write_back(&self, pages: Range<u64>) -> Result<(), WriteBackError> {
        self.file.fsync(pages, &self.seen).map_err(|error| match error {
            Errno::ENOSPC => WriteBackError::NoSpace,
            _ => WriteBackError::Device,
        })
    }
}
