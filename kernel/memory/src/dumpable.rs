//! Whether others may look into the memory of a program: the attribute `dumpable` (prctl(2), `PR_SET_DUMPABLE`). It belongs to
//! the memory, as on Linux: exec makes a new one, fork copies it, and who shares the memory shares it.

use core::sync::atomic::{AtomicU8, Ordering};

/// The attribute of one space; as the number that `PR_GET_DUMPABLE` returns.
pub struct Dumpable(AtomicU8);

/// Who may look into the memory, by the numbers of prctl(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum DumpMode {
    /// `SUID_DUMP_DISABLE`: nobody without `CAP_SYS_PTRACE` looks into it, and no core is dumped. What a process falls back to
    /// when its credentials change (`/proc/sys/fs/suid_dumpable` of Linux, whose default this is).
    Disable = 0,
    /// `SUID_DUMP_USER`: its user may.
    User = 1,
}

impl Default for Dumpable {
    fn default() -> Dumpable {
        Dumpable(AtomicU8::new(DumpMode::User as u8))
    }
}

impl Dumpable {
    /// Whether its user may look into the memory.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst) == DumpMode::User as u8
    }

    /// What a fork inherits.
    #[inline]
    pub fn copy(&self) -> Dumpable {
        Dumpable(AtomicU8::new(self.0.load(Ordering::SeqCst)))
    }

    /// Gives the right or takes it away.
    #[inline]
    pub fn set(&self, mode: DumpMode) {
        self.0.store(mode as u8, Ordering::SeqCst);
    }
}
