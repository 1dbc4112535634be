//! What mmap(2) maps: memory that begins as zeros, or the pages of a file.

use abi::Errno;
use core::ops::Range;
use mm::{Backing, PAGE_SIZE, Protection, Sharing};

use crate::memory::SharedZeros;
use crate::thread::Thread;

const PAGE: u64 = PAGE_SIZE as u64;

/// Memory that begins as zeros.
pub(super) fn zeros(sharing: Sharing, len: u64) -> Result<Backing, Errno> {
    Ok(match sharing {
        Sharing::Private => Backing::Anonymous,
        Sharing::Shared => Backing::Source {
            source: SharedZeros::new(len / PAGE)?,
            first: 0,
        },
    })
}

/// That part of a file, for whoever `wanted` to use it so. `EBADF`, `EACCES`, `ENODEV`; `EPERM` if a seal forbids to write.
pub(super) fn file_backing(
    current: &Thread,
    descriptor: u64,
    wanted: Protection,
    sharing: Sharing,
    part: Range<u64>,
) -> Result<Backing, Errno> {
    let descriptor = usize::try_from(descriptor as i32).map_err(|_| Errno::EBADF)?;
    let file = current.files.read(|files| files.get(descriptor).cloned())?;
    if file.is_zeros() {
        return zeros(sharing, part.end - part.start);
    }
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let needs_write = sharing == Sharing::Shared && wanted.write;
    if !file.is_readable() || (needs_write && !file.is_writable()) {
        return Err(Errno::EACCES);
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
