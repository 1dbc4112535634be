//! What /proc/diskstats and /sys/block show of a disk or a partition.

use core::sync::atomic::{AtomicU64, Ordering};
use platform::disk::DiskCommand;
use platform::timer;

/// Nanoseconds of the unit in which times are shown.
const MILLISECOND: u64 = 1_000_000;

/// Kinds of requests, as they are counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Discards.
    Discard,
    /// Flushes.
    Flush,
}

impl Kind {
    /// How that command is counted.
    pub fn of(command: DiskCommand) -> Kind {
        match command {
            DiskCommand::Read | DiskCommand::Identify => Kind::Read,
            DiskCommand::Write => Kind::Write,
            DiskCommand::Discard(_) => Kind::Discard,
            DiskCommand::Flush => Kind::Flush,
        }
    }
}

#[derive(Default)]
struct Counter {
    requests: AtomicU64,
    sectors: AtomicU64,
    ticks: AtomicU64,
}

/// How often something was asked of a disk, how much, and how long that took.
#[derive(Default)]
pub struct Statistics {
    counters: [Counter; 4],
}

/// What was counted of one kind.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Count {
    /// Requests that were done.
    pub requests: u64,
    /// Their sectors.
    pub sectors: u64,
    /// How long they took, one after the other, in milliseconds.
    pub milliseconds: u64,
}

impl Statistics {
    /// Nothing counted.
    pub fn new() -> Statistics {
        Statistics::default()
    }

    /// A request is done that began at tick `since`.
    pub(crate) fn count(&self, kind: Kind, sectors: u64, since: u64) {
        let counter = &self.counters[kind as usize];
        counter.requests.fetch_add(1, Ordering::Relaxed);
        counter.sectors.fetch_add(sectors, Ordering::Relaxed);
        let ticks = timer::ticks().saturating_sub(since);
        counter.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    /// What was counted of that kind.
    pub fn of(&self, kind: Kind) -> Count {
        let counter = &self.counters[kind as usize];
        Count {
            requests: counter.requests.load(Ordering::Relaxed),
            sectors: counter.sectors.load(Ordering::Relaxed),
            milliseconds: timer::ticks_to_nanos(counter.ticks.load(Ordering::Relaxed)) / MILLISECOND,
        }
    }
}
