//! Whether a run is worse than the one that was committed, or better.

use crate::figures::{Figure, Figures};

/// How much more a row may cost before it counts as worse, and less before it counts as better.
const TOLERANCE: f64 = 0.03;
/// And by how much at least: figures of a few instructions move by one when the compiler turns a loop.
const LEAST: f64 = 1.0;

/// A row that changed by more than the tolerance.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub row: String,
    /// The median of the baseline.
    pub before: f64,
    /// The median now; none if the row is missing.
    pub now: Option<f64>,
}

impl Change {
    fn of(old: &Figure, now: &Figures) -> Change {
        Change {
            row: old.row.clone(),
            before: old.median,
            now: now.get(&old.row).map(|figure| figure.median),
        }
    }

    /// How much more it is now, beyond the tolerance in the same direction; 0 within it. A row that is missing is not judged.
    fn excess(&self) -> f64 {
        let difference = self.now.map_or(0.0, |now| now - self.before);
        if difference.abs() > (self.before * TOLERANCE).max(LEAST) {
            difference
        } else {
            0.0
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Change { row, before, now } = self;
        let Some(now) = now else {
            return write!(formatter, "{row}: not measured; the baseline has {before:.0}");
        };
        let percent = (now / before - 1.0) * 100.0;
        let side = if percent > 0.0 { "above" } else { "below" };
        write!(
            formatter,
            "{row}: {now:.0}, {:.1} % {side} the baseline's {before:.0}",
            percent.abs()
        )
    }
}

/// Worst cases depend on chance; only medians of times and numbers are compared.
fn is_compared(figure: &&Figure) -> bool {
    !figure.unit.ends_with("_worst")
}

fn changes(baseline: &Figures, now: &Figures) -> impl Iterator<Item = Change> {
    let compared = baseline.all.iter().filter(is_compared);
    compared.map(|old| Change::of(old, now))
}

/// The rows of the baseline that cost more now. A row that is missing is worse only if all rows were to be measured.
pub fn worse(baseline: &Figures, now: &Figures, is_whole: bool) -> Vec<Change> {
    changes(baseline, now)
        .filter(|change| change.excess() > 0.0 || (is_whole && change.now.is_none()))
        .collect()
}

/// The rows of the baseline that cost less now.
pub fn better(baseline: &Figures, now: &Figures) -> Vec<Change> {
    changes(baseline, now)
        .filter(|change| change.excess() < 0.0)
        .collect()
}

/// What to say of both, at the end of a run.
pub fn verdict(worse: &[Change], better: &[Change]) -> String {
    let mut text = String::new();
    for (word, changes) in [("better", better), ("worse", worse)] {
        changes.iter().for_each(|row| text += &format!("{word}: {row}\n"));
    }
    if !better.is_empty() {
        text += "Better by more than 3 %: BASELINE=update keeps it.\n";
    }
    match worse.len() {
        0 => {}
        1 => text += "FAILED: a row is worse than the baseline by more than 3 %.\n",
        count => text += &format!("FAILED: {count} rows are worse than the baseline by more than 3 %.\n"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rows: &[(&str, &str, f64)]) -> Figures {
        let mut text = String::new();
        for (row, unit, median) in rows {
            text += &format!("{row}\t{unit}\t{median}\t0\t0\t1\t\n");
        }
        Figures::parse(&text).expect("figures")
    }

    #[test]
    fn more_than_three_percent_is_worse() {
        let old = figures(&[
            ("a", "ns", 1000.0),
            ("b", "ns", 1000.0),
            ("c", "ns", 4.0),
            ("d", "us_worst", 9.0),
            ("e", "ns_worst", 9.0),
        ]);
        let new = figures(&[
            ("a", "ns", 1030.0),
            ("b", "ns", 1031.0),
            ("c", "ns", 4.9),
            ("d", "us_worst", 99.0),
            ("e", "ns_worst", 99.0),
        ]);
        let worse = worse(&old, &new, true);
        assert_eq!(worse.len(), 1);
        assert_eq!(worse[0].to_string(), "b: 1031, 3.1 % above the baseline's 1000");
    }

    #[test]
    fn a_missing_row_is_worse_in_a_whole_run_only() {
        let old = figures(&[("a", "ns", 1000.0)]);
        assert_eq!(worse(&old, &Figures::default(), true).len(), 1);
        assert!(worse(&old, &Figures::default(), false).is_empty());
    }

    #[test]
    fn zero_may_not_become_many() {
        let old = figures(&[("faults", "count", 0.0)]);
        assert_eq!(worse(&old, &figures(&[("faults", "count", 2.0)]), true).len(), 1);
    }

    #[test]
    fn more_than_three_percent_less_is_better() {
        let old = figures(&[("a", "ns", 1000.0), ("b", "ns", 1000.0), ("c", "ns", 9.0)]);
        let new = figures(&[("a", "ns", 970.0), ("b", "ns", 960.0), ("c", "ns", 8.5)]);
        let better = better(&old, &new);
        assert_eq!(better.len(), 1);
        assert_eq!(better[0].to_string(), "b: 960, 4.0 % below the baseline's 1000");
        assert!(verdict(&[], &better).ends_with("BASELINE=update keeps it.\n"));
        assert!(verdict(&better, &[]).contains("FAILED: a row is worse"));
        assert_eq!(verdict(&[], &[]), "");
    }
}
