//! Regular files in memory, open and mapped.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::file::{AccessMode, FICLONE, FICLONERANGE, FIDEDUPERANGE, OpenFlags, SealFlags};
use abi::mount::MountFlags;
use abi::terminal::FIONREAD;
use memory::fallible;
use mm::{AT_HAND, FileIdentity, Frame, Interrupted, PAGE_SIZE, PageError, PageSource, RemoveError, Sharing};
use platform::user_copy::UserFault;

use super::page_cache::PageCache;
use sched::late_pages;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::dentry::Dentry;
use vfs::file_ops::{FileOps, Io, Positioning};
use vfs::inode::Hold;
use vfs::inode_ops::{InodeOps, RegularOps, Seek, SizeChange};
use vfs::permission::Subject;

impl InodeOps for PageCache {
    fn open(self: Arc<Self>, dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(fallible::arc(RegularFile {
            dentry: dentry.clone(),
            cache: self,
            notes_access: !flags.contains(OpenFlags::O_NOATIME),
            is_writable: flags.access() != AccessMode::Read,
        })?)
    }

    fn size(&self) -> u64 {
        PageCache::size(self)
    }

    fn page_count(&self) -> u64 {
        PageCache::page_count(self)
    }

    fn as_regular(&self) -> Option<&dyn RegularOps> {
        Some(self)
    }
}

impl RegularOps for PageCache {
    fn truncate(&self, size: u64) -> Result<(), Errno> {
        PageCache::truncate(self, size)
    }

    fn allocate(&self, start: u64, end: u64, size: SizeChange) -> Result<(), Errno> {
        PageCache::allocate(self, start, end, size)
    }

    fn punch(&self, start: u64, end: u64) -> Result<(), Errno> {
        PageCache::punch(self, start, end)
    }

    fn seek(&self, at: u64, what: Seek) -> Result<u64, Errno> {
        PageCache::seek(self, at, what).ok_or(Errno::ENXIO)
    }

    fn seals(&self) -> Result<SealFlags, Errno> {
        Ok(self.seals.get())
    }

    fn add_seals(&self, seals: SealFlags) -> Result<(), Errno> {
        let _writer = self.writer()?;
        self.seals.add(seals)
    }
}

/// An open regular file.
struct RegularFile {
    dentry: Arc<Dentry>,
    cache: Arc<PageCache>,
    notes_access: bool,
    is_writable: bool,
}

impl FileOps for RegularFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let done = self.cache.read(io.position, to)?;
        io.position += done as u64;
        if self.notes_access {
            self.dentry.inode.note_accessed();
        }
        Ok(done)
    }

    fn write(&self, caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let cache = &self.cache;
        if from.left() == 0 {
            return Ok(0);
        }
        let _writer = cache.writer()?;
        if io.is_append() {
            io.position = cache.size();
        }
        let room = caller.write_room(io.position)?.min(from.left());
        let room = cache.seals.check_write(io.position, room, cache.size())?;
        let done = cache.write(io.position, &mut AtMost { from, left: room })?;
        io.position += done as u64;
        self.dentry.inode.note_written_by(&Subject::of(caller));
        Ok(done)
    }

    /// There is nothing but pages, as on Linux since 6.6.
    fn takes_direct(&self) -> bool {
        true
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        match request {
            FIONREAD => {}
            // No two files share pages.
            FICLONE | FICLONERANGE | FIDEDUPERANGE => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::ENOTTY),
        }
        let size = u32::try_from(self.cache.size()).unwrap_or(u32::MAX);
        uaccess::write_value(argument, &size)?;
        Ok(0)
    }

    fn page_source(&self, sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        if self.notes_access {
            self.dentry.inode.note_accessed();
        }
        // One that finds no memory is dropped here, and leaves by that.
        Ok(fallible::arc(Mapping::new(self, sharing)?)?)
    }
}

/// The first bytes of a source.
struct AtMost<'a> {
    from: &'a mut dyn Source,
    left: usize,
}

impl Source for AtMost<'_> {
    fn left(&self) -> usize {
        self.from.left().min(self.left)
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        let len = into.len().min(self.left);
        let taken = self.from.take(&mut into[..len])?;
        self.left -= taken;
        Ok(taken)
    }

    fn try_take(&mut self, into: &mut [u8], fault: &mut Option<UserFault>) -> usize {
        let len = into.len().min(self.left);
        let taken = self.from.try_take(&mut into[..len], fault);
        self.left -= taken;
        taken
    }

    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        fault: &mut Option<UserFault>,
    ) -> usize {
        let len = len.min(self.left);
        let taken = self.from.try_take_into_frame(frame, offset, len, fault);
        self.left -= taken;
        taken
    }
}

/// What mmap(2) maps of a regular file: the frames of its page cache.
struct Mapping {
    dentry: Arc<Dentry>,
    cache: Arc<PageCache>,
    /// The file is open for writing as long as it is mapped by whoever opened it so.
    hold: Hold,
    /// It is shared and can be written, or may become so.
    is_writing: bool,
}

impl Mapping {
    /// As long as it lives, whoever shortens the file looks for the pages that it gave.
    fn new(file: &RegularFile, sharing: Sharing) -> Result<Mapping, Errno> {
        let hold = if file.is_writable { Hold::Write } else { Hold::None };
        file.dentry.inode.take_hold(hold)?;
        file.cache.note_mapping();
        let may_write = sharing == Sharing::Shared && file.is_writable;
        Ok(Mapping {
            dentry: file.dentry.clone(),
            cache: file.cache.clone(),
            hold,
            is_writing: may_write && file.cache.seals.enter_mapping().is_ok(),
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_writing {
            self.cache.seals.leave_mapping();
        }
        self.cache.note_unmapping();
        self.dentry.inode.release_hold(self.hold);
    }
}

impl PageSource for Mapping {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        late_pages::ask(self.cache.object(), index)?;
        Ok(self.cache.page(index)?.into_reference())
    }

    fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        let wanted = late_pages::present(self.cache.object(), first, wanted);
        self.cache.pages_at_hand(first, wanted, found);
    }

    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        late_pages::wait_for(self.object(), index)
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            device: self.dentry.inode.filesystem.device,
            inode: self.dentry.inode.number,
        }
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        // Without memory for the path there is none to show.
        if let Ok(path) = self.dentry.shown_path() {
            write(&path);
        }
    }

    fn object(&self) -> usize {
        self.cache.object()
    }

    fn remove_pages(&self, pages: Range<u64>) -> Result<(), RemoveError> {
        let [start, end] = [pages.start, pages.end].map(|page| page.saturating_mul(PAGE_SIZE as u64));
        self.cache.punch(start, end).map_err(|error| match error {
            Errno::ENOMEM => RemoveError::NoMemory,
            Errno::EPERM => RemoveError::Forbidden,
            _ => RemoveError::Interrupted,
        })
    }

    fn note_change(&self, new_mode: &dyn Fn(u32, u32) -> u32) {
        self.dentry.inode.note_written(new_mode);
    }

    fn has_page(&self, index: u64) -> bool {
        self.cache.has_page(index)
    }

    fn may_write(&self) -> bool {
        self.is_writing
    }

    fn may_execute(&self) -> bool {
        !self.dentry.inode.filesystem.flags.has(MountFlags::MS_NOEXEC)
    }

    fn note_write(&self) {
        self.dentry.inode.note_modified();
    }
}
