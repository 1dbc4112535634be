//! What has a name in /dev: a disk, or one of its partitions.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use abi::Errno;
use lock::RwLock;
use memory::FrameHandle;
use memory::fallible::TryVec;
use platform::disk::DiskCommand;

use crate::backing::Backing;
use crate::device::{BlockDevice, PAGE_SECTORS, SECTOR_SIZE};
use crate::statistics::Statistics;

/// A disk, or a part of one.
pub struct Volume {
    /// As in /dev.
    pub name: &'static str,
    /// Its device number.
    pub number: (u32, u32),
    /// Which partition it is, from 1 on; `None` for the whole disk.
    pub partition: Option<u32>,
    /// By which it can be named: `PARTUUID=`. Empty for none.
    pub partition_uuid: &'static str,
    /// Its first sector on the disk.
    pub start: u64,
    /// How many it has.
    pub len: AtomicU64,
    /// The disk.
    pub disk: Arc<dyn Backing>,
    /// What was asked of it.
    pub statistics: Statistics,
    /// Somebody has it for himself.
    pub is_claimed: AtomicBool,
}

/// A volume that is somebody's, until this is dropped: nobody else swaps to it, mounts it, or opens it with `O_EXCL`.
pub struct VolumeClaim(Arc<Volume>);

impl VolumeClaim {
    /// Which.
    pub fn volume(&self) -> &Arc<Volume> {
        &self.0
    }
}

impl Drop for VolumeClaim {
    fn drop(&mut self) {
        self.0.is_claimed.store(false, Ordering::Release);
    }
}

impl Volume {
    /// Whether it is somebody's, or the disk that it is a partition of, or a partition of it.
    pub fn is_somebodys(&self) -> bool {
        VOLUMES.read().iter().any(|other| self.is_kept_from_by(other))
    }

    fn is_kept_from_by(&self, other: &Volume) -> bool {
        let is_same = self.partition == other.partition;
        let is_near = is_same || self.partition.is_none() || other.partition.is_none();
        is_near && self.is_on_disk_of(other) && other.is_claimed.load(Ordering::Relaxed)
    }

    /// Takes it for the caller alone.
    ///
    /// # Errors
    /// `EBUSY`: it is somebody's, or the disk is that it is a partition of, or a partition of it.
    pub fn claim(self: &Arc<Volume>) -> Result<VolumeClaim, Errno> {
        // One at a time: nobody looks while another has looked and not claimed yet.
        let volumes = VOLUMES.write();
        if volumes.iter().any(|other| self.is_kept_from_by(other)) {
            return Err(Errno::EBUSY);
        }
        match self.is_claimed.swap(true, Ordering::Acquire) {
            true => Err(Errno::EBUSY),
            false => Ok(VolumeClaim(self.clone())),
        }
    }

    fn is_on_disk_of(&self, other: &Volume) -> bool {
        core::ptr::addr_eq(Arc::as_ptr(&self.disk), Arc::as_ptr(&other.disk))
    }

    /// Where on the disk something begins.
    fn place(&self, sector: u64, len: usize) -> Result<u64, Errno> {
        let block = self.block_size();
        if !len.is_multiple_of(block) || !sector.is_multiple_of((block / SECTOR_SIZE) as u64) {
            return Err(Errno::EINVAL);
        }
        let end = sector.checked_add((len / SECTOR_SIZE) as u64).ok_or(Errno::EIO)?;
        if end > self.sectors() {
            return Err(Errno::EIO);
        }
        Ok(self.start + sector)
    }

    fn writable(&self) -> Result<(), Errno> {
        if self.is_read_only() {
            Err(Errno::EROFS)
        } else {
            Ok(())
        }
    }

    /// Bytes of so many pages from `sector` on that are not behind the end.
    fn length(&self, sector: u64, pages: usize) -> usize {
        let left = self.sectors().saturating_sub(sector);
        let wanted = pages as u64 * PAGE_SECTORS;
        left.min(wanted) as usize * SECTOR_SIZE
    }
}

impl BlockDevice for Volume {
    fn sectors(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    fn block_size(&self) -> usize {
        self.disk.properties().block_size as usize
    }

    fn is_read_only(&self) -> bool {
        self.disk.properties().is_read_only
    }

    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno> {
        let at = self.place(sector, into.len())?;
        self.disk.read_bytes(at, into, &self.statistics)
    }

    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno> {
        self.writable()?;
        let at = self.place(sector, from.len())?;
        self.disk.write_bytes(at, from, &self.statistics)
    }

    fn flush(&self) -> Result<(), Errno> {
        self.disk.flush(&self.statistics)
    }

    fn discard(&self, sectors: Range<u64>) -> Result<(), Errno> {
        self.writable()?;
        let count = sectors.end.saturating_sub(sectors.start);
        let len = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(SECTOR_SIZE));
        let at = self.place(sectors.start, len.ok_or(Errno::EINVAL)?)?;
        self.disk.discard(at..at + count, &self.statistics)
    }

    fn read_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        let len = self.length(sector, pages.len());
        let at = self.place(sector, len)?;
        self.disk
            .transfer(DiskCommand::Read, at, pages, len, &self.statistics)
    }

    fn write_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.writable()?;
        let len = self.length(sector, pages.len());
        let at = self.place(sector, len)?;
        self.disk
            .transfer(DiskCommand::Write, at, pages, len, &self.statistics)
    }
}

static VOLUMES: RwLock<Vec<Arc<Volume>>> = RwLock::new(Vec::new());

/// There is one more.
///
/// # Errors
/// `ENOMEM`.
pub fn add(volume: Arc<Volume>) -> Result<(), Errno> {
    VOLUMES.write().try_push(volume)
}

/// There is no such volume any more. Whoever has it keeps it.
pub fn remove(volume: &Arc<Volume>) {
    let gone = {
        let mut all = VOLUMES.write();
        let place = all.iter().position(|other| Arc::ptr_eq(other, volume));
        place.map(|place| all.remove(place))
    };
    drop(gone);
}

/// The one that was found as number `index`; `None` behind the last. Each disk comes before its partitions.
pub fn nth(index: usize) -> Option<Arc<Volume>> {
    VOLUMES.read().get(index).cloned()
}

/// Makes everything stay that was written to any disk.
pub fn flush_all() {
    for disk in all().filter(|volume| volume.partition.is_none()) {
        if let Err(error) = disk.flush() {
            klog::error!("{}: not everything was kept: {}", disk.name, error.message());
        }
    }
}

/// All that there are.
pub fn all() -> impl Iterator<Item = Arc<Volume>> {
    (0..).map_while(nth)
}
