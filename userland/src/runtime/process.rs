//! Processes.

use super::file::File;
use super::path::{c_array, c_string};
use super::raw::syscall;
use super::{Errno, Result, output};
use abi::nr;
#[cfg(target_arch = "aarch64")]
use abi::process::CloneFlags;
use abi::process::{RLimit, RUsage};
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU8;

pub use abi::process::{RUSAGE_CHILDREN, RUSAGE_SELF, WaitOptions, WaitStatus};

/// Which side of a fork we are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's id.
    Parent(i32),
}

/// fork(2): clone(2) with SIGCHLD. What was printed is written first, so that it does not appear twice.
pub fn fork() -> Result<Fork> {
    // An error of the output stays noted for the end of the program.
    let _ = output::flush();
    fork_keeping_output()
}

/// fork(2) without writing what was printed: for children that never print and always end by [`exit_now`].
pub fn fork_keeping_output() -> Result<Fork> {
    // SAFETY: with one thread the child is a whole program on its own memory; no address is passed.
    let pid = unsafe { syscall(nr::CLONE, [SIGCHLD, 0, 0, 0, 0]) }?;
    Ok(if pid == 0 {
        Fork::Child
    } else {
        Fork::Parent(pid as i32)
    })
}

/// The signal that a child's end sends, and nothing else in the flags: a fork.
const SIGCHLD: usize = abi::signal::Signal::SIGCHLD.number() as usize;

/// vfork(2) and execve(2) as one: the child borrows our memory until it runs the program. Returns the child's id; if
/// the program cannot be run, the child exits with 127.
pub fn vfork_exec<S: AsRef<str>>(path: &str, arguments: &[S], environment: &[S]) -> Result<i32> {
    Command::new(path, arguments, environment)?.vfork_exec()
}

/// A program with its arguments and environment, as execve(2) takes them.
pub struct Command {
    path: CString,
    arguments: (Vec<CString>, Vec<usize>),
    environment: (Vec<CString>, Vec<usize>),
}

impl Command {
    /// Lays them out. `EINVAL` for a NUL.
    pub fn new<S: AsRef<str>>(path: &str, arguments: &[S], environment: &[S]) -> Result<Command> {
        Ok(Command {
            path: c_string(path)?,
            arguments: c_array(arguments)?,
            environment: c_array(environment)?,
        })
    }

    fn addresses(&self) -> [usize; 3] {
        [
            self.path.as_ptr() as usize,
            self.arguments.1.as_ptr() as usize,
            self.environment.1.as_ptr() as usize,
        ]
    }

    /// As [`vfork_exec`].
    pub fn vfork_exec(&self) -> Result<i32> {
        let [path, arguments, environment] = self.addresses();
        // SAFETY: the strings live through the call; see `vfork_exec_raw` for the child.
        let value = unsafe { vfork_exec_raw(path, arguments, environment) };
        Errno::from_return(value as u64).map_or(Ok(value as i32), Err)
    }
}

/// The child runs only the instructions below, on registers alone: it changes no memory that we share.
#[cfg(target_arch = "aarch64")]
unsafe fn vfork_exec_raw(path: usize, argv: usize, envp: usize) -> usize {
    use abi::process::CloneFlags;
    const VFORK: CloneFlags = CloneFlags::CLONE_VM.union(CloneFlags::CLONE_VFORK);
    let value;
    // SAFETY: clone with CLONE_VM | CLONE_VFORK stops this process until the child has called execve or exit; the
    // child touches neither stack nor memory.
    unsafe {
        core::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x0, {path}",
            "mov x1, {argv}",
            "mov x2, {envp}",
            "mov x8, {execve}",
            "svc #0",
            "mov x0, #127",
            "mov x8, {exit}",
            "svc #0",
            "2:",
            path = in(reg) path,
            argv = in(reg) argv,
            envp = in(reg) envp,
            execve = const nr::EXECVE,
            exit = const nr::EXIT_GROUP,
            inlateout("x8") nr::CLONE => _,
            inlateout("x0") VFORK.bits() as usize | SIGCHLD => value,
            inlateout("x1") 0usize => _,
            inlateout("x2") 0usize => _,
            inlateout("x3") 0usize => _,
            inlateout("x4") 0usize => _,
            options(nostack),
        );
    }
    value
}

/// The host has no such call.
#[cfg(not(target_arch = "aarch64"))]
unsafe fn vfork_exec_raw(_path: usize, _argv: usize, _envp: usize) -> usize {
    Errno::ENOSYS.to_return() as usize
}

/// What a thread of this process shares with it: all.
#[cfg(target_arch = "aarch64")]
pub(super) const THREAD: CloneFlags = CloneFlags::CLONE_VM
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_THREAD)
    .union(CloneFlags::CLONE_SYSVSEM);

/// What a [`waiting_thread`] has for a stack: it writes one byte there. Threads may share one.
#[derive(Default)]
#[repr(C, align(16))]
pub struct WaitingRoom(AtomicU8);

impl WaitingRoom {
    /// One that nobody has written to.
    pub const fn new() -> WaitingRoom {
        WaitingRoom(AtomicU8::new(0))
    }
}

/// A thread of this process that reads one byte from `file` into its `room` and ends.
pub fn waiting_thread(file: &File, room: &'static WaitingRoom) -> Result<()> {
    let room = room.0.as_ptr().expose_provenance();
    // SAFETY: the thread writes at most one byte, the kernel's store to an atomic that is there for ever, and nothing else.
    let value = unsafe { waiting_thread_raw(file.descriptor() as usize, room) };
    Errno::from_return(value as u64).map_or(Ok(()), Err)
}

/// The thread runs only the instructions below, on registers alone but for the byte that it reads.
#[cfg(target_arch = "aarch64")]
unsafe fn waiting_thread_raw(descriptor: usize, room: usize) -> usize {
    let value;
    // SAFETY: the new thread uses no memory but the byte at its stack pointer, which is the caller's `room`.
    unsafe {
        core::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x0, {descriptor}",
            "mov x1, sp",
            "mov x2, #1",
            "mov x8, {read}",
            "svc #0",
            "mov x0, #0",
            "mov x8, {exit}",
            "svc #0",
            "2:",
            descriptor = in(reg) descriptor,
            read = const nr::READ,
            exit = const nr::EXIT,
            inlateout("x8") nr::CLONE => _,
            inlateout("x0") THREAD.bits() as usize => value,
            inlateout("x1") room => _,
            inlateout("x2") 0usize => _,
            inlateout("x3") 0usize => _,
            inlateout("x4") 0usize => _,
            options(nostack),
        );
    }
    value
}

/// The host has no such call.
#[cfg(not(target_arch = "aarch64"))]
unsafe fn waiting_thread_raw(_descriptor: usize, _room: usize) -> usize {
    Errno::ENOSYS.to_return() as usize
}

/// execve(2). Returns only if it failed.
pub fn execute<S: AsRef<str>>(path: &str, arguments: &[S], environment: &[S]) -> Errno {
    // An error of the output stays noted; the new program has its own.
    let _ = output::flush();
    let command = match Command::new(path, arguments, environment) {
        Ok(command) => command,
        Err(error) => return error,
    };
    // SAFETY: NUL-terminated strings and NULL-terminated arrays that live through the call.
    match unsafe { syscall(nr::EXECVE, command.addresses()) } {
        Ok(_) => Errno::EINVAL,
        Err(error) => error,
    }
}

/// Ends the process at once; what was printed and not written is lost.
pub fn exit_now(status: i32) -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { syscall(nr::EXIT_GROUP, [status as usize]) };
    }
}

/// Writes what was printed and ends the process.
pub fn exit(status: i32) -> ! {
    output::finish("exit", status)
}

/// A child that ended, stopped or went on.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Its process id.
    pub pid: i32,
    /// What happened.
    pub status: WaitStatus,
    /// What it and the children that it waited for used.
    pub usage: RUsage,
}

/// A descriptor that is readable when the process has ended: pidfd_open(2).
pub fn descriptor_of(pid: i32) -> Result<File> {
    // SAFETY: the kernel touches none of the program's memory.
    let descriptor = unsafe { syscall(nr::PIDFD_OPEN, [pid as usize, 0]) }?;
    Ok(File::from_descriptor(descriptor as i32))
}

/// wait4(2) for `pid` (-1: any child; below that a process group). `None` only with `WNOHANG`: nothing happened yet.
pub fn wait(pid: i32, options: WaitOptions) -> Result<Option<Change>> {
    let mut word = 0u32;
    let mut usage = RUsage::default();
    let arguments = [
        pid as usize,
        &raw mut word as usize,
        options.bits() as usize,
        &raw mut usage as usize,
    ];
    // SAFETY: the kernel writes one word and one `struct rusage`.
    let pid = unsafe { syscall(nr::WAIT4, arguments) }? as i32;
    Ok((pid != 0).then_some(Change {
        pid,
        status: WaitStatus::decode(word),
        usage,
    }))
}

/// Waits until the child has ended, through interruptions.
pub fn wait_for_end(pid: i32) -> Result<Change> {
    loop {
        match wait(pid, WaitOptions::empty()) {
            Ok(Some(change)) => return Ok(change),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What a shell shows as `$?`: the exit status, or 128 + signal.
pub fn shell_status(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(code) => i32::from(code),
        WaitStatus::Signaled { signal, .. } | WaitStatus::Stopped(signal) => 128 + i32::from(signal),
        WaitStatus::Continued => 0,
    }
}

/// A call without arguments that cannot fail.
fn number(call: usize) -> i32 {
    // SAFETY: the calls below touch no memory.
    unsafe { syscall(call, [0; 0]) }.map_or(-1, |value| value as i32)
}

/// getpid(2).
pub fn id() -> i32 {
    number(nr::GETPID)
}

/// getppid(2).
pub fn parent_id() -> i32 {
    number(nr::GETPPID)
}

/// getuid(2).
pub fn user_id() -> i32 {
    number(nr::GETUID)
}

/// geteuid(2).
pub fn effective_user_id() -> i32 {
    number(nr::GETEUID)
}

/// getgid(2).
pub fn group_id() -> i32 {
    number(nr::GETGID)
}

/// getegid(2).
pub fn effective_group_id() -> i32 {
    number(nr::GETEGID)
}

/// sched_yield(2).
pub fn yield_now() {
    number(nr::SCHED_YIELD);
}

/// setsid(2).
pub fn new_session() -> Result<()> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::SETSID, [0; 0]) }.map(drop)
}

/// setpgid(2): 0 is this process, and a group named after it.
pub fn set_group(pid: i32, group: i32) -> Result<()> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::SETPGID, [pid as usize, group as usize]) }.map(drop)
}

/// getpgid(2).
pub fn group_of(pid: i32) -> Result<i32> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::GETPGID, [pid as usize]) }.map(|group| group as i32)
}

/// getrusage(2): `RUSAGE_SELF` or `RUSAGE_CHILDREN`.
pub fn usage(who: i32) -> Result<RUsage> {
    let mut usage = RUsage::default();
    // SAFETY: the kernel writes one `struct rusage`.
    unsafe { syscall(nr::GETRUSAGE, [who as usize, &raw mut usage as usize]) }?;
    Ok(usage)
}

/// prlimit(2) of this process: sets the limit if there is a new one; the old one.
pub fn limit(resource: usize, new: Option<RLimit>) -> Result<RLimit> {
    let mut old = RLimit::default();
    let address = new.as_ref().map_or(0, |new| core::ptr::from_ref(new) as usize);
    // SAFETY: the kernel reads one `struct rlimit64` and writes one.
    unsafe { syscall(nr::PRLIMIT64, [0, resource, address, &raw mut old as usize]) }?;
    Ok(old)
}
