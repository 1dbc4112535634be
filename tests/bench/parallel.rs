//! The rows on several processors: how much more gets done than by one, and what was waited for. Where instructions are counted these
//! rows are measured on a machine of their own.

use crate::figures::{Figure, Figures};
use crate::machine::{Clock, Machine};
use crate::table::number;
use anyhow::Result;
use std::fmt::Write;

/// What the names of these rows begin with.
const STEM: &str = "parallel_";
/// All of them.
const ROWS: [&str; 9] = [
    "parallel_fork",
    "parallel_fault",
    "parallel_open",
    "parallel_stat",
    "parallel_make",
    "parallel_pipe",
    "parallel_thread_fault",
    "parallel_thread_map",
    "parallel_thread_look",
];
/// Processors of the machine that they are measured on.
const CPUS: u32 = 4;

fn is_parallel(row: &str) -> bool {
    row.starts_with(STEM)
}

/// Runs the machine for what the words ask for: all but these rows as it is, these rows on several processors.
pub fn run(machine: &Machine, words: &[String]) -> Result<Figures> {
    if machine.clock == Clock::Wall || machine.cpus > 1 {
        return machine.run(words);
    }
    let (settings, names): (Vec<String>, Vec<String>) = words
        .iter()
        .cloned()
        .partition(|word| word.contains('=') || word == "all");
    let (mut ours, others): (Vec<String>, Vec<String>) = names.into_iter().partition(|row| is_parallel(row));
    let has_all = ours.is_empty() && others.is_empty();
    let mut figures = Figures::default();
    if has_all || !others.is_empty() {
        figures = machine.run(&[others, settings.clone()].concat())?;
    }
    if has_all {
        ours = ROWS.map(str::to_owned).to_vec();
    }
    if !ours.is_empty() {
        let several = Machine {
            cpus: CPUS,
            ..machine.clone()
        };
        figures.add(several.run(&[ours, settings].concat())?);
    }
    Ok(figures)
}

/// The rows of one operation of several at once, `NAME/PROCESSORS`, beside that of one; nothing if there are none.
pub fn render(figures: &Figures, clock: Clock) -> String {
    let all = figures.all.iter();
    let rows: Vec<&Figure> = all.filter(|figure| is_parallel(&figure.row)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "{:<22}{:>14}{:>10}{:>8}{:>12}  {}\n",
        "several at once",
        "an operation",
        match clock {
            Clock::Wall => "speed-up",
            Clock::Instructions => "growth",
        },
        "TLBIs",
        "lock waits",
        "of which, for 1,000 operations"
    );
    for figure in rows {
        let alone = figure
            .row
            .split_once('/')
            .and_then(|(stem, _)| figures.median(&format!("{stem}/1")));
        let compared = alone.map_or("-".to_owned(), |alone| match clock {
            Clock::Wall => format!("{:.2}x", alone / figure.median),
            Clock::Instructions => format!("{:.2}x", figure.median / alone),
        });
        let waits = waits(figure);
        let sum = waits.iter().fold(0.0, |sum, (_, count)| sum + count);
        writeln!(
            text,
            "{:<22}{:>14}{compared:>10}{:>8.2}{sum:>12.2}  {}",
            figure.row,
            number(figure.median.round()),
            figure.count("tlbi_total").unwrap_or_default(),
            most(waits)
        )
        .expect("writing to a string");
    }
    text + "The time of one operation among those of all; TLBIs and lock waits for each. Where instructions are counted the\n\
            processors take turns on one clock: flat is 1.00x. A waiter that spins is counted, one that stops its processor is not.\n"
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
    fn several_are_compared_with_one() {
        let lines = "parallel_fork/1\tns\t1000\t1\t1\t1\t\n\
                     parallel_fork/4\tns\t400\t1\t1\t1\t\
                     lock_frames=0.01,lock_run-queue=0.25,lock_spins=9.00,tlbi_total=1.00\n\
                     fork/0\tns\t5\t1\t1\t1\t\n";
        let figures = Figures::parse(lines).expect("figures");
        let text = render(&figures, Clock::Wall);
        let line = text.lines().nth(2).expect("a row");
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..5], ["parallel_fork/4", "400", "2.50x", "1.00", "0.26"]);
        assert!(line.ends_with("run-queue 250, frames 10"));
        assert!(!text.contains("fork/0"));
        assert!(render(&figures, Clock::Instructions).contains("0.40x"));
        assert_eq!(render(&Figures::default(), Clock::Wall), "");
    }
}
