//! Writing back and advice. What lies in memory alone is as safe as it will ever be.

use abi::Errno;
use abi::file::{S_IFBLK, S_IFDIR, S_IFREG};
use block::volume;
use pagecache::writeback;

use super::lookup::file;
use task::thread::Thread;
use vfs::file_ops::SyncKind;
use vfs::mount;

/// The last of the kinds of advice of posix_fadvise(2).
const LAST_ADVICE: u32 = 5;

/// `SYNC_FILE_RANGE_WAIT_BEFORE`, `_WRITE` and `_WAIT_AFTER`.
const SYNC_FILE_RANGE_FLAGS: u32 = 7;

/// fsync(2) and fdatasync(2).
///
/// # Errors
/// `EBADF`. `EINVAL`: what is not stored. `EIO`, `ENOSPC`: what went wrong with writing back, once for each open file.
pub fn fsync(current: &Thread, descriptor: i32, kind: SyncKind) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    match file.inode().kind() {
        S_IFREG | S_IFBLK => file.sync(0..u64::MAX, kind)?,
        S_IFDIR => mount::commit(&file.inode().filesystem)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// sync(2).
///
/// # Errors
/// Never fails: what goes wrong is told by fsync(2).
pub fn sync() -> Result<usize, Errno> {
    sync_everything();
    Ok(0)
}

/// Returns when the devices keep everything that was written.
pub fn sync_everything() {
    writeback::sync_all();
    mount::sync_all();
    volume::flush_all();
}

/// Leaves the devices clean: the machine is about to end.
pub fn end() {
    sync_everything();
    mount::end_all();
    volume::flush_all();
}

/// syncfs(2).
///
/// # Errors
/// `EBADF`, `EIO`, `ENOSPC`.
pub fn syncfs(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    writeback::sync_all();
    mount::sync(&file.inode().filesystem).map(|()| 0)
}

/// sync_file_range(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or a range that is none. `EBADF`. `ESPIPE`: what is not stored. `EIO`, `ENOSPC`.
pub fn sync_file_range(
    current: &Thread,
    descriptor: i32,
    offset: i64,
    len: i64,
    flags: u32,
) -> Result<usize, Errno> {
    if flags & !SYNC_FILE_RANGE_FLAGS != 0 || offset < 0 || len < 0 || offset.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    let file = file(current, descriptor)?;
    match file.inode().kind() {
        _ if file.is_path() => Err(Errno::EBADF),
        S_IFREG | S_IFDIR | S_IFBLK => {
            let (start, len) = (offset as u64, len as u64);
            let end = if len == 0 { u64::MAX } else { start + len };
            if flags != 0 {
                file.sync(start..end, SyncKind::Pages)?;
            }
            Ok(0)
        }
        _ => Err(Errno::ESPIPE),
    }
}

/// readahead(2): everything is there already.
///
/// # Errors
/// `EBADF`: not open for reading. `EINVAL`: no regular file.
pub fn readahead(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if !file.is_readable() {
        return Err(Errno::EBADF);
    }
    if file.inode().kind() == S_IFREG {
        Ok(0)
    } else {
        Err(Errno::EINVAL)
    }
}

/// fadvise64(2): posix_fadvise(2). There is nothing to read ahead and nothing to drop.
///
/// # Errors
/// `EBADF`. `ESPIPE`: a pipe. `EINVAL`: no such advice, or a negative length.
pub fn fadvise64(current: &Thread, descriptor: i32, len: i64, advice: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    if file.inode().kind() == abi::file::S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    if advice > LAST_ADVICE || len < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(0)
    }
}
