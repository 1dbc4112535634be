//! POSIX message queues: mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_getsetattr(2); mq_notify(2) is in
//! `posix_notify`.

use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;
use abi::file::OpenFlags;
use abi::posix_queue::{MQ_PRIO_MAX, MqAttr};
use abi::process::RLIMIT_MSGQUEUE;
use abi::time::TimeSpec;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipc::posix::limits::{self, Maker};
use ipc::posix::{self, PosixMessage, PosixQueue, QueuePatience, Sender};
use memory::fallible;
use sched::scheduler;
use task::thread::{Thread, ThreadExt};
use vfs::{OnExec, OpenFile, Subject};

use super::lookup::{file, path};
use super::open::install;

/// Bytes of a message that are copied between two points where others may run.
const PORTION: usize = 64 << 10;

/// From now on it is known which process makes a queue, and what it may. Called once, at boot.
pub fn tell_makers() {
    limits::set_maker(|| {
        let current = scheduler::current();
        let process = current.process();
        let credentials = process.credentials();
        Maker {
            uid: credentials.uid,
            most_bytes: process.limit(RLIMIT_MSGQUEUE),
            is_privileged: credentials.can(CAP_SYS_RESOURCE),
        }
    });
}

/// The queue that an open file is.
///
/// # Errors
/// `EBADF`: it is none.
pub(super) fn queue_of(file: &OpenFile) -> Result<&PosixQueue, Errno> {
    file.ops_as().ok_or(Errno::EBADF)
}

/// Whom a message is from.
fn sender(current: &Thread) -> Sender {
    let process = current.process();
    Sender {
        pid: process.pid,
        uid: process.credentials().uid,
    }
}

/// mq_open(2). The name comes without the slash that a program gives it.
///
/// # Errors
/// Those of user memory. `EACCES`: the name has a slash, or rights that the caller has not. `ENAMETOOLONG`. `ENOENT`: it has none, or
/// there is none of that name. `EEXIST`: there is, and it is to be new. `EINVAL`: no access mode, or a queue beyond the limits.
/// `ENOSPC`: there are too many. `EMFILE`: the user's queues would take too much, or no descriptor is free. `ENOMEM`.
pub fn mq_open(current: &Thread, name_at: u64, flags: u32, mode: u32, wanted: u64) -> Result<usize, Errno> {
    let wanted: Option<MqAttr> = match wanted {
        0 => None,
        at => Some(uaccess::read_value(at)?),
    };
    let name = path(name_at)?;
    memory::has_room()?;
    let flags = OpenFlags::from_bits_truncate(flags);
    let mode = mode & 0o7777 & !current.fs_context().snapshot()?.umask;
    let subject = Subject::new(current.process().credentials());
    let file = posix::open(&name, flags, mode, wanted.as_ref(), &subject)?;
    install(current, file, OnExec::Close, 0)
}

/// mq_unlink(2).
///
/// # Errors
/// Those of user memory. `EACCES`, `EPERM`: rights that the caller has not. `ENOENT`: there is none of that name. `ENAMETOOLONG`,
/// `ENOMEM`.
pub fn mq_unlink(current: &Thread, name_at: u64) -> Result<usize, Errno> {
    let name = path(name_at)?;
    posix::unlink(&name, &Subject::new(current.process().credentials()))?;
    Ok(0)
}

/// mq_timedsend(2).
///
/// # Errors
/// `EBADF`: no queue, or not open for writing. `EMSGSIZE`: it is too long. `EINVAL`: no priority, or no time. `EAGAIN`: there is no
/// room, and it does not wait. `ETIMEDOUT`: it has waited. `EINTR`, `ENOMEM`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn mq_timedsend(
    current: &Thread,
    descriptor: i32,
    [message, len]: [u64; 2],
    priority: u32,
    until: u64,
) -> Result<usize, Errno> {
    let patience = patience(until)?;
    if priority >= MQ_PRIO_MAX {
        return Err(Errno::EINVAL);
    }
    let file = file(current, descriptor)?;
    let queue = queue_of(&file)?;
    if !file.is_writable() {
        return Err(Errno::EBADF);
    }
    if len > queue.most_bytes() as u64 {
        return Err(Errno::EMSGSIZE);
    }
    memory::has_room()?;
    let bytes = read_message(message, len as usize)?;
    let message = PosixMessage { priority, bytes };
    queue.send(message, if_nonblocking(&file, patience), sender(current))?;
    Ok(0)
}

/// mq_timedreceive(2).
///
/// # Errors
/// `EBADF`: no queue, or not open for reading. `EMSGSIZE`: less room than the longest message needs. `EINVAL`: no time. `EAGAIN`: there
/// is no message, and it does not wait. `ETIMEDOUT`: it has waited. `EINTR`, `ENOMEM`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn mq_timedreceive(
    current: &Thread,
    descriptor: i32,
    [buffer, room]: [u64; 2],
    priority_at: u64,
    until: u64,
) -> Result<usize, Errno> {
    let patience = patience(until)?;
    let file = file(current, descriptor)?;
    let queue = queue_of(&file)?;
    if !file.is_readable() {
        return Err(Errno::EBADF);
    }
    if room < queue.most_bytes() as u64 {
        return Err(Errno::EMSGSIZE);
    }
    let message = queue.receive(if_nonblocking(&file, patience))?;
    uaccess::write_wanted(priority_at, &message.priority)?;
    write_message(buffer, &message.bytes)?;
    Ok(message.bytes.len())
}

/// mq_getsetattr(2).
///
/// # Errors
/// `EBADF`: no queue. `EINVAL`: flags that cannot be changed. Those of user memory.
pub fn mq_getsetattr(current: &Thread, descriptor: i32, new_at: u64, old_at: u64) -> Result<usize, Errno> {
    let new: Option<MqAttr> = match new_at {
        0 => None,
        at => Some(uaccess::read_value(at)?),
    };
    let nonblocking = i64::from(OpenFlags::O_NONBLOCK.bits());
    if new.is_some_and(|new| new.flags & !nonblocking != 0) {
        return Err(Errno::EINVAL);
    }
    let file: Arc<OpenFile> = file(current, descriptor)?;
    let old = MqAttr {
        flags: i64::from((file.flags() & OpenFlags::O_NONBLOCK).bits()),
        ..queue_of(&file)?.attributes()
    };
    if let Some(new) = new {
        let mut flags = file.flags();
        flags.set(OpenFlags::O_NONBLOCK, new.flags != 0);
        file.set_flags(flags);
    }
    uaccess::write_wanted(old_at, &old)?;
    Ok(0)
}

/// How long the caller waits at most, by the time at `until`.
fn patience(until: u64) -> Result<QueuePatience, Errno> {
    if until == 0 {
        return Ok(QueuePatience::Endless);
    }
    let until: TimeSpec = uaccess::read_value(until)?;
    until
        .to_nanoseconds()
        .map(QueuePatience::Until)
        .ok_or(Errno::EINVAL)
}

fn if_nonblocking(file: &OpenFile, patience: QueuePatience) -> QueuePatience {
    match file.flags().contains(OpenFlags::O_NONBLOCK) {
        true => QueuePatience::None,
        false => patience,
    }
}

fn read_message(at: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = fallible::filled(len, 0)?;
    let mut from = at;
    for portion in bytes.chunks_mut(PORTION) {
        uaccess::read_bytes(from, portion)?;
        from = from.wrapping_add(portion.len() as u64);
        scheduler::cond_resched();
    }
    Ok(bytes)
}

fn write_message(at: u64, bytes: &[u8]) -> Result<(), Errno> {
    let mut to = at;
    for portion in bytes.chunks(PORTION) {
        uaccess::write_bytes(to, portion)?;
        to = to.wrapping_add(portion.len() as u64);
        scheduler::cond_resched();
    }
    Ok(())
}
