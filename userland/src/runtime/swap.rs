//! Swap areas: swapon(2), swapoff(2).

use super::Result;
use super::path::c_string;
use super::raw::syscall;
use abi::nr;

/// swapon(2), with no priority asked for.
pub fn begin(path: &str) -> Result<()> {
    let path = c_string(path)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    unsafe { syscall(nr::SWAPON, [path.as_ptr() as usize, 0]) }.map(drop)
}

/// swapoff(2).
pub fn end(path: &str) -> Result<()> {
    let path = c_string(path)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    unsafe { syscall(nr::SWAPOFF, [path.as_ptr() as usize]) }.map(drop)
}
