//! The flags of areas that a space will get: what mlockall(2) has said, and after how many forks they are made.

use core::sync::atomic::{AtomicU32, Ordering};
use mm::AreaFlags;

/// Flags of areas to come.
#[derive(Default)]
pub struct FutureFlags(AtomicU32);

impl FutureFlags {
    /// A child's: no locks, and what it maps is apart from what it inherits.
    #[inline]
    pub fn after_fork(&self) -> FutureFlags {
        FutureFlags(AtomicU32::new(self.get().of_next_generation().bits()))
    }

    /// Locked, locked from their first touch on, or neither.
    #[inline]
    pub fn set_locks(&self, locks: AreaFlags) {
        let flags = self.get().without(AreaFlags::LOCK).with(locks);
        self.0.store(flags.bits(), Ordering::Relaxed);
    }

    /// What an area that is made now gets.
    #[inline]
    pub fn get(&self) -> AreaFlags {
        AreaFlags::from_bits(self.0.load(Ordering::Relaxed))
    }
}
