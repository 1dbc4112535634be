//! wait4(2), waitid(2).

use crate::process::{self, Child, Kind, Meant, Wanted, Which};
use crate::thread::Thread;
use crate::user_memory;
use abi::Errno;
use abi::process::{
    __WALL, __WCLONE, __WNOTHREAD, P_ALL, P_PGID, P_PID, RUsage, WCONTINUED, WEXITED, WNOHANG, WNOWAIT,
    WUNTRACED, WaitStatus,
};
use abi::signal::info::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use abi::signal::{SigInfo, Signal};

/// Options that name kinds of children.
const KINDS: u32 = __WALL | __WCLONE | __WNOTHREAD;

/// wait4(2).
///
/// # Errors
/// `EINVAL`: unknown options. `ECHILD`: no such child. `ESRCH`: the group of `i32::MIN`. `EINTR`: a handler ran. Those
/// of user memory: the child is gone all the same.
pub fn wait4(
    current: &Thread,
    pid: u64,
    status_at: u64,
    options: u64,
    usage_at: u64,
) -> Result<usize, Errno> {
    let options = options as u32;
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | KINDS) != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match pid as i32 {
        -1 => Which::Any,
        i32::MIN => return Err(Errno::ESRCH),
        0 => Which::Group(current.process.group()),
        pid if pid < 0 => Which::Group(pid.unsigned_abs()),
        pid => Which::Process(pid.unsigned_abs()),
    };
    let Some(child) =
        process::wait_for_child(current, meant(current, which, options), wanted(options | WEXITED))?
    else {
        return Ok(0);
    };
    user_memory::write_wanted(status_at, &child.status.encode())?;
    user_memory::write_wanted(usage_at, &child.usage.to_rusage())?;
    Ok(child.pid as usize)
}

/// waitid(2).
///
/// Not supported: `P_PIDFD` (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown options, nothing asked for, or no such kind. `ECHILD`: no such child. `EINTR`: a handler ran.
/// Those of user memory.
pub fn waitid(
    current: &Thread,
    kind: u64,
    id: u64,
    info_at: u64,
    options: u64,
    usage_at: u64,
) -> Result<usize, Errno> {
    let options = options as u32;
    let events = WEXITED | WUNTRACED | WCONTINUED;
    if options & !(events | WNOHANG | WNOWAIT | KINDS) != 0 || options & events == 0 {
        return Err(Errno::EINVAL);
    }
    let id = id as i32;
    let which = match kind as u32 {
        P_ALL => Which::Any,
        P_PID if id > 0 => Which::Process(id.unsigned_abs()),
        P_PGID if id == 0 => Which::Group(current.process.group()),
        P_PGID if id > 0 => Which::Group(id.unsigned_abs()),
        _ => return Err(Errno::EINVAL),
    };
    let child = process::wait_for_child(current, meant(current, which, options), wanted(options))?;
    let usage = child.map_or(RUsage::default(), |child| child.usage.to_rusage());
    user_memory::write_wanted(usage_at, &usage)?;
    user_memory::write_wanted(
        info_at,
        &child.map_or(SigInfo::default(), |child| describe(&child)),
    )?;
    Ok(0)
}

/// `__WALL` prevails over `__WCLONE`.
fn meant(current: &Thread, which: Which, options: u32) -> Meant {
    let kind = match options & (__WALL | __WCLONE) {
        0 => Kind::Usual,
        __WCLONE => Kind::Clones,
        _ => Kind::All,
    };
    Meant {
        which,
        kind,
        thread: (options & __WNOTHREAD != 0).then(|| current.tid()),
    }
}

fn wanted(options: u32) -> Wanted {
    Wanted {
        ended: options & WEXITED != 0,
        stopped: options & WUNTRACED != 0,
        continued: options & WCONTINUED != 0,
        is_kept: options & WNOWAIT != 0,
        is_immediate: options & WNOHANG != 0,
    }
}

fn describe(child: &Child) -> SigInfo {
    let (code, status) = match child.status {
        WaitStatus::Exited(code) => (CLD_EXITED, code),
        WaitStatus::Signaled { signal, core: false } => (CLD_KILLED, signal),
        WaitStatus::Signaled { signal, core: true } => (CLD_DUMPED, signal),
        WaitStatus::Stopped(signal) => (CLD_STOPPED, signal),
        WaitStatus::Continued => (CLD_CONTINUED, Signal::SIGCONT.number()),
    };
    SigInfo::child(code, child.pid, child.uid, status.into(), 0, 0)
}
