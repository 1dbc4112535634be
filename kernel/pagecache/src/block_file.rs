//! Disks and partitions as files: /dev/vda, /dev/vda1. Their pages are cached as those of any other file.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Range;

use abi::Errno;
use abi::block::{
    BLKALIGNOFF, BLKBSZGET, BLKDISCARD, BLKDISCARDZEROES, BLKFLSBUF, BLKGETSIZE, BLKGETSIZE64, BLKIOMIN,
    BLKIOOPT, BLKPBSZGET, BLKRAGET, BLKROGET, BLKROTATIONAL, BLKSSZGET,
};
use abi::file::{AccessMode, OpenFlags};
use block::volume::{self, VolumeClaim};
use block::zram::ZRAM_MAJOR;
use block::{BlockDevice, SECTOR_SIZE, Volume};
use lock::Mutex;
use memory::fallible::TryVec;
use memory::{FrameHandle, fallible};
use mm::{PAGE_SIZE, PageSource, Sharing};
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::dentry::Dentry;
use vfs::device_registry::{self, DeviceClass, DeviceDriver, DeviceNode, DeviceRange};
use vfs::file_ops::{FileOps, Io, Positioning, SyncKind};
use vfs::inode::Hold;

use crate::PAGE;
use crate::cache::CachedFile;
use crate::direct::check_direct;
use crate::errors::ErrorSeen;
use crate::mapping::CacheMapping;
use crate::read::ReadAhead;
use crate::store::PageStore;
use crate::writeback::WriterPace;

/// Permission bits of the nodes.
const MODE: u32 = 0o660;
/// Sectors that are read ahead at most.
const READ_AHEAD_SECTORS: u64 = 256;

/// The sectors of a disk as pages.
struct VolumePages(Arc<Volume>);

impl PageStore for VolumePages {
    fn read(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.0.read_pages(first * PAGE / SECTOR_SIZE as u64, pages)
    }

    fn write(&self, first: u64, pages: &[FrameHandle], _size: u64) -> Result<(), Errno> {
        self.0.write_pages(first * PAGE / SECTOR_SIZE as u64, pages)
    }

    fn commit(&self) -> Result<(), Errno> {
        self.0.flush()
    }
}

/// A disk that was opened once, with its pages.
#[derive(Clone)]
struct Opened {
    volume: Arc<Volume>,
    file: Arc<CachedFile>,
}

static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

/// The disk of that number, with its pages.
fn opened(number: (u32, u32)) -> Result<Opened, Errno> {
    let find = || {
        OPENED
            .lock()
            .iter()
            .find(|one| one.volume.number == number)
            .cloned()
    };
    if let Some(found) = find() {
        if found.file.size() == found.volume.sectors() * SECTOR_SIZE as u64 {
            return Ok(found);
        }
        // It was given another size since.
        OPENED.lock().retain(|one| one.volume.number != number);
    }
    let volume = volume::all()
        .find(|volume| volume.number == number)
        .ok_or(Errno::ENXIO)?;
    let store = fallible::arc(VolumePages(volume.clone()))?;
    let file = CachedFile::new(store, volume.sectors() * SECTOR_SIZE as u64)?;
    let new = Opened { volume, file };
    let mut all = OPENED.lock();
    // Another thread may have been faster.
    if let Some(found) = all.iter().find(|one| one.volume.number == number) {
        return Ok(found.clone());
    }
    all.try_push(new.clone())?;
    Ok(new)
}

/// Serves the disks of one major number.
struct Disks(u32);

impl DeviceDriver for Disks {
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        self.open_file(None, minor, flags)
    }

    fn open_node(
        &self,
        node: Arc<dyn Any + Send + Sync>,
        minor: u32,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        self.open_file(node.downcast().ok(), minor, flags)
    }
}

impl Disks {
    fn open_file(
        &self,
        dentry: Option<Arc<Dentry>>,
        minor: u32,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>, Errno> {
        Ok(BlockFile::open((self.0, minor), dentry, flags)?)
    }
}

impl BlockFile {
    /// Opens the disk of that number; with `O_EXCL` for the caller alone.
    ///
    /// # Errors
    /// `ENXIO`, `EROFS`, `ENOMEM`; `EBUSY`: it is somebody's already.
    pub(crate) fn open(
        number: (u32, u32),
        dentry: Option<Arc<Dentry>>,
        flags: OpenFlags,
    ) -> Result<Arc<BlockFile>, Errno> {
        let Opened { volume, file } = opened(number)?;
        let is_writable = flags.access() != AccessMode::Read;
        if is_writable && volume.is_read_only() {
            return Err(Errno::EROFS);
        }
        let is_exclusive = flags.contains(OpenFlags::O_EXCL);
        if volume.is_somebodys() && !is_exclusive {
            // Its file system writes beside these pages: they may be of yesterday.
            file.forget();
        }
        let claim = is_exclusive.then(|| volume.claim()).transpose()?;
        fallible::arc(BlockFile {
            _claim: claim,
            seen: file.sample_errors(),
            volume,
            file,
            dentry,
            is_writable,
            ahead: ReadAhead::default(),
        })
    }

    /// Whether it is open on that disk.
    pub(crate) fn is_of(&self, volume: &Arc<Volume>) -> bool {
        Arc::ptr_eq(&self.volume, volume)
    }
}

/// Registers the disks that were found, and their nodes. At boot, before a devtmpfs is mounted.
///
/// # Errors
/// `EBUSY`, `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    let mut majors = Vec::new();
    for volume in volume::all() {
        if !majors.contains(&volume.number.0) {
            majors.try_push(volume.number.0)?;
        }
    }
    for major in majors {
        let ours = volume::all().filter(|volume| volume.number.0 == major);
        let nodes = fallible::collect(ours.map(|volume| DeviceNode {
            name: volume.name,
            minor: volume.number.1,
            mode: MODE,
        }))?;
        device_registry::register(DeviceRange {
            name: match major {
                block::VIRTIO_MAJOR => "virtblk",
                ZRAM_MAJOR => "zram",
                _ => "mmc",
            },
            class: DeviceClass::Block,
            major,
            minors: 0..=u32::from(u8::MAX),
            driver: Box::leak(fallible::boxed(Disks(major))?),
            nodes: nodes.leak(),
        })?;
    }
    Ok(())
}

/// Writes back what was written to a disk itself, and forgets its pages: from now on a file system is there.
///
/// # Errors
/// `EIO`, `ENOMEM`.
pub fn forget_disk(number: (u32, u32)) -> Result<(), Errno> {
    let found = OPENED
        .lock()
        .iter()
        .find(|one| one.volume.number == number)
        .cloned();
    if let Some(Opened { volume, file }) = found {
        file.sync(0..u64::MAX)?;
        volume.flush()?;
        file.forget();
    }
    Ok(())
}

/// As [`forget_disk`], for a disk that goes away: who opens its number again finds another.
///
/// # Errors
/// `EIO`, `ENOMEM`: what was written may be lost.
pub(crate) fn retire_disk(number: (u32, u32)) -> Result<(), Errno> {
    let result = forget_disk(number);
    let gone = {
        let mut all = OPENED.lock();
        let place = all.iter().position(|one| one.volume.number == number);
        place.map(|place| all.swap_remove(place))
    };
    drop(gone);
    result
}

/// An open disk.
pub(crate) struct BlockFile {
    /// Of who opened it for himself.
    _claim: Option<VolumeClaim>,
    volume: Arc<Volume>,
    file: Arc<CachedFile>,
    dentry: Option<Arc<Dentry>>,
    is_writable: bool,
    ahead: ReadAhead,
    seen: ErrorSeen,
}

impl FileOps for BlockFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let done = if io.is_direct() {
            check_direct(self.volume.block_size(), io.position, to.memory_bits())?;
            self.file.read_direct(io.position, to)?
        } else {
            self.file.read(io.position, to, &self.ahead)?
        };
        io.position += done as u64;
        Ok(done)
    }

    fn write(&self, _caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if from.left() == 0 {
            return Ok(0);
        }
        let start = io.position;
        let done = {
            let _writer = self.file.writer()?;
            let left = self.file.size().saturating_sub(start);
            if left == 0 {
                return Err(Errno::ENOSPC);
            }
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            if io.is_direct() {
                check_direct(self.volume.block_size(), start, from.memory_bits())?;
                self.file.write_direct(start, from, most, WriterPace::of(io))?
            } else {
                self.file.write(start, from, most, WriterPace::of(io))?
            }
        };
        io.position += done as u64;
        if io.is_synchronous() {
            self.file
                .fsync(start / PAGE..io.position.div_ceil(PAGE), &self.seen)?;
        }
        Ok(done)
    }

    fn takes_direct(&self) -> bool {
        true
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn size(&self) -> Option<u64> {
        Some(self.file.size())
    }

    fn sync(&self, range: Range<u64>, kind: SyncKind) -> Result<(), Errno> {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        match kind {
            SyncKind::Pages => self.file.sync(pages),
            SyncKind::Data | SyncKind::All => self.file.fsync(pages, &self.seen),
        }
    }

    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        let block = self.volume.block_size() as u32;
        let (sectors, bytes) = (self.volume.sectors(), self.volume.sectors() * SECTOR_SIZE as u64);
        match request {
            BLKGETSIZE64 => uaccess::write_value(argument, &bytes)?,
            BLKGETSIZE => uaccess::write_value(argument, &sectors)?,
            BLKSSZGET | BLKPBSZGET | BLKIOMIN => uaccess::write_value(argument, &block)?,
            BLKBSZGET => uaccess::write_value(argument, &(PAGE_SIZE as u32))?,
            BLKROGET => uaccess::write_value(argument, &u32::from(self.volume.is_read_only()))?,
            BLKIOOPT | BLKALIGNOFF | BLKDISCARDZEROES => uaccess::write_value(argument, &0u32)?,
            BLKRAGET => uaccess::write_value(argument, &READ_AHEAD_SECTORS)?,
            BLKROTATIONAL => uaccess::write_value(argument, &0u16)?,
            BLKFLSBUF => self.flush_buffers()?,
            BLKDISCARD => self.discard(argument)?,
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn page_source(&self, sharing: Sharing) -> Result<Arc<dyn PageSource>, Errno> {
        let hold = if self.is_writable { Hold::Write } else { Hold::None };
        let mapping = CacheMapping::new(&self.file, self.dentry.clone(), hold, sharing)?;
        Ok(fallible::arc(mapping)?)
    }
}

impl BlockFile {
    /// `BLKFLSBUF`; the call has looked at the caller's rights.
    fn flush_buffers(&self) -> Result<(), Errno> {
        self.file.fsync(0..u64::MAX, &self.seen)?;
        self.file.forget();
        Ok(())
    }

    /// `BLKDISCARD`: `[start, length]` in bytes.
    fn discard(&self, argument: u64) -> Result<(), Errno> {
        if !self.is_writable {
            return Err(Errno::EBADF);
        }
        let [start, len]: [u64; 2] = uaccess::read_value(argument)?;
        let unit = SECTOR_SIZE as u64;
        let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
        if start % unit != 0 || len % unit != 0 || end > self.file.size() {
            return Err(Errno::EINVAL);
        }
        let _writer = self.file.writer()?;
        self.file.sync(start / PAGE..end.div_ceil(PAGE))?;
        self.volume.discard(start / unit..end / unit)?;
        self.file.drop_pages(start / PAGE..end.div_ceil(PAGE));
        Ok(())
    }
}
