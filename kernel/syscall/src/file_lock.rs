//! Advisory locks: the lock commands of fcntl(2), and flock(2).

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{
    F_RDLCK, F_UNLCK, F_WRLCK, FLock, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::lookup::file;
use task::thread::{Thread, ThreadExt};
use uaccess::{read_value, write_value};
use vfs::OpenFile;
use vfs::file_ops::Whence;
use vfs::locks::{Locks, Patience};
use vfs::record_locks::{LockKind, LockOwner, Record};

/// `F_GETLK`, `F_OFD_GETLK`.
///
/// # Errors
/// `EINVAL`: no such lock, or one of an open file that names a process. `EOVERFLOW`: a range too large. Those of user memory.
pub fn look_for_lock(file: &OpenFile, address: u64, owner: LockOwner) -> Result<usize, Errno> {
    let mut lock = read_value::<FLock>(address)?;
    check_open_file_lock(&lock, owner)?;
    let wanted = record(file, &lock, owner)?.ok_or(Errno::EINVAL)?;
    match file.inode().locks.obstacle(&wanted) {
        None => lock.kind = F_UNLCK as i16,
        Some(held) => {
            lock.kind = if held.kind == LockKind::Shared {
                F_RDLCK
            } else {
                F_WRLCK
            } as i16;
            lock.whence = SEEK_SET as i16;
            lock.start = i64::try_from(held.first).map_err(|_| Errno::EOVERFLOW)?;
            lock.len = if held.last == u64::MAX {
                0
            } else {
                (held.last - held.first + 1) as i64
            };
            lock.pid = match held.owner {
                LockOwner::Table(_) => held.pid as i32,
                LockOwner::OpenFile(_) => -1,
            };
        }
    }
    write_value(address, &lock)?;
    Ok(0)
}

/// `F_SETLK`, `F_SETLKW` and those of open files.
///
/// # Errors
/// `EINVAL`, `EOVERFLOW`: as for [`look_for_lock`]. `EBADF`: not opened for that, or closed meanwhile. `EAGAIN`: another has it, and
/// the caller does not wait. `EDEADLK`: it would wait for itself. `EINTR`: a handler ran. `ENOMEM`, those of user memory.
pub fn set_lock(
    current: &Thread,
    descriptor: i32,
    file: &Arc<OpenFile>,
    address: u64,
    owner: LockOwner,
    patience: Patience,
) -> Result<usize, Errno> {
    let lock = read_value::<FLock>(address)?;
    check_open_file_lock(&lock, owner)?;
    let Some(mut wanted) = record(file, &lock, owner)? else {
        let as_shared = FLock {
            kind: F_RDLCK as i16,
            ..lock
        };
        let range = record(file, &as_shared, owner)?.ok_or(Errno::EINVAL)?;
        file.inode().locks.clear_record(&range)?;
        return Ok(0);
    };
    let is_allowed = match wanted.kind {
        LockKind::Shared => file.is_readable(),
        LockKind::Exclusive => file.is_writable(),
    };
    if !is_allowed {
        return Err(Errno::EBADF);
    }
    if matches!(owner, LockOwner::Table(_)) {
        wanted.pid = current.process().pid;
    }
    Locks::set_record(file.inode(), current.tid(), wanted, patience)?;
    // Another thread may have closed the descriptor before the lock was there to end by it.
    let is_still_open = self::file(current, descriptor).is_ok_and(|now| Arc::ptr_eq(&now, file));
    if !is_still_open && matches!(owner, LockOwner::Table(_)) {
        file.inode().locks.clear_record(&wanted)?;
        return Err(Errno::EBADF);
    }
    Ok(0)
}

/// `EINVAL` for a lock of an open file that names a process.
fn check_open_file_lock(lock: &FLock, owner: LockOwner) -> Result<(), Errno> {
    match owner {
        LockOwner::OpenFile(_) if lock.pid != 0 => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// The lock that a `struct flock` asks for, without the process; `None` for `F_UNLCK`. `EINVAL`, `EOVERFLOW`.
fn record(file: &OpenFile, lock: &FLock, owner: LockOwner) -> Result<Option<Record>, Errno> {
    let base = match u32::from(lock.whence as u16) {
        SEEK_SET => 0,
        SEEK_CUR => file.seek(0, Whence::Position).unwrap_or(0),
        SEEK_END => file.inode().size(),
        _ => return Err(Errno::EINVAL),
    };
    let start = lock.start.checked_add_unsigned(base).ok_or(Errno::EOVERFLOW)?;
    let (first, last) = match lock.len {
        0 => (start, None),
        len if len > 0 => (start, Some(start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?)),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, Some(start - 1)),
    };
    let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
    let last = last
        .map_or(Ok(u64::MAX), u64::try_from)
        .map_err(|_| Errno::EINVAL)?;
    let kind = match u32::from(lock.kind as u16) {
        F_RDLCK => LockKind::Shared,
        F_WRLCK => LockKind::Exclusive,
        F_UNLCK => return Ok(None),
        _ => return Err(Errno::EINVAL),
    };
    Ok(Some(Record {
        owner,
        kind,
        first,
        last,
        pid: 0,
    }))
}

/// flock(2).
///
/// # Errors
/// `EBADF`. `EINVAL`: no such operation. `EAGAIN`: another has the lock, with `LOCK_NB`. `EINTR`: a handler ran while
/// it waited. `ENOLCK`: no memory for a lock.
pub fn flock(current: &Thread, descriptor: i32, operation: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        return Err(Errno::EBADF);
    }
    let owner = Arc::as_ptr(&file).addr();
    let patience = if operation & LOCK_NB != 0 {
        Patience::Refuse
    } else {
        Patience::Wait
    };
    let (inode, pid) = (file.inode(), current.process().pid);
    match operation & !LOCK_NB {
        LOCK_SH => Locks::set_flock(inode, owner, pid, LockKind::Shared, patience)?,
        LOCK_EX => Locks::set_flock(inode, owner, pid, LockKind::Exclusive, patience)?,
        LOCK_UN => inode.locks.release_flock(owner),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
