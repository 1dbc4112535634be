//! Fault injection, in builds with checks: one of the next allocations on this processor is refused, of the heap or of a frame.
//! The kernel arms it for a thread's system call and takes it along when the thread moves. Without checks nothing of it is
//! there.

use crate::cpu::{MAX_CPUS, PerCpu};
use crate::memory::ram;
use core::sync::atomic::{AtomicU32, Ordering};

/// Which of the next allocations is refused, counted from 1; 0 for none. With [`ONLY_FRAMES`], which of the next frames.
static LEFT: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);

/// Whether this build can refuse what there would be memory for.
pub const IS_THERE: bool = cfg!(debug_assertions);

/// In a count: objects of the heap are neither counted nor refused.
pub const ONLY_FRAMES: u32 = 1 << 31;

/// In a count: what is refused is missing for the moment, as where memory has run short, and not for good.
pub const FOR_NOW: u32 = 1 << 27;

/// In a count that is kept by the kernel: not allocations are meant but requests for pages of objects, one of which is late.
pub const LATE_PAGE: u32 = 1 << 29;

/// As [`LATE_PAGE`]: the page does not come for very long.
pub const LOST_PAGE: u32 = 1 << 28;

/// The `count`-th allocation of this processor from now on is refused, none for 0. Returns what was left of the count before, 0
/// if that one has been refused.
#[inline]
pub fn arm(count: u32) -> u32 {
    if IS_THERE {
        LEFT.get().swap(count, Ordering::Relaxed)
    } else {
        0
    }
}

/// Whether the object of the heap that is asked for is refused.
#[inline]
pub(crate) fn refuses_object() -> bool {
    IS_THERE && counts_objects() && count_one()
}

/// Whether the frame that is asked for is refused, or the kernel stack.
#[inline]
pub(crate) fn refuses_frame() -> bool {
    IS_THERE && count_one()
}

fn counts_objects() -> bool {
    LEFT.get().load(Ordering::Relaxed) & ONLY_FRAMES == 0
}

fn count_one() -> bool {
    let left = LEFT.get();
    let armed = left.load(Ordering::Relaxed);
    match armed & !(ONLY_FRAMES | FOR_NOW) {
        0 => return false,
        1 => left.store(0, Ordering::Relaxed),
        _ => {
            left.store(armed - 1, Ordering::Relaxed);
            return false;
        }
    }
    if armed & FOR_NOW != 0 {
        ram::note_refusal(0);
    }
    true
}
