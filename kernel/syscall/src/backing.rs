//! What mmap(2) maps: memory that begins as zeros, or the pages of a file.

use abi::Errno;
use abi::mount::MountFlags;
use core::ops::Range;
use mm::{Backing, PAGE_SIZE, Protection, Sharing};

use fs::shared_zeros::{SharedZeros, Stores};
use vfs::OpenFile;

const PAGE: u64 = PAGE_SIZE as u64;

/// Memory that begins as zeros: MAP_ANONYMOUS, or /dev/zero as it was opened. mprotect(2) may not make shared memory of a device
/// writable that was opened for reading.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn zeros(sharing: Sharing, len: u64, device: Option<&OpenFile>) -> Result<Backing, Errno> {
    let may_write = device.is_none_or(OpenFile::is_writable);
    let stores = if may_write {
        Stores::Allowed
    } else {
        Stores::Denied
    };
    Ok(match sharing {
        Sharing::Private => Backing::Anonymous,
        Sharing::Shared => Backing::Source {
            source: SharedZeros::new(len / PAGE, stores)?,
            first: 0,
        },
    })
}

/// That part of a file, for whoever `wanted` to use it so.
///
/// # Errors
/// `EACCES`: it was not opened for that. `ENODEV`: it cannot be mapped. `EPERM`: a seal forbids to write, or the mount to execute.
/// `ENOMEM`.
pub(super) fn file_backing(
    file: &OpenFile,
    wanted: Protection,
    sharing: Sharing,
    part: Range<u64>,
) -> Result<Backing, Errno> {
    let needs_write = sharing == Sharing::Shared && wanted.write;
    if !file.is_readable() || (needs_write && !file.is_writable()) {
        return Err(Errno::EACCES);
    }
    if wanted.execute && file.inode().filesystem.flags.has(MountFlags::MS_NOEXEC) {
        return Err(Errno::EPERM);
    }
    if file.is_zeros() {
        return zeros(sharing, part.end - part.start, Some(file));
    }
    let source = file.page_source(sharing)?;
    if needs_write && !source.may_write() {
        // A seal forbids it.
        return Err(Errno::EPERM);
    }
    Ok(Backing::Source {
        source,
        first: part.start / PAGE,
    })
}
