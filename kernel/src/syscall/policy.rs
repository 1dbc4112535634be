//! Scheduling policies: sched(7). There is one, equal shares without priorities, which is called `SCHED_OTHER`.

use super::process::meant;
use crate::scheduler::TURN_NANOS;
use crate::thread::Thread;
use crate::user_memory;
use abi::Errno;
use abi::process::{SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR};
use abi::time::TimeSpec;

/// The priorities of `SCHED_FIFO` and `SCHED_RR` on Linux.
const REAL_TIME: (usize, usize) = (1, 99);

/// sched_getscheduler(2): equal shares without priorities, `SCHED_OTHER`.
pub fn sched_getscheduler(current: &Thread, pid: u64) -> Result<usize, Errno> {
    meant(current, pid)?;
    Ok(SCHED_NORMAL as usize)
}

/// sched_getparam(2): priority 0.
pub fn sched_getparam(current: &Thread, pid: u64, at: u64) -> Result<usize, Errno> {
    meant(current, pid)?;
    user_memory::write_value(at, &0u32)?;
    Ok(0)
}

/// sched_setscheduler(2): `EPERM` for policies with priorities, which nobody has the right to here.
pub fn sched_setscheduler(current: &Thread, pid: u64, policy: u64, at: u64) -> Result<usize, Errno> {
    let (least, most) = priorities(policy)?;
    let priority = user_memory::read_value::<u32>(at)? as usize;
    if !(least..=most).contains(&priority) {
        return Err(Errno::EINVAL);
    }
    let target = meant(current, pid)?;
    let own = current.process.credentials();
    if !own.may_schedule(&target.credentials()) {
        return Err(Errno::EPERM);
    }
    if policy as u32 == SCHED_NORMAL {
        Ok(0)
    } else {
        Err(Errno::EPERM)
    }
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(policy: u64) -> Result<usize, Errno> {
    Ok(priorities(policy)?.1)
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(policy: u64) -> Result<usize, Errno> {
    Ok(priorities(policy)?.0)
}

fn priorities(policy: u64) -> Result<(usize, usize), Errno> {
    match policy as u32 {
        SCHED_FIFO | SCHED_RR => Ok(REAL_TIME),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_rr_get_interval(2): the length of a turn.
pub fn sched_rr_get_interval(current: &Thread, pid: u64, at: u64) -> Result<usize, Errno> {
    meant(current, pid)?;
    let turn = TimeSpec {
        sec: 0,
        nsec: TURN_NANOS as i64,
    };
    user_memory::write_value(at, &turn)?;
    Ok(0)
}
