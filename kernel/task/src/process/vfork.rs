//! vfork(2): the parent sleeps until the child, which runs in the parent's memory, executes a program or ends.

use core::sync::atomic::{AtomicBool, Ordering};
use sched::wait::WaitQueue;

/// The completion that the parent of a vfork(2) waits for. It stands in the child's thread.
pub struct VforkCompletion {
    is_awaited: AtomicBool,
    completed: WaitQueue,
}

impl Default for VforkCompletion {
    fn default() -> Self {
        Self::new()
    }
}

impl VforkCompletion {
    /// Nobody waits.
    pub const fn new() -> VforkCompletion {
        VforkCompletion {
            is_awaited: AtomicBool::new(false),
            completed: WaitQueue::new(),
        }
    }

    /// The parent is going to wait. Undone by [`VforkCompletion::complete`].
    pub fn begin(&self) {
        self.is_awaited.store(true, Ordering::Release);
    }

    /// The child has left the parent's memory, at exec or at its end: the parent goes on. Nothing happens if no parent waits.
    pub fn complete(&self) {
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            self.completed.wake_all();
        }
    }

    /// The parent waits; only its own end interrupts.
    pub fn wait(&self) {
        let is_completed = || (!self.is_awaited.load(Ordering::Acquire)).then_some(());
        // Interrupted: the parent ends, and its memory lives on with the child.
        let _ = self.completed.wait_killable(is_completed);
    }
}
