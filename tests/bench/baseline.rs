//! Whether a run is worse than the one that was committed.

use crate::figures::{Figure, Figures};

/// How much more a row may cost before it counts as worse.
const TOLERANCE: f64 = 0.03;
/// And by how much at least: figures of a few instructions move by one when the compiler turns a loop.
const LEAST: f64 = 1.0;

/// A row that became worse.
#[derive(Debug, PartialEq)]
pub struct Regression {
    /// Its name.
    pub row: String,
    /// The median of the baseline.
    pub before: f64,
    /// The median now; none if the row is missing.
    pub now: Option<f64>,
}

impl std::fmt::Display for Regression {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Regression { row, before, now } = self;
        match now {
            Some(now) => {
                let percent = (now / before - 1.0) * 100.0;
                write!(
                    formatter,
                    "{row}: {now:.0}, {percent:.1} % above the baseline's {before:.0}"
                )
            }
            None => write!(formatter, "{row}: not measured; the baseline has {before:.0}"),
        }
    }
}

/// Rates depend on the host, and worst cases on chance; only medians of times and numbers are compared.
fn is_compared(figure: &&Figure) -> bool {
    figure.unit != "per_s" && figure.unit != "ns_worst"
}

/// The rows of the baseline that cost more now. A row that is missing is worse only if all rows were to be measured.
pub fn regressions(baseline: &Figures, now: &Figures, is_whole: bool) -> Vec<Regression> {
    let worse = |old: &Figure| {
        let new = now.get(&old.row).map(|figure| figure.median);
        let is_worse = match new {
            Some(new) => new > (old.median * (1.0 + TOLERANCE)).max(old.median + LEAST),
            None => is_whole,
        };
        is_worse.then(|| Regression {
            row: old.row.clone(),
            before: old.median,
            now: new,
        })
    };
    baseline
        .all
        .iter()
        .filter(is_compared)
        .filter_map(worse)
        .collect()
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
            ("d", "per_s", 9.0),
            ("e", "ns_worst", 9.0),
        ]);
        let new = figures(&[
            ("a", "ns", 1030.0),
            ("b", "ns", 1031.0),
            ("c", "ns", 4.9),
            ("d", "per_s", 99.0),
            ("e", "ns_worst", 99.0),
        ]);
        let worse = regressions(&old, &new, true);
        assert_eq!(worse.len(), 1);
        assert_eq!(worse[0].to_string(), "b: 1031, 3.1 % above the baseline's 1000");
    }

    #[test]
    fn a_missing_row_is_worse_in_a_whole_run_only() {
        let old = figures(&[("a", "ns", 1000.0)]);
        assert_eq!(regressions(&old, &Figures::default(), true).len(), 1);
        assert!(regressions(&old, &Figures::default(), false).is_empty());
    }

    #[test]
    fn zero_may_not_become_many() {
        let old = figures(&[("faults", "count", 0.0)]);
        assert_eq!(
            regressions(&old, &figures(&[("faults", "count", 2.0)]), true).len(),
            1
        );
    }
}
