//! The rows `latency/NAME`: how late a sleeper is beside long calls, by the program of the scene `latency.calls`.

use crate::figures::{Figure, Figures};
use crate::machine::Machine;
use crate::table::number;
use ::tests::latency::{self, LIMIT, Report};
use ::tests::{Kernel, Stage};
use anyhow::{Result, ensure};
use std::fmt::Write;
use std::time::Duration;

/// The row that stands for all, and what the rows' names begin with.
const STEM: &str = "latency";
/// How long the boot may take on a busy machine.
const SITTING: Duration = Duration::from_secs(300);

/// The name that the program knows the row by; empty for all of them, none for other words.
fn name(word: &str) -> Option<&str> {
    let name = word.strip_prefix(STEM)?;
    if name.is_empty() {
        Some(name)
    } else {
        name.strip_prefix('/')
    }
}

/// The words of a command line that are not of these rows; none if only these rows are asked for.
pub fn others(words: &[String]) -> Option<Vec<String>> {
    let others: Vec<String> = words
        .iter()
        .filter(|word| name(word).is_none())
        .cloned()
        .collect();
    let is_asked_for = words.len() == others.len() || others.iter().any(|word| !word.contains('='));
    is_asked_for.then_some(others)
}

/// The rows that the words ask the program for, none for all; nothing if they do not ask for these rows.
fn chosen(words: &[String]) -> Option<Vec<&str>> {
    let names: Vec<&str> = words.iter().filter_map(|word| name(word)).collect();
    match names.as_slice() {
        [] if !words.is_empty() => None,
        names if names.contains(&"") => Some(Vec::new()),
        _ => Some(names),
    }
}

/// Boots the program on a board of its own, if the words ask for it.
pub fn run(machine: &Machine, words: &[String]) -> Result<Option<Report>> {
    let Some(rows) = chosen(words) else {
        return Ok(None);
    };
    let mut stage = Stage::alone("bench.latency", Kernel::Holstein(machine.kernel.clone()), SITTING)?;
    let report = latency::measure(&mut stage, &machine.append, &rows)?;
    let has_all = !report.all.is_empty() && report.all.len() >= rows.len();
    ensure!(has_all, "not all of these rows were measured: {}", rows.join(" "));
    Ok(Some(report))
}

/// As figures of the benchmark: the worst of one run.
pub fn figures(report: &Report) -> impl Iterator<Item = Figure> {
    report.all.iter().map(|late| Figure {
        row: format!("{STEM}/{}", late.row),
        unit: "us_worst".to_owned(),
        median: late.microseconds as f64,
        least: late.microseconds as f64,
        most: late.microseconds as f64,
        repeats: 1,
        counts: String::new(),
    })
}

/// The figures of the benchmark itself, which have another table.
pub fn without(all: &Figures) -> Figures {
    let mut without = all.clone();
    without.all.retain(|figure| name(&figure.row).is_none());
    without
}

/// The table of these rows.
pub fn render(report: &Report) -> String {
    let mut text = format!(
        "{:<34}{:>8}{:>8}\n",
        "how late a sleeper is beside", "us", "limit"
    );
    for late in &report.all {
        let (row, us) = (format!("{STEM}/{}", late.row), number(late.microseconds as f64));
        let verdict = match (late.is_too_late(), late.is_mended) {
            (true, _) => "  ABOVE",
            (false, true) => "",
            (false, false) => "  to be mended: not judged",
        };
        writeln!(text, "{row:<34}{us:>8}{LIMIT:>8}{verdict}").expect("writing to a string");
    }
    text + "1 us is 1,000 instructions of one processor.\n"
}

/// The rows above the limit, and what else did not go well.
pub fn failures(report: &Report) -> Vec<String> {
    let late = report.all.iter().filter(|late| late.is_too_late());
    let above = late.map(|late| format!("{STEM}/{}: {} us > {LIMIT}", late.row, late.microseconds));
    above.chain(report.failed.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::tests::latency::Lateness;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_choose_rows() {
        assert_eq!(chosen(&[]), Some(Vec::new()));
        assert_eq!(chosen(&words("null_call sizes=0")), None);
        assert_eq!(chosen(&words("latency/a latency/b")), Some(vec!["a", "b"]));
        assert_eq!(chosen(&words("fork latency latency/b")), Some(Vec::new()));
        assert_eq!(others(&[]), Some(Vec::new()));
        assert_eq!(others(&words("sizes=0")), Some(words("sizes=0")));
        assert_eq!(others(&words("latency repeats=3")), None);
        assert_eq!(
            others(&words("latency fork sizes=0")),
            Some(words("fork sizes=0"))
        );
    }

    #[test]
    fn what_is_above_the_limit_fails() {
        let late = |row: &str, microseconds, is_mended| Lateness {
            row: row.to_owned(),
            microseconds,
            is_mended,
        };
        let report = Report {
            all: vec![late("a", 500, true), late("b", 501, true), late("c", 9000, false)],
            failed: vec!["a check".to_owned()],
        };
        assert_eq!(failures(&report), ["latency/b: 501 us > 500", "a check"]);
        let text = render(&report);
        assert_eq!(text.lines().filter(|line| line.ends_with("ABOVE")).count(), 1);
        let last = figures(&report).last().expect("a figure");
        assert_eq!((last.row.as_str(), last.median), ("latency/c", 9000.0));
    }
}
