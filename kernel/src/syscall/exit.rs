//! exit(2), exit_group(2): they set the process's status; the thread ends on its way back to EL0 (`user_loop`).

use crate::thread::Thread;
use abi::Errno;
use abi::process::WaitStatus;

/// exit(2), exit_group(2): the same while a process has one thread. Does not return to the program.
pub fn exit(current: &Thread, code: u64) -> Result<usize, Errno> {
    current.process.end(WaitStatus::Exited(code as u8));
    Ok(0)
}
