//! fcntl(2): from the command to what it does.

use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;
use abi::file::{
    DirectoryEvents, F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLEASE,
    F_GETLK, F_GETOWN, F_GETOWN_EX, F_GETPIPE_SZ, F_GETSIG, F_NOTIFY, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
    F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, F_SETFD, F_SETFL, F_SETLK, F_SETLKW, F_SETOWN, F_SETOWN_EX,
    F_SETPIPE_SZ, F_SETSIG, F_UNLCK, FD_CLOEXEC, FOwnerEx, OpenFlags, SealFlags,
};
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use super::file_lock::{look_for_lock, set_lock};
use super::lookup::{file, index};
use super::open::{descriptor_flags, descriptor_limit, install};
use fs::pipe;
use task::signal::file_owner_exists;
use task::thread::{Thread, ThreadExt};
use uaccess::{read_value, write_value};
use vfs::caller::Caller;
use vfs::directory_notice::{self, DirectoryWish};
use vfs::file_ops::FileOps;
use vfs::file_owner::{HasOwner, Whom};
use vfs::locks::Patience;
use vfs::open_directory::OpenDirectory;
use vfs::record_locks::LockOwner;
use vfs::{OnExec, OpenFile};

/// fcntl(2).
///
/// Not supported: `F_SETLEASE`, `F_GET_RW_HINT`, `F_SET_RW_HINT` (`EINVAL`: no filesystem here has them).
///
/// # Errors
/// `EBADF`: no such descriptor; a place (`O_PATH`), but for duplicating and flags; a lock that it is not open for; no
/// pipe. `EINVAL`: unknown commands, an argument that is none, directory notices that the machine forbids. `EMFILE`: none is free. `EAGAIN`: another has the lock.
/// `EDEADLK`: threads would wait for each other. `EINTR`: a handler ran while it waited. `ENOLCK`: no memory for a
/// lock. `EOVERFLOW`: a lock beyond all positions. `ESRCH`: no such owner. `EPERM`: `O_NOATIME` for a file of somebody
/// else, sealed seals, a large pipe without `CAP_SYS_RESOURCE`. `EBUSY`: the pipe holds more; the file is mapped for
/// writing. `ENOTDIR`: no directory is to tell of itself. `ENOMEM`, those of user memory.
pub fn fcntl(current: &Thread, descriptor: i32, command: u32, argument: u64) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    match command {
        F_DUPFD => duplicate(current, file, argument, OnExec::Keep),
        F_DUPFD_CLOEXEC => duplicate(current, file, argument, OnExec::Close),
        F_GETFD | F_SETFD => descriptor_flag(current, descriptor, command, argument),
        F_GETFL => Ok(file.flags().bits() as usize),
        _ if file.is_path() => Err(Errno::EBADF),
        F_SETFL => {
            let caller = Caller::new(&**current.process());
            file.set_status_flags(&caller, descriptor, OpenFlags::from_bits_retain(argument as u32))?;
            Ok(0)
        }
        F_GETLK | F_SETLK | F_SETLKW => {
            let owner = LockOwner::Table(current.files().identity());
            lock(current, descriptor, &file, command, argument, owner)
        }
        F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
            let owner = LockOwner::OpenFile(Arc::as_ptr(&file).addr());
            lock(current, descriptor, &file, command, argument, owner)
        }
        F_GETLEASE => Ok(F_UNLCK as usize),
        F_SETOWN | F_GETOWN | F_SETOWN_EX | F_GETOWN_EX | F_SETSIG | F_GETSIG => {
            owner(current, &file, command, argument)
        }
        F_NOTIFY => notify(current, descriptor, &file, argument as u32),
        F_ADD_SEALS | F_GET_SEALS => seals(&file, command, argument),
        F_GETPIPE_SZ | F_SETPIPE_SZ => pipe_capacity(current, &file, command, argument),
        _ => Err(Errno::EINVAL),
    }
}

fn duplicate(current: &Thread, file: Arc<OpenFile>, from: u64, on_exec: OnExec) -> Result<usize, Errno> {
    // Linux takes it as an unsigned number, all of it.
    let from = usize::try_from(from).map_err(|_| Errno::EINVAL)?;
    if from >= descriptor_limit(current) {
        return Err(Errno::EINVAL);
    }
    install(current, file, on_exec, from)
}

fn descriptor_flag(current: &Thread, descriptor: i32, command: u32, argument: u64) -> Result<usize, Errno> {
    let descriptor = index(descriptor)?;
    if command == F_GETFD {
        let what = current.files().read(|files| files.on_exec(descriptor))?;
        return Ok(descriptor_flags(what));
    }
    let what = if argument as u32 & FD_CLOEXEC != 0 {
        OnExec::Close
    } else {
        OnExec::Keep
    };
    current
        .files()
        .change(|files| files.set_on_exec(descriptor, what))?
        .map(|()| 0)
}

fn lock(
    current: &Thread,
    descriptor: i32,
    file: &Arc<OpenFile>,
    command: u32,
    address: u64,
    owner: LockOwner,
) -> Result<usize, Errno> {
    let patience = match command {
        F_GETLK | F_OFD_GETLK => return look_for_lock(file, address, owner),
        F_SETLK | F_OFD_SETLK => Patience::Refuse,
        _ => Patience::Wait,
    };
    set_lock(current, descriptor, file, address, owner, patience)
}

/// Who is told by a signal that the file can be read or written, and by which.
fn owner(current: &Thread, file: &Arc<OpenFile>, command: u32, argument: u64) -> Result<usize, Errno> {
    match command {
        F_SETOWN => {
            let id = argument as i32;
            let whom = match id.checked_neg().ok_or(Errno::EINVAL)? {
                0 => None,
                group if group > 0 => Some(Whom::Group(group as u32)),
                _ => Some(Whom::Process(id as u32)),
            };
            set_owner(current, file, whom)
        }
        F_GETOWN => Ok(match file.owner().whom() {
            Some(Whom::Group(id)) => -(id as isize) as usize,
            Some(Whom::Process(id) | Whom::Thread(id)) => id as usize,
            None => 0,
        }),
        F_SETOWN_EX => {
            let wanted = read_value::<FOwnerEx>(argument)?;
            let id = u32::try_from(wanted.pid).map_err(|_| Errno::ESRCH);
            let whom = match wanted.kind {
                F_OWNER_TID => Whom::Thread(id?),
                F_OWNER_PID => Whom::Process(id?),
                F_OWNER_PGRP => Whom::Group(id?),
                _ => return Err(Errno::EINVAL),
            };
            set_owner(current, file, Some(whom).filter(|_| wanted.pid != 0))
        }
        F_GETOWN_EX => {
            let (kind, id) = match file.owner().whom() {
                Some(Whom::Thread(id)) => (F_OWNER_TID, id),
                Some(Whom::Group(id)) => (F_OWNER_PGRP, id),
                Some(Whom::Process(id)) => (F_OWNER_PID, id),
                None => (F_OWNER_PID, 0),
            };
            let pid = id as i32;
            write_value(argument, &FOwnerEx { kind, pid }).map(|()| 0)
        }
        F_SETSIG => {
            let signal = match argument {
                0 => None,
                number => Some(Signal::new(number).ok_or(Errno::EINVAL)?),
            };
            file.change_owner(|owner| owner.signal = signal);
            Ok(0)
        }
        _ => Ok(file.owner().signal.map_or(0, |signal| signal.number() as usize)),
    }
}

/// The owner is told of what happens in the directory; the caller, if there is none. `ENOTDIR`, `ENOMEM`.
fn notify(current: &Thread, descriptor: i32, file: &Arc<OpenFile>, wanted: u32) -> Result<usize, Errno> {
    if !directory_notice::IS_ENABLED.load(Ordering::Relaxed) {
        return Err(Errno::EINVAL);
    }
    let wanted = DirectoryEvents::from_bits_truncate(wanted);
    let directory = file.ops_as::<OpenDirectory>();
    if (wanted - DirectoryEvents::DN_MULTISHOT).is_empty() {
        if let (Some(directory), Some(table)) = (directory, current.files().identity_if_any()) {
            directory.flush(table);
        }
        return Ok(0);
    }
    let directory = directory.ok_or(Errno::ENOTDIR)?;
    if file.owner().whom().is_none() {
        let process = current.process();
        file.name_owner(Some(Whom::Process(process.pid)), &process.credentials());
    }
    let table = current.files().identity();
    let wish = DirectoryWish {
        wanted,
        table,
        descriptor,
    };
    directory.notify(file, &wish)?;
    Ok(0)
}

/// `ESRCH` if there is nobody of that id.
fn set_owner(current: &Thread, file: &Arc<OpenFile>, whom: Option<Whom>) -> Result<usize, Errno> {
    if whom.is_some_and(|whom| !file_owner_exists(whom)) {
        return Err(Errno::ESRCH);
    }
    file.name_owner(whom, &current.process().credentials());
    Ok(0)
}

/// `EINVAL` for what is no file in memory, and for seals that are not known; `EPERM`, `EBUSY`.
fn seals(file: &OpenFile, command: u32, seals: u64) -> Result<usize, Errno> {
    let regular = file.inode().regular().ok_or(Errno::EINVAL)?;
    if command == F_GET_SEALS {
        return Ok(regular.seals()?.bits() as usize);
    }
    if !file.is_writable() {
        return Err(Errno::EPERM);
    }
    let seals = u32::try_from(seals).ok().and_then(SealFlags::from_bits);
    regular.add_seals(seals.ok_or(Errno::EINVAL)?)?;
    Ok(0)
}

/// `EBADF` for what is no pipe, `EINVAL`, `EPERM`, `EBUSY`, `ENOMEM`.
fn pipe_capacity(current: &Thread, file: &OpenFile, command: u32, wanted: u64) -> Result<usize, Errno> {
    let pipe = pipe::of(file.inode()).ok_or(Errno::EBADF)?;
    if command == F_GETPIPE_SZ {
        return Ok(pipe.capacity());
    }
    let wanted = pipe::rounded(u32::try_from(wanted).map_err(|_| Errno::EINVAL)?)?;
    let is_large = wanted > pipe::MAX_UNPRIVILEGED;
    if is_large && wanted > pipe.capacity() && !current.process().credentials().can(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    pipe.set_capacity(wanted)?;
    Ok(wanted)
}
