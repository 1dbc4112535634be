//! Calls that are not there.

use abi::{Errno, nr};
use core::sync::atomic::{AtomicU64, Ordering};
use task::thread::{Thread, ThreadExt};

/// Numbers that the log of unknown calls tells apart.
const LOGGED: usize = 512;

/// One bit for each number whose absence was logged.
static MISSING: [AtomicU64; LOGGED / 64] = [const { AtomicU64::new(0) }; LOGGED / 64];

/// There is no such call, or none here: `ENOSYS`, and one line in the log for each number. The console does not show it: it
/// would stand in the middle of what a program draws there.
#[cold]
pub fn refuse(current: &Thread, number: usize) -> Errno {
    let bit = 1 << (number % 64);
    let is_news = MISSING
        .get(number / 64)
        .is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0);
    if is_news {
        let name = nr::name(number).unwrap_or("unknown");
        klog::debug!(
            "{}[{}]: system call {number} ({name}) is not implemented",
            current.name(),
            current.tid()
        );
    }
    Errno::ENOSYS
}
