//! The address space that a processor is in.

use super::cpu::Cpu;
use crate::space::Space;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

impl Cpu {
    /// Whether this processor, which asks, has a space in TTBR0.
    #[inline]
    pub(super) fn is_in_any(&self) -> bool {
        self.space_at.load(Ordering::Relaxed) != 0
    }

    /// Of the space that this processor, which asks, has in TTBR0: [`Space::identity`], or 0 for none.
    #[inline]
    pub(super) fn space_identity(&self) -> usize {
        self.space_at.load(Ordering::Relaxed)
    }

    /// Whether this processor has `space` in TTBR0. Others may ask.
    pub(super) fn holds(&self, space: &Arc<Space>) -> bool {
        let held = self.space.lock();
        held.as_ref().is_some_and(|held| Arc::ptr_eq(held, space))
    }

    /// `space` was put into TTBR0. What was there is let go.
    #[inline]
    pub(super) fn enter(&self, space: Arc<Space>) {
        self.space_at.store(Arc::as_ptr(&space).addr(), Ordering::Relaxed);
        let previous = self.space.lock().replace(space);
        drop(previous);
    }

    /// The empty table was put into TTBR0. What was there is let go.
    pub(super) fn leave(&self) {
        self.space_at.store(0, Ordering::Relaxed);
        let previous = self.space.lock().take();
        drop(previous);
    }
}
