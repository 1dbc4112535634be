//! What /proc/diskstats and /sys/block show of a disk or a partition.

use core::sync::atomic::{AtomicU64, Ordering};
use platform::disk::DiskCommand;
use platform::timer;

/// Nanoseconds of the unit in which times are shown.
const MILLISECOND: u64 = 1_000_000;

/// Kinds of requests, as they are counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Discards.
    Discard,
    /// Flushes.
    Flush,
}

impl RequestKind {
    /// How that command is counted.
    pub fn of(command: DiskCommand) -> RequestKind {
        match command {
            DiskCommand::Read | DiskCommand::Identify => RequestKind::Read,
            DiskCommand::Write => RequestKind::Write,
            DiskCommand::Discard(_) => RequestKind::Discard,
            DiskCommand::Flush => RequestKind::Flush,
        }
    }
}

#[derive(Default)]
struct RequestCounter {
    requests: AtomicU64,
    sectors: AtomicU64,
    ticks: AtomicU64,
}

/// How often something was asked of a disk, how much, and how long that took.
#[derive(Default)]
pub struct Statistics {
    counters: [RequestCounter; 4],
}

/// What was counted of one kind.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct RequestCount {
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
    pub fn count(&self, kind: RequestKind, sectors: u64, since: u64) {
        let counter = &self.counters[kind as usize];
        counter.requests.fetch_add(1, Ordering::Relaxed);
        counter.sectors.fetch_add(sectors, Ordering::Relaxed);
        let ticks = timer::ticks().saturating_sub(since);
        counter.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    /// What was counted of that kind.
    pub fn of(&self, kind: RequestKind) -> RequestCount {
        let counter = &self.counters[kind as usize];
        RequestCount {
            requests: counter.requests.load(Ordering::Relaxed),
            sectors: counter.sectors.load(Ordering::Relaxed),
            milliseconds: timer::ticks_to_nanos(counter.ticks.load(Ordering::Relaxed)) / MILLISECOND,
        }
    }
}
