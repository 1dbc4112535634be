//! Whether others may look into a process: the attribute `dumpable` of its memory (prctl(2), `PR_SET_DUMPABLE`), and the
//! check of ptrace(2), "Ptrace access mode checking", which asks for it. The attribute belongs to the memory, as on Linux:
//! exec makes a new one, fork copies it, and who shares the memory shares it.

use super::Process;
use abi::Errno;
use core::sync::atomic::{AtomicU8, Ordering};

/// The attribute of one space; as the number that `PR_GET_DUMPABLE` returns.
pub struct Dumpable(AtomicU8);

/// `SUID_DUMP_DISABLE`: nobody without `CAP_SYS_PTRACE` looks into it, and no core is dumped. What a process falls back to when
/// its credentials change (`/proc/sys/fs/suid_dumpable` of Linux, whose default this is).
const DISABLED: u8 = 0;
/// `SUID_DUMP_USER`: its user may.
const USER: u8 = 1;

impl Default for Dumpable {
    fn default() -> Dumpable {
        Dumpable(AtomicU8::new(USER))
    }
}

impl Dumpable {
    /// Whether its user may look into the memory.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst) == USER
    }

    /// What a fork inherits.
    #[inline]
    pub(super) fn copy(&self) -> Dumpable {
        Dumpable(AtomicU8::new(self.0.load(Ordering::SeqCst)))
    }

    /// Gives the right or takes it away.
    pub fn set(&self, is_dumpable: bool) {
        let value = if is_dumpable { USER } else { DISABLED };
        self.0.store(value, Ordering::SeqCst);
    }
}

impl Process {
    /// Whether its user may look into it and it may dump core. A process that has ended has no memory to hide.
    pub fn is_dumpable(&self) -> bool {
        let space = self.space.lock();
        space.as_ref().is_none_or(|space| space.dumpable.is_set())
    }

    /// Gives its user the right to look into it, or takes it away.
    pub fn set_dumpable(&self, is_dumpable: bool) {
        if let Some(space) = &*self.space.lock() {
            space.dumpable.set(is_dumpable);
        }
    }

    /// Whether `caller` may look into this process: `EPERM` if not (`/proc` says `EACCES`). A process may always look into
    /// itself.
    pub fn check_inspection_by(&self, caller: &Process) -> Result<(), Errno> {
        if core::ptr::eq(self, caller) {
            return Ok(());
        }
        let own = caller.credentials();
        let is_allowed = own.may_inspect(&self.credentials()) && (self.is_dumpable() || own.may_trace());
        if is_allowed { Ok(()) } else { Err(Errno::EPERM) }
    }
}
