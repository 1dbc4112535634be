//! What instructions do not show: TLB invalidations and memory moved, from the kernel's own counters; and from them a
//! guess at the time on a real Cortex-A72.

use crate::figures::{Figure, Figures};
use crate::table::number;
use std::fmt::Write;

const PAGE: f64 = 4096.0;

/// The assumptions of the guess. None was measured on a board by this project.
mod assumed {
    /// Cycles in a nanosecond: the Raspberry Pi 4's 1.5 GHz.
    pub const CLOCK: f64 = 1.5;
    /// Instructions of kernel code in a cycle.
    pub const PER_CYCLE: f64 = 1.0;
    /// Nanoseconds of a TLBI to all cores with the DSB that waits for it.
    pub const INVALIDATE: f64 = 100.0;
    /// Bytes in a nanosecond that are copied, or zeroed, beyond what the instructions take: memory that is not cached.
    pub const COPY: f64 = 4.0;
    pub const ZERO: f64 = 8.0;
}

/// What one operation of a row does.
struct Deeds {
    invalidations: f64,
    copied: f64,
    zeroed: f64,
}

impl Deeds {
    fn of(figure: &Figure) -> Option<Deeds> {
        let count = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| figure.count(name))
                .fold(0.0, |sum, count| sum + count)
        };
        let deeds = Deeds {
            invalidations: count(&["tlbi_asid", "tlbi_address"]),
            copied: count(&["cow_copied", "cow_tables_copied"]) * PAGE,
            zeroed: count(&["zero_filled"]) * PAGE,
        };
        (figure.unit == "ns" && !figure.counts.is_empty()).then_some(deeds)
    }

    fn nanoseconds(&self, instructions: f64) -> f64 {
        instructions / assumed::PER_CYCLE / assumed::CLOCK
            + self.invalidations * assumed::INVALIDATE
            + self.copied / assumed::COPY
            + self.zeroed / assumed::ZERO
    }
}

/// The rows of which the kernel counts something, as a table with its assumptions below; nothing if there are none.
pub fn render(figures: &Figures) -> String {
    if figures.all.iter().all(|figure| Deeds::of(figure).is_none()) {
        return String::new();
    }
    let mut text = format!(
        "{:<22}{:>12}{:>8}{:>10}{:>10}{:>14}\n",
        "for each operation", "instructions", "TLBIs", "copied", "zeroed", "estimate"
    );
    for figure in &figures.all {
        if let Some(deeds) = Deeds::of(figure) {
            writeln!(
                text,
                "{:<22}{:>12}{:>8.2}{:>10}{:>10}{:>11} ns",
                figure.row,
                number(figure.median),
                deeds.invalidations,
                number(deeds.copied.round()),
                number(deeds.zeroed.round()),
                number(deeds.nanoseconds(figure.median).round())
            )
            .expect("writing to a string");
        }
    }
    writeln!(
        text,
        "The last column is an estimate for a Cortex-A72 at {} GHz, not a measurement: {} instruction a cycle, {} ns for a\n\
         TLBI with its DSB, memory copied at {} and zeroed at {} bytes a nanosecond.",
        assumed::CLOCK,
        assumed::PER_CYCLE,
        assumed::INVALIDATE,
        assumed::COPY,
        assumed::ZERO
    )
    .expect("writing to a string");
    text
}

/// The rows on several processors with what they waited for: how often for each lock, and how many turns in all.
pub fn contention(figures: &Figures) -> String {
    let mut text = String::new();
    for figure in figures.all.iter().filter(|figure| figure.unit == "per_s") {
        let is_shown = |count: &&str| count.starts_with("lock_") || count.starts_with("tlbi_");
        let counts: Vec<&str> = figure.counts.split(',').filter(is_shown).collect();
        writeln!(text, "{:<22}for each: {}", figure.row, counts.join(" ")).expect("writing to a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_adds_up() {
        let line = "copy\tns\t1500\t1\t1\t1\tcow_copied=1.00,tlbi_address=1.00\nfree\tns\t9\t1\t1\t1\t\n";
        let figures = Figures::parse(line).expect("figures");
        let text = render(&figures);
        let words: Vec<_> = text.lines().nth(1).expect("a row").split_whitespace().collect();
        assert_eq!(words, ["copy", "1,500", "1.00", "4,096", "0", "2,124", "ns"]);
        assert!(!text.contains("free"));
    }
}
