//! Processes as descriptors: pidfd_open(2). What it names stays the same process: its id is not looked up again.

use super::{Pid, Process, table};
use abi::Errno;
use abi::file::{OpenFlags, POLLHUP, POLLIN, POLLRDNORM};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use events::anonymous::AnonymousKind;
use memory::fallible;
use vfs::OpenFile;
use vfs::file_ops::{FileOps, Queues, ShowInfo};

static KIND: AnonymousKind = AnonymousKind::new("[pidfd]");

/// A process that somebody has open.
pub struct PidFd {
    process: Arc<Process>,
}

impl PidFd {
    /// An open file for a process, with that status.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(process: Arc<Process>, status: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        process.is_watched.store(true, Ordering::SeqCst);
        let ops = fallible::arc(PidFd { process })?;
        KIND.open(ops, OpenFlags::O_RDWR | status)
    }

    /// The process, ended or not.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// The process, unless its parent has waited for it.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn present(&self) -> Result<&Arc<Process>, Errno> {
        present(&self.process)
    }
}

/// A process, unless its parent has waited for it.
///
/// # Errors
/// `ESRCH`.
pub fn present(process: &Arc<Process>) -> Result<&Arc<Process>, Errno> {
    let known = table::find(process.pid);
    if known.is_some_and(|known| Arc::ptr_eq(&known, process)) {
        Ok(process)
    } else {
        Err(Errno::ESRCH)
    }
}

impl FileOps for PidFd {
    fn poll(&self) -> i16 {
        if !self.process.is_zombie() {
            return 0;
        }
        let gone = if self.present().is_err() { POLLHUP } else { 0 };
        POLLIN | POLLRDNORM | gone
    }

    fn queues(&self) -> Queues<'_> {
        [Some(self.process.threads.left()), None]
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        match self.present() {
            Ok(process) => show(format_args!("Pid:\t{0}\nNSpid:\t{0}\n", process.pid)),
            Err(_) => show(format_args!("Pid:\t-1\nNSpid:\t-1\n")),
        }
    }
}

/// The process of that id.
///
/// # Errors
/// `ESRCH`: there is none. `EINVAL`: the id is that of a further thread.
pub fn leader(id: Pid) -> Result<Arc<Process>, Errno> {
    let process = table::find(id).ok_or(Errno::ESRCH)?;
    if process.pid == id {
        Ok(process)
    } else {
        Err(Errno::EINVAL)
    }
}
