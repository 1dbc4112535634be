//! What boot found out about the board, for whoever asks what it is: the report of /proc/board.

mod rates;

pub use rates::Rates;

use crate::{arch, timer};
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Once;

static RATES: Once<Rates> = Once::new();
/// Cycles of the boot processor in a second, as they were counted; 0: they cannot be.
static MEASURED: AtomicU64 = AtomicU64::new(0);

/// The firmware was asked for these.
pub(crate) fn set_rates(rates: Rates) {
    RATES.call_once(|| rates);
}

/// What the firmware was asked for, where it can be asked.
pub fn rates() -> Option<Rates> {
    RATES.get().copied()
}

/// Counts the cycles of a millisecond, on the boot processor.
pub(crate) fn measure_rate() {
    let ticks = timer::frequency() / 1000;
    let Some(cycles) = arch::cycles_in(ticks, timer::ticks) else {
        return;
    };
    MEASURED.store(cycles.saturating_mul(1000), Ordering::Relaxed);
}

/// How fast the boot processor ran when it was measured, in Hz; `None` if it has no counter of cycles.
pub fn measured_rate() -> Option<u64> {
    Some(MEASURED.load(Ordering::Relaxed)).filter(|&rate| rate != 0)
}

/// What identifies the running processor: its registers, each under the name that the Arm ARM has for it.
pub fn registers() -> [(&'static str, u64); 5] {
    arch::identification()
}
