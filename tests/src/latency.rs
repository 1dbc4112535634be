//! How late a sleeper is beside long calls, measured by `tests/programs/latency.c`: for the scene, and for the rows of the
//! benchmark.

use crate::program;
use crate::{Clock, Kernel, Machine, Session, Stage, Virt};
use anyhow::{Context, Result};
use regex::Regex;
use std::time::Duration;

/// The program's name.
pub const PROGRAM: &str = "latency";
/// Microseconds that a sleeper may be late on ours.
pub const LIMIT: u64 = 500;
/// And on Linux, which plays it only to prove the program.
const LIMIT_OF_LINUX: u64 = 100_000;
/// How long all rows may take on a busy machine.
const STEP: Duration = Duration::from_secs(240);

/// How late the sleeper was beside one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// The row of the program.
    pub row: String,
    /// The worst, in microseconds: thousands of instructions.
    pub microseconds: u64,
    /// Whether the program holds it to the limit. What is still to be mended is only shown.
    pub is_mended: bool,
}

impl Lateness {
    /// Whether it is more than is allowed.
    pub fn is_too_late(&self) -> bool {
        self.is_mended && self.microseconds > LIMIT
    }
}

/// What the program said of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the run.
    pub all: Vec<Lateness>,
    /// The program's own checks that failed, and that it did not come to its end.
    pub failed: Vec<String>,
}

impl Report {
    /// From what the board has printed.
    pub fn parse(text: &str) -> Result<Report> {
        let line = Regex::new(r"(?m)^late (\S+) +(\d+) us, with its end +\d+ us( \(to be mended\))?$")?;
        let lateness = |found: regex::Captures| {
            Ok(Lateness {
                row: found[1].to_owned(),
                microseconds: found[2].parse().context("microseconds")?,
                is_mended: found.get(3).is_none(),
            })
        };
        let all = line.captures_iter(text).map(lateness).collect::<Result<_>>()?;
        let check = Regex::new(r"(?m)^\S+\.[ch]:\d+: .* \(errno \d+\)$")?;
        let mut failed: Vec<String> = check
            .find_iter(text)
            .map(|found| found.as_str().to_owned())
            .collect();
        if !Regex::new(&program::success(PROGRAM))?.is_match(text) {
            failed.push(format!("{PROGRAM}: not all checks passed"));
        }
        Ok(Report { all, failed })
    }
}

/// One processor whose nanoseconds are instructions.
pub fn machine(memory: &'static str) -> Machine {
    Machine::Virt(Virt {
        cpus: 1,
        clock: Clock::Instructions,
        memory,
        ..Virt::default()
    })
}

/// Boots a board that measures these rows, or all if none is named. `boot_words` go to the kernel.
pub fn boot(stage: &mut Stage, boot_words: &str, rows: &[&str]) -> Result<Session> {
    let limit = match stage.kernel {
        Kernel::Holstein(_) => LIMIT,
        Kernel::Linux(_) => LIMIT_OF_LINUX,
    };
    let arguments = format!("limit {limit} {}", rows.join(" "));
    let mut board = program::boot(stage, &machine("1G"), boot_words, PROGRAM, arguments.trim_end())?;
    board.set_step(STEP);
    Ok(board)
}

/// Measures these rows, or all if none is named, and waits for the end of the board.
pub fn measure(stage: &mut Stage, boot_words: &str, rows: &[&str]) -> Result<Report> {
    let mut board = boot(stage, boot_words, rows)?;
    let text = board.expect(&format!("^{PROGRAM}: status .*$"))?;
    board.expect_end()?;
    stage.close()?;
    Report::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "late poll_4096                     12 us, with its end      800 us
late maps                          501 us, with its end      501 us
late umount_20000                 9000 us, with its end     9001 us (to be mended)
";

    #[test]
    fn rows_are_read_and_judged() {
        let report = Report::parse(&format!("{TEXT}latency: 7 passed, 0 failed\n")).expect("a report");
        assert!(report.failed.is_empty());
        let late: Vec<_> = report
            .all
            .iter()
            .map(|late| (&*late.row, late.is_too_late()))
            .collect();
        assert_eq!(
            late,
            [("poll_4096", false), ("maps", true), ("umount_20000", false)]
        );
    }

    #[test]
    fn failed_checks_and_an_early_end_are_told() {
        let check = "latency.h:90: late <= most_late (errno 0)";
        let report =
            Report::parse(&format!("{TEXT}{check}\nlatency: 7 passed, 1 failed\n")).expect("a report");
        assert_eq!(report.failed, [check, "latency: not all checks passed"]);
        assert_eq!(Report::parse(TEXT).expect("a report").failed.len(), 1);
    }
}
