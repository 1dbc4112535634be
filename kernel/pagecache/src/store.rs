//! What keeps the bytes of a file whose pages are cached.

use abi::Errno;
use memory::FrameHandle;

/// Where pages come from and go to. All methods may sleep; no lock is held.
pub trait PageStore: Send + Sync {
    /// Reads pages from number `first` on. What is behind the end, or was never written, is zeros.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    fn read(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno>;

    /// Writes pages from number `first` on, of a file that is `size` bytes long now: what lies behind that is nobody's.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `ENOMEM`.
    fn write(&self, first: u64, pages: &[FrameHandle], size: u64) -> Result<(), Errno>;

    /// Sees to it that the bytes `start..end` have room when they are written later.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`, `EIO`, `ENOMEM`.
    fn reserve(&self, _start: u64, _end: u64) -> Result<(), Errno> {
        Ok(())
    }

    /// Gives up what it has for the bytes `start..end`, in whole units of its own: they are zeros from now on.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: it has no holes. `EROFS`, `EIO`, `ENOMEM`.
    fn punch(&self, _start: u64, _end: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Returns when everything stays that was written.
    ///
    /// # Errors
    /// `EIO`.
    fn commit(&self) -> Result<(), Errno>;
}
