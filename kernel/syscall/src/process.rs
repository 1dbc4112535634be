//! What a process is and belongs to: ids, groups, sessions, names and small attributes.

use super::capability;
use super::policy::may_be_nice;
use super::target::{meant, meant_thread};
use abi::Errno;
use abi::capability::CAP_SYS_NICE;
use abi::process::{
    PR_CAP_AMBIENT, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER, PR_GET_DUMPABLE,
    PR_GET_KEEPCAPS, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG, PR_GET_SECUREBITS,
    PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_SET_TIMERSLACK, PRIO_PGRP, PRIO_PROCESS,
    PRIO_USER, RobustListHead, TASK_COMM_LEN,
};
use abi::rseq::RSEQ_FLAG_UNREGISTER;
use abi::signal::Signal;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use memory::DumpMode;
use memory::fallible;
use sched::scheduler::{self, SchedAttributes};
use task::process::{self, Comm, Pid, Process};
use task::thread::{Thread, ThreadExt};

/// getpid(2).
///
/// # Errors
/// Never fails.
#[inline]
pub fn getpid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().pid as usize)
}

/// getppid(2).
///
/// # Errors
/// Never fails.
pub fn getppid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.process().parent() as usize)
}

/// gettid(2).
///
/// # Errors
/// Never fails.
pub fn gettid(current: &Thread) -> Result<usize, Errno> {
    Ok(current.tid() as usize)
}

/// setpgid(2).
///
/// # Errors
/// `EINVAL`: a negative group, or the id of a thread that is not the first. `ESRCH`: neither the caller nor a child.
/// `EPERM`: another session, its leader, or no such group there. `EACCES`: the child has called execve. `ENOMEM`.
pub fn setpgid(current: &Thread, pid: u64, group: u64) -> Result<usize, Errno> {
    if (group as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let target = meant(current, pid)?;
    if pid as i32 != 0 && target.pid != pid as Pid {
        return Err(Errno::EINVAL);
    }
    let group = if group as i32 == 0 {
        target.pid
    } else {
        group as Pid
    };
    process::move_to_group(current.process(), &target, group)?;
    Ok(0)
}

/// getpgid(2).
///
/// # Errors
/// `ESRCH`: no such process.
pub fn getpgid(current: &Thread, pid: u64) -> Result<usize, Errno> {
    Ok(meant(current, pid)?.group() as usize)
}

/// setsid(2).
///
/// # Errors
/// `EPERM`: there is a group of its id. `ENOMEM`.
pub fn setsid(current: &Thread) -> Result<usize, Errno> {
    Ok(process::start_session(current.process())? as usize)
}

/// getsid(2).
///
/// # Errors
/// `ESRCH`: no such process.
pub fn getsid(current: &Thread, pid: u64) -> Result<usize, Errno> {
    Ok(meant(current, pid)?.session() as usize)
}

/// set_tid_address(2).
///
/// # Errors
/// Never fails.
pub fn set_tid_address(current: &Thread, at: u64) -> Result<usize, Errno> {
    current.clear_child_tid().store(at, Ordering::Relaxed);
    Ok(current.tid() as usize)
}

/// set_robust_list(2).
///
/// # Errors
/// `EINVAL`: another length.
pub fn set_robust_list(current: &Thread, at: u64, len: u64) -> Result<usize, Errno> {
    if len != size_of::<RobustListHead>() as u64 {
        return Err(Errno::EINVAL);
    }
    current.robust_list().store(at, Ordering::Relaxed);
    Ok(0)
}

/// rseq(2).
///
/// # Errors
/// `EINVAL`: unknown flags; an area that is too short, not aligned, or not the one that is registered. `EPERM`: another signature.
/// `EBUSY`: it is registered. `EFAULT`: no memory of a program.
pub fn rseq(current: &Thread, area: u64, len: u32, flags: u32, signature: u32) -> Result<usize, Errno> {
    match flags {
        0 => task::rseq::register(current, area, len, signature)?,
        RSEQ_FLAG_UNREGISTER => task::rseq::unregister(current, area, len, signature)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// get_robust_list(2).
///
/// # Errors
/// `ESRCH`: no such thread. `EPERM`: the caller may not look into it. Those of user memory.
pub fn get_robust_list(current: &Arc<Thread>, tid: u64, head_at: u64, len_at: u64) -> Result<usize, Errno> {
    let target = meant_thread(current, tid)?;
    target.process().check_inspection_by(current.process())?;
    let head = target.robust_list().load(Ordering::Relaxed);
    uaccess::write_value(len_at, &(size_of::<RobustListHead>() as u64))?;
    uaccess::write_value(head_at, &head)?;
    Ok(0)
}

/// prctl(2): what programs use of it.
///
/// Not supported: `PR_SET_SECCOMP`, `PR_SET_PTRACER`, `PR_SET_VMA`, `PR_SET_MM` and all other options (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown options, an argument that is none. `EPERM`: a change of capabilities that is not allowed.
/// `ENOMEM`, those of user memory.
pub fn prctl(current: &Thread, [option, a, b, c, d, _]: [u64; 6]) -> Result<usize, Errno> {
    let attributes = &current.process().attributes;
    match option as u32 {
        PR_SET_NAME => {
            current.set_name(read_name(a)?);
        }
        PR_GET_NAME => {
            uaccess::write_bytes(a, current.name().padded())?;
        }
        PR_SET_PDEATHSIG => {
            let signal = if a == 0 {
                0
            } else {
                Signal::new(a).ok_or(Errno::EINVAL)?.number()
            };
            attributes.parent_death_signal.store(signal, Ordering::Relaxed);
        }
        PR_GET_PDEATHSIG => {
            let signal = attributes.parent_death_signal.load(Ordering::Relaxed);
            uaccess::write_value(a, &u32::from(signal))?;
        }
        PR_SET_DUMPABLE => current.process().set_dumpable(match a {
            0 => DumpMode::Disable,
            1 => DumpMode::User,
            _ => return Err(Errno::EINVAL),
        }),
        PR_GET_DUMPABLE => return Ok(usize::from(current.process().is_dumpable())),
        PR_SET_NO_NEW_PRIVS if (a, b, c, d) == (1, 0, 0, 0) => {
            attributes.has_no_new_privileges.store(true, Ordering::Relaxed)
        }
        PR_GET_NO_NEW_PRIVS if (a, b, c, d) == (0, 0, 0, 0) => {
            return Ok(usize::from(
                attributes.has_no_new_privileges.load(Ordering::Relaxed),
            ));
        }
        PR_SET_TIMERSLACK => {
            let [slack, first] = &attributes.timer_slack;
            let new = if (a as i64) <= 0 {
                first.load(Ordering::Relaxed)
            } else {
                a
            };
            slack.store(new, Ordering::Relaxed);
        }
        PR_GET_TIMERSLACK => return Ok(attributes.timer_slack[0].load(Ordering::Relaxed) as usize),
        PR_SET_CHILD_SUBREAPER => attributes.is_child_subreaper.store(a != 0, Ordering::Relaxed),
        PR_GET_CHILD_SUBREAPER => {
            let is_reaper = attributes.is_child_subreaper.load(Ordering::Relaxed);
            uaccess::write_value(a, &u32::from(is_reaper))?;
        }
        PR_GET_KEEPCAPS | PR_SET_KEEPCAPS | PR_GET_SECUREBITS | PR_SET_SECUREBITS | PR_CAPBSET_READ
        | PR_CAPBSET_DROP | PR_CAP_AMBIENT => return capability::control(current, [option, a, b, c, d]),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// Reads a name of at most 15 bytes; a longer one is cut.
fn read_name(at: u64) -> Result<Comm, Errno> {
    let mut name = Vec::new();
    match uaccess::append_string(at, TASK_COMM_LEN - 1, &mut name) {
        Ok(()) | Err(Errno::ENAMETOOLONG) => Ok(Comm::new(&name)),
        Err(error) => Err(error),
    }
}

/// personality(2): the word is kept. All ones only reads.
///
/// Not supported: the flags are kept and change nothing.
///
/// # Errors
/// Never fails.
pub fn personality(current: &Thread, persona: u64) -> Result<usize, Errno> {
    let word = &current.process().attributes.personality;
    let old = word.load(Ordering::Relaxed);
    if persona as u32 != u32::MAX {
        word.store(persona as u32, Ordering::Relaxed);
    }
    Ok(old as usize)
}

/// getpriority(2): 20 - nice, the least nice of those meant.
///
/// # Errors
/// `EINVAL`: no such kind. `ESRCH`: nobody is meant. `ENOMEM`.
pub fn getpriority(current: &Arc<Thread>, which: u64, who: u64) -> Result<usize, Errno> {
    let nicest = chosen(current, which as u32, who)?
        .iter()
        .map(|thread| thread.scheduling.attributes().nice)
        .min();
    Ok((20 - i32::from(nicest.unwrap_or(0))) as usize)
}

/// setpriority(2): the threads that the caller may not make so nice stay as they are, and one of them is the answer.
///
/// # Errors
/// `EINVAL`: no such kind. `ESRCH`: nobody is meant. `EPERM`: of another user. `EACCES`: beyond `RLIMIT_NICE`.
/// `ENOMEM`.
pub fn setpriority(current: &Arc<Thread>, which: u64, who: u64, value: u64) -> Result<usize, Errno> {
    let value = (value as i32).clamp(-20, 19) as i8;
    let own = current.process().credentials();
    let mut result = Ok(0);
    for thread in chosen(current, which as u32, who)? {
        scheduler::cond_resched();
        if !own.may_schedule(&thread.process().credentials()) {
            result = Err(Errno::EPERM);
            continue;
        }
        let is_lower = value < thread.scheduling.attributes().nice;
        if is_lower && !may_be_nice(&thread, value) && !own.can(CAP_SYS_NICE) {
            result = Err(Errno::EACCES);
            continue;
        }
        scheduler::change_attributes(&thread, |now| SchedAttributes { nice: value, ..now });
    }
    result
}

/// The threads meant; none of a process that has ended. `ESRCH` if there is no such process.
fn chosen(current: &Arc<Thread>, which: u32, who: u64) -> Result<Vec<Arc<Thread>>, Errno> {
    let who_or = |own: u32| if who as u32 == 0 { own } else { who as u32 };
    match which {
        PRIO_PROCESS => chosen_thread(current, who),
        PRIO_PGRP => {
            let group = who_or(current.process().group());
            threads_of(|process| process.group() == group)
        }
        PRIO_USER => {
            let user = who_or(current.process().credentials().uid);
            threads_of(|process| process.credentials().uid == user)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// The threads of all processes that are meant; others run in between. `ESRCH` if there is no such process, `ENOMEM`.
fn threads_of(is_meant: impl Fn(&Process) -> bool) -> Result<Vec<Arc<Thread>>, Errno> {
    let (mut next, mut has_found, mut threads) = (0, false, Vec::new());
    while let Some(process) = process::next_from(next) {
        next = process.pid + 1;
        if is_meant(&process) {
            has_found = true;
            process.list_threads(&mut threads)?;
        }
        scheduler::cond_resched_killable()?;
    }
    if has_found { Ok(threads) } else { Err(Errno::ESRCH) }
}

fn chosen_thread(current: &Arc<Thread>, id: u64) -> Result<Vec<Arc<Thread>>, Errno> {
    match meant_thread(current, id) {
        Ok(thread) => Ok(fallible::collect([thread])?),
        Err(_) => meant(current, id).map(|_| Vec::new()),
    }
}
