//! System V messages: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use abi::Errno;
use abi::capability::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use abi::ipc::{IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, IpcGetFlags};
use abi::message::{MSG_INFO, MSG_STAT, MSG_STAT_ANY, MsgInfo, MsgReceiveFlags, MsqIdDs};
use alloc::sync::Arc;
use ipc::IpcObject;
use ipc::messages::{self, IfBlocked, IpcMessage, MessageQueue, QUEUES, WantedMessage};
use ipc::settings::{MOST_MESSAGE_BYTES, MOST_QUEUE_BYTES, MOST_QUEUES};
use sched::scheduler;
use task::thread::{Thread, ThreadExt};

/// Rights that are asked for: to receive, and to send, of whichever class the caller is.
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;

/// Bytes of the type, in front of what a message says.
const KIND: u64 = size_of::<i64>() as u64;

/// msgget(2).
///
/// # Errors
/// `ENOENT`: none has that key, and none is to be made. `EEXIST`: one has it, and it is to be new. `EACCES`: rights that the caller has
/// not. `ENOSPC`: too many. `ENOMEM`.
#[inline(never)] // else every other call pays for its registers
pub fn msgget(current: &Thread, key: u64, flags: u64) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = IpcGetFlags::from_bits_retain(flags as u32);
    let who = current.process().credentials();
    messages::find_or_make(key as i32, flags, &who).map(|id| id as usize)
}

/// msgsnd(2).
///
/// # Errors
/// `EINVAL`: no such queue, a type that is not positive, more bytes than allowed. `EACCES`: rights that the caller has not. `EAGAIN`: it
/// would wait. `EIDRM`: removed meanwhile. `EINTR`, `ENOMEM`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn msgsnd(current: &Thread, id: u64, message: u64, len: u64, flags: u64) -> Result<usize, Errno> {
    memory::has_room()?;
    let kind: i64 = uaccess::read_value(message)?;
    if len > MOST_MESSAGE_BYTES.get() || (id as i32) < 0 || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = memory::try_list(len as usize)?;
    uaccess::read_bytes(message.wrapping_add(KIND), &mut bytes)?;
    let process = current.process();
    let queue = QUEUES.by_id(id as i32)?;
    queue.owners().check(&process.credentials(), WRITE)?;
    queue.send(IpcMessage { kind, bytes }, process.pid, if_blocked(flags as u32))?;
    Ok(0)
}

/// msgrcv(2).
///
/// Not supported: `MSG_COPY` (`ENOSYS`, as where the kernel cannot be checkpointed).
///
/// # Errors
/// `EINVAL`: no such queue, a size that is negative. `EACCES`: rights that the caller has not. `E2BIG`: it is longer than there is room.
/// `ENOMSG`: there is none, and it does not wait. `EIDRM`: removed meanwhile. `ENOSYS`: a copy. `EINTR`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn msgrcv(
    current: &Thread,
    id: u64,
    [buffer, room]: [u64; 2],
    kind: i64,
    flags: u64,
) -> Result<usize, Errno> {
    let flags = MsgReceiveFlags::from_bits_retain(flags as u32);
    let most = i64::try_from(room).map_err(|_| Errno::EINVAL)? as usize;
    if (id as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(MsgReceiveFlags::MSG_COPY) {
        return Err(Errno::ENOSYS);
    }
    let process = current.process();
    let queue = QUEUES.by_id(id as i32)?;
    queue.owners().check(&process.credentials(), READ)?;
    let is_cut = flags.contains(MsgReceiveFlags::MSG_NOERROR);
    let wanted = match kind {
        0 => WantedMessage::Any,
        ..0 => WantedMessage::AtMost(kind.checked_neg().unwrap_or(i64::MAX)),
        _ if flags.contains(MsgReceiveFlags::MSG_EXCEPT) => WantedMessage::Not(kind),
        _ => WantedMessage::Kind(kind),
    };
    let fits = |len: usize| {
        let fits = len <= most || is_cut;
        fits.then_some(()).ok_or(Errno::E2BIG)
    };
    let message = queue.receive(wanted, fits, process.pid, if_blocked(flags.bits()))?;
    let len = message.bytes.len().min(most);
    uaccess::write_value(buffer, &message.kind)?;
    uaccess::write_bytes(buffer.wrapping_add(KIND), &message.bytes[..len])?;
    Ok(len)
}

/// msgctl(2).
///
/// # Errors
/// `EINVAL`: an unknown command, or no such queue. `EACCES`: it may not be read. `EPERM`: it is somebody else's, or is to have more bytes
/// than the caller may give it. `EINTR`: the process is to end. Those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn msgctl(current: &Thread, id: u64, command: u64, buffer: u64) -> Result<usize, Errno> {
    let (id, command) = (id as i32, command as u32);
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_INFO | MSG_INFO => limits(command, buffer),
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => status(current, id, command, buffer),
        IPC_SET => {
            let wanted: MsqIdDs = uaccess::read_value(buffer)?;
            let queue = of_owner(current, id)?;
            let most = wanted.msg_qbytes;
            if most > MOST_QUEUE_BYTES.get() && !current.process().credentials().can(CAP_SYS_RESOURCE) {
                return Err(Errno::EPERM);
            }
            let perm = wanted.msg_perm;
            queue.give(perm.uid, perm.gid, perm.mode, most);
            Ok(0)
        }
        IPC_RMID => {
            MessageQueue::remove(&of_owner(current, id)?);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn if_blocked(flags: u32) -> IfBlocked {
    match flags & IPC_NOWAIT {
        0 => IfBlocked::Wait,
        _ => IfBlocked::Return,
    }
}

/// The queue, for one who may change what it is.
fn of_owner(current: &Thread, id: i32) -> Result<Arc<MessageQueue>, Errno> {
    let queue = QUEUES.by_id(id)?;
    let who = current.process().credentials();
    match queue.owners().is_owner(&who) || who.can(CAP_SYS_ADMIN) {
        true => Ok(queue),
        false => Err(Errno::EPERM),
    }
}

fn limits(command: u32, buffer: u64) -> Result<usize, Errno> {
    let (queues, highest) = QUEUES.usage();
    let mut info = MsgInfo {
        msgmax: MOST_MESSAGE_BYTES.get() as u32,
        msgmnb: MOST_QUEUE_BYTES.get() as u32,
        msgmni: MOST_QUEUES.get() as u32,
        msgssz: 16,
        msgseg: u16::MAX,
        ..MsgInfo::default()
    };
    if command == MSG_INFO {
        info.msgpool = queues as u32;
        let mut next = 0;
        while let Some((index, queue)) = QUEUES.next_from(next) {
            let status = queue.status();
            info.msgmap += status.msg_qnum as u32;
            info.msgtql = info.msgtql.wrapping_add(status.msg_cbytes as u32);
            next = index + 1;
            scheduler::cond_resched_killable()?;
        }
    } else {
        // Linux: in units of 1 KiB, of segments, and of messages.
        info.msgpool = info.msgmni.wrapping_mul(info.msgmnb) / 1024;
        info.msgmap = info.msgmnb;
        info.msgtql = info.msgmnb;
    }
    uaccess::write_value(buffer, &info)?;
    Ok(highest as usize)
}

fn status(current: &Thread, id: i32, command: u32, buffer: u64) -> Result<usize, Errno> {
    let queue = match command {
        IPC_STAT => QUEUES.by_id(id)?,
        _ => QUEUES.by_index(id)?,
    };
    if command != MSG_STAT_ANY {
        queue.owners().check(&current.process().credentials(), READ)?;
    }
    uaccess::write_value(buffer, &queue.status())?;
    Ok(if command == IPC_STAT {
        0
    } else {
        queue.id() as usize
    })
}
