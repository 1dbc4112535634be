//! Which processors run threads.

use core::sync::atomic::{AtomicU64, Ordering, fence};

/// The processors that run the loop, a bit for each.
static ONLINE: AtomicU64 = AtomicU64::new(0);
/// The processors that threads run on, a bit for each.
#[inline]
pub(super) fn online() -> u64 {
    ONLINE.load(Ordering::Relaxed)
}

/// This processor runs the loop from now on. It looks afterwards whether somebody has stopped the others (`stop`).
pub(super) fn come_online(here: usize) {
    ONLINE.fetch_or(1 << here, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}
