//! wait4(2), waitid(2).

use super::flags::decode;
use super::pidfd;
use abi::Errno;
use abi::process::{P_ALL, P_PGID, P_PID, P_PIDFD, RUsage, WaitOptions, WaitStatus};
use abi::signal::info::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use abi::signal::{SigInfo, Signal};
use task::process::{self, Child, ChildKind, Meant, WaitTarget, Wanted};
use task::thread::{Thread, ThreadExt};

/// Options that name kinds of children.
const KINDS: WaitOptions = WaitOptions::__WALL
    .union(WaitOptions::__WCLONE)
    .union(WaitOptions::__WNOTHREAD);

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
    let known = WaitOptions::WNOHANG | WaitOptions::WUNTRACED | WaitOptions::WCONTINUED | KINDS;
    let options = decode(options as u32, known)?;
    let which = match pid as i32 {
        -1 => WaitTarget::Any,
        i32::MIN => return Err(Errno::ESRCH),
        0 => WaitTarget::Group(current.process().group()),
        pid if pid < 0 => WaitTarget::Group(pid.unsigned_abs()),
        pid => WaitTarget::Process(pid.unsigned_abs()),
    };
    let Some(child) = process::wait_for_child(
        current,
        meant(current, which, options),
        wanted(options | WaitOptions::WEXITED),
    )?
    else {
        return Ok(0);
    };
    uaccess::write_wanted(status_at, &child.status.encode())?;
    uaccess::write_wanted(usage_at, &child.usage.to_rusage())?;
    Ok(child.pid as usize)
}

/// waitid(2).
///
/// # Errors
/// `EBADF`: no descriptor of a process. `EAGAIN`: one that does not wait, and nothing has happened. `EINVAL`: unknown options, nothing asked for, or no such kind. `ECHILD`: no such child. `EINTR`: a handler ran.
/// Those of user memory.
pub fn waitid(
    current: &Thread,
    kind: u64,
    id: u64,
    info_at: u64,
    options: u64,
    usage_at: u64,
) -> Result<usize, Errno> {
    let events = WaitOptions::WEXITED | WaitOptions::WUNTRACED | WaitOptions::WCONTINUED;
    let known = events | WaitOptions::WNOHANG | WaitOptions::WNOWAIT | KINDS;
    let options = decode(options as u32, known)?;
    if !options.intersects(events) {
        return Err(Errno::EINVAL);
    }
    let id = id as i32;
    let which = match kind as u32 {
        P_ALL => WaitTarget::Any,
        P_PID if id > 0 => WaitTarget::Process(id.unsigned_abs()),
        P_PGID if id == 0 => WaitTarget::Group(current.process().group()),
        P_PGID if id > 0 => WaitTarget::Group(id.unsigned_abs()),
        P_PIDFD if id >= 0 => WaitTarget::Process(pidfd::pid(current, id)?),
        _ => return Err(Errno::EINVAL),
    };
    let is_nonblocking = kind as u32 == P_PIDFD && pidfd::is_nonblocking(current, id)?;
    let mut wanted = wanted(options);
    wanted.is_immediate |= is_nonblocking;
    let child = process::wait_for_child(current, meant(current, which, options), wanted)?;
    if child.is_none() && is_nonblocking && !options.contains(WaitOptions::WNOHANG) {
        return Err(Errno::EAGAIN);
    }
    let usage = child.map_or(RUsage::default(), |child| child.usage.to_rusage());
    uaccess::write_wanted(usage_at, &usage)?;
    uaccess::write_wanted(
        info_at,
        &child.map_or(SigInfo::default(), |child| describe(&child)),
    )?;
    Ok(0)
}

/// `__WALL` prevails over `__WCLONE`.
fn meant(current: &Thread, which: WaitTarget, options: WaitOptions) -> Meant {
    let kind = match () {
        () if options.contains(WaitOptions::__WALL) => ChildKind::All,
        () if options.contains(WaitOptions::__WCLONE) => ChildKind::Clones,
        () => ChildKind::Usual,
    };
    Meant {
        which,
        kind,
        thread: options.contains(WaitOptions::__WNOTHREAD).then(|| current.tid()),
    }
}

fn wanted(options: WaitOptions) -> Wanted {
    Wanted {
        ended: options.contains(WaitOptions::WEXITED),
        stopped: options.contains(WaitOptions::WUNTRACED),
        continued: options.contains(WaitOptions::WCONTINUED),
        is_kept: options.contains(WaitOptions::WNOWAIT),
        is_immediate: options.contains(WaitOptions::WNOHANG),
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
