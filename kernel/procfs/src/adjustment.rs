//! /proc/PID/oom_score_adj: how gladly the process is ended when memory runs out (proc_pid_oom_score_adj(5)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use task::thread::ThreadExt;

use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;

use super::proc_task::ProcTask;
use super::setting_file;
use sched::scheduler;
use task::process::{Process, oom};
use vfs::file_ops::FileOps;

/// More characters than a number in range has.
const MOST_CHARACTERS: usize = 12;

/// Opens the file of a process.
///
/// # Errors
/// `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let (shown, changed) = (process.process.clone(), process.process.clone());
    setting_file::open::<MOST_CHARACTERS>(
        move |text| {
            let adjustment = shown.attributes.oom.adjustment.load(Ordering::Relaxed);
            text.add(format_args!("{adjustment}\n"));
            Ok(())
        },
        move |written| set(&changed, setting_file::number(written)?),
    )
}

/// `EINVAL` for what is not in range, `EACCES` for less than a privileged process has set.
fn set(process: &Process, value: i16) -> Result<(), Errno> {
    if !(oom::NEVER..=oom::FIRST).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let kept = &process.attributes.oom;
    if scheduler::current().process().credentials().can(CAP_SYS_RESOURCE) {
        kept.least.store(value, Ordering::Relaxed);
    } else if value < kept.least.load(Ordering::Relaxed) {
        return Err(Errno::EACCES);
    }
    kept.adjustment.store(value, Ordering::Relaxed);
    Ok(())
}
