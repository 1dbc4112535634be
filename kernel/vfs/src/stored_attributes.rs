//! Extended attributes as a file system on a device keeps them (xattr(7)): what `xattr` asks of it.

use alloc::vec::Vec;

use abi::Errno;
use abi::xattr::XattrFlags;

/// The extended attributes of files that lie on a device. Each call is one change, done or not when it returns; it may sleep.
pub trait StoredAttributes: Send + Sync {
    /// The value of one.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`, `EIO`, `EUCLEAN`, `ENOMEM`.
    fn get(&self, inode: u64, name: &[u8]) -> Result<Vec<u8>, Errno>;

    /// All names, each with a NUL.
    ///
    /// # Errors
    /// `EIO`, `EUCLEAN`, `ENOMEM`.
    fn names(&self, inode: u64) -> Result<Vec<u8>, Errno>;

    /// Sets one, or takes it away (`None`).
    ///
    /// # Errors
    /// `EEXIST`, `ENODATA`: it is there, or is not. `ENOSPC`, `EROFS`, and as of [`StoredAttributes::get`].
    fn set(&self, inode: u64, name: &[u8], value: Option<&[u8]>, flags: XattrFlags) -> Result<(), Errno>;
}
