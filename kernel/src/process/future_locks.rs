//! What mlockall(2) has said about the areas that a space will get.

use core::sync::atomic::{AtomicU32, Ordering};
use mm::AreaFlags;

/// The flags of areas to come: none, locked, or locked from their first touch on.
#[derive(Default)]
pub struct FutureLocks(AtomicU32);

impl FutureLocks {
    /// Sets them.
    pub fn set(&self, flags: AreaFlags) {
        let steps = [AreaFlags::LOCKED, AreaFlags::LOCKED_ON_FAULT];
        let count = steps.iter().filter(|step| flags.has(**step)).count();
        self.0.store(count as u32, Ordering::Relaxed);
    }

    /// What an area that is made now gets.
    #[inline]
    pub fn get(&self) -> AreaFlags {
        match self.0.load(Ordering::Relaxed) {
            0 => AreaFlags::NONE,
            1 => AreaFlags::LOCKED,
            _ => AreaFlags::LOCK,
        }
    }
}
