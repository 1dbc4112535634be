//! The machine as a whole.

use alloc::string::String;
use alloc::vec::Vec;

use super::raw::syscall;
use super::{Errno, Result};
use abi::nr;
use abi::process::{SysInfo, UtsName};
use abi::reboot::{LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2};

/// reboot(2): `LINUX_REBOOT_CMD_*`. File systems are synchronised first.
pub fn reboot(command: u32) -> Result<()> {
    let arguments = [LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, 0].map(|word| word as usize);
    sync();
    // SAFETY: the call touches no memory.
    unsafe { syscall(nr::REBOOT, arguments) }.map(drop)
}

/// sync(2), which cannot fail.
pub fn sync() {
    // SAFETY: the call touches no memory.
    let _ = unsafe { syscall(nr::SYNC, [0; 0]) };
}

/// uname(2).
pub fn name() -> Result<UtsName> {
    let mut name = UtsName::default();
    // SAFETY: the kernel writes one `struct utsname`.
    unsafe { syscall(nr::UNAME, [&raw mut name as usize]) }?;
    Ok(name)
}

/// A field of [`name`] as text.
pub fn field(bytes: &[u8]) -> String {
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// sysinfo(2).
pub fn information() -> Result<SysInfo> {
    let mut information = SysInfo::default();
    // SAFETY: the kernel writes one `struct sysinfo`.
    unsafe { syscall(nr::SYSINFO, [&raw mut information as usize]) }?;
    Ok(information)
}

/// How many processors this process may run on: sched_getaffinity(2).
pub fn processors() -> Result<usize> {
    let mut set = [0u64; 16];
    // SAFETY: the kernel writes at most that many bytes.
    unsafe {
        syscall(
            nr::SCHED_GETAFFINITY,
            [0, size_of_val(&set), set.as_mut_ptr() as usize],
        )
    }?;
    Ok(set.iter().map(|word| word.count_ones() as usize).sum())
}

/// This process, and those that it begins from now on, run on the first processor only: sched_setaffinity(2).
pub fn stay_on_first_processor() -> Result<()> {
    let set = 1u64;
    // SAFETY: the kernel reads that many bytes.
    unsafe {
        syscall(
            nr::SCHED_SETAFFINITY,
            [0, size_of_val(&set), (&raw const set) as usize],
        )
    }?;
    Ok(())
}

/// syslog(2), SYSLOG_ACTION_READ_ALL: the messages of the kernel.
pub fn kernel_log() -> Result<Vec<u8>> {
    const READ_ALL: usize = 3;
    let mut buffer = alloc::vec![0u8; 256 * 1024];
    // SAFETY: the kernel writes at most that many bytes.
    let length = unsafe { syscall(nr::SYSLOG, [READ_ALL, buffer.as_mut_ptr() as usize, buffer.len()]) }?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Makes the call of that number without arguments, as a program for another kernel would: for numbers that name no
/// call. EINVAL for those that do.
pub fn unknown_call(number: usize) -> Result<usize> {
    if nr::name(number).is_some() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: no kernel defines it, so it does nothing.
    unsafe { syscall(number, [0; 0]) }
}
