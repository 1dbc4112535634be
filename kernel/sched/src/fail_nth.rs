//! Allocations that are refused on request, for tests: /proc/PID/fail-nth (builds with checks only).

use super::ThreadCore;
use core::sync::atomic::Ordering;
use platform::fault_injection::{self, LATE_PAGE, LOST_PAGE};

/// In `fail_nth`: allocations of page faults are meant instead of those of system calls.
pub const IN_FAULTS: u32 = 1 << 30;

impl ThreadCore {
    /// Makes a system call, in which the allocation that is to be refused is (builds with checks only).
    #[inline]
    pub fn with_injected_fault<R>(&self, call: impl FnOnce() -> R) -> R {
        if !fault_injection::IS_THERE {
            return call();
        }
        let nth = self.fail_nth.load(Ordering::Relaxed);
        if nth == 0 || nth & (IN_FAULTS | LATE_PAGE | LOST_PAGE) != 0 {
            return call();
        }
        fault_injection::arm(nth);
        let result = call();
        self.note_left(nth, fault_injection::arm(0));
        result
    }

    /// Serves a page fault, its own or one of its system call, in which the allocation that is to be refused is if faults were
    /// meant (builds with checks only). What was meant for the call counts nothing meanwhile.
    #[inline]
    pub fn with_injected_shortage<R>(&self, serve: impl FnOnce() -> R) -> R {
        if !fault_injection::IS_THERE {
            return serve();
        }
        let nth = self.fail_nth.load(Ordering::Relaxed);
        let is_meant = nth & IN_FAULTS != 0;
        let of_call = fault_injection::arm(if is_meant { nth & !IN_FAULTS } else { 0 });
        let result = serve();
        let left = fault_injection::arm(of_call);
        if is_meant {
            self.note_left(nth, if left == 0 { 0 } else { left | IN_FAULTS });
        }
        result
    }

    /// So much is left of `nth`, unless another was set meanwhile.
    fn note_left(&self, nth: u32, left: u32) {
        let _unchanged = self
            .fail_nth
            .compare_exchange(nth, left, Ordering::Relaxed, Ordering::Relaxed);
    }
}
