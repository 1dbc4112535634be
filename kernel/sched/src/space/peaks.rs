//! The largest that an address space was: `VmPeak`, `VmHWM` and `ru_maxrss`. Nothing is counted while it grows. It is looked at when
//! somebody asks, when it ends, and, as on Linux, before much of it goes.

use core::sync::atomic::{AtomicU64, Ordering};

/// What was found. Written under the space's lock.
#[derive(Default)]
pub struct Peaks {
    pub(super) bytes: AtomicU64,
    pub(super) pages: AtomicU64,
    /// Bytes that went since the last look.
    pub(super) dropped: AtomicU64,
}

/// Raises a peak to what was found; what it is now.
pub(super) fn raise(peak: &AtomicU64, found: u64) -> u64 {
    let most = peak.load(Ordering::Relaxed).max(found);
    peak.store(most, Ordering::Relaxed);
    most
}

impl Peaks {
    /// The space has so many resident pages; the most that it ever had. The caller holds the space's lock.
    pub fn note_pages(&self, pages: u64) -> u64 {
        raise(&self.pages, pages)
    }
}
