//! Whether others may look into a process: the attribute of its memory ([`memory::Dumpable`]), and the check of ptrace(2),
//! "Ptrace access mode checking", which asks for it.

use super::Process;
use abi::Errno;
use memory::DumpMode;

impl Process {
    /// Whether its user may look into it and it may dump core. A process that has ended has no memory to hide.
    pub fn is_dumpable(&self) -> bool {
        let space = self.space.lock();
        space.as_ref().is_none_or(|space| space.dumpable.is_set())
    }

    /// Gives its user the right to look into it, or takes it away.
    pub fn set_dumpable(&self, mode: DumpMode) {
        if let Some(space) = &*self.space.lock() {
            space.dumpable.set(mode);
        }
    }

    /// Whether `caller` may look into this process. A process may always look into itself.
    ///
    /// # Errors
    /// `EPERM`: it may not (`/proc` says `EACCES`).
    pub fn check_inspection_by(&self, caller: &Process) -> Result<(), Errno> {
        if core::ptr::eq(self, caller) {
            return Ok(());
        }
        let own = caller.credentials();
        let is_allowed = own.may_inspect(&self.credentials()) && (self.is_dumpable() || own.may_trace());
        if is_allowed { Ok(()) } else { Err(Errno::EPERM) }
    }
}
