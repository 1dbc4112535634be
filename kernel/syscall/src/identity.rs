//! User and group ids: credentials(7), setresuid(2) and its relatives.

use abi::Errno;
use abi::capability::{CAP_SETGID, CAP_SETUID};
use abi::process::RLIMIT_NPROC;
use abi::zerocopy::IntoBytes;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use task::process;
use task::thread::{Thread, ThreadExt};
use vfs::{Credentials, Groups, NGROUPS_MAX};

/// "Leave it as it is".
const KEEP: u32 = u32::MAX;

/// getuid(2).
///
/// # Errors
/// Never fails.
pub fn getuid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().credentials().uid as usize)
}

/// geteuid(2).
///
/// # Errors
/// Never fails.
pub fn geteuid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().credentials().euid as usize)
}

/// getgid(2).
///
/// # Errors
/// Never fails.
pub fn getgid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().credentials().gid as usize)
}

/// getegid(2).
///
/// # Errors
/// Never fails.
pub fn getegid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().credentials().egid as usize)
}

/// getresuid(2).
///
/// # Errors
/// Those of user memory.
pub fn getresuid(current: &Thread, real: u64, effective: u64, saved: u64) -> Result<usize, Errno> {
    let ids = current.process().credentials();
    uaccess::write_value(real, &ids.uid)?;
    uaccess::write_value(effective, &ids.euid)?;
    uaccess::write_value(saved, &ids.suid)?;
    Ok(0)
}

/// getresgid(2).
///
/// # Errors
/// Those of user memory.
pub fn getresgid(current: &Thread, real: u64, effective: u64, saved: u64) -> Result<usize, Errno> {
    let ids = current.process().credentials();
    uaccess::write_value(real, &ids.gid)?;
    uaccess::write_value(effective, &ids.egid)?;
    uaccess::write_value(saved, &ids.sgid)?;
    Ok(0)
}

/// Changes the user ids if the change is allowed; capabilities follow.
fn change_users(
    current: &Thread,
    how: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
) -> Result<usize, Errno> {
    current.process().change_credentials(|ids| {
        let old = ids.clone();
        how(ids)?;
        ids.fsuid = ids.euid;
        ids.follow_users(&old);
        Ok(())
    })?;
    let is_beyond = has_too_many_processes(current);
    let noted = &current.process().attributes.is_beyond_processes;
    noted.store(is_beyond, Ordering::Relaxed);
    Ok(0)
}

/// Whether the caller's real user, who is not user 0, has more processes than its limit allows.
pub fn has_too_many_processes(current: &Thread) -> bool {
    let uid = current.process().credentials().uid;
    let most = current.process().limit(RLIMIT_NPROC);
    uid != 0 && process::thread_count_of_user(uid) as u64 > most
}

/// Changes the group ids if the change is allowed.
fn change_groups(
    current: &Thread,
    how: impl FnOnce(&mut Credentials) -> Result<(), Errno>,
) -> Result<usize, Errno> {
    current.process().change_credentials(|ids| {
        how(ids)?;
        ids.fsgid = ids.egid;
        Ok(())
    })?;
    Ok(0)
}

fn is_user_allowed(ids: &Credentials, wanted: u32) -> bool {
    wanted == KEEP || ids.has_user(wanted) || ids.can(CAP_SETUID)
}

fn is_group_allowed(ids: &Credentials, wanted: u32) -> bool {
    wanted == KEEP || ids.has_group(wanted) || ids.can(CAP_SETGID)
}

fn set(id: &mut u32, wanted: u32) {
    if wanted != KEEP {
        *id = wanted;
    }
}

/// setuid(2).
///
/// # Errors
/// `EINVAL`: no id. `EPERM`: neither the real nor the saved one, without `CAP_SETUID`. `ENOMEM`.
pub fn setuid(current: &Thread, wanted: u64) -> Result<usize, Errno> {
    let wanted = valid(wanted)?;
    change_users(current, |ids| {
        if ids.can(CAP_SETUID) {
            (ids.uid, ids.suid) = (wanted, wanted);
        } else if wanted != ids.uid && wanted != ids.suid {
            return Err(Errno::EPERM);
        }
        ids.euid = wanted;
        Ok(())
    })
}

/// setgid(2).
///
/// # Errors
/// `EINVAL`: no id. `EPERM`: neither the real nor the saved one, without `CAP_SETGID`. `ENOMEM`.
pub fn setgid(current: &Thread, wanted: u64) -> Result<usize, Errno> {
    let wanted = valid(wanted)?;
    change_groups(current, |ids| {
        if ids.can(CAP_SETGID) {
            (ids.gid, ids.sgid) = (wanted, wanted);
        } else if wanted != ids.gid && wanted != ids.sgid {
            return Err(Errno::EPERM);
        }
        ids.egid = wanted;
        Ok(())
    })
}

fn valid(id: u64) -> Result<u32, Errno> {
    if id as u32 == KEEP {
        Err(Errno::EINVAL)
    } else {
        Ok(id as u32)
    }
}

/// setreuid(2).
///
/// # Errors
/// `EPERM`: none of the caller's own ids, without `CAP_SETUID`. `ENOMEM`.
pub fn setreuid(current: &Thread, real: u64, effective: u64) -> Result<usize, Errno> {
    let (real, effective) = (real as u32, effective as u32);
    change_users(current, |ids| {
        let may_be_real = real == KEEP || ids.can(CAP_SETUID) || real == ids.uid || real == ids.euid;
        if !may_be_real || !is_user_allowed(ids, effective) {
            return Err(Errno::EPERM);
        }
        let old = ids.uid;
        set(&mut ids.uid, real);
        set(&mut ids.euid, effective);
        if real != KEEP || (effective != KEEP && effective != old) {
            ids.suid = ids.euid;
        }
        Ok(())
    })
}

/// setregid(2).
///
/// # Errors
/// `EPERM`: none of the caller's own ids, without `CAP_SETGID`. `ENOMEM`.
pub fn setregid(current: &Thread, real: u64, effective: u64) -> Result<usize, Errno> {
    let (real, effective) = (real as u32, effective as u32);
    change_groups(current, |ids| {
        let may_be_real = real == KEEP || ids.can(CAP_SETGID) || real == ids.gid || real == ids.egid;
        if !may_be_real || !is_group_allowed(ids, effective) {
            return Err(Errno::EPERM);
        }
        let old = ids.gid;
        set(&mut ids.gid, real);
        set(&mut ids.egid, effective);
        if real != KEEP || (effective != KEEP && effective != old) {
            ids.sgid = ids.egid;
        }
        Ok(())
    })
}

/// setresuid(2).
///
/// # Errors
/// `EPERM`: none of the caller's own ids, without `CAP_SETUID`. `ENOMEM`.
pub fn setresuid(current: &Thread, real: u64, effective: u64, saved: u64) -> Result<usize, Errno> {
    let wanted = [real as u32, effective as u32, saved as u32];
    change_users(current, |ids| {
        if !wanted.iter().all(|&id| is_user_allowed(ids, id)) {
            return Err(Errno::EPERM);
        }
        set(&mut ids.uid, wanted[0]);
        set(&mut ids.euid, wanted[1]);
        set(&mut ids.suid, wanted[2]);
        Ok(())
    })
}

/// setresgid(2).
///
/// # Errors
/// `EPERM`: none of the caller's own ids, without `CAP_SETGID`. `ENOMEM`.
pub fn setresgid(current: &Thread, real: u64, effective: u64, saved: u64) -> Result<usize, Errno> {
    let wanted = [real as u32, effective as u32, saved as u32];
    change_groups(current, |ids| {
        if !wanted.iter().all(|&id| is_group_allowed(ids, id)) {
            return Err(Errno::EPERM);
        }
        set(&mut ids.gid, wanted[0]);
        set(&mut ids.egid, wanted[1]);
        set(&mut ids.sgid, wanted[2]);
        Ok(())
    })
}

/// setfsuid(2): returns the old id, whether or not it changed.
///
/// # Errors
/// `ENOMEM`. An id that is not allowed changes nothing.
pub fn setfsuid(current: &Thread, wanted: u64) -> Result<usize, Errno> {
    let wanted = wanted as u32;
    let mut old = 0;
    current.process().change_credentials(|ids| {
        old = ids.fsuid;
        if wanted != KEEP && (is_user_allowed(ids, wanted) || wanted == old) {
            let before = ids.clone();
            ids.fsuid = wanted;
            ids.follow_file_user(&before);
        }
        Ok(())
    })?;
    Ok(old as usize)
}

/// setfsgid(2): returns the old id, whether or not it changed.
///
/// # Errors
/// `ENOMEM`. An id that is not allowed changes nothing.
pub fn setfsgid(current: &Thread, wanted: u64) -> Result<usize, Errno> {
    let wanted = wanted as u32;
    let mut old = 0;
    current.process().change_credentials(|ids| {
        old = ids.fsgid;
        if wanted != KEEP && (is_group_allowed(ids, wanted) || wanted == old) {
            ids.fsgid = wanted;
        }
        Ok(())
    })?;
    Ok(old as usize)
}

/// getgroups(2).
///
/// # Errors
/// `EINVAL`: no room for all. Those of user memory.
pub fn getgroups(current: &Thread, size: u64, list: u64) -> Result<usize, Errno> {
    let ids = current.process().credentials();
    let size = usize::try_from(size as i32).map_err(|_| Errno::EINVAL)?;
    if size != 0 {
        if size < ids.groups.len() {
            return Err(Errno::EINVAL);
        }
        uaccess::write_bytes(list, (*ids.groups).as_bytes())?;
    }
    Ok(ids.groups.len())
}

/// setgroups(2).
///
/// # Errors
/// `EPERM`: without `CAP_SETGID`. `EINVAL`: more than `NGROUPS_MAX`. `ENOMEM`, those of user memory.
pub fn setgroups(current: &Thread, size: u64, list: u64) -> Result<usize, Errno> {
    current.process().credentials().require(CAP_SETGID)?;
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size <= NGROUPS_MAX)
        .ok_or(Errno::EINVAL)?;
    let mut groups: Vec<u32> = memory::try_list(size)?;
    uaccess::read_bytes(list, groups.as_mut_slice().as_mut_bytes())?;
    let groups = Groups::new(groups)?;
    current.process().change_credentials(|ids| {
        ids.groups = groups;
        Ok(())
    })?;
    Ok(0)
}
