//! Bytes of the kernel's own, to a disk and from it: by way of frames, which are what a disk reaches.

use arrayvec::ArrayVec;
use core::iter;

use abi::Errno;
use memory::FrameHandle;
use mm::PAGE_SIZE;
use platform::disk::DiskCommand;
use platform::frame;

use crate::backing::Backing;
use crate::device::SECTOR_SIZE;
use crate::statistics::Statistics;

/// Pages that are copied at once.
const COPIED_PAGES: usize = 8;

impl dyn Backing {
    /// Reads bytes.
    ///
    /// # Errors
    /// `EIO`.
    pub(crate) fn read_bytes(
        &self,
        sector: u64,
        into: &mut [u8],
        statistics: &Statistics,
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < into.len() {
            let sector = sector + (done / SECTOR_SIZE) as u64;
            done += self.with_copies(into.len() - done, |pages, len| {
                self.transfer(DiskCommand::Read, sector, pages, len, statistics)?;
                for (page, bytes) in pages.iter().zip(into[done..done + len].chunks_mut(PAGE_SIZE)) {
                    frame::read(page.frame(), 0, bytes);
                }
                Ok(len)
            })?;
        }
        Ok(())
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// `EIO`.
    pub(crate) fn write_bytes(&self, sector: u64, from: &[u8], statistics: &Statistics) -> Result<(), Errno> {
        let mut done = 0;
        while done < from.len() {
            let sector = sector + (done / SECTOR_SIZE) as u64;
            done += self.with_copies(from.len() - done, |pages, len| {
                for (page, bytes) in pages.iter().zip(from[done..done + len].chunks(PAGE_SIZE)) {
                    frame::write(page.frame(), 0, bytes);
                }
                self.transfer(DiskCommand::Write, sector, pages, len, statistics)?;
                Ok(len)
            })?;
        }
        Ok(())
    }

    /// Does `work` with frames for up to `wanted` bytes, and with how many bytes those are. Where no memory is left there is the spare one:
    /// what is written may be what gives memory back.
    fn with_copies(
        &self,
        wanted: usize,
        work: impl FnOnce(&[FrameHandle], usize) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let count = wanted.div_ceil(PAGE_SIZE).min(COPIED_PAGES);
        let pages: ArrayVec<FrameHandle, COPIED_PAGES> = iter::from_fn(|| FrameHandle::allocate().ok())
            .take(count)
            .collect();
        if pages.is_empty() {
            let (turn, spare) = self.spare();
            let _turn = turn.lock_uninterruptible();
            return work(core::slice::from_ref(spare), wanted.min(PAGE_SIZE));
        }
        let len = wanted.min(pages.len() * PAGE_SIZE);
        work(&pages, len)
    }
}
