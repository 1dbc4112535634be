//! The meter that rows time their deeds with.

use super::counts::{Counts, Reader};
use crate::runtime::Result;
use crate::runtime::measure::{mark_begin, mark_end, ticks};

/// Adds up the time of the parts that count; or, in a repeat that is not timed, what the kernel counted during them; or
/// marks where they begin and end, for who watches the machine from outside. The three exclude each other, because
/// reading the counters is work for the kernel.
#[derive(Default)]
pub struct Meter {
    mode: Mode,
    ticks: u64,
    longest: u64,
    counts: Counts,
}

#[derive(Default)]
enum Mode {
    #[default]
    Timing,
    Counting(Reader),
    Marking,
}

impl Meter {
    /// A meter that takes the time.
    pub fn timing() -> Meter {
        Meter::default()
    }

    /// A meter that reads the kernel's counters instead.
    pub fn counting() -> Result<Meter> {
        Ok(Meter {
            mode: Mode::Counting(Reader::new()?),
            ..Meter::default()
        })
    }

    /// A meter that passes through [`mark_begin`] and [`mark_end`] instead.
    pub fn marking() -> Meter {
        Meter {
            mode: Mode::Marking,
            ..Meter::default()
        }
    }

    /// Does something that counts.
    pub fn time<T>(&mut self, deed: impl FnOnce() -> T) -> T {
        match &self.mode {
            Mode::Timing => {
                let start = ticks();
                let result = deed();
                self.add(ticks() - start);
                result
            }
            Mode::Counting(reader) => {
                let (result, counts) = reader.during(deed);
                self.counts.add(&counts);
                result
            }
            Mode::Marking => {
                mark_begin();
                let result = deed();
                mark_end();
                result
            }
        }
    }

    /// A meter for a part that a child does: its time or its marks are the child's, what the kernel counts is left out.
    pub fn of_child(&self) -> Meter {
        match self.mode {
            Mode::Marking => Meter::marking(),
            Mode::Timing | Mode::Counting(_) => Meter::timing(),
        }
    }

    /// Adds time that was taken elsewhere, by a child for example.
    pub fn add(&mut self, ticks: u64) {
        self.ticks += ticks;
        self.longest = self.longest.max(ticks);
    }

    /// Takes away time that is not to count.
    pub fn deduct(&mut self, ticks: u64) {
        self.ticks = self.ticks.saturating_sub(ticks);
    }

    /// All the time so far.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The longest piece that was added.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
