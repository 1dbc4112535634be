//! What may be used and what was: prlimit64(2), getrusage(2).

use super::target::meant;
use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;
use abi::process::{RLIMIT_CPU, RLIMIT_NOFILE, RLimit, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD};
use alloc::sync::Arc;
use task::process::Totals;
use task::thread::{Thread, ThreadExt};
use vfs::Credentials;

/// Highest limit of descriptors that anybody may set: `fs.nr_open`.
const MOST_FILES: u64 = 1 << 20;

/// prlimit64(2).
///
/// Not supported: limits of what there is not (`RLIMIT_RSS`, `RLIMIT_LOCKS`) are kept alone, as on
/// Linux.
///
/// # Errors
/// `ESRCH`: no such process. `EPERM`: of another user without `CAP_SYS_RESOURCE`; a hard limit that is raised without
/// it, or beyond what the kernel can hold. `EINVAL`: no such limit, or a soft one above the hard one. `ENOMEM`, those
/// of user memory.
pub fn prlimit64(current: &Thread, pid: u64, which: u64, new_at: u64, old_at: u64) -> Result<usize, Errno> {
    let target = meant(current, pid)?;
    let (own, other) = (current.process().credentials(), target.credentials());
    let users = [other.uid, other.euid, other.suid];
    let groups = [other.gid, other.egid, other.sgid];
    let is_same = users.iter().all(|&id| id == own.uid) && groups.iter().all(|&id| id == own.gid);
    if !Arc::ptr_eq(&target, current.process()) && !is_same && !own.can(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    let which = usize::try_from(which as u32).map_err(|_| Errno::EINVAL)?;
    let old = if new_at == 0 {
        target.limits().get(which).ok_or(Errno::EINVAL)?
    } else {
        let new: RLimit = uaccess::read_value(new_at)?;
        let old = target.change_limit(which, new, |old| check_limit(which, old, new, &own))?;
        if which == RLIMIT_CPU {
            target.processor_limit_changed();
        }
        old
    };
    uaccess::write_wanted(old_at, &old)?;
    Ok(0)
}

/// Nobody raises a hard limit without `CAP_SYS_RESOURCE`, nor with it beyond what the kernel can hold.
fn check_limit(which: usize, old: RLimit, new: RLimit, own: &Credentials) -> Result<(), Errno> {
    if new.cur > new.max {
        return Err(Errno::EINVAL);
    }
    let is_beyond = which == RLIMIT_NOFILE && new.max > MOST_FILES;
    if new.max > old.max && (is_beyond || !own.can(CAP_SYS_RESOURCE)) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// getrlimit(2).
///
/// # Errors
/// `EINVAL`: no such limit. Those of user memory.
pub fn getrlimit(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    let limit = current
        .process()
        .limits()
        .get(which as u32 as usize)
        .ok_or(Errno::EINVAL)?;
    uaccess::write_value(at, &limit)?;
    Ok(0)
}

/// setrlimit(2).
///
/// # Errors
/// As for [`prlimit64`] of the caller. `EFAULT`: no limit is given.
pub fn setrlimit(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    if at == 0 {
        return Err(Errno::EFAULT);
    }
    prlimit64(current, 0, which, at, 0)
}

/// getrusage(2).
///
/// # Errors
/// `EINVAL`: no such kind. Those of user memory.
pub fn getrusage(current: &Thread, who: u64, at: u64) -> Result<usize, Errno> {
    let process = current.process();
    process.note_resident_pages();
    let usage = match who as i32 {
        RUSAGE_SELF => process.own_totals().to_rusage(),
        RUSAGE_THREAD => Totals {
            peak: process.own_totals().peak,
            ..current.totals()
        }
        .to_rusage(),
        RUSAGE_CHILDREN => process.children_totals().to_rusage(),
        _ => return Err(Errno::EINVAL),
    };
    uaccess::write_value(at, &usage)?;
    Ok(0)
}
