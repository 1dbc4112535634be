//! What a volume lies on: a disk of the machine, or what stands in for one.

use core::ops::Range;

use abi::Errno;
use memory::FrameHandle;
use platform::disk::DiskCommand;
use sched::SleepingMutex;

use crate::disk::{Disk, DiskProperties};
use crate::statistics::Statistics;

/// What moves sectors to pages and from them. Calls sleep.
pub trait Backing: Send + Sync {
    /// What it says of itself.
    fn properties(&self) -> &DiskProperties;

    /// Reads into pages, or writes them, that follow each other from `sector` on; only the first `len` bytes of them.
    ///
    /// # Errors
    /// `EIO`.
    fn transfer(
        &self,
        command: DiskCommand,
        sector: u64,
        pages: &[FrameHandle],
        len: usize,
        statistics: &Statistics,
    ) -> Result<(), Errno>;

    /// Makes everything stay that was written by calls that have returned.
    ///
    /// # Errors
    /// `EIO`.
    fn flush(&self, statistics: &Statistics) -> Result<(), Errno>;

    /// Forgets sectors.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EIO`.
    fn discard(&self, sectors: Range<u64>, statistics: &Statistics) -> Result<(), Errno>;

    /// For whoever finds no frame to copy through: one frame, and whose turn it is.
    fn spare(&self) -> &(SleepingMutex, FrameHandle);
}

impl Backing for Disk {
    fn properties(&self) -> &DiskProperties {
        Disk::properties(self)
    }

    fn transfer(
        &self,
        command: DiskCommand,
        sector: u64,
        pages: &[FrameHandle],
        len: usize,
        statistics: &Statistics,
    ) -> Result<(), Errno> {
        Disk::transfer(self, command, sector, pages, len, statistics)
    }

    fn flush(&self, statistics: &Statistics) -> Result<(), Errno> {
        Disk::flush(self, statistics)
    }

    fn discard(&self, sectors: Range<u64>, statistics: &Statistics) -> Result<(), Errno> {
        Disk::discard(self, sectors, statistics)
    }

    fn spare(&self) -> &(SleepingMutex, FrameHandle) {
        &self.spare
    }
}
