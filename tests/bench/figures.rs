//! Figures: the lines that the benchmark prints on the console, and the same as a file of tab-separated values.

use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write;
use std::path::Path;

/// The first line of a file of figures.
const HEADER: &str = "row\tunit\tmedian\tleast\tmost\trepeats\tcounts";

/// What was measured of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The row, with its size behind a slash if it has one.
    pub row: String,
    /// `ns`, `ns_worst` (the most of the repeats), `us_worst` or `count`.
    pub unit: String,
    /// The median of the repeats.
    pub median: f64,
    /// The least of them.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How often it was repeated.
    pub repeats: u32,
    /// The kernel's counters per operation, `name=value` with commas between.
    pub counts: String,
}

impl Figure {
    /// Reads one line of a file of figures.
    fn parse(line: &str) -> Result<Figure> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [row, unit, median, least, most, repeats, rest @ ..] = fields.as_slice() else {
            bail!("{line:?} has too few fields");
        };
        Ok(Figure {
            row: (*row).to_owned(),
            unit: (*unit).to_owned(),
            median: median.parse().context("median")?,
            least: least.parse().context("least")?,
            most: most.parse().context("most")?,
            repeats: repeats.parse().context("repeats")?,
            counts: rest.first().copied().unwrap_or_default().to_owned(),
        })
    }

    fn line(&self) -> String {
        format!(
            "{}\t{}\t{:.2}\t{:.2}\t{:.2}\t{}\t{}",
            self.row, self.unit, self.median, self.least, self.most, self.repeats, self.counts
        )
    }

    /// One of the kernel's counters, per operation.
    pub fn count(&self, name: &str) -> Option<f64> {
        let mut counts = self.counts.split(',').filter_map(|count| count.split_once('='));
        counts.find(|(found, _)| *found == name)?.1.parse().ok()
    }
}

/// What one run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Name and release, as uname(2) has them.
    pub kernel: String,
    /// In the order of the run.
    pub all: Vec<Figure>,
    /// Rows that could not be measured, and why.
    pub failed: Vec<String>,
    is_complete: bool,
}

impl Figures {
    /// Takes in a line of the console; whether it was one of the benchmark's.
    pub fn read_console_line(&mut self, line: &str) -> Result<bool> {
        let line = line.trim_end();
        if let Some(figure) = line.strip_prefix("bench\t") {
            self.all.push(Figure::parse(figure)?);
        } else if let Some(failure) = line.strip_prefix("bench-failed\t") {
            self.failed.push(failure.replace('\t', ": "));
        } else if let Some(kernel) = line.strip_prefix("bench-kernel\t") {
            self.kernel = kernel.to_owned();
        } else if let Some(counts) = line.strip_prefix("bench-end\t") {
            let rows = counts.split('\t').next().and_then(|rows| rows.parse().ok());
            ensure!(
                rows == Some(self.all.len()),
                "a line of the benchmark was lost: {counts}"
            );
            self.is_complete = true;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether the benchmark came to its end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// These, with what was measured anew in its place, and what was not there before behind the row that it was measured behind, or at the end.
    pub fn updated(&self, anew: &Figures) -> Figures {
        let mut updated = Figures {
            all: self.all.clone(),
            ..anew.clone()
        };
        let mut place = self.all.len();
        for figure in &anew.all {
            match updated.all.iter().position(|old| old.row == figure.row) {
                Some(found) => {
                    updated.all[found] = figure.clone();
                    place = found + 1;
                }
                None => {
                    updated.all.insert(place, figure.clone());
                    place += 1;
                }
            }
        }
        updated
    }

    /// Adds those of another run of the same kernel.
    pub fn add(&mut self, other: Figures) {
        self.kernel = other.kernel;
        self.all.extend(other.all);
        self.failed.extend(other.failed);
    }

    /// The figure of a row.
    pub fn get(&self, row: &str) -> Option<&Figure> {
        self.all.iter().find(|figure| figure.row == row)
    }

    /// The median of a row; of `a/SIZE:OTHER` the ratio of a/SIZE to a/OTHER.
    pub fn median(&self, row: &str) -> Option<f64> {
        let Some((row, other)) = row.split_once(':') else {
            return Some(self.get(row)?.median);
        };
        let (stem, _) = row.split_once('/')?;
        Some(self.get(row)?.median / self.get(&format!("{stem}/{other}"))?.median)
    }

    /// The text of a file.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\n{HEADER}\n", self.kernel);
        for figure in &self.all {
            writeln!(text, "{}", figure.line()).expect("writing to a string");
        }
        text
    }

    /// From the text of a file.
    pub fn parse(text: &str) -> Result<Figures> {
        let mut figures = Figures {
            is_complete: true,
            ..Figures::default()
        };
        for line in text.lines().filter(|line| *line != HEADER && !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(kernel) => figures.kernel = kernel.to_owned(),
                None => figures.all.push(Figure::parse(line)?),
            }
        }
        Ok(figures)
    }

    /// From a file; without the file, no figures.
    pub fn load(path: &Path) -> Result<Figures> {
        if !path.exists() {
            return Ok(Figures::default());
        }
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Figures::parse(&text).with_context(|| path.display().to_string())
    }

    /// To a file.
    pub fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.text()).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: [&str; 5] = [
        "[    0.1] something else",
        "bench\tfork/0\tns\t4736.00\t4720.00\t4768.00\t11\tcow_tables_copied=2.00,tlbi_asid=1.00\r",
        "bench\tfork/1024\tns\t4973.00\t4720.00\t5000.00\t3\t",
        "bench-kernel\tLinux 6.12.0",
        "bench-end\t2\t0",
    ];

    fn run(lines: &[&str]) -> Result<Figures> {
        let mut figures = Figures::default();
        for line in lines {
            figures.read_console_line(line)?;
        }
        Ok(figures)
    }

    #[test]
    fn the_console_is_understood() {
        let figures = run(&CONSOLE).expect("figures");
        assert!(figures.is_complete());
        assert_eq!(figures.median("fork/0"), Some(4736.0));
        assert_eq!(
            figures.get("fork/0").and_then(|figure| figure.count("tlbi_asid")),
            Some(1.0)
        );
        assert!((figures.median("fork/1024:0").expect("a ratio") - 1.05).abs() < 0.001);
        assert_eq!(figures.median("fork/1"), None);
    }

    #[test]
    fn a_lost_line_and_a_broken_one_are_errors() {
        assert!(run(&[CONSOLE[1], CONSOLE[4]]).is_err());
        assert!(run(&["bench\tfork/0\tns"]).is_err());
        assert!(run(&["bench\tfork/0\tns\tx\t1\t1\t1\t"]).is_err());
        assert!(!run(&CONSOLE[..3]).expect("figures").is_complete());
    }

    #[test]
    fn files_give_back_what_was_saved() {
        let figures = run(&CONSOLE).expect("figures");
        assert_eq!(Figures::parse(&figures.text()).expect("a file"), figures);
    }

    #[test]
    fn what_is_measured_anew_takes_its_place() {
        let old = Figures::parse("a\tns\t1\t1\t1\t1\t\nc\tns\t3\t3\t3\t1\t\n").expect("figures");
        let anew = Figures::parse("a\tns\t9\t9\t9\t1\t\nb\tns\t2\t2\t2\t1\t\n").expect("figures");
        let medians = |figures: &Figures| figures.all.iter().map(|figure| figure.median).collect::<Vec<_>>();
        assert_eq!(medians(&old.updated(&anew)), [9.0, 2.0, 3.0]);
        assert_eq!(medians(&Figures::default().updated(&old)), [1.0, 3.0]);
    }

    #[test]
    fn failures_are_kept() {
        let figures = run(&["bench-failed\tsnapshot\tECHILD"]).expect("figures");
        assert_eq!(figures.failed, ["snapshot: ECHILD"]);
    }
}
