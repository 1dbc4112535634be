//! Fault injection, in builds with checks: one of the next allocations on this processor is refused, of the heap or of a frame.
//! The kernel arms it for a thread's system call and takes it along when the thread moves. Without checks nothing of it is
//! there.

use crate::cpu::{MAX_CPUS, PerCpu};
use core::sync::atomic::{AtomicU32, Ordering};

/// Which of the next allocations is refused, counted from 1; 0 for none.
static LEFT: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);

/// Whether this build can refuse what there would be memory for.
pub const IS_THERE: bool = cfg!(debug_assertions);

/// The `count`-th allocation of this processor from now on is refused, none for 0. Returns what was left of the count before.
#[inline]
pub fn arm(count: u32) -> u32 {
    if IS_THERE {
        LEFT.get().swap(count, Ordering::Relaxed)
    } else {
        0
    }
}

/// Whether the allocation that asks is refused.
#[inline]
pub(crate) fn refuses() -> bool {
    IS_THERE && count_one()
}

fn count_one() -> bool {
    let left = LEFT.get();
    match left.load(Ordering::Relaxed) {
        0 => false,
        count => {
            left.store(count - 1, Ordering::Relaxed);
            count == 1
        }
    }
}
