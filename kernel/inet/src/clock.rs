//! Time as the protocols count it: microseconds since boot.

use platform::timer;
use smoltcp::time::Instant;

const NANOS_PER_MICRO: u64 = 1000;

/// Now.
pub(crate) fn now() -> Instant {
    let micros = timer::ticks_to_nanos(timer::ticks()) / NANOS_PER_MICRO;
    Instant::from_micros(micros as i64)
}

/// The tick of the timer at that moment.
pub(crate) fn tick_of(moment: Instant) -> u64 {
    let micros = u64::try_from(moment.total_micros()).unwrap_or(0);
    timer::nanos_to_ticks(micros.saturating_mul(NANOS_PER_MICRO))
}
