//! Descriptors: duplicating them, their flags, their locks; pipes.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETLK, F_GETPIPE_SZ, F_RDLCK, F_SETFD, F_SETFL, F_SETLK,
    F_SETLKW, F_SETPIPE_SZ, F_UNLCK, F_WRLCK, FD_CLOEXEC, FLock, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN,
    O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::lookup::{check_flags, file, index};
use super::open::{descriptor_flags, descriptor_limit, install, on_exec, release};
use crate::fs::inode::{Attributes, Body};
use crate::fs::locks::Patience;
use crate::fs::open_file::Whence;
use crate::fs::pipe::{self, Direction, Pipe};
use crate::fs::record_locks::{Kind, Record};
use crate::fs::{self, Dentry, Inode, OnExec, OpenFile};
use crate::memory;
use crate::thread::Thread;
use crate::user_memory::{read_value, write_value};

/// dup(2).
pub fn dup(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    install(current, file(current, descriptor)?, OnExec::Keep, 0)
}

/// dup3(2).
pub fn dup3(current: &Thread, old: i32, new: i32, flags: u32) -> Result<usize, Errno> {
    check_flags(flags, O_CLOEXEC)?;
    if old == new {
        return Err(Errno::EINVAL);
    }
    let file = file(current, old)?;
    let new = index(new)?;
    let limit = descriptor_limit(current);
    // Kept until the table's lock is released, as in `open::install`.
    let kept = file.clone();
    let replaced = current
        .files
        .change(|files| files.replace(new, file, on_exec(flags), limit));
    drop(kept);
    let replaced = replaced?;
    if let Some(replaced) = replaced {
        release(current, replaced);
    }
    Ok(new)
}

/// fcntl(2). `EINVAL` for commands that are not known: among them those for SIGIO, leases and open-file locks.
pub fn fcntl(current: &Thread, descriptor: i32, command: u32, argument: u64) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let from = i32::try_from(argument as i64)
                .ok()
                .and_then(|from| usize::try_from(from).ok());
            let from = from
                .filter(|from| *from < descriptor_limit(current))
                .ok_or(Errno::EINVAL)?;
            let what = if command == F_DUPFD {
                OnExec::Keep
            } else {
                OnExec::Close
            };
            install(current, file, what, from)
        }
        F_GETFD => {
            let descriptor = index(descriptor)?;
            let what = current.files.read(|files| files.on_exec(descriptor))?;
            Ok(descriptor_flags(what))
        }
        F_SETFD => {
            let what = if argument as u32 & FD_CLOEXEC != 0 {
                OnExec::Close
            } else {
                OnExec::Keep
            };
            let descriptor = index(descriptor)?;
            current
                .files
                .change(|files| files.set_on_exec(descriptor, what))
                .map(|()| 0)
        }
        F_GETFL => Ok(file.flags() as usize),
        _ if file.is_path() => Err(Errno::EBADF),
        F_SETFL => {
            file.set_flags(argument as u32);
            Ok(0)
        }
        F_GETLK => look_for_lock(current, &file, argument),
        F_SETLK => set_lock(current, descriptor, &file, argument, Patience::Refuse),
        F_SETLKW => set_lock(current, descriptor, &file, argument, Patience::Wait),
        F_GETPIPE_SZ | F_SETPIPE_SZ => pipe_capacity(&file, command, argument),
        _ => Err(Errno::EINVAL),
    }
}

/// A pipe has its capacity for ever; a wish for less is granted by more, as fcntl(2) allows.
fn pipe_capacity(file: &OpenFile, command: u32, wanted: u64) -> Result<usize, Errno> {
    if !matches!(file.inode().body, Body::Fifo(_)) {
        return Err(Errno::EBADF);
    }
    if command == F_SETPIPE_SZ && wanted > pipe::CAPACITY as u64 {
        return Err(Errno::EPERM);
    }
    Ok(pipe::CAPACITY)
}

fn look_for_lock(current: &Thread, file: &OpenFile, address: u64) -> Result<usize, Errno> {
    let mut lock = read_value::<FLock>(address)?;
    let wanted = record(current, file, &lock)?.ok_or(Errno::EINVAL)?;
    match file.inode().locks.obstacle(&wanted) {
        None => lock.kind = F_UNLCK as i16,
        Some(held) => {
            lock.kind = if held.kind == Kind::Shared {
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
            lock.pid = held.owner as i32;
        }
    }
    write_value(address, &lock)?;
    Ok(0)
}

fn set_lock(
    current: &Thread,
    descriptor: i32,
    file: &Arc<OpenFile>,
    address: u64,
    patience: Patience,
) -> Result<usize, Errno> {
    let lock = read_value::<FLock>(address)?;
    match record(current, file, &lock)? {
        Some(wanted) => {
            let is_allowed = if wanted.kind == Kind::Shared {
                file.is_readable()
            } else {
                file.is_writable()
            };
            if !is_allowed {
                return Err(Errno::EBADF);
            }
            file.inode().locks.set_record(wanted, patience)?;
            // Another thread may have closed the descriptor before the lock was there to end by it.
            let is_still_open = self::file(current, descriptor).is_ok_and(|now| Arc::ptr_eq(&now, file));
            if !is_still_open {
                file.inode().locks.clear_record(&wanted);
                return Err(Errno::EBADF);
            }
        }
        None => {
            let range = record(
                current,
                file,
                &FLock {
                    kind: F_RDLCK as i16,
                    ..lock
                },
            )?
            .ok_or(Errno::EINVAL)?;
            file.inode().locks.clear_record(&range);
        }
    }
    Ok(0)
}

/// The lock that a `struct flock` asks for; `None` for `F_UNLCK`. `EINVAL`, `EOVERFLOW`.
fn record(current: &Thread, file: &OpenFile, lock: &FLock) -> Result<Option<Record>, Errno> {
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
        F_RDLCK => Kind::Shared,
        F_WRLCK => Kind::Exclusive,
        F_UNLCK => return Ok(None),
        _ => return Err(Errno::EINVAL),
    };
    Ok(Some(Record {
        owner: current.process.pid,
        kind,
        first,
        last,
    }))
}

/// flock(2).
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
    let locks = &file.inode().locks;
    match operation & !LOCK_NB {
        LOCK_SH => locks.set_flock(owner, Kind::Shared, patience)?,
        LOCK_EX => locks.set_flock(owner, Kind::Exclusive, patience)?,
        LOCK_UN => locks.release_flock(owner),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// pipe2(2).
pub fn pipe2(current: &Thread, address: u64, flags: u32) -> Result<usize, Errno> {
    check_flags(flags, O_CLOEXEC | O_NONBLOCK)?;
    memory::has_room()?;
    let (reader, writer) = open_pipe(current, flags & O_NONBLOCK);
    let reader = install(current, reader, on_exec(flags), 0)?;
    let writer = install(current, writer, on_exec(flags), 0).inspect_err(|_| withdraw(current, &[reader]))?;
    let descriptors = [reader as i32, writer as i32];
    write_value(address, &descriptors).inspect_err(|_| withdraw(current, &[reader, writer]))?;
    Ok(0)
}

/// Both ends of a new pipe.
fn open_pipe(current: &Thread, flags: u32) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let pipe = Pipe::new();
    let credentials = current.process.credentials();
    let attributes = Attributes::new(0o600, credentials.fsuid, credentials.fsgid);
    let inode = Inode::new(fs::pipe_filesystem(), Body::Fifo(pipe.clone()), attributes);
    let name = alloc::format!("pipe:[{}]", inode.number);
    let dentry = Dentry::detached(name.as_bytes(), inode);
    let reader = OpenFile::new(dentry.clone(), pipe.open_end(Direction::Read), flags | O_RDONLY);
    let writer = OpenFile::new(dentry, pipe.open_end(Direction::Write), flags | O_WRONLY);
    (reader, writer)
}

/// Takes back descriptors of a call that failed.
fn withdraw(current: &Thread, descriptors: &[usize]) {
    for descriptor in descriptors {
        let removed = current.files.change(|files| files.remove(*descriptor));
        drop(removed);
    }
}
