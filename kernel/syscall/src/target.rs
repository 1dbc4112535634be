//! Which process or thread a call means.

use abi::Errno;
use alloc::sync::Arc;
use task::process::{self, Pid, Process};
use task::thread::{Thread, ThreadExt};

/// The process meant by an id, its own or that of one of its threads, 0 being the caller's.
///
/// # Errors
/// `ESRCH`: there is none.
pub fn meant(current: &Thread, id: u64) -> Result<Arc<Process>, Errno> {
    match id as i32 {
        0 => Ok(current.process().clone()),
        id => process::find(Pid::try_from(id).map_err(|_| Errno::ESRCH)?).ok_or(Errno::ESRCH),
    }
}

/// The thread meant by an id, 0 being the caller.
///
/// # Errors
/// `ESRCH`: there is none, or its process has ended.
pub fn meant_thread(current: &Arc<Thread>, tid: u64) -> Result<Arc<Thread>, Errno> {
    match tid as i32 {
        0 => Ok(current.clone()),
        tid => process::find_thread(Pid::try_from(tid).map_err(|_| Errno::ESRCH)?).ok_or(Errno::ESRCH),
    }
}
