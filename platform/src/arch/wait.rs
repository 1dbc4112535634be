//! Waits for what another processor stores.

use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU32};

/// Defines a wait for a store to an atomic word: the exclusive load watches the word, and whoever stores to it wakes the waiter by
/// that (Arm ARM D1.7.1, "WFE wake-up events").
macro_rules! wait_for_store {
    ($(#[$attribute:meta])* $name:ident, $word:ty, $seen:ty, $load:literal) => {
        $(#[$attribute])*
        #[inline(always)]
        pub(crate) fn $name(word: &$word, seen: $seen) {
            // SAFETY: an aligned word that is there, read as an atomic one; nothing follows from what it holds.
            unsafe {
                asm!(
                    $load,
                    "cmp {now:w}, {seen:w}",
                    "b.ne 2f",
                    "wfe",
                    "2:",
                    now = out(reg) _,
                    word = in(reg) word.as_ptr(),
                    seen = in(reg) u32::from(seen),
                    options(nostack, readonly),
                );
            }
        }
    };
}

wait_for_store!(
    /// Stops this processor until somebody stores to `word`, unless it does not hold `seen` any more; or until some other event.
    wait_for_store, AtomicU32, u32, "ldxr {now:w}, [{word}]");
wait_for_store!(
    /// As [`wait_for_store()`], to a byte.
    wait_for_store_to_byte, AtomicU8, u8, "ldxrb {now:w}, [{word}]");
