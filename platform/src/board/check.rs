//! What the self test of a board tries on each processor, and what came of it.

use crate::per_cpu::PerCpu;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use mm::MAX_CPUS;

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// An alarm a millisecond ahead raises the timer's interrupt.
    Alarm,
    /// The UART hears what it sends to itself, and its interrupt arrives.
    Loopback,
    /// The counter shows no other time than the boot processor's.
    Counter,
    /// A software-generated interrupt arrives from the boot processor, and one there.
    Interrupts,
    /// Nothing that this and the boot processor count at once in one line is lost.
    Exclusives,
    /// A page that the boot processor maps to another frame is that frame here, too.
    Translation,
    /// Code that the boot processor writes over other code is what runs here.
    Instructions,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 7] = [
        Check::Alarm,
        Check::Loopback,
        Check::Counter,
        Check::Interrupts,
        Check::Exclusives,
        Check::Translation,
        Check::Instructions,
    ];

    /// As a report calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Alarm => "alarm",
            Check::Loopback => "loopback",
            Check::Counter => "counter",
            Check::Interrupts => "interrupts",
            Check::Exclusives => "exclusives",
            Check::Translation => "translation",
            Check::Instructions => "instructions",
        }
    }
}

/// A bit for each check that was tried, and for each that failed at least once.
static TRIED: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);
static FAILED: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);
static DURATION: AtomicU64 = AtomicU64::new(0);

/// For how many nanoseconds each processor is tried again and again; once at least. Called before the others are started.
pub fn set_duration(nanos: u64) {
    DURATION.store(nanos, Ordering::Relaxed);
}

pub(super) fn duration() -> u64 {
    DURATION.load(Ordering::Relaxed)
}

pub(super) fn note(processor: usize, check: Check, is_good: bool) {
    let bit = 1 << check as u32;
    TRIED.of(processor).fetch_or(bit, Ordering::Relaxed);
    if !is_good {
        FAILED.of(processor).fetch_or(bit, Ordering::Relaxed);
    }
}

/// Whether processor `processor` passed the check each time; `None` if it was not tried.
pub fn passed(processor: usize, check: Check) -> Option<bool> {
    let bit = 1 << check as u32;
    let is_in = |bits: &PerCpu<AtomicU32>| bits.of(processor).load(Ordering::Relaxed) & bit != 0;
    is_in(&TRIED).then(|| !is_in(&FAILED))
}
