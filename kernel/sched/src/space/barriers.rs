//! What a space registered for with membarrier(2).

use core::sync::atomic::{AtomicU32, Ordering};

/// The commands of membarrier(2) that a space may use. A fork inherits them.
#[derive(Default)]
pub struct Registrations(AtomicU32);

impl Registrations {
    /// Allows a command.
    pub fn register(&self, command: u32) {
        self.0.fetch_or(command, Ordering::SeqCst);
    }

    /// All that are.
    pub fn all(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// What a fork inherits.
    #[inline]
    pub(super) fn copy(&self) -> Registrations {
        Registrations(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }

    /// Whether a command is allowed.
    pub fn has(&self, command: u32) -> bool {
        self.0.load(Ordering::SeqCst) & command != 0
    }
}
