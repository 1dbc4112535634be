//! /proc/PID/comm and /proc/PID/task/TID/comm: the name, which threads of the same process may change
//! (proc_pid_comm(5); pthread_setname_np(3) does so).

use alloc::sync::Arc;
use task::thread::ThreadExt;

use abi::Errno;
use abi::process::TASK_COMM_LEN;

use super::proc_task::ProcTask;
use super::setting_file::{self, first_line};
use sched::scheduler;
use task::process::Comm;
use vfs::file_ops::FileOps;

/// Opens the file of a process or thread.
///
/// # Errors
/// `ENOMEM`.
pub fn open(subject: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let (shown, changed) = (subject.clone(), subject.clone());
    setting_file::open::<{ TASK_COMM_LEN - 1 }>(
        move |text| {
            text.bytes(shown.name().bytes());
            text.bytes(b"\n");
            Ok(())
        },
        move |written| set(&changed, Comm::new(first_line(written))),
    )
}

/// `EINVAL` for another process.
fn set(subject: &ProcTask, name: Comm) -> Result<(), Errno> {
    if !Arc::ptr_eq(scheduler::current().process(), &subject.process) {
        return Err(Errno::EINVAL);
    }
    match &subject.thread {
        Some(thread) => thread.set_name(name),
        None => subject.process.set_name(name),
    }
    Ok(())
}
