//! Several runs of the same: how far they lie apart, and one run in their middle.

use crate::figures::{Figure, Figures};
use crate::table::number;
use std::fmt::Write;

/// By how much of the median of all runs a single one may be off.
const ALLOWED: f64 = 0.02;

/// The medians of one row in each run.
struct Row {
    name: String,
    medians: Vec<f64>,
}

impl Row {
    /// The rows of the first run, with what the others have of them.
    fn of(runs: &[Figures]) -> Vec<Row> {
        let first = runs.first().map_or(&[][..], |run| run.all.as_slice());
        let row = |figure: &Figure| Row {
            name: figure.row.clone(),
            medians: runs.iter().filter_map(|run| run.median(&figure.row)).collect(),
        };
        first.iter().map(row).collect()
    }

    /// The median of the medians.
    fn middle(&self) -> f64 {
        let mut medians = self.medians.clone();
        medians.sort_by(f64::total_cmp);
        medians.get(medians.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The part of it by which the farthest run is off; infinite if a run lacks the row.
    fn deviation(&self, runs: usize) -> f64 {
        let middle = self.middle();
        if self.medians.len() < runs {
            return f64::INFINITY;
        }
        let farthest = self
            .medians
            .iter()
            .fold(0.0, |most: f64, one| most.max((one - middle).abs()));
        if farthest == 0.0 { 0.0 } else { farthest / middle }
    }
}

/// The runs as one: of each row the median of its medians, the least and the most of all.
pub fn middle(runs: &[Figures]) -> Figures {
    let mut middle = runs.first().cloned().unwrap_or_default();
    for (figure, row) in middle.all.iter_mut().zip(Row::of(runs)) {
        figure.median = row.middle();
        let same = runs.iter().filter_map(|run| run.get(&row.name));
        for other in same {
            figure.least = figure.least.min(other.least);
            figure.most = figure.most.max(other.most);
        }
    }
    middle.failed = runs.iter().flat_map(|run| run.failed.clone()).collect();
    middle
}

/// The medians of each run side by side.
pub fn render(runs: &[Figures]) -> String {
    let mut text = format!("{:<24}", "row");
    for run in 1..=runs.len() {
        write!(text, "{:>14}", format!("run {run}")).expect("writing to a string");
    }
    text += &format!("{:>14}{:>11}\n", "median", "deviation");
    for row in Row::of(runs) {
        write!(text, "{:<24}", row.name).expect("writing to a string");
        for median in row.medians.iter().chain([&row.middle()]) {
            write!(text, "{:>14}", number(*median)).expect("writing to a string");
        }
        let percent = row.deviation(runs.len()) * 100.0;
        writeln!(text, "{percent:>9.2} %").expect("writing to a string");
    }
    text
}

/// The rows of which a run is off by more than is allowed.
pub fn unsteady(runs: &[Figures]) -> Vec<String> {
    let rows = Row::of(runs)
        .into_iter()
        .map(|row| (row.deviation(runs.len()), row.name));
    rows.filter(|(deviation, _)| *deviation > ALLOWED)
        .map(|(deviation, name)| {
            format!(
                "{name}: a run is {:.1} % off the median of all",
                deviation * 100.0
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: &[(&str, f64)]) -> Figures {
        let line = |(row, median): &(&str, f64)| format!("{row}\tns\t{median}\t{median}\t{median}\t1\t\n");
        Figures::parse(&rows.iter().map(line).collect::<String>()).expect("figures")
    }

    #[test]
    fn more_than_two_percent_is_unsteady() {
        let runs = [
            run(&[("a", 100.0), ("b", 100.0), ("zero", 0.0)]),
            run(&[("a", 102.0), ("b", 103.0), ("zero", 0.0)]),
            run(&[("a", 100.0), ("b", 100.0), ("zero", 0.0)]),
        ];
        assert_eq!(unsteady(&runs), ["b: a run is 3.0 % off the median of all"]);
        assert!(
            render(&runs)
                .lines()
                .any(|line| line.starts_with("a ") && line.ends_with("2.00 %"))
        );
    }

    #[test]
    fn a_run_without_a_row_is_unsteady() {
        assert_eq!(unsteady(&[run(&[("a", 1.0)]), run(&[])]).len(), 1);
    }

    #[test]
    fn the_middle_holds_all() {
        let middle = middle(&[run(&[("a", 3.0)]), run(&[("a", 1.0)]), run(&[("a", 2.0)])]);
        let a = middle.get("a").expect("a row");
        assert_eq!((a.least, a.median, a.most), (1.0, 2.0, 3.0));
    }
}
