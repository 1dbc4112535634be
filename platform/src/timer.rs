//! The generic timer of the running processor, as the virtual timer (Arm ARM D12): one counter for all processors, one alarm
//! for each. An alarm that is due raises `Interrupt::Timer`.

mod scale;

use crate::arch;
use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTKCTL_EL1, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0, Readable, Writeable,
};
use scale::Scale;
use spin::Once;

static SCALE: Once<Scale> = Once::new();

/// Reads the frequency, and sets up the boot processor's timer.
///
/// # Panics
/// When the firmware left CNTFRQ_EL0 at 0.
pub(crate) fn set_up() {
    let frequency = CNTFRQ_EL0.get();
    assert!(
        frequency != 0,
        "the firmware did not set CNTFRQ_EL0: there is no measure of time"
    );
    SCALE.call_once(|| Scale::new(frequency));
    set_up_processor();
}

/// Lets EL0 of this processor read the virtual counter, wakes what waits in WFE about every 100 µs, and leaves no alarm set.
pub(crate) fn set_up_processor() {
    CNTKCTL_EL1.write(
        CNTKCTL_EL1::EL0VCTEN::SET + CNTKCTL_EL1::EVNTEN::SET + CNTKCTL_EL1::EVNTI.val(scale().event_bit()),
    );
    clear_alarm();
}

fn scale() -> &'static Scale {
    SCALE.get().expect("the timer is set up before main")
}

/// Ticks in a second.
pub fn frequency() -> u64 {
    scale().frequency()
}

/// Ticks since some moment before the kernel started: CNTVCT_EL0, in order with the instructions around it.
#[inline(always)]
pub fn ticks() -> u64 {
    arch::isb();
    CNTVCT_EL0.get()
}

/// As [`ticks`], when all that this processor stored before is seen by others. No DMB orders a read of the counter (Arm ARM D12.2):
/// a thread that says that it sleeps, and then finds that it is not too late for its alarm, waits so for an alarm that still comes.
#[inline(always)]
pub fn ticks_behind_stores() -> u64 {
    complete_stores();
    ticks()
}

/// All that this processor stored before is seen by others before it reads the counter next.
#[inline(always)]
pub fn complete_stores() {
    arch::dsb_ish();
}

/// Waits, for so short a time that nobody need run meanwhile.
pub(crate) fn delay(nanos: u64) {
    let until = ticks() + nanos_to_ticks(nanos);
    while ticks() < until {
        arch::relax();
    }
}

/// As [`ticks`], and what follows is done after the counter was read: for a clock that is being changed meanwhile.
#[inline(always)]
pub fn ticks_between() -> u64 {
    let ticks = ticks();
    arch::isb();
    ticks
}

/// As [`ticks`], but the processor may read the counter some instructions early or late: for accounts of time spent.
#[inline(always)]
pub fn ticks_unordered() -> u64 {
    CNTVCT_EL0.get()
}

/// Raises the alarm when [`ticks`] reaches `at_ticks`, at once if that is past. Replaces an alarm that was set.
#[inline]
pub fn set_alarm(at_ticks: u64) {
    CNTV_CVAL_EL0.set(at_ticks);
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET + CNTV_CTL_EL0::IMASK::CLEAR);
    arch::isb();
}

/// Sets no alarm, and lets go of the interrupt line.
#[inline]
pub fn clear_alarm() {
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::CLEAR + CNTV_CTL_EL0::IMASK::SET);
    arch::isb();
}

/// The alarm of this processor as it is set: its time, and its control register.
pub(crate) fn save_alarm() -> (u64, u64) {
    (CNTV_CVAL_EL0.get(), CNTV_CTL_EL0.get())
}

/// Sets what [`save_alarm`] saved.
pub(crate) fn restore_alarm((at, control): (u64, u64)) {
    CNTV_CVAL_EL0.set(at);
    CNTV_CTL_EL0.set(control);
    arch::isb();
}

/// A count of ticks as nanoseconds, rounded down.
pub fn ticks_to_nanos(ticks: u64) -> u64 {
    scale().ticks_to_nanos(ticks)
}

/// Nanoseconds per tick, times 2^32: [`ticks_to_nanos`] multiplies by it.
pub fn nanos_per_tick() -> u64 {
    scale().nanos_per_tick()
}

/// Nanoseconds as ticks, rounded up, so that nobody is woken early. What does not fit is the largest count.
pub fn nanos_to_ticks(nanos: u64) -> u64 {
    scale().nanos_to_ticks(nanos)
}

/// Ticks in a second, also where the timer is not set up.
pub(crate) fn second() -> u64 {
    CNTFRQ_EL0.get()
}

/// Waits in a loop. Works from the first instruction on, and where the timer is not set up.
pub fn spin(seconds: u32) {
    let end = ticks().saturating_add(second().saturating_mul(u64::from(seconds)));
    while ticks() < end {
        arch::relax();
    }
}
