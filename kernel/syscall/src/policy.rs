//! Scheduling policies: sched(7). What they mean is in `scheduler`.

use super::target::{meant, meant_thread};
use abi::Errno;
use abi::capability::CAP_SYS_NICE;
use abi::process::{
    RLIMIT_NICE, RLIMIT_RTPRIO, SCHED_DEADLINE, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_PARAMS,
    SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RECLAIM, SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_UTIL_CLAMP,
    SCHED_RESET_ON_FORK, SchedAttr,
};
use abi::time::TimeSpec;
use abi::zerocopy::{FromZeros, IntoBytes};
use alloc::sync::Arc;
use mm::PAGE_SIZE;
use sched::scheduler::{self, Policy, SchedAttributes, TURN_NANOS};
use task::futex;
use task::thread::{Thread, ThreadExt};
use vfs::Credentials;

/// The least that a caller knows of a [`SchedAttr`] (`SCHED_ATTR_SIZE_VER0`).
const FIRST_SIZE: usize = 48;
/// The priorities of `SCHED_FIFO` and `SCHED_RR`.
const REAL_TIME: (usize, usize) = (1, 99);

/// What may be given for one thread: a policy, or `None` for the one it has.
struct PolicyRequest {
    policy: Option<Policy>,
    priority: u32,
    nice: Option<i8>,
    resets_on_fork: Option<bool>,
}

/// `EINVAL` for a negative id, and where nothing is given.
fn check_given(pid: u64, at: u64) -> Result<(), Errno> {
    if (pid as i32) < 0 || at == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// What was asked for a thread; of one that has ended, nothing. `ESRCH`, `EINVAL` for a negative id.
fn attributes_of(current: &Arc<Thread>, pid: u64) -> Result<SchedAttributes, Errno> {
    check_given(pid, 1)?;
    match meant_thread(current, pid) {
        Ok(thread) => Ok(thread.scheduling.attributes()),
        // A process that nobody has waited for yet.
        Err(_) => meant(current, pid).map(|_| SchedAttributes::unpack(0)),
    }
}

/// sched_getscheduler(2).
///
/// # Errors
/// `EINVAL`: a negative id. `ESRCH`: no such thread.
pub fn sched_getscheduler(current: &Arc<Thread>, pid: u64) -> Result<usize, Errno> {
    let attributes = attributes_of(current, pid)?;
    let flag = if attributes.resets_on_fork {
        SCHED_RESET_ON_FORK
    } else {
        0
    };
    Ok((attributes.policy as u32 | flag) as usize)
}

/// sched_getparam(2): the priority.
///
/// # Errors
/// `EINVAL`: a negative id, or no room. `ESRCH`: no such thread. Those of user memory.
pub fn sched_getparam(current: &Arc<Thread>, pid: u64, at: u64) -> Result<usize, Errno> {
    check_given(pid, at)?;
    let attributes = attributes_of(current, pid)?;
    uaccess::write_value(at, &u32::from(attributes.priority))?;
    Ok(0)
}

/// sched_setscheduler(2).
///
/// Not supported: `SCHED_DEADLINE` (`EBUSY`, as from Linux where others have all of it).
///
/// # Errors
/// `EINVAL`: a negative id, no such policy, no priority of it. `ESRCH`: no such thread. `EPERM`: no right to it.
/// `EBUSY`: `SCHED_DEADLINE`. Those of user memory.
pub fn sched_setscheduler(current: &Arc<Thread>, pid: u64, policy: u64, at: u64) -> Result<usize, Errno> {
    if (policy as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    check_given(pid, at)?;
    let priority = uaccess::read_value(at)?;
    let target = meant_thread(current, pid)?;
    let policy = policy as u32;
    let request = PolicyRequest {
        policy: Some(decode(policy & !SCHED_RESET_ON_FORK)?),
        priority,
        nice: None,
        resets_on_fork: Some(policy & SCHED_RESET_ON_FORK != 0),
    };
    perform(current, &target, &request)
}

/// sched_setparam(2): another priority within the policy.
///
/// # Errors
/// `EINVAL`: a negative id, nothing given, no priority of the policy. `ESRCH`: no such thread. `EPERM`: no right to it.
/// Those of user memory.
pub fn sched_setparam(current: &Arc<Thread>, pid: u64, at: u64) -> Result<usize, Errno> {
    check_given(pid, at)?;
    let priority = uaccess::read_value(at)?;
    let target = meant_thread(current, pid)?;
    let request = PolicyRequest {
        policy: None,
        priority,
        nice: None,
        resets_on_fork: None,
    };
    perform(current, &target, &request)
}

/// A policy by its number. Of `SCHED_DEADLINE` nothing is free, ever: `EBUSY`, as from Linux where others have all of it.
fn decode(policy: u32) -> Result<Policy, Errno> {
    match policy {
        SCHED_DEADLINE => Err(Errno::EBUSY),
        policy => Policy::of(policy).ok_or(Errno::EINVAL),
    }
}

/// sched_setattr(2): policy, priority, nice value and flags by a structure that may grow.
///
/// Not supported: `SCHED_DEADLINE` (`EBUSY`), `SCHED_FLAG_UTIL_CLAMP` (`EOPNOTSUPP`).
///
/// # Errors
/// As for [`sched_setscheduler`]. `EINVAL`: unknown flags. `E2BIG`: a size that cannot be, or something that is not
/// known here. `EOPNOTSUPP`: hints for the processor's speed.
pub fn sched_setattr(current: &Arc<Thread>, pid: u64, at: u64, flags: u64) -> Result<usize, Errno> {
    check_given(pid, at)?;
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let given = read_attributes(at)?;
    if (given.sched_policy as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let target = meant_thread(current, pid)?;
    let flags = given.sched_flags;
    if flags & SCHED_FLAG_UTIL_CLAMP != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let keeps_policy = flags & SCHED_FLAG_KEEP_POLICY != 0;
    let deadlines = SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN;
    let known = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS | deadlines;
    if flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    if !keeps_policy && given.sched_policy == SCHED_DEADLINE {
        check_deadline(current, &given)?;
    }
    let policy = if keeps_policy {
        None
    } else {
        Some(decode(given.sched_policy)?)
    };
    let mut request = PolicyRequest {
        policy,
        priority: given.sched_priority,
        nice: Some(given.sched_nice.clamp(-20, 19) as i8),
        resets_on_fork: Some(flags & SCHED_FLAG_RESET_ON_FORK != 0),
    };
    if flags & SCHED_FLAG_KEEP_PARAMS != 0 {
        let own = target.scheduling.attributes();
        request.priority = own.priority.into();
        request.nice = None;
    }
    perform(current, &target, &request)
}

/// What Linux looks at before it asks whether a deadline can be kept: `EINVAL` unless runtime, deadline and period grow in this
/// order, `EPERM` for who may not.
fn check_deadline(current: &Thread, given: &SchedAttr) -> Result<(), Errno> {
    /// Less could not be measured (`DL_SCALE`).
    const LEAST_RUNTIME: u64 = 1 << 10;
    let period = match given.sched_period {
        0 => given.sched_deadline,
        period => period,
    };
    let order = [
        LEAST_RUNTIME,
        given.sched_runtime,
        given.sched_deadline,
        period,
        i64::MAX as u64,
    ];
    if !order.is_sorted() || given.sched_priority != 0 {
        return Err(Errno::EINVAL);
    }
    require_nice(&current.process().credentials())
}

/// Reads as much of the structure as the caller has: `E2BIG` for a size that cannot be, and for what is not known here but is not 0;
/// the size that there is here is written to it then.
fn read_attributes(at: u64) -> Result<SchedAttr, Errno> {
    let own = size_of::<SchedAttr>();
    let size = match uaccess::read_value::<u32>(at)? as usize {
        0 => FIRST_SIZE,
        size => size,
    };
    let too_big = || uaccess::write_value(at, &(own as u32)).and(Err(Errno::E2BIG));
    if !(FIRST_SIZE..=PAGE_SIZE).contains(&size) {
        return too_big();
    }
    let mut bytes = [0; size_of::<SchedAttr>()];
    uaccess::read_bytes(at, &mut bytes[..size.min(own)])?;
    let mut further = at + own as u64;
    while further < at + size as u64 {
        let mut byte = [0];
        uaccess::read_bytes(further, &mut byte)?;
        if byte != [0] {
            return too_big();
        }
        further += 1;
    }
    let mut given = SchedAttr::new_zeroed();
    given.as_mut_bytes().copy_from_slice(&bytes);
    Ok(given)
}

/// sched_getattr(2).
///
/// # Errors
/// `EINVAL`: a negative id, flags, or a size that cannot be. `ESRCH`: no such thread. Those of user memory.
pub fn sched_getattr(
    current: &Arc<Thread>,
    pid: u64,
    at: u64,
    size: u64,
    flags: u64,
) -> Result<usize, Errno> {
    check_given(pid, at)?;
    let size = size as u32 as usize;
    if !(FIRST_SIZE..=PAGE_SIZE).contains(&size) || flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let own = attributes_of(current, pid)?;
    let mut shown = SchedAttr::new_zeroed();
    shown.size = size.min(size_of::<SchedAttr>()) as u32;
    shown.sched_policy = own.policy as u32;
    shown.sched_priority = own.priority.into();
    if own.resets_on_fork {
        shown.sched_flags = SCHED_FLAG_RESET_ON_FORK;
    }
    if !own.policy.is_real_time() {
        shown.sched_nice = own.nice.into();
    }
    uaccess::write_bytes(at, &shown.as_bytes()[..shown.size as usize])?;
    Ok(0)
}

/// Does what is asked for, if it makes sense (`EINVAL`) and the caller may (`EPERM`).
fn perform(current: &Arc<Thread>, target: &Arc<Thread>, request: &PolicyRequest) -> Result<usize, Errno> {
    let old = target.scheduling.attributes();
    let policy = request.policy.unwrap_or(old.policy);
    let (least, most) = priorities(policy as u32)?;
    if !(least..=most).contains(&(request.priority as usize)) {
        return Err(Errno::EINVAL);
    }
    let new = SchedAttributes {
        policy,
        priority: request.priority as u8,
        nice: match request.nice {
            Some(nice) if !policy.is_real_time() => nice,
            _ => old.nice,
        },
        resets_on_fork: request.resets_on_fork.unwrap_or(old.resets_on_fork),
        inherited: 0,
    };
    check_rights(current, target, old, new)?;
    scheduler::change_attributes(target, |now| SchedAttributes {
        inherited: now.inherited,
        ..new
    });
    futex::priority_changed(target);
    Ok(0)
}

/// `EPERM` unless the caller may schedule `target` so (`user_check_sched_setscheduler`).
fn check_rights(
    current: &Thread,
    target: &Thread,
    old: SchedAttributes,
    new: SchedAttributes,
) -> Result<(), Errno> {
    let own = current.process().credentials();
    let limit = target.process().limit(RLIMIT_RTPRIO);
    let is_real_time = new.policy.is_real_time();
    let wants_priority = is_real_time
        && (new.policy != old.policy && limit == 0
            || new.priority > old.priority && u64::from(new.priority) > limit);
    let wants_share = !is_real_time && new.nice < old.nice && !may_be_nice(target, new.nice);
    let leaves_idle =
        old.policy == Policy::Idle && new.policy != Policy::Idle && !may_be_nice(target, old.nice);
    let keeps_more = old.resets_on_fork && !new.resets_on_fork;
    if !own.may_schedule(&target.process().credentials()) {
        return Err(Errno::EPERM);
    }
    if wants_priority || wants_share || leaves_idle || keeps_more {
        return require_nice(&own);
    }
    Ok(())
}

fn require_nice(own: &Credentials) -> Result<(), Errno> {
    if own.can(CAP_SYS_NICE) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Whether `RLIMIT_NICE` lets a thread have a nice value.
pub fn may_be_nice(target: &Thread, nice: i8) -> bool {
    (20 - i64::from(nice)) as u64 <= target.process().limit(RLIMIT_NICE)
}

/// sched_get_priority_max(2).
///
/// # Errors
/// `EINVAL`: no such policy.
pub fn sched_get_priority_max(policy: u64) -> Result<usize, Errno> {
    Ok(priorities(policy as u32)?.1)
}

/// sched_get_priority_min(2).
///
/// # Errors
/// `EINVAL`: no such policy.
pub fn sched_get_priority_min(policy: u64) -> Result<usize, Errno> {
    Ok(priorities(policy as u32)?.0)
}

fn priorities(policy: u32) -> Result<(usize, usize), Errno> {
    match Policy::of(policy) {
        Some(policy) if policy.is_real_time() => Ok(REAL_TIME),
        Some(_) => Ok((0, 0)),
        None if policy == SCHED_DEADLINE => Ok((0, 0)),
        None => Err(Errno::EINVAL),
    }
}

/// sched_rr_get_interval(2): the length of a turn, 0 for `SCHED_FIFO`, whose threads take none.
///
/// # Errors
/// `EINVAL`: a negative id. `ESRCH`: no such thread. Those of user memory.
pub fn sched_rr_get_interval(current: &Arc<Thread>, pid: u64, at: u64) -> Result<usize, Errno> {
    let nanos = match attributes_of(current, pid)?.policy {
        Policy::Fifo => 0,
        Policy::RoundRobin => scheduler::timeslice_nanos(),
        _ => TURN_NANOS,
    };
    uaccess::write_value(at, &TimeSpec::from_nanoseconds(nanos))?;
    Ok(0)
}
