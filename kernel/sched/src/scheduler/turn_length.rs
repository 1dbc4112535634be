//! How long a turn is: the more processors run threads, the fewer wait for each, and the longer it may be.

use super::online::online;
use platform::timer;

/// A turn where one processor runs threads: how long a thread runs while others wait, in nanoseconds. As long as a server may have
/// to wait for the child that saves it. Linux takes 700,000, but there a switch costs several times as much.
const TURN_NANOS: u64 = 500_000;
/// With more processors than these a turn grows no longer, as with Linux.
const MOST_COUNTED: u32 = 8;

/// How long a turn is, in nanoseconds.
pub fn turn_nanos() -> u64 {
    of(online().count_ones())
}

/// The same where so many processors run threads.
pub(super) fn of(processors: u32) -> u64 {
    TURN_NANOS * u64::from(1 + processors.clamp(1, MOST_COUNTED).ilog2())
}

/// In ticks.
pub(super) fn span(nanos: u64) -> i64 {
    timer::nanos_to_ticks(nanos) as i64
}
