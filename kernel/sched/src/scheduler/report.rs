//! What the scheduler tells about itself: /proc/stat, /proc/interrupts, the load.

use super::cpu::CPUS;
use super::online::online;
use core::sync::atomic::{AtomicU64, Ordering};
use platform::cpu::MAX_CPUS;
use platform::timer;

/// How a processor spent its time since boot, in ticks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Times {
    /// At EL0.
    pub user: u64,
    /// In the kernel, for a thread.
    pub system: u64,
    /// All the rest.
    pub idle: u64,
}

impl Times {
    /// No time at all.
    pub const NONE: Times = Times {
        user: 0,
        system: 0,
        idle: 0,
    };

    /// Sums.
    pub fn plus(&self, other: &Times) -> Times {
        Times {
            user: self.user + other.user,
            system: self.system + other.system,
            idle: self.idle + other.idle,
        }
    }

    /// The time that went to threads.
    pub fn busy(&self) -> u64 {
        self.user + self.system
    }
}

/// The interrupts that a processor took.
#[derive(Clone, Copy, Default, Debug)]
pub struct Interrupts {
    /// Of its timer.
    pub timer: u64,
    /// Of devices.
    pub devices: u64,
    /// Of other processors.
    pub reschedule: u64,
    /// That nobody asked for.
    pub unknown: u64,
}

impl Interrupts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.timer + self.devices + self.reschedule + self.unknown
    }
}

/// The numbers of the processors that threads run on.
pub fn online_processors() -> impl Iterator<Item = usize> {
    let online = online();
    (0..MAX_CPUS).filter(move |processor| online & 1 << processor != 0)
}

/// The most idle time of each processor that anybody was told of.
static IDLE_SAID: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// How a processor spent its time. None of the sums ever goes back.
pub fn times(processor: usize) -> Times {
    let (user, system) = CPUS.of(processor).ticks();
    let idle = timer::ticks().saturating_sub(user + system);
    // The three are not read at one moment: what was said once is not taken back.
    let said = IDLE_SAID[processor].fetch_max(idle, Ordering::Relaxed);
    Times {
        user,
        system,
        idle: idle.max(said),
    }
}

/// The interrupts that a processor took.
pub fn interrupts(processor: usize) -> Interrupts {
    let counters = &CPUS.of(processor).counters;
    Interrupts {
        timer: counters.timer.read(),
        devices: counters.devices.read(),
        reschedule: counters.received.read(),
        unknown: counters.unknown.read(),
    }
}

/// How often a processor switched to a thread.
pub fn switches(processor: usize) -> u64 {
    CPUS.of(processor).counters.switches.read()
}

/// Threads that a processor took from the queues of others, and interrupts that it sent to them.
pub fn steals(processor: usize) -> (u64, u64) {
    let counters = &CPUS.of(processor).counters;
    (counters.steals.read(), counters.sent.read())
}

/// Threads that run or wait for a processor.
pub fn runnable() -> usize {
    online_processors()
        .map(|processor| CPUS.of(processor))
        .map(|cpu| cpu.waiting() + usize::from(cpu.current().is_some()))
        .sum()
}
