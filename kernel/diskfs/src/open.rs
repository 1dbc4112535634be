//! Open regular files.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::file::{AccessMode, FICLONE, FICLONERANGE, FIDEDUPERANGE, OpenFlags};
use abi::terminal::FIONREAD;
use block::BlockDevice;
use memory::fallible;
use mm::{PageSource, Sharing};
use pagecache::writeback::WriterPace;
use pagecache::{CacheMapping, CachedFile, ErrorSeen, ReadAhead, check_direct};
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::dentry::Dentry;
use vfs::file_ops::{FileOps, Io, Positioning, SyncKind};
use vfs::inode::Hold;
use vfs::permission::Subject;

use crate::PAGE;
use crate::inode::StoredInode;

/// An open regular file.
struct StoredFile {
    dentry: Arc<Dentry>,
    inode: Arc<StoredInode>,
    file: Arc<CachedFile>,
    notes_access: bool,
    is_writable: bool,
    ahead: ReadAhead,
    seen: ErrorSeen,
}

impl StoredInode {
    /// Opens it.
    ///
    /// # Errors
    /// `ENXIO`, `ENOMEM`.
    pub fn open_file(
        self: Arc<Self>,
        dentry: &Arc<Dentry>,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        let file = self.file().ok_or(Errno::ENXIO)?.clone();
        Ok(fallible::arc(StoredFile {
            dentry: dentry.clone(),
            seen: file.sample_errors(),
            inode: self,
            file,
            notes_access: !flags.contains(OpenFlags::O_NOATIME),
            is_writable: flags.access() != AccessMode::Read,
            ahead: ReadAhead::default(),
        })?)
    }
}

impl StoredFile {
    /// `O_DIRECT`: whether position, memory and length fit the blocks of the disk.
    fn check_direct(&self, at: u64, memory: u64) -> Result<(), Errno> {
        check_direct(self.inode.mounted.disk.block_size(), at, memory)
    }

    fn read_direct(&self, at: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.check_direct(at, to.memory_bits())?;
        self.file.read_direct(at, to)
    }
}

impl FileOps for StoredFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let done = match io.is_direct() {
            true => self.read_direct(io.position, to)?,
            false => self.file.read(io.position, to, &self.ahead)?,
        };
        io.position += done as u64;
        if self.notes_access {
            self.dentry.inode.note_accessed();
        }
        Ok(done)
    }

    fn write(&self, caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if from.left() == 0 {
            return Ok(0);
        }
        let start;
        let done = {
            let _writer = self.file.writer()?;
            if io.is_append() {
                io.position = self.file.size();
            }
            start = io.position;
            let room = caller.write_room(start)?;
            match io.is_direct() {
                true => {
                    self.check_direct(start, from.memory_bits())?;
                    self.file.write_direct(start, from, room, WriterPace::of(io))?
                }
                false => self.file.write(start, from, room, WriterPace::of(io))?,
            }
        };
        io.position += done as u64;
        self.dentry.inode.note_written_by(&Subject::of(caller));
        if io.is_synchronous() {
            self.sync(start..io.position, SyncKind::All)?;
        }
        Ok(done)
    }

    fn takes_direct(&self) -> bool {
        true
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn sync(&self, range: Range<u64>, kind: SyncKind) -> Result<(), Errno> {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        match kind {
            SyncKind::Pages => self.file.sync(pages),
            SyncKind::Data => self.file.fsync(pages, &self.seen),
            SyncKind::All => {
                self.inode.mounted.store_attributes(&self.dentry.inode)?;
                self.file.fsync(pages, &self.seen)
            }
        }
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        match request {
            FIONREAD => {}
            FICLONE | FICLONERANGE | FIDEDUPERANGE => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::ENOTTY),
        }
        let size = u32::try_from(self.file.size()).unwrap_or(u32::MAX);
        uaccess::write_value(argument, &size)?;
        Ok(0)
    }

    fn page_source(&self, sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        if self.notes_access {
            self.dentry.inode.note_accessed();
        }
        let hold = if self.is_writable { Hold::Write } else { Hold::None };
        let mapping = CacheMapping::new(&self.file, Some(self.dentry.clone()), hold, sharing)?;
        Ok(fallible::arc(mapping)?)
    }
}
