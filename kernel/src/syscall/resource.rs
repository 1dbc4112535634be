//! What may be used and what was: prlimit64(2), getrusage(2).

use super::process::meant;
use crate::thread::Thread;
use crate::user_memory;
use abi::Errno;
use abi::process::{RLIMIT_NOFILE, RLimit, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD};
use alloc::sync::Arc;

/// Highest limit of descriptors that anybody may set: `fs.nr_open`.
const MOST_FILES: u64 = 1 << 20;

/// prlimit64(2).
pub fn prlimit64(current: &Thread, pid: u64, which: u64, new_at: u64, old_at: u64) -> Result<usize, Errno> {
    let target = meant(current, pid)?;
    let (own, other) = (current.process.credentials(), target.credentials());
    let is_same = own.uid == other.uid && own.uid == other.euid && own.uid == other.suid;
    if !Arc::ptr_eq(&target, &current.process) && !own.is_privileged() && !is_same {
        return Err(Errno::EPERM);
    }
    let which = usize::try_from(which as u32).map_err(|_| Errno::EINVAL)?;
    let old = target.limits().get(which).ok_or(Errno::EINVAL)?;
    if new_at != 0 {
        let new: RLimit = user_memory::read_value(new_at)?;
        if new.cur > new.max || (which == RLIMIT_NOFILE && new.max > MOST_FILES && new.max > old.max) {
            return Err(if new.cur > new.max {
                Errno::EINVAL
            } else {
                Errno::EPERM
            });
        }
        if new.max > old.max && !own.is_privileged() {
            return Err(Errno::EPERM);
        }
        target.set_limit(which, new);
    }
    user_memory::write_wanted(old_at, &old)?;
    Ok(0)
}

/// getrlimit(2).
pub fn getrlimit(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    let limit = current
        .process
        .limits()
        .get(which as u32 as usize)
        .ok_or(Errno::EINVAL)?;
    user_memory::write_value(at, &limit)?;
    Ok(0)
}

/// setrlimit(2).
pub fn setrlimit(current: &Thread, which: u64, at: u64) -> Result<usize, Errno> {
    if at == 0 {
        return Err(Errno::EFAULT);
    }
    prlimit64(current, 0, which, at, 0)
}

/// getrusage(2).
pub fn getrusage(current: &Thread, who: u64, at: u64) -> Result<usize, Errno> {
    let process = &current.process;
    let usage = match who as i32 {
        RUSAGE_SELF | RUSAGE_THREAD => {
            let pages = process
                .with_space(|space| space.resident_pages(crate::memory::get()))
                .unwrap_or(0);
            let mut usage = process.own_totals().to_rusage();
            usage.maxrss = (pages * (mm::PAGE_SIZE as u64 / 1024)) as i64;
            usage
        }
        RUSAGE_CHILDREN => process.children_totals().to_rusage(),
        _ => return Err(Errno::EINVAL),
    };
    user_memory::write_value(at, &usage)?;
    Ok(0)
}
