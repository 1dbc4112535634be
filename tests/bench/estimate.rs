//! What instructions do not show: TLB invalidations, barriers and memory moved, from the kernel's own counters; and from
//! them a guess at the time on a real Cortex-A72.

use crate::figures::{Figure, Figures};
use crate::table::number;
use std::fmt::Write;

/// The assumptions of the guess. None was measured by this project, which has never seen a board.
mod assumed {
    /// Cycles in a nanosecond: the Raspberry Pi 4's 1.5 GHz.
    pub const CLOCK: f64 = 1.5;
    /// Instructions in a cycle. The core dispatches three at most (Cortex-A72 Software Optimization Guide, 2.1); code that
    /// branches and follows pointers as a kernel's does is assumed to come to one.
    pub const PER_CYCLE: f64 = 1.0;
    /// Nanoseconds that a TLBI adds to the DSB behind it, which waits for the other three cores. No published figure was
    /// found for this core: assumed.
    pub const INVALIDATE: f64 = 60.0;
    /// Nanoseconds of a DSB whose stores are in the caches already. No published figure either: assumed.
    pub const BARRIER: f64 = 20.0;
    /// Bytes copied in a nanosecond, where neither side is cached: STREAM's Copy on a Raspberry Pi 4 moves 5.53 GB/s, read
    /// and written bytes together (sci-pi.org.uk/bench/stream.html).
    pub const COPY: f64 = 5.53 / 2.0;
    /// Bytes zeroed in a nanosecond: all of that as writes, because DC ZVA reads nothing.
    pub const ZERO: f64 = 5.53;
}

/// What one operation of a row does.
struct Deeds {
    invalidations: f64,
    barriers: f64,
    copied: f64,
    zeroed: f64,
    /// Copied between the kernel and the program: small, and in the caches.
    user: f64,
}

impl Deeds {
    /// Of a row of which the kernel counted something.
    fn of(figure: &Figure) -> Option<Deeds> {
        let count = |name| figure.count(name).unwrap_or_default();
        let deeds = Deeds {
            invalidations: count("tlbi_total"),
            barriers: count("dsb_total"),
            copied: count("bytes_copied"),
            zeroed: count("bytes_zeroed"),
            user: count("bytes_user"),
        };
        (figure.unit == "ns" && !figure.counts.is_empty()).then_some(deeds)
    }

    fn nanoseconds(&self, instructions: f64) -> f64 {
        instructions / assumed::PER_CYCLE / assumed::CLOCK
            + self.invalidations * assumed::INVALIDATE
            + self.barriers * assumed::BARRIER
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
        "{:<22}{:>12}{:>11}{:>11}{:>12}{:>11}{:>9}{:>15}\n",
        "for each operation", "instructions", "TLBIs", "DSBs", "copied", "zeroed", "user", "estimate"
    );
    for figure in &figures.all {
        if let Some(deeds) = Deeds::of(figure) {
            let bytes = |count: f64| number(count.round());
            writeln!(
                text,
                "{:<22}{:>12}{:>11.2}{:>11.2}{:>12}{:>11}{:>9}{:>12} ns",
                figure.row,
                number(figure.median),
                deeds.invalidations,
                deeds.barriers,
                bytes(deeds.copied),
                bytes(deeds.zeroed),
                bytes(deeds.user),
                number(deeds.nanoseconds(figure.median).round())
            )
            .expect("writing to a string");
        }
    }
    text + &assumptions()
}

fn assumptions() -> String {
    format!(
        "Bytes copied and zeroed: pages and tables; user: between the kernel and the program. The last column is an estimate\n\
         for a Cortex-A72 at {} GHz, not a measurement. It assumes {} instruction a cycle, {} ns for a TLBI and {} ns for a\n\
         DSB, pages copied at {:.2} and zeroed at {:.2} bytes a nanosecond, nothing of them in a cache\n\
         (tests/bench/estimate.rs says where that is from).\n",
        assumed::CLOCK,
        assumed::PER_CYCLE,
        assumed::INVALIDATE,
        assumed::BARRIER,
        assumed::COPY,
        assumed::ZERO
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_adds_up() {
        let line = "copy\tns\t1500\t1\t1\t1\tbytes_copied=4096.00,dsb_total=3.00,tlbi_total=1.00\n\
                    free\tns\t9\t1\t1\t1\t\n";
        let figures = Figures::parse(line).expect("figures");
        let text = render(&figures);
        let words: Vec<_> = text.lines().nth(1).expect("a row").split_whitespace().collect();
        // 1500 / 1.5 + 60 + 3 * 20 + 4096 / 2.765
        assert_eq!(
            words,
            ["copy", "1,500", "1.00", "3.00", "4,096", "0", "0", "2,601", "ns"]
        );
        assert!(!text.contains("free"));
    }
}
