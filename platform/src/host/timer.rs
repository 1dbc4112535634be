//! Time as tests have it: it passes when somebody says so ([`advance`]), and jumps to the next alarm when all processors sleep.

#[path = "../timer/scale.rs"]
mod scale;

use crate::cpu::{self, MAX_CPUS, PerCpu};
use crate::devices::gic;
use core::sync::atomic::{AtomicU64, Ordering};
use scale::Scale;

/// That of QEMU's board.
static SCALE: Scale = Scale::new(62_500_000);
static NOW: AtomicU64 = AtomicU64::new(1 << 20);
/// When each processor's alarm is due; [`NEVER`] for none.
static ALARMS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(NEVER) }; MAX_CPUS]);
const NEVER: u64 = u64::MAX;

/// Ticks in a second.
pub fn frequency() -> u64 {
    SCALE.frequency()
}

/// Ticks since some moment before the kernel started.
pub fn ticks() -> u64 {
    NOW.load(Ordering::SeqCst)
}

/// As [`ticks`].
pub fn ticks_behind_stores() -> u64 {
    ticks()
}

/// Its stores are seen in order here.
pub fn complete_stores() {
    core::sync::atomic::fence(Ordering::SeqCst);
}

/// As [`ticks`].
pub fn ticks_between() -> u64 {
    ticks()
}

/// Nanoseconds per tick, times 2^32.
pub fn nanos_per_tick() -> u64 {
    SCALE.nanos_per_tick()
}

/// As [`ticks`].
pub fn ticks_unordered() -> u64 {
    ticks()
}

/// Raises the alarm when [`ticks`] reaches `at_ticks`, at once if that is past. Replaces an alarm that was set.
pub fn set_alarm(at_ticks: u64) {
    ALARMS.get().store(at_ticks, Ordering::SeqCst);
    gic::changed();
}

/// Sets no alarm.
pub fn clear_alarm() {
    ALARMS.get().store(NEVER, Ordering::SeqCst);
}

/// Whether the alarm of this processor is due.
pub(super) fn is_due() -> bool {
    let at = ALARMS.get().load(Ordering::SeqCst);
    at != NEVER && at <= ticks()
}

/// When the first alarm of the processors that run is due.
pub(super) fn first_alarm() -> Option<u64> {
    let alarms = &ALARMS.all()[..cpu::count()];
    let first = alarms.iter().map(|alarm| alarm.load(Ordering::SeqCst)).min();
    first.filter(|&at| at != NEVER)
}

/// It is `at_ticks` now, if it was not that late already.
pub(super) fn advance_to(at_ticks: u64) {
    NOW.fetch_max(at_ticks, Ordering::SeqCst);
}

/// For tests: so many nanoseconds pass.
pub fn advance(nanos: u64) {
    NOW.fetch_add(nanos_to_ticks(nanos), Ordering::SeqCst);
    gic::changed();
}

/// So much time passes.
pub(crate) fn delay(nanos: u64) {
    advance(nanos);
}

/// A count of ticks as nanoseconds, rounded down.
pub fn ticks_to_nanos(ticks: u64) -> u64 {
    SCALE.ticks_to_nanos(ticks)
}

/// Nanoseconds as ticks, rounded up, so that nobody is woken early. What does not fit is the largest count.
pub fn nanos_to_ticks(nanos: u64) -> u64 {
    SCALE.nanos_to_ticks(nanos)
}

/// So many seconds pass.
pub fn spin(seconds: u32) {
    advance(u64::from(seconds) * 1_000_000_000);
}
