//! The interrupt controller: what is pending is a bit, for each processor or for the first.

use crate::cpu::{self, MAX_CPUS, PerCpu};
use crate::timer;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Interrupts that wait for each processor, a bit each. The timer's is not here: its line follows the alarm.
static PENDING: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);
/// Interrupts that are let through.
static ENABLED: AtomicU64 = AtomicU64::new(0);
/// A bit for each processor that sleeps.
static ASLEEP: Mutex<u32> = Mutex::new(0);
/// Something happened that a processor may wait for.
static CHANGED: Condvar = Condvar::new();

fn asleep() -> MutexGuard<'static, u32> {
    ASLEEP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets `interrupt` through.
pub(crate) fn enable(interrupt: u32) {
    ENABLED.fetch_or(1 << interrupt, Ordering::SeqCst);
    changed();
}

/// Keeps `interrupt` back.
pub(crate) fn disable(interrupt: u32) {
    ENABLED.fetch_and(!(1 << interrupt), Ordering::SeqCst);
}

/// Nothing is to be set up for another processor.
pub(crate) fn set_up_processor() {}

/// Interrupts processor `cpu`.
pub(crate) fn send(interrupt: u32, cpu: usize) {
    PENDING.of(cpu).fetch_or(1 << interrupt, Ordering::SeqCst);
    changed();
}

/// A device wants something from the first processor.
pub(crate) fn raise(interrupt: u32) {
    send(interrupt, 0);
}

/// Processors that sleep look again.
pub(crate) fn changed() {
    drop(asleep());
    CHANGED.notify_all();
}

fn pending() -> u64 {
    let timer = u64::from(timer::is_due()) << crate::host::TIMER;
    (PENDING.get().load(Ordering::SeqCst) | timer) & ENABLED.load(Ordering::SeqCst)
}

/// Whether an interrupt waits for this processor.
pub(crate) fn is_pending() -> bool {
    pending() != 0
}

/// Takes the first one that is pending.
pub(crate) fn acknowledge() -> Option<u32> {
    let pending = pending();
    let number = (pending != 0).then(|| pending.trailing_zeros())?;
    PENDING.get().fetch_and(!(1 << number), Ordering::SeqCst);
    Some(number)
}

/// The number of the interrupt that was taken.
pub(crate) fn number(acknowledged: u32) -> u32 {
    acknowledged
}

/// Ends the interrupt that was taken.
pub(crate) fn end(_acknowledged: u32) {}

/// Sleeps until an interrupt is pending. When all processors sleep, time jumps to the first alarm; without one they sleep until
/// a test does something.
pub(crate) fn wait() {
    let bit = 1 << cpu::number();
    let everybody = (1 << cpu::count()) - 1;
    let mut asleep = asleep();
    *asleep |= bit;
    while !is_pending() {
        match timer::first_alarm() {
            Some(at) if *asleep & everybody == everybody && at > timer::ticks() => {
                timer::advance_to(at);
                CHANGED.notify_all();
            }
            _ => asleep = CHANGED.wait(asleep).unwrap_or_else(PoisonError::into_inner),
        }
    }
    *asleep &= !bit;
}
