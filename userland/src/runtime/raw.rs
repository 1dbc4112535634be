//! The system call instruction. Numbers and registers: syscall(2), arm64 row.

use super::{Errno, Result};

/// Makes system call `number` with up to six arguments and returns the value, or the error that it carries.
///
/// # Safety
/// The call must not break memory safety: pointers among `arguments` must be valid for what the kernel does with them,
/// and the call must not unmap or change memory that Rust considers its own.
pub unsafe fn syscall<const N: usize>(number: usize, arguments: [usize; N]) -> Result<usize> {
    const { assert!(N <= 6, "a system call has at most six arguments") };
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    // SAFETY: the caller answers for what the call does; the instruction itself changes x0 only.
    let value = unsafe { instruction(number, all) };
    match Errno::from_return(value as u64) {
        Some(error) => Err(error),
        None if value > usize::MAX - Errno::MAX as usize => Err(Errno::EINVAL),
        None => Ok(value),
    }
}

/// `svc #0` with the number in x8 and the arguments in x0 to x5; the result is x0.
#[cfg(target_arch = "aarch64")]
unsafe fn instruction(number: usize, arguments: [usize; 6]) -> usize {
    let value;
    // SAFETY: the kernel preserves all registers but x0; memory effects are the caller's promise.
    unsafe {
        core::arch::asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") arguments[0] => value,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack),
        );
    }
    value
}

/// The host has other numbers: no call is made, and every one fails.
#[cfg(not(target_arch = "aarch64"))]
unsafe fn instruction(_number: usize, _arguments: [usize; 6]) -> usize {
    Errno::ENOSYS.to_return() as usize
}
