//! The meter that rows time their deeds with.

use super::counts::{Counts, Reader};
use super::processor::ProcessorCounts;
use crate::runtime::Result;
use crate::runtime::measure::{mark_begin, mark_end, ticks};

/// Adds up the time of the parts that count; or, in a repeat that is not timed, what the kernel or the processor counted during them; or
/// marks where they begin and end, for who watches the machine from outside. They exclude each other, because reading counters is work
/// for the kernel.
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
    /// What reading the processor's counters adds to them.
    Processor(ProcessorCounts),
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

    /// A meter that reads the processor's counters instead. The caller stays on one processor.
    pub fn of_processor() -> Meter {
        let own = (0..8).map(|_| ProcessorCounts::read().so_far()).min();
        Meter {
            mode: Mode::Processor(own.unwrap_or_default()),
            ..Meter::default()
        }
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
            Mode::Processor(own) => {
                let start = ProcessorCounts::read();
                let result = deed();
                self.counts.add(&start.so_far().without(*own).into());
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
            Mode::Timing | Mode::Counting(_) | Mode::Processor(_) => Meter::timing(),
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
