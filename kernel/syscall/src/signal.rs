//! Signal calls: sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), sigwaitinfo(2), sigaltstack(2), kill(2),
//! tgkill(2), rt_sigqueueinfo(2).

use abi::Errno;
use abi::signal::info::{SI_TKILL, SI_USER};
use abi::signal::{
    SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGSET_SIZE, SaFlags, SigAction, SigInfo, SigSet, Signal, StackT,
};
use abi::time::TimeSpec;
use alloc::sync::Arc;
use platform::user::UserContext;
use sched::time;
use sched::wait;
use task::process::{self, Pid, Process};
use task::signal::{self, Audience, is_on_stack};
use task::thread::{Thread, ThreadExt};

/// Flags that are kept: programs see by the others' absence that they mean nothing here (sigaction(2)).
const KNOWN_FLAGS: SaFlags = SaFlags::SA_NOCLDSTOP
    .union(SaFlags::SA_NOCLDWAIT)
    .union(SaFlags::SA_SIGINFO)
    .union(SaFlags::SA_RESTORER)
    .union(SaFlags::SA_ONSTACK)
    .union(SaFlags::SA_RESTART)
    .union(SaFlags::SA_NODEFER)
    .union(SaFlags::SA_RESETHAND)
    .union(SaFlags::SA_EXPOSE_TAGBITS);

fn check_size(size: u64) -> Result<(), Errno> {
    if size == SIGSET_SIZE as u64 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// rt_sigaction(2).
///
/// # Errors
/// `EINVAL`: another size of sets, no signal, or one that cannot be caught. `ENOMEM`, those of user memory.
pub fn rt_sigaction(
    current: &Thread,
    number: u64,
    new_at: u64,
    old_at: u64,
    size: u64,
) -> Result<usize, Errno> {
    check_size(size)?;
    let signal = Signal::new(number & 0xffff_ffff).ok_or(Errno::EINVAL)?;
    if new_at != 0 && signal.is_uncatchable() {
        return Err(Errno::EINVAL);
    }
    let process = current.process();
    let old = if new_at == 0 {
        process.signals.action(signal)
    } else {
        let mut new: SigAction = uaccess::read_value(new_at)?;
        new.flags &= KNOWN_FLAGS;
        new.mask = new.mask.difference(SigSet::UNBLOCKABLE);
        signal::set_action(process, signal, new)?
    };
    uaccess::write_wanted(old_at, &old)?;
    Ok(0)
}

/// rt_sigprocmask(2).
///
/// # Errors
/// `EINVAL`: another size of sets, or no such way. Those of user memory.
pub fn rt_sigprocmask(
    current: &Thread,
    how: u64,
    new_at: u64,
    old_at: u64,
    size: u64,
) -> Result<usize, Errno> {
    check_size(size)?;
    let old = current.signals().mask();
    if new_at != 0 {
        let set: SigSet = uaccess::read_value(new_at)?;
        let new = match how as u32 {
            SIG_BLOCK => old.union(set),
            SIG_UNBLOCK => old.difference(set),
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        signal::set_mask(current, new);
    }
    uaccess::write_wanted(old_at, &old)?;
    Ok(0)
}

/// rt_sigpending(2).
///
/// # Errors
/// `EINVAL`: a larger size of sets. Those of user memory.
pub fn rt_sigpending(current: &Thread, set_at: u64, size: u64) -> Result<usize, Errno> {
    if size > SIGSET_SIZE as u64 {
        return Err(Errno::EINVAL);
    }
    let pending = current
        .signals()
        .pending()
        .union(current.process().signals.pending());
    let blocked = pending.intersection(current.signals().mask());
    uaccess::write_bytes(set_at, &blocked.0.to_le_bytes()[..size as usize])?;
    Ok(0)
}

/// rt_sigsuspend(2): always ends by a signal.
///
/// # Errors
/// `EINVAL`: another size of sets. `EINTR`: always, behind the handler. Those of user memory.
pub fn rt_sigsuspend(current: &Thread, set_at: u64, size: u64) -> Result<usize, Errno> {
    check_size(size)?;
    let mask: SigSet = uaccess::read_value(set_at)?;
    signal::suspend_mask(current, mask);
    let never: Result<Option<()>, _> = wait::wait_alone(None, || None);
    debug_assert!(
        never.is_err(),
        "signal: a sleep without a condition ended without a signal"
    );
    Err(Errno::RESTART_NO_HANDLER)
}

/// rt_sigtimedwait(2).
///
/// # Errors
/// `EINVAL`: another size of sets, or a time that is none. `EAGAIN`: the time is over. `EINTR`: a handler of another
/// signal ran. Those of user memory.
pub fn rt_sigtimedwait(
    current: &Thread,
    set_at: u64,
    info_at: u64,
    timeout_at: u64,
    size: u64,
) -> Result<usize, Errno> {
    check_size(size)?;
    let set = uaccess::read_value::<SigSet>(set_at)?.difference(SigSet::UNBLOCKABLE);
    let deadline = match timeout_at {
        0 => None,
        at => {
            let timeout: TimeSpec = uaccess::read_value(at)?;
            Some(time::deadline_after(
                timeout.to_nanoseconds().ok_or(Errno::EINVAL)?,
            ))
        }
    };
    signal::set_awaited(current, set);
    let found = wait::wait_alone(deadline, || signal::take_pending(current, set));
    signal::set_awaited(current, SigSet::EMPTY);
    let info = found.map_err(|_| Errno::EINTR)?.ok_or(Errno::EAGAIN)?;
    uaccess::write_wanted(info_at, &info)?;
    Ok(info.signo as usize)
}

/// rt_sigreturn(2). Its result is the x0 that it goes back with.
///
/// # Errors
/// Never fails: a frame that cannot be restored is a SIGSEGV.
pub fn rt_sigreturn(current: &Arc<Thread>, context: &mut UserContext) -> Result<usize, Errno> {
    signal::restore(current, context);
    Ok(context.x[0] as usize)
}

/// sigaltstack(2).
///
/// # Errors
/// `EPERM`: the stack is in use. `EINVAL`: unknown flags. `ENOMEM`: less than `MINSIGSTKSZ`. Those of user memory.
pub fn sigaltstack(
    current: &Thread,
    context: &UserContext,
    new_at: u64,
    old_at: u64,
) -> Result<usize, Errno> {
    let old = current.signals().stack();
    let is_in_use = is_on_stack(&old, context.sp);
    if new_at != 0 {
        let new: StackT = uaccess::read_value(new_at)?;
        if is_in_use {
            return Err(Errno::EPERM);
        }
        current.signals().set_stack(signal::checked_stack(new)?);
    }
    uaccess::write_wanted(old_at, &signal::shown_stack(&old, context.sp))?;
    Ok(0)
}

/// kill(2).
///
/// # Errors
/// `EINVAL`: no signal. `ESRCH`: nobody is meant. `EPERM`: none of them may be sent to. `ENOMEM`.
pub fn kill(current: &Thread, target: u64, number: u64) -> Result<usize, Errno> {
    let signal = decode_signal(number)?;
    match target as i32 {
        pid if pid > 0 => {
            let process = process::find(pid.unsigned_abs()).ok_or(Errno::ESRCH)?;
            check_right(current, &process, signal)?;
            send(current, &process, signal);
            Ok(0)
        }
        0 => send_to_many(current, Audience::Group(current.process().group()), signal),
        -1 => send_to_many(current, Audience::AllBut(current.process().pid), signal),
        i32::MIN => Err(Errno::ESRCH),
        group => send_to_many(current, Audience::Group(group.unsigned_abs()), signal),
    }
}

/// The signal of that number, or none for 0, which only asks.
pub(super) fn decode_signal(number: u64) -> Result<Option<Signal>, Errno> {
    match number & 0xffff_ffff {
        0 => Ok(None),
        number => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
    }
}

pub(super) fn send(current: &Thread, process: &Arc<Process>, signal: Option<Signal>) {
    if let Some(signal) = signal {
        signal::send_to_process(process, sent_by(current, signal, SI_USER));
    }
}

fn sent_by(current: &Thread, signal: Signal, code: i32) -> SigInfo {
    SigInfo::sent(
        signal,
        code,
        current.process().pid,
        current.process().credentials().uid,
    )
}

/// Sends to all that may be sent to: `ESRCH` if there is nobody, `EPERM` if there is nobody of whom it is allowed.
fn send_to_many(current: &Thread, audience: Audience, signal: Option<Signal>) -> Result<usize, Errno> {
    let info = signal.map(|signal| sent_by(current, signal, SI_USER));
    signal::send_to_many_in_pieces(audience, info, |target| check_right(current, target, signal))?;
    Ok(0)
}

/// To each process of a group.
///
/// # Errors
/// As for [`send_to_many`].
pub(super) fn send_to_group(
    current: &Thread,
    process: &Process,
    signal: Option<Signal>,
) -> Result<usize, Errno> {
    send_to_many(current, Audience::Group(process.group()), signal)
}

/// kill(2): the users must match; SIGCONT may go anywhere in the session.
pub(super) fn check_right(current: &Thread, target: &Process, signal: Option<Signal>) -> Result<(), Errno> {
    let own = current.process();
    let may_continue = signal == Some(Signal::SIGCONT) && own.session() == target.session();
    let is_allowed = own.credentials().may_signal(&target.credentials());
    if is_allowed || may_continue {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// tkill(2).
///
/// # Errors
/// As for [`tgkill`].
pub fn tkill(current: &Thread, tid: u64, number: u64) -> Result<usize, Errno> {
    send_to_thread(current, None, tid, number)
}

/// tgkill(2).
///
/// # Errors
/// `EINVAL`: no ids, or no signal. `ESRCH`: no such thread. `EPERM`: it may not be sent to. `EAGAIN`: a real-time
/// signal beyond `RLIMIT_SIGPENDING`, or want of memory for it.
pub fn tgkill(current: &Thread, pid: u64, tid: u64, number: u64) -> Result<usize, Errno> {
    if (pid as i32) <= 0 {
        return Err(Errno::EINVAL);
    }
    send_to_thread(current, Some(pid as Pid), tid, number)
}

fn send_to_thread(current: &Thread, pid: Option<Pid>, tid: u64, number: u64) -> Result<usize, Errno> {
    if (tid as i32) <= 0 {
        return Err(Errno::EINVAL);
    }
    let signal = decode_signal(number)?;
    let (process, thread) = find_thread(pid, tid as Pid)?;
    check_right(current, &process, signal)?;
    if let (Some(signal), Some(thread)) = (signal, thread) {
        check_queue(&process, signal)?;
        signal::send_to_thread(&thread, sent_by(current, signal, SI_TKILL));
    }
    Ok(0)
}

/// A thread and its process; a zombie has no threads left, but an id.
fn find_thread(pid: Option<Pid>, tid: Pid) -> Result<(Arc<Process>, Option<Arc<Thread>>), Errno> {
    let process = process::find(tid)
        .filter(|process| pid.is_none_or(|pid| pid == process.pid))
        .ok_or(Errno::ESRCH)?;
    Ok((process, process::find_thread(tid)))
}

/// rt_sigqueueinfo(2).
///
/// # Errors
/// `EINVAL`: no signal. `ESRCH`: no such process. `EPERM`: it may not be sent to, or not with that code. `EAGAIN`: as
/// for [`tgkill`]. Those of user memory.
pub fn rt_sigqueueinfo(current: &Thread, pid: u64, number: u64, info_at: u64) -> Result<usize, Errno> {
    let (signal, info) = queued_info(current, pid as Pid, number, info_at)?;
    let process = process::find(pid as Pid).ok_or(Errno::ESRCH)?;
    check_right(current, &process, signal)?;
    if let Some(signal) = signal {
        check_queue(&process, signal)?;
        signal::send_to_process(
            &process,
            SigInfo {
                signo: signal.number().into(),
                ..info
            },
        );
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
///
/// # Errors
/// As for [`rt_sigqueueinfo`]. `EINVAL`: no ids.
pub fn rt_tgsigqueueinfo(
    current: &Thread,
    pid: u64,
    tid: u64,
    number: u64,
    info_at: u64,
) -> Result<usize, Errno> {
    if (pid as i32) <= 0 || (tid as i32) <= 0 {
        return Err(Errno::EINVAL);
    }
    let (signal, info) = queued_info(current, pid as Pid, number, info_at)?;
    let (process, thread) = find_thread(Some(pid as Pid), tid as Pid)?;
    check_right(current, &process, signal)?;
    if let (Some(signal), Some(thread)) = (signal, thread) {
        check_queue(&process, signal)?;
        signal::send_to_thread(
            &thread,
            SigInfo {
                signo: signal.number().into(),
                ..info
            },
        );
    }
    Ok(0)
}

/// Nobody may pretend to be the kernel or kill(2) towards others.
fn queued_info(
    current: &Thread,
    pid: Pid,
    number: u64,
    info_at: u64,
) -> Result<(Option<Signal>, SigInfo), Errno> {
    let signal = decode_signal(number)?;
    let info: SigInfo = uaccess::read_value(info_at)?;
    if (info.code >= 0 || info.code == SI_TKILL) && pid != current.process().pid {
        return Err(Errno::EPERM);
    }
    Ok((signal, info))
}

/// A real-time signal is not lost silently: `EAGAIN` when too many wait already.
pub(super) fn check_queue(process: &Process, signal: Signal) -> Result<(), Errno> {
    if signal < Signal::SIGRTMIN || (signal::has_room_for_signals(process) && memory::has_room().is_ok()) {
        Ok(())
    } else {
        Err(Errno::EAGAIN)
    }
}
