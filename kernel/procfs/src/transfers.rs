//! /proc/PID/io: what a process, or one of its threads, read and wrote (proc_pid_io(5)). Every file lies in memory: nothing is
//! fetched from a storage device or goes to one.

use alloc::sync::Arc;
use task::thread::ThreadExt;

use abi::Errno;

use super::access::may_inspect;
use super::proc_task::ProcTask;
use super::seq_file;
use super::text::Text;
use vfs::file_ops::FileOps;

/// Opens the file.
///
/// # Errors
/// `ENOMEM`. A read: `EACCES` for whoever may not look into the process.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let process = process.clone();
    seq_file::open_whole(move |text| show(&process, text))
}

fn show(process: &ProcTask, text: &mut Text) -> Result<(), Errno> {
    may_inspect(process)?;
    let moved = match &process.thread {
        Some(thread) => thread.totals().moved,
        None => process.all_totals().moved,
    };
    let (read, written) = (moved.read, moved.written);
    text.add(format_args!(
        "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\n",
        read.0, written.0, read.1, written.1
    ));
    text.bytes(b"read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    Ok(())
}
