//! Stopping the other processors for a moment (`notify::while_others_are_stopped`): by an interrupt that each answers where it holds no
//! lock and is in the middle of nothing.
//! Whoever works on what others share without a lock of it pays nothing for that; who wants them away pays for all of it.
//!
//! A stop has a number, which names its processor too. Whoever stops writes it, and interrupts the others; each that has received an
//! interrupt looks for it, writes it into its own place, and waits until it is gone. One that comes online looks as well, behind a fence:
//! either it finds the stop, or it is found online and interrupted.

use super::online;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use platform::cpu::MAX_CPUS;

/// Somebody stops the others.
pub(super) static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Numbers of stops of one count.
pub(super) const PROCESSORS: u32 = MAX_CPUS.next_power_of_two() as u32 * 2;
/// The stop that is under way; 0: none.
pub(super) static STOP: AtomicU32 = AtomicU32::new(0);
/// The count of the stop before, in steps of [`PROCESSORS`]. Only who has [`IS_TAKEN`] touches it.
pub(super) static LAST: AtomicU32 = AtomicU32::new(0);
/// By processor: the last stop that it answered.
static ANSWERED: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(0) }; MAX_CPUS];

/// What the number of a stop says of who stops: never 0.
pub(super) const fn by(processor: usize) -> u32 {
    processor as u32 + 1
}

/// Whether a processor waits for the end of a stop.
pub(super) fn has_answered(processor: usize, number: u32) -> bool {
    ANSWERED[processor].load(Ordering::Acquire) == number
}

/// Waits here for as long as another processor has stopped this one. No lock is held, and nothing is half done.
#[inline]
pub(super) fn wait_while_stopped(here: usize) {
    if STOP.load(Ordering::Relaxed) != 0 {
        answer(here);
    }
}

#[cold]
fn answer(here: usize) {
    loop {
        let number = STOP.load(Ordering::Acquire);
        if number == 0 || number & (PROCESSORS - 1) == by(here) {
            return;
        }
        ANSWERED[here].store(number, Ordering::Release);
        core::hint::spin_loop();
    }
}

/// This processor runs the loop from now on, once whoever stopped the others without it is done.
pub(super) fn come_online(here: usize) {
    online::come_online(here);
    wait_while_stopped(here);
}
