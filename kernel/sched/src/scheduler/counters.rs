//! What a processor did since it was started, for /proc.

use core::sync::atomic::{AtomicU64, Ordering};

/// What a processor did since it was started. Written by the processor itself only.
pub(super) struct Counters {
    /// Ticks at EL0, and in all, of threads that have left the processor again.
    pub(super) user: AtomicU64,
    pub(super) busy: AtomicU64,
    pub(super) switches: Counter,
    /// Threads taken from the queues of others.
    pub(super) steals: Counter,
    /// Interrupts that other processors sent, and that were sent to others.
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) timer: Counter,
    /// Interrupts of devices, and those that nobody asked for.
    pub(super) devices: Counter,
    pub(super) unknown: Counter,
}

/// A count that one processor writes.
pub(super) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// One more. What the processor did before is seen by whoever reads this count.
    #[inline]
    pub(super) fn add_one(&self) {
        let next = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(next, Ordering::Release);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Counters {
    pub(super) const fn new() -> Counters {
        Counters {
            user: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            switches: Counter::new(),
            steals: Counter::new(),
            received: Counter::new(),
            sent: Counter::new(),
            timer: Counter::new(),
            devices: Counter::new(),
            unknown: Counter::new(),
        }
    }

    /// Under the lock of `Cpu::current`.
    pub(super) fn add_time(&self, user: u64, busy: u64) {
        for (count, ticks) in [(&self.user, user), (&self.busy, busy)] {
            let sum = count.load(Ordering::Relaxed).wrapping_add(ticks);
            count.store(sum, Ordering::Relaxed);
        }
    }
}
