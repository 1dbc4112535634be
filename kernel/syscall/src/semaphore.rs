//! System V semaphores: semget(2), semop(2), semtimedop(2), semctl(2).

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::ipc::{IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, IpcGetFlags};
use abi::semaphore::{
    GETALL, GETNCNT, GETPID, GETVAL, GETZCNT, SEM_INFO, SEM_STAT, SEM_STAT_ANY, SEMVMX, SETALL, SETVAL,
    SemBuf, SemIdDs, SemInfo,
};
use abi::time::TimeSpec;
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipc::IpcObject;
use ipc::semaphores::{self, SETS, SemaphoreSet};
use ipc::settings::{MOST_OPERATIONS, MOST_SEMAPHORES, MOST_SEMAPHORES_IN_SET, MOST_SETS};
use sched::time;
use task::thread::{Thread, ThreadExt};

/// Rights that are asked for: to read, and to change, of whichever class the caller is.
const READ: u32 = 0o444;
const ALTER: u32 = 0o222;

/// Operations that need no memory of their own.
const FEW: usize = 8;

/// semget(2).
///
/// # Errors
/// `ENOENT`: none has that key, and none is to be made. `EEXIST`: one has it, and it is to be new. `EINVAL`: no number of semaphores,
/// more than allowed or than there are. `EACCES`: rights that the caller has not. `ENOSPC`: too many. `ENOMEM`.
#[inline(never)] // else every other call pays for its registers
pub fn semget(current: &Thread, key: u64, count: u64, flags: u64) -> Result<usize, Errno> {
    memory::has_room()?;
    let flags = IpcGetFlags::from_bits_retain(flags as u32);
    let who = current.process().credentials();
    semaphores::find_or_make(key as i32, count as i32, flags, &who).map(|id| id as usize)
}

/// semop(2), semtimedop(2).
///
/// What `SEM_UNDO` takes back belongs to a process: not to a thread without `CLONE_SYSVSEM`, nor to several processes with it.
///
/// # Errors
/// `EINVAL`: no operation, no such set, a time that is none. `E2BIG`: more than allowed. `EFBIG`: no such semaphore. `EACCES`: rights that
/// the caller has not. `EAGAIN`: it would wait, or has as long as it was to. `ERANGE`: a value would be too high. `EIDRM`: removed
/// meanwhile. `EINTR`, `ENOMEM`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn semtimedop(
    current: &Thread,
    id: u64,
    operations: u64,
    count: u64,
    timeout: u64,
) -> Result<usize, Errno> {
    let deadline = match timeout {
        0 => None,
        at => {
            let wanted: TimeSpec = uaccess::read_value(at)?;
            Some(time::deadline_after(
                wanted.to_nanoseconds().ok_or(Errno::EINVAL)?,
            ))
        }
    };
    let count = count as u32 as usize;
    let id = id as i32;
    if count == 0 || id < 0 {
        return Err(Errno::EINVAL);
    }
    if count as u64 > MOST_OPERATIONS.get() {
        return Err(Errno::E2BIG);
    }
    let mut few = [SemBuf::default(); FEW];
    let mut many: Vec<SemBuf>;
    let list = match few.get_mut(..count) {
        Some(few) => few,
        None => {
            memory::has_room()?;
            many = memory::try_list(count)?;
            &mut many
        }
    };
    uaccess::read_bytes(operations, list.as_mut_bytes())?;
    let process = current.process();
    let set = SETS.by_id(id)?;
    if list.iter().any(|one| usize::from(one.sem_num) >= set.size()) {
        return Err(Errno::EFBIG);
    }
    let changes = list.iter().any(|one| one.sem_op != 0);
    let wanted = if changes { ALTER } else { READ };
    set.owners().check(&process.credentials(), wanted)?;
    set.operate(list, process.pid, deadline)?;
    Ok(0)
}

/// semctl(2).
///
/// # Errors
/// `EINVAL`: an unknown command, no such set or semaphore. `EACCES`: it may not be read, or changed. `EPERM`: it is somebody else's.
/// `ERANGE`: a value beyond the highest. `EIDRM`: removed meanwhile. `ENOMEM`, those of user memory.
#[inline(never)] // else every other call pays for its registers
pub fn semctl(current: &Thread, id: u64, number: u64, command: u64, argument: u64) -> Result<usize, Errno> {
    let (id, number, command) = (id as i32, number as i32, command as u32);
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_INFO | SEM_INFO => return limits(command, argument),
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => return status(current, id, command, argument),
        IPC_SET => {
            let wanted: SemIdDs = uaccess::read_value(argument)?;
            let perm = wanted.sem_perm;
            of_owner(current, id)?.give(perm.uid, perm.gid, perm.mode);
            return Ok(0);
        }
        IPC_RMID => {
            SemaphoreSet::remove(&of_owner(current, id)?);
            return Ok(0);
        }
        GETALL | SETALL | GETVAL | GETPID | GETNCNT | GETZCNT | SETVAL => {}
        _ => return Err(Errno::EINVAL),
    }
    let set = SETS.by_id(id)?;
    let process = current.process();
    let wanted = if matches!(command, SETALL | SETVAL) {
        ALTER
    } else {
        READ
    };
    // Which semaphore comes first where the values of all are not meant.
    let number = usize::try_from(number).map_err(|_| Errno::EINVAL);
    let may = || set.owners().check(&process.credentials(), wanted);
    match command {
        SETVAL => {
            let value = u16::try_from(argument as i32).map_err(|_| Errno::ERANGE)?;
            if u32::from(value) > SEMVMX {
                return Err(Errno::ERANGE);
            }
            let number = number.and_then(|number| set.value(number).map(|_| number))?;
            may()?;
            set.set_values(number, &[value], process.pid)?;
            Ok(0)
        }
        SETALL => {
            may()?;
            let mut values: Vec<u16> = memory::try_list(set.size())?;
            uaccess::read_bytes(argument, values.as_mut_slice().as_mut_bytes())?;
            set.set_values(0, &values, process.pid)?;
            Ok(0)
        }
        GETALL => {
            may()?;
            uaccess::write_bytes(argument, set.values()?.as_bytes())?;
            Ok(0)
        }
        _ => {
            may()?;
            let number = number?;
            match command {
                GETVAL => set.value(number),
                GETPID => set.last_user(number),
                GETNCNT => set.waiters(number).map(|(more, _)| more),
                _ => set.waiters(number).map(|(_, zero)| zero),
            }
        }
    }
}

/// The set, for one who may change what it is.
fn of_owner(current: &Thread, id: i32) -> Result<Arc<SemaphoreSet>, Errno> {
    let set = SETS.by_id(id)?;
    let who = current.process().credentials();
    match set.owners().is_owner(&who) || who.can(CAP_SYS_ADMIN) {
        true => Ok(set),
        false => Err(Errno::EPERM),
    }
}

fn limits(command: u32, buffer: u64) -> Result<usize, Errno> {
    let (sets, highest) = SETS.usage();
    let most = MOST_SEMAPHORES.get() as u32;
    let is_usage = command == SEM_INFO;
    let info = SemInfo {
        semmap: most,
        semmni: MOST_SETS.get() as u32,
        semmns: most,
        semmnu: most,
        semmsl: MOST_SEMAPHORES_IN_SET.get() as u32,
        semopm: MOST_OPERATIONS.get() as u32,
        semume: MOST_OPERATIONS.get() as u32,
        // Linux: `SEMUSZ`.
        semusz: if is_usage { sets as u32 } else { 20 },
        semvmx: SEMVMX,
        semaem: if is_usage {
            semaphores::count() as u32
        } else {
            SEMVMX
        },
    };
    uaccess::write_value(buffer, &info)?;
    Ok(highest as usize)
}

fn status(current: &Thread, id: i32, command: u32, buffer: u64) -> Result<usize, Errno> {
    let set = match command {
        IPC_STAT => SETS.by_id(id)?,
        _ => SETS.by_index(id)?,
    };
    if command != SEM_STAT_ANY {
        set.owners().check(&current.process().credentials(), READ)?;
    }
    uaccess::write_value(buffer, &set.status())?;
    Ok(if command == IPC_STAT { 0 } else { set.id() as usize })
}
