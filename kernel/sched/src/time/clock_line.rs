//! The line that `CLOCK_REALTIME` runs along: a point in time, what the clock said then, and how much faster it runs than the timer.
//! Readers take it without a lock and try again if it was changed meanwhile.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use mm::NoMemory;
use platform::timer;

use super::clock_page;

/// Bits behind the point of what is computed with fractions.
pub const FRACTION: u32 = 32;

static LINE: KeptLine = KeptLine {
    changes: AtomicU64::new(0),
    start: AtomicU64::new(0),
    clock: AtomicU64::new(0),
    rate: AtomicI64::new(0),
};

/// The line that the clock runs along.
#[derive(Clone, Copy)]
pub struct ClockLine {
    /// A point in time of the timer, in nanoseconds, and what the clock said then.
    pub start: u64,
    pub clock: u64,
    /// How much more the clock runs in a nanosecond, with [`FRACTION`].
    pub rate: i64,
}

impl ClockLine {
    /// What the clock says at a point in time of the timer, in nanoseconds.
    #[inline]
    pub fn at(&self, monotonic: u64) -> u64 {
        match self.rate {
            0 => self.clock.saturating_add(monotonic.saturating_sub(self.start)),
            _ => self.at_adjusted(monotonic),
        }
    }

    #[cold]
    #[inline(never)]
    fn at_adjusted(&self, monotonic: u64) -> u64 {
        let passed = i128::from(monotonic) - i128::from(self.start);
        let more = (passed * i128::from(self.rate)) >> FRACTION;
        u64::try_from(i128::from(self.clock) + passed + more).unwrap_or(0)
    }
}

/// The line as readers on all processors find it. Who changes it reads the timer after it has told them to wait, and they read the timer
/// between two looks at whether they must: so nobody reads the old line with a time at which the new one holds, nor the new one with an
/// earlier time, and the clock never runs backwards.
struct KeptLine {
    /// Odd while it is being changed.
    changes: AtomicU64,
    start: AtomicU64,
    clock: AtomicU64,
    rate: AtomicI64,
}

impl KeptLine {
    /// The line, and a time of the timer at which it held, in nanoseconds.
    #[inline]
    fn load(&self) -> (ClockLine, u64) {
        loop {
            let seen = self.changes.load(Ordering::Acquire);
            let now = timer::ticks_between();
            let line = self.load_unchanged();
            fence(Ordering::Acquire);
            if seen.is_multiple_of(2) && self.changes.load(Ordering::Relaxed) == seen {
                return (line, timer::ticks_to_nanos(now));
            }
            core::hint::spin_loop();
        }
    }

    /// The line, for who keeps others from changing it.
    #[inline]
    fn load_unchanged(&self) -> ClockLine {
        ClockLine {
            start: self.start.load(Ordering::Relaxed),
            clock: self.clock.load(Ordering::Relaxed),
            rate: self.rate.load(Ordering::Relaxed),
        }
    }

    /// As [`change`].
    fn change(&self, change: impl FnOnce(&ClockLine, u64) -> ClockLine) {
        let odd = self.changes.load(Ordering::Relaxed) + 1;
        self.changes.store(odd, Ordering::Relaxed);
        clock_page::begin_change(odd);
        // Readers on other processors see that they must wait before the timer is read: no DMB orders that.
        timer::complete_stores();
        let line = change(
            &self.load_unchanged(),
            timer::ticks_to_nanos(timer::ticks_between()),
        );
        self.start.store(line.start, Ordering::Relaxed);
        self.clock.store(line.clock, Ordering::Relaxed);
        self.rate.store(line.rate, Ordering::Relaxed);
        self.changes.store(odd + 1, Ordering::Release);
        clock_page::end_change(&line, odd + 1);
    }
}

/// What the clock says now, in nanoseconds since 1970.
#[inline]
pub fn now() -> u64 {
    let (line, now) = LINE.load();
    line.at(now)
}

/// When somebody asked for the time of day: whether to ask again. Whoever asks keeps others from it.
pub struct LastLook {
    /// How often the line had been changed, and when, in ticks, the look is to be taken again.
    changes: AtomicU64,
    until: AtomicU64,
}

impl LastLook {
    /// Nobody asked yet.
    pub const fn new() -> LastLook {
        LastLook {
            changes: AtomicU64::new(0),
            until: AtomicU64::new(0),
        }
    }

    /// Whether it was within the last second, and the clock has not been set since.
    #[inline]
    pub fn is_recent(&self) -> bool {
        timer::ticks_unordered() < self.until.load(Ordering::Relaxed)
            && self.changes.load(Ordering::Relaxed) == LINE.changes.load(Ordering::Relaxed)
    }

    /// It is about to be asked.
    pub fn note(&self) {
        self.changes
            .store(LINE.changes.load(Ordering::Acquire), Ordering::Relaxed);
        self.until
            .store(timer::ticks() + timer::frequency(), Ordering::Relaxed);
    }
}

impl Default for LastLook {
    fn default() -> Self {
        Self::new()
    }
}

/// Changes the line, for who keeps others from it: `change` is given the old one, and a time from which the new one holds.
pub fn change(change: impl FnOnce(&ClockLine, u64) -> ClockLine) {
    LINE.change(change);
}

/// Makes the page from which programs read the line, for who keeps others from changing it.
///
/// # Errors
/// There is no frame for it.
pub fn make_page() -> Result<(), NoMemory> {
    clock_page::make(&LINE.load_unchanged(), LINE.changes.load(Ordering::Relaxed))
}

/// When the clock will say that, in nanoseconds of the timer.
pub fn moment_of(realtime: u64) -> u64 {
    let (line, _) = LINE.load();
    if line.rate == 0 {
        return line.start.saturating_add(realtime).saturating_sub(line.clock);
    }
    let wanted = i128::from(realtime) - i128::from(line.clock);
    let passed = (wanted << FRACTION) / ((1 << FRACTION) + i128::from(line.rate));
    // The division rounds down, and nobody may be early.
    u64::try_from(i128::from(line.start) + passed + 1).unwrap_or(0)
}
