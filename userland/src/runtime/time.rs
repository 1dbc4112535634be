//! Time.

use super::raw::syscall;
use super::{Errno, Result};
use abi::nr;

pub use abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME, TimeSpec};

/// clock_gettime(2).
pub fn now(clock: u32) -> Result<TimeSpec> {
    let mut time = TimeSpec::default();
    // SAFETY: the kernel writes one `struct timespec`.
    unsafe { syscall(nr::CLOCK_GETTIME, [clock as usize, &raw mut time as usize]) }?;
    Ok(time)
}

/// clock_settime(2).
pub fn set(clock: u32, time: TimeSpec) -> Result<()> {
    // SAFETY: the kernel reads one `struct timespec`.
    unsafe { syscall(nr::CLOCK_SETTIME, [clock as usize, &raw const time as usize]) }.map(drop)
}

/// Nanoseconds since boot.
pub fn monotonic() -> Result<u64> {
    now(CLOCK_MONOTONIC)?.to_nanoseconds().ok_or(Errno::EIO)
}

/// nanosleep(2); EINTR if a noted signal came.
pub fn sleep(time: TimeSpec) -> Result<()> {
    // SAFETY: the kernel reads one `struct timespec`.
    unsafe { syscall(nr::NANOSLEEP, [&raw const time as usize, 0]) }.map(drop)
}

/// The virtual counter and its rate in Hz (CNTVCT_EL0, CNTFRQ_EL0): reading it is no system call. Under QEMU's
/// `-icount shift=0,sleep=off` one instruction takes one nanosecond of it.
#[cfg(target_arch = "aarch64")]
pub fn counter() -> (u64, u64) {
    let (value, rate);
    // SAFETY: both registers may be read at EL0 (CNTKCTL_EL1.EL0VCTEN), which Linux grants too; nothing is written.
    unsafe {
        core::arch::asm!(
            "isb",
            "mrs {value}, cntvct_el0",
            "mrs {rate}, cntfrq_el0",
            value = out(reg) value,
            rate = out(reg) rate,
            options(nomem, nostack),
        );
    }
    (value, rate)
}

/// The host has no such counter.
#[cfg(not(target_arch = "aarch64"))]
pub fn counter() -> (u64, u64) {
    (0, 1)
}
