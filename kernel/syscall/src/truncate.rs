//! The size of files: truncate(2), fallocate(2).

use super::caller::with_caller;
use super::lookup::{Lookup, file};
use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{AT_FDCWD, AccessFlags, FallocFlags, S_IFDIR, S_IFIFO};
use task::thread::{Thread, ThreadExt};
use vfs::caller::MAX_FILE_SIZE;
use vfs::inode::Hold;
use vfs::inode_ops::{RegularOps, SizeChange};
use vfs::inode_watch::NoteCause;
use vfs::{Dentry, LastLink, Subject};

/// truncate(2).
///
/// # Errors
/// Those of paths. `EINVAL`: a negative size, or no regular file. `EISDIR`: a directory. `EACCES`, `EROFS`: it may not
/// be written. `ETXTBSY`: it is executed. `EFBIG`: beyond `RLIMIT_FSIZE` (and SIGXFSZ) or the longest file. `EPERM`: a
/// seal. `ENOMEM`.
pub fn truncate(current: &Thread, path: u64, size: i64) -> Result<usize, Errno> {
    let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
    let lookup = Lookup::new(current, AT_FDCWD, path)?;
    let found = lookup.find(LastLink::Follow)?;
    if found.inode.kind() == S_IFDIR {
        return Err(Errno::EISDIR);
    }
    let regular = found.inode.regular().ok_or(Errno::EINVAL)?;
    lookup.subject.check(&found.inode, AccessFlags::W_OK)?;
    found.inode.take_hold(Hold::Write)?;
    let result = set_size(current, &found, regular, size);
    found.inode.release_hold(Hold::Write);
    result
}

/// ftruncate(2).
///
/// # Errors
/// `EBADF`. `EINVAL`: a negative size, no regular file, or not open for writing. `EFBIG`, `EPERM`, `ENOMEM`: as for
/// [`truncate`].
pub fn ftruncate(current: &Thread, descriptor: i32, size: i64) -> Result<usize, Errno> {
    let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    let regular = file.inode().regular().ok_or(Errno::EINVAL)?;
    if !file.is_writable() {
        return Err(Errno::EINVAL);
    }
    set_size(current, &file.dentry, regular, size)
}

fn set_size(current: &Thread, file: &Dentry, regular: &dyn RegularOps, size: u64) -> Result<usize, Errno> {
    let inode = &file.inode;
    with_caller(current, |caller| {
        if size > inode.size() {
            // The last byte must be one that may be written.
            caller.write_room(size - 1)?;
        }
        regular.truncate(size)?;
        inode.note_written_by(&Subject::of(caller));
        file.note(InotifyEvents::IN_MODIFY, NoteCause::Attributes);
        Ok(0)
    })
}

/// fallocate(2): giving pages, with or without moving the end, punching holes; making zeros, but not in memory, as on Linux.
///
/// Not supported: `FALLOC_FL_COLLAPSE_RANGE`, `_INSERT_RANGE`, `_UNSHARE_RANGE` (`EOPNOTSUPP`).
///
/// # Errors
/// `EBADF`: not open for writing. `EINVAL`: a negative offset, or no length. `ESPIPE`: a pipe. `ENODEV`: another file
/// that is not regular. `EFBIG`: beyond `RLIMIT_FSIZE` (and SIGXFSZ) or the longest file. `EOPNOTSUPP`: other modes.
/// `ENOSPC`: the filesystem is full. `EPERM`: a seal. `ENOMEM`.
pub fn fallocate(
    current: &Thread,
    descriptor: i32,
    mode: u32,
    offset: i64,
    len: i64,
) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if !file.is_writable() {
        return Err(Errno::EBADF);
    }
    let start = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let len = u64::try_from(len)
        .ok()
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let is_pipe = file.inode().kind() == S_IFIFO;
    let otherwise = if is_pipe { Errno::ESPIPE } else { Errno::ENODEV };
    let regular = file.inode().regular().ok_or(otherwise)?;
    let end = start
        .checked_add(len)
        .filter(|end| *end <= MAX_FILE_SIZE)
        .ok_or(Errno::EFBIG)?;
    match FallocFlags::from_bits_retain(mode) {
        mode if mode.is_empty() => {
            with_caller(current, |caller| caller.write_room(end - 1))?;
            regular.allocate(start, end, SizeChange::Grow)?;
        }
        FallocFlags::FALLOC_FL_KEEP_SIZE => regular.allocate(start, end, SizeChange::Keep)?,
        mode if mode == FallocFlags::FALLOC_FL_KEEP_SIZE | FallocFlags::FALLOC_FL_PUNCH_HOLE => {
            regular.punch(start, end)?
        }
        FallocFlags::FALLOC_FL_ZERO_RANGE => {
            with_caller(current, |caller| caller.write_room(end - 1))?;
            regular.zero(start, end, SizeChange::Grow)?;
        }
        mode if mode == FallocFlags::FALLOC_FL_KEEP_SIZE | FallocFlags::FALLOC_FL_ZERO_RANGE => {
            regular.zero(start, end, SizeChange::Keep)?
        }
        _ => return Err(Errno::EOPNOTSUPP),
    }
    file.inode()
        .note_written_by(&Subject::new(current.process().credentials()));
    file.dentry.note(InotifyEvents::IN_MODIFY, NoteCause::OpenFile);
    Ok(0)
}
