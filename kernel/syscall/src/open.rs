//! Opening and closing.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{CloseRangeFlags, FD_CLOEXEC, OpenFlags};
use abi::process::RLIMIT_NOFILE;

use super::flags::decode;
use super::lookup::{Lookup, index};
use sched::{scheduler, shortage};
use task::thread::{Thread, ThreadExt};
use vfs::{self, FileTable, OnExec, OpenFile};

/// openat(2). A 64-bit program means `O_LARGEFILE` whether it says so or not.
///
/// # Errors
/// Those of paths. `EINVAL`: `O_CREAT` with `O_DIRECTORY`, `O_TMPFILE` without writing, no access mode, `O_DIRECT`.
/// `EEXIST`: `O_EXCL`, and it is there. `EISDIR`: a directory that is to be written or made. `ENOTDIR`: `O_DIRECTORY`,
/// and it is none. `ELOOP`: `O_NOFOLLOW`, and it is a link. `EACCES`: the mode, or a device of a mount without devices.
/// `EPERM`: `O_NOATIME` for a file of somebody else, or a seal. `EROFS`: a read-only mount. `ETXTBSY`: written while it
/// is executed. `ENXIO`: no such device, a socket, a pipe that nobody reads. `EOPNOTSUPP`: `O_TMPFILE` where no files
/// are made. `EINTR`: waited for the other end of a pipe. `EMFILE`, `ENOMEM`.
pub fn openat(current: &Thread, directory: i32, path: u64, flags: u32, mode: u32) -> Result<usize, Errno> {
    let lookup = Lookup::new(current, directory, path)?;
    memory::has_room()?;
    // Bits without a meaning are not kept, as `VALID_OPEN_FLAGS` of Linux.
    let flags = OpenFlags::from_bits_truncate(flags);
    let file = vfs::open(
        &lookup.context(),
        &lookup.path,
        flags | OpenFlags::O_LARGEFILE,
        mode,
    )?;
    install(current, file, on_exec(flags), 0)
}

/// Whether `O_CLOEXEC` is among the flags.
pub fn on_exec(flags: OpenFlags) -> OnExec {
    if flags.contains(OpenFlags::O_CLOEXEC) {
        OnExec::Close
    } else {
        OnExec::Keep
    }
}

/// The process's limit of descriptors.
pub fn descriptor_limit(current: &Thread) -> usize {
    usize::try_from(current.process().limit(RLIMIT_NOFILE)).unwrap_or(usize::MAX)
}

/// Gives the file the lowest free descriptor from `from` on.
///
/// # Errors
/// `EMFILE`.
pub fn install(current: &Thread, file: Arc<OpenFile>, on_exec: OnExec, from: usize) -> Result<usize, Errno> {
    let limit = descriptor_limit(current);
    // The file is kept until the table's lock is released: closing one that is refused takes locks of its own.
    shortage::with_room(|| {
        let insert = |files: &mut FileTable| files.insert(file.clone(), on_exec, from, limit);
        current.files().change(insert)?
    })
}

/// close(2).
///
/// # Errors
/// `EBADF`: no such descriptor. `ENOMEM`: the table is shared with a child since fork, and there is no memory for a
/// copy.
pub fn close(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    let descriptor = index(descriptor)?;
    let (file, owner) = current.files().change_if(
        |files| files.get(descriptor).map(drop),
        |files| files.remove(descriptor),
    )?;
    release_of(owner, file);
    Ok(0)
}

/// Lets go of a file that a descriptor referred to: with any close the table's record locks on it end (fcntl(2)).
pub fn release(current: &Thread, file: Arc<OpenFile>) {
    release_of(current.files().identity_if_any(), file);
}

/// [`release`], of the table that is `owner` of locks, if anybody asked.
fn release_of(owner: Option<u64>, file: Arc<OpenFile>) {
    if let Some(owner) = owner {
        vfs::release_claims(&file, owner, scheduler::cond_resched);
    }
}

/// close_range(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or `first` beyond `last`. `ENOMEM`: as for [`close`].
pub fn close_range(current: &Thread, first: u32, last: u32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        CloseRangeFlags::CLOSE_RANGE_UNSHARE | CloseRangeFlags::CLOSE_RANGE_CLOEXEC,
    )?;
    if first > last {
        return Err(Errno::EINVAL);
    }
    let (first, last) = (first as usize, last as usize);
    if flags.contains(CloseRangeFlags::CLOSE_RANGE_UNSHARE) {
        current.files().separate();
    }
    if flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) {
        return mark_range(current, first, last).map(|()| 0);
    }
    let mut from = first;
    while let Some((descriptor, file)) = current.files().change(|files| files.take_next(from, last))?? {
        release(current, file);
        from = descriptor + 1;
        scheduler::cond_resched();
    }
    Ok(0)
}

fn mark_range(current: &Thread, first: usize, last: usize) -> Result<(), Errno> {
    let mut from = Some(first);
    while let Some(first) = from {
        from = current.files().change(|files| files.mark_some(first, last))??;
        scheduler::cond_resched();
    }
    Ok(())
}

/// The descriptor flag for `F_GETFD`.
pub fn descriptor_flags(on_exec: OnExec) -> usize {
    if on_exec == OnExec::Close {
        FD_CLOEXEC as usize
    } else {
        0
    }
}
