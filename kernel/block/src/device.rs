//! A device of blocks, as file systems see it.

use abi::Errno;
use core::ops::Range;
use memory::{FrameHandle, fallible};
use mm::PAGE_SIZE;
use platform::frame;

/// Bytes of a sector, the unit of all positions and lengths here, whatever the blocks of the device are.
pub const SECTOR_SIZE: usize = 512;

/// Sectors of a page.
pub(crate) const PAGE_SECTORS: u64 = (PAGE_SIZE / SECTOR_SIZE) as u64;

/// What keeps blocks of bytes. A call sleeps until the device has done it, so no spin lock may be held. Several may be under way
/// at once: they are done in any order, and of two that overlap nobody knows which comes last.
///
/// Positions and lengths are whole blocks ([`BlockDevice::block_size`]): `EINVAL` else. What reaches beyond the end is `EIO`. A
/// call that fails may have done some of it: of a write, some blocks are as before and some as they should be.
pub trait BlockDevice: Send + Sync {
    /// How many sectors it has.
    fn sectors(&self) -> u64;

    /// Bytes of the smallest piece that it reads and writes: a power of two, at least [`SECTOR_SIZE`].
    fn block_size(&self) -> usize {
        SECTOR_SIZE
    }

    /// Whether it refuses writes, with `EROFS`.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Reads from `sector` on.
    ///
    /// # Errors
    /// `EIO` if the device cannot, did not in time, or is gone; `ENOMEM`, `EINVAL`.
    fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Errno>;

    /// Writes from `sector` on. What was written is read from then on, but survives a loss of power only after the next
    /// [`BlockDevice::flush`] that begins later.
    ///
    /// # Errors
    /// As of [`BlockDevice::read`]; `EROFS`.
    fn write(&self, sector: u64, from: &[u8]) -> Result<(), Errno>;

    /// Returns when everything stays that was written by calls that had returned before.
    ///
    /// # Errors
    /// `EIO`: what was written since the last one may be lost.
    fn flush(&self) -> Result<(), Errno>;

    /// Nobody needs the bytes of these sectors any more: what is read there afterwards is anything.
    ///
    /// # Errors
    /// `EOPNOTSUPP` if the device cannot be told; `EIO`.
    fn discard(&self, _sectors: Range<u64>) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// As [`BlockDevice::read`], into whole pages that follow each other on the device. A device that reaches memory by itself reads
    /// into them; programs that map one of them may see bytes come.
    ///
    /// # Errors
    /// As of [`BlockDevice::read`].
    fn read_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        let mut buffer = fallible::filled(PAGE_SIZE, 0)?;
        for (page, sector) in pages.iter().zip((sector..).step_by(PAGE_SECTORS as usize)) {
            self.read(sector, &mut buffer)?;
            frame::write(page.frame(), 0, &buffer);
        }
        Ok(())
    }

    /// As [`BlockDevice::write`], of whole pages that follow each other on the device. Of one that changes meanwhile, anything of both
    /// may be written.
    ///
    /// # Errors
    /// As of [`BlockDevice::write`].
    fn write_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        let mut buffer = fallible::filled(PAGE_SIZE, 0)?;
        for (page, sector) in pages.iter().zip((sector..).step_by(PAGE_SECTORS as usize)) {
            frame::read(page.frame(), 0, &mut buffer);
            self.write(sector, &buffer)?;
        }
        Ok(())
    }
}
