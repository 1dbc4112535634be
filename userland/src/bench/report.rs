//! What the benchmark prints: one line for each figure, fields separated by tabs,
//! `bench ROW UNIT MEDIAN LEAST MOST REPEATS COUNTS`; `bench-failed ROW WHY`; at the end `bench-end ROWS FAILED`. Where deeds
//! are only marked, `bench-marked ROW OPERATIONS` comes before each, and standard input is read up to the end of a line.

use alloc::vec::Vec;

use super::meter::Meter;
use super::settings::Settings;
use crate::runtime::measure::{Deed, mark_deed, nanoseconds};
use crate::runtime::memory::PAGE;
use crate::runtime::time::TimeSpec;
use crate::runtime::{Result, file, output, time};

/// A nanosecond of the virtual counter, which is an instruction when QEMU counts them.
pub const TIME: &str = "ns";
/// The same, where the worst was taken and chance has a part in it.
pub const WORST: &str = "ns_worst";
/// A plain number.
pub const NUMBER: &str = "count";
/// Bytes of memory.
pub const BYTES: &str = "bytes";

/// Prints figures, and counts them.
#[derive(Debug, Default)]
pub struct Report {
    figures: usize,
    failures: usize,
    is_marking: bool,
    counts_lines: bool,
    counts_cycles: bool,
}

impl Report {
    /// With `is_marking` nothing is measured: each deed is done once between marks.
    pub fn new(settings: &Settings) -> Report {
        Report {
            is_marking: settings.is_marking,
            counts_lines: settings.counts_lines,
            counts_cycles: settings.counts_cycles,
            ..Report::default()
        }
    }

    /// Repeats a deed and reports the median time of one operation. Once before, unmeasured, to make everything warm, and
    /// to see how long it takes ([`repeats_of`]); and once after, for the kernel's counters,
    /// and once for the processor's.
    pub fn measure(
        &mut self,
        name: &str,
        operations: u64,
        repeats: usize,
        mut deed: impl FnMut(&mut Meter) -> Result<()>,
    ) -> Result<()> {
        let mut warming = Meter::timing();
        deed(&mut warming)?;
        if self.is_marking {
            self.announce_marks(name, operations);
            return self.mark(deed);
        }
        let repeats = repeats_of(warming.ticks(), repeats);
        let mut samples = Vec::with_capacity(repeats);
        for _ in 0..repeats {
            let mut meter = Meter::timing();
            deed(&mut meter)?;
            samples.push(hundredths(meter.ticks(), operations));
        }
        let mut meter = Meter::counting()?;
        deed(&mut meter)?;
        let mut counts = meter.counts().clone();
        if self.counts_cycles {
            let mut meter = Meter::of_processor();
            deed(&mut meter)?;
            counts.add(meter.counts());
        }
        self.add(name, TIME, &mut samples, &counts.text(operations));
        Ok(())
    }

    /// Does a deed between marks: once, or for a machine that counts lines with empty caches and then several times with what they
    /// hold.
    fn mark(&self, mut deed: impl FnMut(&mut Meter) -> Result<()>) -> Result<()> {
        if !self.counts_lines {
            return deed(&mut Meter::marking());
        }
        for state in [Deed::Cold, Deed::Warm, Deed::Warm, Deed::Warm, Deed::Warm] {
            mark_deed(state);
            deed(&mut Meter::marking())?;
        }
        mark_deed(Deed::Over);
        Ok(())
    }

    /// Whether deeds are to be done once, between marks.
    pub fn is_marking(&self) -> bool {
        self.is_marking
    }

    /// Says that the next marks are those of a row, and waits for a line from whoever watches, who may have to make ready.
    pub fn announce_marks(&mut self, name: &str, operations: u64) {
        println!("bench-marked\t{name}\t{operations}");
        // An error shows at the next line, and who gives no input wants no wait.
        let _ = output::flush();
        if self.counts_lines {
            mark_deed(Deed::Row);
        } else {
            let _ = file::read(0, &mut [0; 16]);
        }
        rest();
        self.figures += 1;
    }

    /// Reports samples, in hundredths of the unit.
    pub fn add(&mut self, name: &str, unit: &str, samples: &mut [u64], counts: &str) {
        samples.sort_unstable();
        let (Some(least), Some(most)) = (samples.first(), samples.last()) else {
            return self.fail(name, "nothing was measured");
        };
        let middle = samples[samples.len() / 2];
        println!(
            "bench\t{name}\t{unit}\t{}\t{}\t{}\t{}\t{counts}",
            Decimal(middle),
            Decimal(*least),
            Decimal(*most),
            samples.len()
        );
        self.figures += 1;
        rest();
    }

    /// Says that a row could not be measured.
    pub fn fail(&mut self, name: &str, why: impl core::fmt::Display) {
        println!("bench-failed\t{name}\t{why}");
        self.failures += 1;
        rest();
    }

    /// The last line; the program's exit status.
    pub fn finish(&self) -> i32 {
        println!("bench-end\t{}\t{}", self.figures, self.failures);
        i32::from(self.failures > 0 || self.figures == 0)
    }
}

/// How often to repeat what took so many ticks: as often as wanted, but what takes more than a tenth of a second (100
/// million instructions) no more than three times.
fn repeats_of(ticks: u64, wanted: usize) -> usize {
    const LONG: u64 = 100_000_000;
    if nanoseconds(ticks) > LONG {
        wanted.min(3)
    } else {
        wanted
    }
}

/// Time of one of several operations, in hundredths of a nanosecond.
pub fn hundredths(ticks: u64, operations: u64) -> u64 {
    nanoseconds(ticks.saturating_mul(100)) / operations.max(1)
}

/// A number of hundredths.
struct Decimal(u64);

impl core::fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(formatter, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Lets the console's interrupts pass before the next thing is timed; and who rested comes with a fresh time slice.
pub fn rest() {
    // A rest that is cut short only makes the next figure less calm.
    let _ = time::sleep(TimeSpec::from_nanoseconds(50_000_000));
}

const _: () = assert!(PAGE == 4096, "the rows are per page of 4 KiB");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_two_places() {
        assert_eq!(
            alloc::format!("{} {}", Decimal(5), Decimal(12_345)),
            "0.05 123.45"
        );
    }
}
