//! Time: the clocks, and timers ([`timers`]). Points in time are ticks of `platform::timer`.

mod clock_line;
pub mod clock_page;
pub mod discipline;
mod expire;
#[cfg(test)]
mod tests;
pub mod timers;
mod tree;

pub use clock_line::LastLook;
pub use expire::{Alarm, Expire};
pub use timers::{cancel, set};
pub use tree::TimerPlace;

use crate::wait::{Interrupted, WaitQueue};
use core::sync::atomic::{AtomicU64, Ordering};
use platform::timer;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// How often the clock was set, and who wants to know: those who wait for a time of day.
static SETTINGS: AtomicU64 = AtomicU64::new(0);
static CLOCK_SET: WaitQueue = WaitQueue::new();

/// Nanoseconds since boot.
pub fn now_monotonic_nanos() -> u64 {
    timer::ticks_to_nanos(timer::ticks())
}

/// Nanoseconds since 1970, as far as anybody told the kernel. On a board without a clock that runs while the power is off they are
/// counted from boot until somebody sets it.
#[inline]
pub fn now_realtime_nanos() -> u64 {
    clock_line::now()
}

/// Makes the page that tells programs the time. Called once, at boot.
///
/// # Errors
/// There is no frame for it.
pub fn make_clock_page() -> Result<(), mm::NoMemory> {
    discipline::make_clock_page()
}

/// Sets the clock: from now on `CLOCK_REALTIME` goes on from `nanos`.
pub fn set_realtime_nanos(nanos: u64) {
    discipline::set_clock(nanos);
    note_clock_set();
}

/// Times of day come sooner or later than they did: sleepers look again.
pub fn note_clock_set() {
    SETTINGS.fetch_add(1, Ordering::SeqCst);
    CLOCK_SET.wake_all();
}

/// Woken when the clock is set: for those who do not sleep, but watch.
pub fn clock_settings() -> &'static WaitQueue {
    &CLOCK_SET
}

/// Sleeps until `CLOCK_REALTIME` is `nanos`, however often it is set meanwhile.
///
/// # Errors
/// [`Interrupted`]: a signal has come, or the thread is to end.
pub fn sleep_until_realtime(nanos: u64) -> Result<(), Interrupted> {
    let never: Option<()> = wait_until_realtime(nanos, || None)?;
    debug_assert!(never.is_none());
    Ok(())
}

/// As [`sleep_until_realtime`], until `ready` answers with something: else `None`. Whoever makes it so wakes the thread.
///
/// # Errors
/// As [`sleep_until_realtime`].
pub fn wait_until_realtime<T>(
    nanos: u64,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Interrupted> {
    loop {
        let known = SETTINGS.load(Ordering::SeqCst);
        let mut look = || match ready() {
            Some(answer) => Some(Some(answer)),
            None => (SETTINGS.load(Ordering::SeqCst) != known).then_some(None),
        };
        match CLOCK_SET.wait_until_deadline(Some(realtime_to_ticks(nanos)), &mut look)? {
            Some(Some(answer)) => return Ok(Some(answer)),
            // The clock was set.
            Some(None) => {}
            // It may run slower than it did.
            None if now_realtime_nanos() < nanos => {}
            None => return Ok(None),
        }
    }
}

/// The tick at which `CLOCK_REALTIME` is `nanos`, as the clock is set now.
pub fn realtime_to_ticks(nanos: u64) -> u64 {
    timer::nanos_to_ticks(clock_line::moment_of(nanos))
}

/// The tick `nanos` from now.
pub fn deadline_after(nanos: u64) -> u64 {
    timer::ticks().saturating_add(timer::nanos_to_ticks(nanos))
}
