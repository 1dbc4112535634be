//! Threads of the kernel's own: work that sleeps and is nobody's. Such a thread has no memory of programs, stands in no table of
//! processes, and gets no signals.

use crate::process::{Process, Shared};
use crate::signal::InheritedSignals;
use crate::thread::{self, ThreadInit};
use abi::Errno;
use alloc::sync::Arc;
use memory::fallible;
use platform::thread::KernelStack;
use platform::user::{UserContext, UserStart};
use sched::scheduler;
use vfs::{FileTable, FsContext};

/// What such a thread does. It ends when that returns.
pub trait KernelWork {
    /// Its name.
    const NAME: &'static str;

    /// The work, with no lock held.
    fn run();
}

/// Starts a thread that does it.
///
/// # Errors
/// `ENOMEM`.
pub fn start<W: KernelWork>() -> Result<(), Errno> {
    let stack = KernelStack::take().map_err(|_| Errno::ENOMEM)?;
    let thread = thread::new(ThreadInit {
        tid: 0,
        process: Process::of_kernel(W::NAME)?,
        files: Shared::new(fallible::arc(FileTable::default())?),
        fs_context: Shared::new(fallible::arc(FsContext::initial())?),
        signals: InheritedSignals::default(),
        kernel: stack.into_thread(begin::<W>, &UserContext::default(), |_| {}),
    })?;
    scheduler::begin(thread);
    Ok(())
}

/// Where its stack begins.
fn begin<W: KernelWork>(start: &mut UserStart) {
    start.registers.restore();
    W::run();
    let current: Arc<_> = scheduler::current();
    current.die();
    drop(current);
    scheduler::leave()
}
