//! vfork(2): memory that a parent lends to its child, and waits to get back.

use crate::wait::WaitQueue;
use core::sync::atomic::{AtomicBool, Ordering};

/// What a child was lent.
pub struct Loan {
    is_open: AtomicBool,
    returned: WaitQueue,
}

impl Loan {
    /// Nothing.
    pub const fn new() -> Loan {
        Loan {
            is_open: AtomicBool::new(false),
            returned: WaitQueue::new(),
        }
    }

    /// Lends. Undone by [`Loan::give_back`].
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Gives the memory back: at exec and at the end. Nothing happens if nothing was lent.
    pub fn give_back(&self) {
        if self.is_open.swap(false, Ordering::AcqRel) {
            self.returned.wake_all();
        }
    }

    /// The lender waits; only its own end interrupts.
    pub fn wait(&self) {
        let is_returned = || (!self.is_open.load(Ordering::Acquire)).then_some(());
        // Interrupted: the caller ends, and its memory lives on with the child.
        let _ = self.returned.wait_killable(is_returned);
    }
}
