//! Who may look into a process (ptrace(2), "Ptrace access mode checking"), and until when: a file about the memory of a process
//! is about the memory that it had when the file was opened. After an exec that memory is gone, and the file says nothing
//! more; whoever held it open learns nothing of a program with other rights.

use alloc::sync::{Arc, Weak};
use task::thread::ThreadExt;

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use mm::AddressSpace;

use super::proc_task::ProcTask;
use sched::scheduler;
use sched::space::Space;
use task::process::Process;

/// Whether the running process may look into `process`.
///
/// # Errors
/// `EACCES`: it may not.
pub fn may_inspect(process: &Process) -> Result<(), Errno> {
    process
        .check_inspection_by(scheduler::current().process())
        .map_err(|_| Errno::EACCES)
}

/// What a file says of where things lie in physical memory: that helps an attack on memory itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PhysicalAddresses {
    /// Addresses and numbers of frames, to the privileged.
    Shown,
    /// 0 in their place.
    Hidden,
}

impl PhysicalAddresses {
    /// What the running process may see.
    pub fn for_current() -> Self {
        if scheduler::current().process().credentials().can(CAP_SYS_ADMIN) {
            PhysicalAddresses::Shown
        } else {
            PhysicalAddresses::Hidden
        }
    }
}

/// The memory that a process had when a file about it was opened. It is not kept alive.
#[derive(Clone)]
pub struct Inspected {
    memory: Weak<Space>,
}

impl Inspected {
    /// The memory of a process that the running one may look into.
    ///
    /// # Errors
    /// `EACCES`: it may not.
    pub fn new(process: &ProcTask) -> Result<Self, Errno> {
        // The memory first: if it is replaced in between, the check is about what replaced it, and this is gone.
        let memory = process.space().map_or_else(Weak::new, |space| {
            let memory = Arc::downgrade(&space);
            space.let_go();
            memory
        });
        may_inspect(process)?;
        Ok(Inspected { memory })
    }

    /// Works on the space; `None` when it is gone. No lock may be held.
    pub fn with_space<R>(&self, work: impl FnOnce(&Arc<Space>) -> R) -> Option<R> {
        let space = self.memory.upgrade()?;
        let result = work(&space);
        space.let_go();
        Some(result)
    }

    /// Works on the heart's space under its lock, as [`Inspected::with_space`].
    pub fn with<R>(&self, work: impl FnOnce(&mut AddressSpace) -> R) -> Option<R> {
        self.with_space(|space| space.with(work))
    }
}
