//! The table that is printed: ours, the goal, Linux, and how many times more Linux costs.

use crate::figures::Figures;
use crate::linux::Linux;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What each row should cost at most.
#[derive(Debug, Default)]
pub struct Goals(BTreeMap<String, f64>);

impl Goals {
    /// Reads the file of goals: a line of column names, then for each row its name, its goal, and what others measured.
    pub fn parse(text: &str) -> Result<Goals> {
        let mut goals = BTreeMap::new();
        for line in text.lines().skip(1) {
            let mut fields = line.split('\t');
            let row = fields.next().context("an empty line")?;
            let goal = fields
                .next()
                .with_context(|| format!("{row} has no column for its goal"))?;
            if !goal.is_empty() {
                goals.insert(row.to_owned(), goal.parse().with_context(|| row.to_owned())?);
            }
        }
        Ok(Goals(goals))
    }

    /// The goals that are not met.
    pub fn missed(&self, figures: &Figures) -> Vec<String> {
        let misses = |(row, goal): (&String, &f64)| {
            let median = figures.median(row)?;
            (median > *goal).then(|| format!("{row}: {} > {}", number(median), number(*goal)))
        };
        self.0.iter().filter_map(misses).collect()
    }

    /// Those rows that have a goal and no figure of their own: ratios.
    fn derived<'a>(&'a self, figures: &Figures) -> impl Iterator<Item = &'a String> {
        let rows: Vec<_> = self
            .0
            .keys()
            .filter(|row| row.contains(':') && figures.median(row).is_some())
            .collect();
        rows.into_iter()
    }
}

/// With commas between thousands; two places for what is not whole and small.
pub fn number(value: f64) -> String {
    if value < 10.0 && value.fract() > 0.001 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The columns of a row.
struct Line {
    row: String,
    unit: String,
    ours: f64,
    spread: String,
    goal: Option<f64>,
    /// With pages of 4 KiB, and with huge ones.
    linux: [Option<f64>; 2],
}

impl Line {
    fn cells(&self) -> [String; 9] {
        let ratio = |linux: f64| {
            if self.ours > 0.0 && self.unit != "ratio" {
                format!("{}x", number_short(linux / self.ours))
            } else {
                "-".to_owned()
            }
        };
        let [small, huge] = self.linux.map(|linux| {
            linux.map_or(["-".to_owned(), "-".to_owned()], |linux| {
                [number(linux), ratio(linux)]
            })
        });
        let [small, small_ratio] = small;
        let [huge, huge_ratio] = huge;
        [
            self.row.clone(),
            number(self.ours),
            self.spread.clone(),
            self.goal.map_or("-".to_owned(), number),
            match self.goal {
                Some(goal) if self.ours > goal => "MISSED".to_owned(),
                Some(_) => "met".to_owned(),
                None => String::new(),
            },
            small,
            small_ratio,
            huge,
            huge_ratio,
        ]
    }
}

fn number_short(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        number(value)
    }
}

fn lines(ours: &Figures, linux: &Linux, goals: &Goals) -> Vec<Line> {
    let linux = |row: &str| [linux.small.median(row), linux.huge.median(row)];
    let measured = ours.all.iter().map(|figure| Line {
        row: figure.row.clone(),
        unit: figure.unit.clone(),
        ours: figure.median,
        spread: spread(figure.least, figure.median, figure.most),
        goal: goals.0.get(&figure.row).copied(),
        linux: linux(&figure.row),
    });
    let derived = goals.derived(ours).map(|row| Line {
        row: row.clone(),
        unit: "ratio".to_owned(),
        ours: ours.median(row).unwrap_or_default(),
        spread: String::new(),
        goal: goals.0.get(row).copied(),
        linux: linux(row),
    });
    measured.chain(derived).collect()
}

/// By how many percent of the median the repeats differ.
fn spread(least: f64, median: f64, most: f64) -> String {
    if median > 0.0 {
        format!("{:.1}%", (most - least) / median * 100.0)
    } else {
        String::new()
    }
}

/// The table as text.
pub fn render(ours: &Figures, linux: &Linux, goals: &Goals) -> String {
    let head = [
        "row",
        "Holstein",
        "spread",
        "goal",
        "",
        "Linux",
        "ratio",
        "huge pages",
        "ratio",
    ]
    .map(str::to_owned);
    let mut table = vec![head];
    table.extend(lines(ours, linux, goals).iter().map(Line::cells));
    let widths: [usize; 9] =
        std::array::from_fn(|column| table.iter().map(|cells| cells[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for cells in &table {
        let mut line = format!("{:<width$}", cells[0], width = widths[0]);
        for (cell, width) in cells.iter().zip(widths).skip(1) {
            write!(line, "  {cell:>width$}").expect("writing to a string");
        }
        writeln!(text, "{}", line.trim_end()).expect("writing to a string");
    }
    text
}

/// What stands above the table.
const LEGEND: &str = "\
# What calls, faults and forks cost

Guest instructions, medians, one processor, as `make bench-all` and `make bench-linux` count them: the same program on both
kernels; Linux once with pages of 4 KiB as here (`transparent_hugepage=madvise`), once with transparent huge pages everywhere
(`always`), as distributions have it. After a slash: MiB that the parent has touched. `exit_page`, the faults and `last_owner` are for each page, `chain` is
16 forks deep, `tree` is for each of 1,024 processes. Of the snapshot, `faults` are counts; `fork/1024:0` is a ratio. `work` is
all the work of a fork: the call, then 128 stores by the child (`work_child`) and 1,024 by the parent (`work_parent`);
`work_stall` is the longest that the parent stood still, `work_whole` lasts until the child has been waited for. `serving` is how late a request is that comes each
millisecond from the fork of 1 GiB on: usual and worst of 64.

After a slash in the rows from `areas_map` on: how many others there are. `areas_` are areas of the same process: mmap and munmap of a page beside them
(`map`), an mprotect (`protect`), fork and the child's first mmap; `threads_map` is mmap and munmap beside threads; `mremap` moves so many MiB; `getcwd` is asked
so deep; `directory_read` is for each entry, `directory_stat` and `directory_create` (with unlink) for one name of so many; `descriptors_life` is fork,
exit and wait; `record_locks` is a lock and its end; `processes_ps` is `/proc/PID/stat` for each process.

";

/// The table as Markdown, for the README: every row that is measured.
pub fn markdown(ours: &Figures, linux: &Linux, goals: &Goals) -> String {
    let mut text = format!(
        "{LEGEND}| row | Holstein | goal | Linux, 4 KiB pages | ratio | Linux, huge pages | ratio |\n|---|--:|--:|--:|--:|--:|--:|\n"
    );
    for line in lines(ours, linux, goals) {
        let [row, ours, _, goal, verdict, linux, ratio, huge, huge_ratio] = line.cells();
        let mark = if verdict == "MISSED" { " (missed)" } else { "" };
        writeln!(
            text,
            "| {row} | {ours}{mark} | {goal} | {linux} | {ratio} | {huge} | {huge_ratio} |"
        )
        .expect("writing to a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Figures, Linux, Goals) {
        let ours = Figures::parse(
            "fork/0\tns\t4736\t4720\t4768\t11\t\nfork/1024\tns\t5210\t5210\t5210\t3\t\nbrk\tns\t3526\t1\t1\t1\t\n",
        );
        let linux = |median| Figures::parse(&format!("fork/0\tns\t{median}\t0\t0\t1\t\n")).expect("linux");
        let linux = Linux {
            small: linux(42112),
            huge: linux(41000),
        };
        let goals =
            Goals::parse("row\tgoal\tfloor\nfork/0\t6000\t\nfork/1024:0\t1.05\t\nbrk\t3000\t\nother\t\t1\n");
        (ours.expect("ours"), linux, goals.expect("goals"))
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0.0, 4.19, 12.5, 999.0, 1000.0, 44_762_944.0].map(number),
            ["0", "4.19", "12", "999", "1,000", "44,762,944"]
        );
    }

    #[test]
    fn goals_are_met_or_missed() {
        let (ours, _, goals) = sample();
        assert_eq!(
            goals.missed(&ours),
            ["brk: 3,526 > 3,000", "fork/1024:0: 1.10 > 1.05"]
        );
        assert!(Goals::parse("row\tgoal\nfork\tx\n").is_err());
    }

    #[test]
    fn the_table_shows_both() {
        let (ours, linux, goals) = sample();
        let text = render(&ours, &linux, &goals);
        let fork = text.lines().nth(1).expect("a row");
        let words: Vec<_> = fork.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "fork/0", "4,736", "1.0%", "6,000", "met", "42,112", "8.9x", "41,000", "8.7x"
            ]
        );
        assert!(
            text.lines()
                .any(|line| line.starts_with("brk") && line.contains("MISSED"))
        );
        let markdown = markdown(&ours, &linux, &goals);
        assert!(markdown.contains("| fork/0 | 4,736 | 6,000 | 42,112 | 8.9x | 41,000 | 8.7x |"));
        assert!(
            markdown.contains("| fork/1024 | 5,210 | - | - | - | - | - |"),
            "rows without a goal"
        );
    }
}
