//! The size of files: truncate(2), fallocate(2).

use super::caller::with_caller;
use super::lookup::{Lookup, file};
use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{AT_FDCWD, AccessFlags, FallocFlags, S_IFDIR, S_IFIFO};
use task::thread::{Thread, ThreadExt};
use vfs::caller::MAX_FILE_SIZE;
use vfs::inode::Hold;
use vfs::inode_ops::{RangeShift, RegularOps, SizeChange};
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

/// fallocate(2): giving pages, with or without moving the end, punching holes; making zeros, taking ranges out and putting them in, but not
/// in memory, as on Linux.
///
/// Not supported: `FALLOC_FL_UNSHARE_RANGE` (`EOPNOTSUPP`, as on Linux where no blocks are shared).
///
/// # Errors
/// `EINVAL`: a negative offset, or no length; of what moves bytes: another flag beside it, not in blocks, at the end. `EOPNOTSUPP`: other
/// modes; a filesystem that has none of it. `EBADF`: not open for writing. `ETXTBSY`: it is swapped to. `ESPIPE`: a pipe. `EISDIR`.
/// `ENODEV`: another file that is not regular. `EFBIG`: beyond `RLIMIT_FSIZE` (and SIGXFSZ) or the longest file. `ENOSPC`: the filesystem
/// is full. `EPERM`: a seal. `ENOMEM`.
pub fn fallocate(
    current: &Thread,
    descriptor: i32,
    mode: u32,
    offset: i64,
    len: i64,
) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    let start = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let len = u64::try_from(len)
        .ok()
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let change = RangeChange::from_mode(mode)?;
    if !file.is_writable() {
        return Err(Errno::EBADF);
    }
    let inode = file.inode();
    if change != RangeChange::Allocate(SizeChange::Grow) && inode.is_swapped_to() {
        return Err(Errno::ETXTBSY);
    }
    let regular = inode.regular().ok_or(match inode.kind() {
        S_IFIFO => Errno::ESPIPE,
        S_IFDIR => Errno::EISDIR,
        _ => Errno::ENODEV,
    })?;
    let end = start
        .checked_add(len)
        .filter(|end| *end <= MAX_FILE_SIZE)
        .ok_or(Errno::EFBIG)?;
    change.apply(current, regular, start, end)?;
    inode.note_written_by(&Subject::new(current.process().credentials()));
    file.dentry.note(InotifyEvents::IN_MODIFY, NoteCause::OpenFile);
    Ok(0)
}

/// What fallocate(2) is to do with a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RangeChange {
    Allocate(SizeChange),
    Punch,
    Zero(SizeChange),
    Shift(RangeShift),
}

impl RangeChange {
    /// The errors come in Linux's order: flags that nobody knows, those that exclude each other.
    fn from_mode(mode: u32) -> Result<RangeChange, Errno> {
        let mode = FallocFlags::from_bits(mode).ok_or(Errno::EOPNOTSUPP)?;
        let size = match mode.contains(FallocFlags::FALLOC_FL_KEEP_SIZE) {
            true => SizeChange::Keep,
            false => SizeChange::Grow,
        };
        let (holes, zeros) = (
            FallocFlags::FALLOC_FL_PUNCH_HOLE,
            FallocFlags::FALLOC_FL_ZERO_RANGE,
        );
        let other = mode.difference(FallocFlags::FALLOC_FL_KEEP_SIZE);
        if mode.contains(holes) && (mode.contains(zeros) || size == SizeChange::Grow) {
            return Err(Errno::EOPNOTSUPP);
        }
        let alone = [
            (FallocFlags::FALLOC_FL_COLLAPSE_RANGE, mode),
            (FallocFlags::FALLOC_FL_INSERT_RANGE, mode),
            (FallocFlags::FALLOC_FL_UNSHARE_RANGE, other),
        ];
        if alone
            .iter()
            .any(|(flag, given)| mode.contains(*flag) && given != flag)
        {
            return Err(Errno::EINVAL);
        }
        match other {
            other if other.is_empty() => Ok(RangeChange::Allocate(size)),
            FallocFlags::FALLOC_FL_PUNCH_HOLE => Ok(RangeChange::Punch),
            FallocFlags::FALLOC_FL_ZERO_RANGE => Ok(RangeChange::Zero(size)),
            FallocFlags::FALLOC_FL_COLLAPSE_RANGE => Ok(RangeChange::Shift(RangeShift::Collapse)),
            FallocFlags::FALLOC_FL_INSERT_RANGE => Ok(RangeChange::Shift(RangeShift::Insert)),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn apply(self, current: &Thread, regular: &dyn RegularOps, start: u64, end: u64) -> Result<(), Errno> {
        if let RangeChange::Allocate(SizeChange::Grow) | RangeChange::Zero(SizeChange::Grow) = self {
            with_caller(current, |caller| caller.write_room(end - 1))?;
        }
        match self {
            RangeChange::Allocate(size) => regular.allocate(start, end, size),
            RangeChange::Punch => regular.punch(start, end),
            RangeChange::Zero(size) => regular.zero(start, end, size),
            RangeChange::Shift(shift) => regular.shift(start, end, shift),
        }
    }
}
