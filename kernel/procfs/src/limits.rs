//! /proc/PID/limits: the table of limits (proc_pid_limits(5)).

use abi::Errno;
use abi::process::{
    RLIM64_INFINITY, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS,
    RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO,
    RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};

use super::proc_task::ProcTask;
use super::text::Text;

/// Name and unit of each limit, in the order of proc(5).
const LIMITS: [(usize, &str, &str); 16] = [
    (RLIMIT_CPU, "Max cpu time", "seconds"),
    (RLIMIT_FSIZE, "Max file size", "bytes"),
    (RLIMIT_DATA, "Max data size", "bytes"),
    (RLIMIT_STACK, "Max stack size", "bytes"),
    (RLIMIT_CORE, "Max core file size", "bytes"),
    (RLIMIT_RSS, "Max resident set", "bytes"),
    (RLIMIT_NPROC, "Max processes", "processes"),
    (RLIMIT_NOFILE, "Max open files", "files"),
    (RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
    (RLIMIT_AS, "Max address space", "bytes"),
    (RLIMIT_LOCKS, "Max file locks", "locks"),
    (RLIMIT_SIGPENDING, "Max pending signals", "signals"),
    (RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
    (RLIMIT_NICE, "Max nice priority", ""),
    (RLIMIT_RTPRIO, "Max realtime priority", ""),
    (RLIMIT_RTTIME, "Max realtime timeout", "us"),
];

/// The table of limits.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn limits(process: &ProcTask, text: &mut Text) -> Result<(), Errno> {
    let limits = process.limits();
    text.bytes(b"Limit                     Soft Limit           Hard Limit           Units     \n");
    for (which, name, unit) in LIMITS {
        if let Some(limit) = limits.get(which) {
            text.add(format_args!("{name:<25} "));
            value(text, limit.cur);
            value(text, limit.max);
            text.add(format_args!("{unit:<10}\n"));
        }
    }
    Ok(())
}

fn value(text: &mut Text, value: u64) {
    if value == RLIM64_INFINITY {
        text.add(format_args!("{:<20} ", "unlimited"));
    } else {
        text.add(format_args!("{value:<20} "));
    }
}
