//! What boot found out about the board, for whoever asks what it is: the report of /proc/board.

mod check;
mod counters;
mod hardening;
mod rates;
pub(crate) mod selftest;

pub use check::{Check, passed, set_duration};
pub(crate) use counters::apply as apply_counters;
pub use counters::{Counter, count_for_programs, counts_for_programs};
pub(crate) use hardening::apply as apply_hardening;
pub use hardening::{clear_branch_history, hardening, work_around_859971};
pub use rates::Rates;

use crate::devices::gic;
use crate::{arch, boot, timer};
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
    let Some((cycles, passed)) = arch::cycles_in(ticks, timer::ticks) else {
        return;
    };
    let rate = u128::from(cycles) * u128::from(timer::frequency()) / u128::from(passed.max(1));
    MEASURED.store(rate as u64, Ordering::Relaxed);
}

/// How fast the boot processor ran when it was measured, in Hz; `None` if it has no counter of cycles.
pub fn measured_rate() -> Option<u64> {
    Some(MEASURED.load(Ordering::Relaxed)).filter(|&rate| rate != 0)
}

/// What identifies the running processor: its registers, each under the name that the Arm ARM has for it.
pub fn registers() -> [(&'static str, u64); 5] {
    arch::identification()
}

/// The exception level at which the loader entered the kernel.
pub fn exception_level() -> u8 {
    boot::exception_level()
}

/// Where the image lies in RAM.
pub fn image_start() -> u64 {
    boot::image_start()
}

/// Which version of the interrupt controller there is, and what it says of itself: GICD_IIDR.
pub fn interrupt_controller() -> Option<(u32, u32)> {
    gic::identification()
}
