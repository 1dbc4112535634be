//! Which signals a thread blocks. A signal that waits for any thread has woken one that did not block it: if that one
//! blocks it before it took it, another must be told.

use super::{ThreadSignals, is_pending, retarget};
use crate::thread::{Thread, ThreadExt};
use abi::signal::{SIG_IGN, SigSet, Signal};
use core::sync::atomic::Ordering;

impl Default for ThreadSignals {
    fn default() -> Self {
        Self::new()
    }
}

impl ThreadSignals {
    /// Blocked signals.
    pub fn mask(&self) -> SigSet {
        SigSet(self.mask.load(Ordering::SeqCst))
    }

    fn awaited(&self) -> SigSet {
        SigSet(self.awaited.load(Ordering::SeqCst))
    }

    /// Blocked signals that the thread does not wait for either.
    pub(super) fn closed(&self) -> SigSet {
        self.mask().difference(self.awaited())
    }
}

/// Sets the running thread's mask; SIGKILL and SIGSTOP stay out of it.
pub fn set_mask(thread: &Thread, mask: SigSet) {
    change(thread, || {
        let mask = mask.difference(SigSet::UNBLOCKABLE);
        thread.signals().mask.store(mask.0, Ordering::SeqCst);
    });
}

/// Sets what sigtimedwait(2) waits for; empty when it is over.
pub fn set_awaited(thread: &Thread, set: SigSet) {
    change(thread, || thread.signals().awaited.store(set.0, Ordering::SeqCst));
}

/// Sets the mask for one call: it returns to the present one when the call is over, or by way of the frame of the
/// handler that ends it. The call ends with [`restore_mask`] or with a restart marker as its error.
pub fn suspend_mask(thread: &Thread, mask: SigSet) {
    let old = thread.signals().mask();
    thread.signals().saved_mask.lock().get_or_insert(old);
    set_mask(thread, mask);
}

/// Returns to the mask from before [`suspend_mask`]. Whether there was one.
pub fn restore_mask(thread: &Thread) -> bool {
    let saved = thread.signals().saved_mask.lock().take();
    if let Some(mask) = saved {
        set_mask(thread, mask);
    }
    saved.is_some()
}

/// The thread closes itself to some signals, perhaps, and opens itself to others. Its sender looked at the mask after it had put a
/// signal into the set; here the set is looked at after the mask is changed: one of the two sees the other (all four
/// sequentially consistent).
fn change(thread: &Thread, set: impl FnOnce()) {
    let before = thread.signals().closed();
    set();
    if is_pending(thread) {
        thread.set_pending_work();
    }
    let newly_closed = thread.signals().closed().difference(before);
    let waiting = thread.process().signals.pending().intersection(newly_closed);
    if !waiting.is_empty() {
        retarget(thread.process(), waiting);
    }
}

/// Whether the thread blocks the signal or its process ignores it: then a background write to the terminal gets `EIO`
/// or goes through instead (termios(3), job control).
pub fn is_blocked_or_ignored(thread: &Thread, signal: Signal) -> bool {
    thread.signals().mask().contains(signal) || thread.process().signals.action(signal).handler == SIG_IGN
}
