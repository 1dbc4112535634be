//! Reading and writing.

use abi::Errno;
use abi::file::{
    RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOAPPEND, RWF_SYNC, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE,
    SEEK_SET,
};

use super::caller::with_caller;
use super::lookup::{file, file_of_transfer};
use task::thread::{Thread, ThreadExt};
use uaccess::UserBuffer;
use vfs::OpenFile;
use vfs::file_ops::Whence;

/// Reads at the position, and counts it.
#[inline(always)]
fn read_counted(current: &Thread, file: &OpenFile, mut buffer: UserBuffer) -> Result<usize, Errno> {
    let result = file.read(&mut buffer);
    current.transfers().note_read(&result);
    result
}

/// Writes at the position, and counts it.
#[inline(always)]
fn write_counted(current: &Thread, file: &OpenFile, mut buffer: UserBuffer) -> Result<usize, Errno> {
    let result = with_caller(current, |caller| file.write(caller, &mut buffer));
    current.transfers().note_written(&result);
    result
}

/// Reads at `offset`, and counts it.
fn read_at_counted(
    current: &Thread,
    file: &OpenFile,
    offset: u64,
    mut buffer: UserBuffer,
) -> Result<usize, Errno> {
    let result = file.read_at(offset, &mut buffer);
    current.transfers().note_read(&result);
    result
}

/// Writes at `offset`, and counts it.
fn write_at_counted(
    current: &Thread,
    file: &OpenFile,
    offset: u64,
    mut buffer: UserBuffer,
) -> Result<usize, Errno> {
    let result = with_caller(current, |caller| file.write_at(caller, offset, &mut buffer));
    current.transfers().note_written(&result);
    result
}

/// read(2). Not inlined into the loop of the thread, whose path needs few registers; and a backtrace names it.
///
/// # Errors
/// `EBADF`: not open for reading. `EISDIR`: a directory. `EINVAL`: what is open cannot be read. `EAGAIN`: it would
/// wait, with `O_NONBLOCK`. `EINTR`: a handler ran before a byte came. `EIO`: a terminal, from the background. `EPIPE`:
/// records of the log were lost. `ENOMEM`, `EFAULT`: before the first byte. Files of /proc have errors of their own.
#[inline(never)]
pub fn read(current: &Thread, descriptor: i32, buffer: u64, len: u64) -> Result<usize, Errno> {
    let file = file_of_transfer(current, descriptor)?;
    read_counted(current, &file, UserBuffer::new(buffer, len))
}

/// write(2). Not inlined into the loop of the thread, whose path needs few registers; and a backtrace names it.
///
/// # Errors
/// `EBADF`: not open for writing. `EINVAL`: what is open cannot be written, or does not take such a text. `EAGAIN`: it
/// would wait, with `O_NONBLOCK`. `EINTR`: a handler ran before a byte went. `EPIPE`, and SIGPIPE: nobody reads the
/// pipe. `EFBIG`, and SIGXFSZ: beyond `RLIMIT_FSIZE` or the longest file. `ENOSPC`: the filesystem is full. `EPERM`: a
/// seal. `EIO`: a terminal, from the background. `ENOMEM`, `EFAULT`: before the first byte. Files of /proc have errors
/// of their own.
#[inline(never)]
pub fn write(current: &Thread, descriptor: i32, buffer: u64, len: u64) -> Result<usize, Errno> {
    let file = file_of_transfer(current, descriptor)?;
    write_counted(current, &file, UserBuffer::new(buffer, len))
}

/// readv(2).
///
/// # Errors
/// As for [`read`]. `EINVAL`: more than `IOV_MAX` parts, or one of a negative length.
pub fn readv(current: &Thread, descriptor: i32, list: u64, count: u64) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    read_counted(current, &file, UserBuffer::from_list(list, count)?)
}

/// writev(2).
///
/// # Errors
/// As for [`write()`]. `EINVAL`: more than `IOV_MAX` parts, or one of a negative length.
pub fn writev(current: &Thread, descriptor: i32, list: u64, count: u64) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    write_counted(current, &file, UserBuffer::from_list(list, count)?)
}

/// pread64(2).
///
/// # Errors
/// As for [`read`]. `EINVAL`: a negative offset. `ESPIPE`: what is open has no positions.
pub fn pread64(
    current: &Thread,
    descriptor: i32,
    buffer: u64,
    len: u64,
    offset: i64,
) -> Result<usize, Errno> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    read_at_counted(current, &file, offset, UserBuffer::new(buffer, len))
}

/// pwrite64(2).
///
/// # Errors
/// As for [`write()`]. `EINVAL`: a negative offset. `ESPIPE`: what is open has no positions.
pub fn pwrite64(
    current: &Thread,
    descriptor: i32,
    buffer: u64,
    len: u64,
    offset: i64,
) -> Result<usize, Errno> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    write_at_counted(current, &file, offset, UserBuffer::new(buffer, len))
}

/// preadv(2).
///
/// # Errors
/// As for [`readv`] and [`pread64`]; `EINVAL`: a negative offset.
pub fn preadv(current: &Thread, descriptor: i32, list: u64, count: u64, offset: i64) -> Result<usize, Errno> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    read_at_counted(current, &file, offset, UserBuffer::from_list(list, count)?)
}

/// pwritev(2).
///
/// # Errors
/// As for [`writev`] and [`pwrite64`]; `EINVAL`: a negative offset.
pub fn pwritev(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u64,
    offset: i64,
) -> Result<usize, Errno> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    write_at_counted(current, &file, offset, UserBuffer::from_list(list, count)?)
}

/// preadv2(2): offset -1 is the position.
///
/// Not supported: `RWF_NOWAIT`, `RWF_ATOMIC` (`EOPNOTSUPP`).
///
/// # Errors
/// As for [`readv`] and [`preadv`]. `EOPNOTSUPP`: a flag.
pub fn preadv2(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u64,
    offset: i64,
    flags: u32,
) -> Result<usize, Errno> {
    // What a read has to do with the end of a file, or with disks, is nothing.
    const MEANT: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOAPPEND;
    match (flags & !MEANT, offset) {
        (0, -1) => readv(current, descriptor, list, count),
        (0, _) => preadv(current, descriptor, list, count, offset),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// pwritev2(2): as [`preadv2`].
///
/// Not supported: `RWF_NOWAIT`, `RWF_APPEND`, `RWF_NOAPPEND`, `RWF_ATOMIC` (`EOPNOTSUPP`).
///
/// # Errors
/// As for [`writev`] and [`pwritev`]. `EOPNOTSUPP`: a flag.
pub fn pwritev2(
    current: &Thread,
    descriptor: i32,
    list: u64,
    count: u64,
    offset: i64,
    flags: u32,
) -> Result<usize, Errno> {
    // Files are in memory: what is written is where it will ever be.
    const MEANT: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC;
    match (flags & !MEANT, offset) {
        (0, -1) => writev(current, descriptor, list, count),
        (0, _) => pwritev(current, descriptor, list, count, offset),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// lseek(2).
///
/// # Errors
/// `EBADF`. `ESPIPE`: what is open has no position. `EINVAL`: an unknown `whence`, or before the start. `ENXIO`: data
/// or a hole sought beyond the end. `EOVERFLOW`: a position beyond what the call can say.
pub fn lseek(current: &Thread, descriptor: i32, offset: i64, whence: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let whence = match whence {
        SEEK_SET => Whence::Start,
        SEEK_CUR => Whence::Position,
        SEEK_END => Whence::End,
        SEEK_DATA => Whence::Data,
        SEEK_HOLE => Whence::Hole,
        _ => return Err(Errno::EINVAL),
    };
    file.seek(offset, whence).map(|position| position as usize)
}
