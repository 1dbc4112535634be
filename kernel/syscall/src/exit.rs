//! exit(2), exit_group(2): they tell the thread, or all of them, to end; that happens on the way back to EL0 (`user_loop`).

use abi::Errno;
use abi::process::WaitStatus;
use task::thread::{Thread, ThreadExt};

/// exit(2): ends the calling thread. Does not return to the program.
///
/// # Errors
/// Never fails.
pub fn exit(current: &Thread, code: u64) -> Result<usize, Errno> {
    current
        .process()
        .end_thread(current, WaitStatus::Exited(code as u8));
    Ok(0)
}

/// exit_group(2): ends all threads of the process. Does not return to the program.
///
/// # Errors
/// Never fails.
pub fn exit_group(current: &Thread, code: u64) -> Result<usize, Errno> {
    current.process().end(WaitStatus::Exited(code as u8));
    Ok(0)
}
