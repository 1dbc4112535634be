//! The rows on several processors: how much more gets done than by one, and what was waited for.

use crate::figures::{Figure, Figures};
use crate::table::number;
use std::fmt::Write;

/// The rows of rates, `NAME/PROCESSES`, with the rate of one process as the measure; nothing if there are none.
pub fn render(figures: &Figures) -> String {
    let rates: Vec<&Figure> = figures
        .all
        .iter()
        .filter(|figure| figure.unit == "per_s")
        .collect();
    if rates.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "{:<22}{:>14}{:>10}{:>8}{:>12}  {}\n",
        "processes at once",
        "per second",
        "speed-up",
        "TLBIs",
        "lock waits",
        "of which, for 1,000 operations"
    );
    for figure in rates {
        let alone = figure
            .row
            .split_once('/')
            .and_then(|(stem, _)| figures.median(&format!("{stem}/1")));
        let speedup = alone.map_or("-".to_owned(), |alone| format!("{:.2}x", figure.median / alone));
        let waits = waits(figure);
        let sum = waits.iter().fold(0.0, |sum, (_, count)| sum + count);
        writeln!(
            text,
            "{:<22}{:>14}{speedup:>10}{:>8.2}{sum:>12.2}  {}",
            figure.row,
            number(figure.median.round()),
            figure.count("tlbi_total").unwrap_or_default(),
            most(waits)
        )
        .expect("writing to a string");
    }
    text + "TLBIs and lock waits are for each operation: a fork with its child's end, or a fault.\n"
}

/// How often each lock was waited for, for each operation.
fn waits(figure: &Figure) -> Vec<(&str, f64)> {
    let counts = figure.counts.split(',').filter_map(|count| {
        let (name, value) = count.split_once('=')?;
        let lock = name.strip_prefix("lock_").filter(|lock| *lock != "spins")?;
        Some((lock, value.parse().ok()?))
    });
    counts.collect()
}

/// The locks that were waited for most.
fn most(mut waits: Vec<(&str, f64)>) -> String {
    waits.sort_by(|one, other| other.1.total_cmp(&one.1));
    let words = waits
        .iter()
        .take(3)
        .map(|(lock, count)| format!("{lock} {:.0}", count * 1000.0));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_compared_with_one_process() {
        let lines = "parallel_fork/1\tper_s\t1000\t1\t1\t1\t\n\
                     parallel_fork/4\tper_s\t3500\t1\t1\t1\t\
                     lock_frames=0.01,lock_run-queue=0.25,lock_spins=9.00,tlbi_total=1.00\n\
                     fork/0\tns\t5\t1\t1\t1\t\n";
        let text = render(&Figures::parse(lines).expect("figures"));
        let line = text.lines().nth(2).expect("a row");
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..5], ["parallel_fork/4", "3,500", "3.50x", "1.00", "0.26"]);
        assert!(line.ends_with("run-queue 250, frames 10"));
        assert!(!text.contains("fork/0"));
        assert_eq!(render(&Figures::default()), "");
    }
}
