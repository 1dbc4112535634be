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

/// Nanoseconds since boot.
pub fn monotonic() -> Result<u64> {
    now(CLOCK_MONOTONIC)?.to_nanoseconds().ok_or(Errno::EIO)
}

/// nanosleep(2); EINTR if a noted signal came.
pub fn sleep(time: TimeSpec) -> Result<()> {
    // SAFETY: the kernel reads one `struct timespec`.
    unsafe { syscall(nr::NANOSLEEP, [&raw const time as usize, 0]) }.map(drop)
}
