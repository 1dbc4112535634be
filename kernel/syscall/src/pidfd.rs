//! Processes as descriptors: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use abi::Errno;
use abi::file::OpenFlags;
use abi::process::{PIDFD_SIGNAL_PROCESS_GROUP, PIDFD_SIGNAL_THREAD_GROUP, PidFdFlags};
use abi::signal::SigInfo;
use abi::signal::info::SI_TKILL;
use alloc::sync::Arc;
use task::process::{self, Pid, PidFd, Process};
use task::signal;
use task::thread::{Thread, ThreadExt};
use vfs::{OnExec, OpenFile};

use super::descriptor::withdraw;
use super::flags::decode;
use super::lookup::{index, opened};
use super::open::install;
use super::signal::{check_queue, check_right, decode_signal, send, send_to_group};

/// pidfd_open(2).
///
/// Not supported: `PIDFD_THREAD` (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags, no id, or that of a further thread. `ESRCH`: there is none. `EMFILE`, `ENOMEM`.
pub fn pidfd_open(current: &Thread, pid: i32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, PidFdFlags::PIDFD_NONBLOCK)?;
    let pid = u32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or(Errno::EINVAL)?;
    let process = process::leader(pid)?;
    memory::has_room()?;
    let file = PidFd::open(process, OpenFlags::from_bits_retain(flags.bits()))?;
    install(current, file, OnExec::Close, 0)
}

/// The process that a descriptor names. `EBADF`: none.
fn named(file: &OpenFile) -> Result<&PidFd, Errno> {
    file.ops_as().ok_or(Errno::EBADF)
}

/// The process whom a signal is for: its directory in /proc names it as well. `EBADF`: none.
fn addressed(file: &OpenFile) -> Result<&Arc<Process>, Errno> {
    match named(file) {
        Ok(descriptor) => Ok(descriptor.process()),
        Err(error) => procfs::process_of(file).ok_or(error),
    }
}

/// pidfd_send_signal(2).
///
/// Not supported: `PIDFD_SIGNAL_THREAD` (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags, no signal, or another one than the information says. `EBADF`: no such descriptor, or not of a process.
/// `EPERM`: it may not be sent to, or not with that information. `ESRCH`: it is gone. `EAGAIN`: too many signals wait. Those of
/// user memory.
pub fn pidfd_send_signal(
    current: &Thread,
    descriptor: i32,
    number: u64,
    info_at: u64,
    flags: u32,
) -> Result<usize, Errno> {
    if !matches!(flags, 0 | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP) {
        return Err(Errno::EINVAL);
    }
    let file = opened(current, descriptor)?;
    let target = addressed(&file)?;
    let given = match info_at {
        0 => None,
        at => Some(uaccess::read_value::<SigInfo>(at)?),
    };
    if given.is_some_and(|info| info.signo as u64 != number & 0xffff_ffff) {
        return Err(Errno::EINVAL);
    }
    let is_own = Arc::ptr_eq(target, current.process());
    if given.is_some_and(|info| !is_own && (info.code >= 0 || info.code == SI_TKILL)) {
        return Err(Errno::EPERM);
    }
    let signal = decode_signal(number)?;
    let process = process::present(target)?;
    if flags == PIDFD_SIGNAL_PROCESS_GROUP {
        return send_to_group(current, process, signal);
    }
    check_right(current, process, signal)?;
    match (given, signal) {
        (Some(info), Some(signal)) => {
            check_queue(process, signal)?;
            signal::send_to_process(process, info);
        }
        _ => send(current, process, signal),
    }
    Ok(0)
}

/// pidfd_getfd(2).
///
/// # Errors
/// `EINVAL`: flags. `EBADF`: no such descriptor, here or there, or not of a process. `ESRCH`: it is gone. `EPERM`: it may not be
/// looked into. `EMFILE`, `ENOMEM`.
pub fn pidfd_getfd(current: &Thread, descriptor: i32, target: i32, flags: u32) -> Result<usize, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let file = opened(current, descriptor)?;
    let process = named(&file)?.present()?;
    let taken = of(current, process, target)?;
    memory::has_room()?;
    install(current, taken, OnExec::Close, 0)
}

/// What a descriptor of another process refers to.
fn of(current: &Thread, process: &Process, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    process
        .check_inspection_by(current.process())
        .map_err(|_| Errno::EPERM)?;
    let thread = process.first_thread().ok_or(Errno::ESRCH)?;
    let descriptor = index(descriptor)?;
    thread.files().read(|files| files.get(descriptor).cloned())
}

/// The id of the process that a descriptor names: waitid(2). `EBADF`: none.
pub(super) fn pid(current: &Thread, descriptor: i32) -> Result<Pid, Errno> {
    let file = opened(current, descriptor)?;
    Ok(named(&file)?.process().pid)
}

/// Whether waiting for it does not block: `PIDFD_NONBLOCK`. `EBADF`.
pub(super) fn is_nonblocking(current: &Thread, descriptor: i32) -> Result<bool, Errno> {
    Ok(opened(current, descriptor)?
        .flags()
        .contains(OpenFlags::O_NONBLOCK))
}

/// A descriptor for the process of a child that nobody knows yet; its number is stored at `at`. Those of user memory, `EMFILE`,
/// `ENOMEM`.
pub(super) fn install_for_child(current: &Thread, child: &Thread, at: u64) -> Result<usize, Errno> {
    let file = PidFd::open(child.process().clone(), OpenFlags::empty())?;
    let descriptor = install(current, file, OnExec::Close, 0)?;
    uaccess::write_value(at, &(descriptor as i32)).inspect_err(|_| withdraw(current, &[descriptor]))?;
    Ok(descriptor)
}
