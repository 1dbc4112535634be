//! The benchmark from the host's side: boots it, prints the table, writes figures and chart, and fails when a row became
//! worse than the committed baseline.
//!
//! ```text
//! bench [OPTION...] [ROW|sizes=..|repeats=..]...   instructions on our kernel
//!     --all            beside crowds of every size, not only those that are quickly made
//!     --linux          on Debian's kernel as well, side by side: with pages of 4 KiB, and with transparent huge pages
//!     --wall           the host's time instead of instructions, on --cpus processors
//!     --runs N         boots ours so often, and fails if a run is more than 2 % off the median of all
//!     --update         write what was measured to tests/bench: the baseline, with --linux Linux's figures too
//!     --update-linux   with --linux: Linux's figures alone
//!     --kernel FILE    another image     --memory SIZE     --cpus N     --append WORDS
//! bench latency    how late a sleeper is beside long calls, alone; latency/NAME one of them
//! bench redis FOLDER    the chart of what `make redis` left there; to tests/bench with --update
//! bench misses [ROW]    caches and TLBs of a model: lines and cycles of each row, ours and Linux's; or the lines of one row
//! bench order    the order of the hot paths' functions in the kernel's image (linker/hot.ld), by a trace of them
//! bench profile WHAT [sizes=MIB]    where the instructions of one fork, fault, switch, ... go
//! ```

mod baseline;
mod chart;
mod classic;
mod curves;
mod estimate;
mod figures;
mod instructions;
mod latency;
mod linux;
mod machine;
mod missed_lines;
mod misses;
mod order;
mod parallel;
mod profile;
mod redis;
mod runs;
mod table;

use anyhow::{Context, Result, ensure};
use figures::Figures;
use linux::Linux;
use machine::{Clock, Machine};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::Goals;
use tests::files;
use tests::latency::Report;

/// What the command line asks for.
struct Choice {
    has_all: bool,
    has_linux: bool,
    update: Update,
    runs: usize,
    machine: Machine,
    words: Vec<String>,
}

/// Which of the committed files are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Update {
    Nothing,
    Linux,
    All,
}

impl Choice {
    /// Whether the baseline was measured in the same way.
    fn is_comparable(&self) -> bool {
        self.machine.cpus == 1 && self.machine.append.is_empty()
    }

    /// Whether all rows are measured.
    fn is_whole(&self) -> bool {
        self.is_comparable() && self.words.is_empty()
    }

    /// The words for the program on the board; none if no row of its is asked for.
    fn program_words(&self) -> Option<Vec<String>> {
        let mut words = latency::others(&self.words)?;
        if self.has_all {
            words.push("all".to_owned());
        }
        Some(words)
    }

    /// Fails if less is measured than what is to be written.
    fn check_update(&self) -> Result<()> {
        let is_enough = match self.update {
            Update::Nothing => true,
            Update::Linux => self.is_comparable(),
            Update::All => self.is_whole(),
        };
        ensure!(
            is_enough,
            "only a whole run on one processor may become the baseline"
        );
        ensure!(
            self.update != Update::Linux || self.has_linux,
            "Linux was not measured"
        );
        Ok(())
    }
}

fn choice(mut words: impl Iterator<Item = String>) -> Result<Choice> {
    let built = files::built();
    let mut choice = Choice {
        has_all: false,
        has_linux: false,
        update: Update::Nothing,
        runs: 1,
        machine: Machine {
            name: "Holstein",
            kernel: built.join("kernel8.img"),
            built,
            memory: "6G".to_owned(),
            cpus: 1,
            clock: Clock::Instructions,
            append: String::new(),
        },
        words: Vec::new(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--all" => choice.has_all = true,
            "--linux" => choice.has_linux = true,
            "--update" => choice.update = Update::All,
            "--update-linux" => choice.update = Update::Linux,
            "--runs" => choice.runs = value()?.parse::<usize>().context("--runs")?.max(1),
            "--wall" => choice.machine.clock = Clock::Wall,
            "--kernel" => choice.machine.kernel = PathBuf::from(value()?),
            "--memory" => choice.machine.memory = value()?,
            "--cpus" => choice.machine.cpus = value()?.parse().context("--cpus")?,
            "--append" => choice.machine.append = value()?,
            option if option.starts_with("--") => anyhow::bail!("{option}: unknown option"),
            _ => choice.words.push(word),
        }
    }
    Ok(choice)
}

/// A file that is committed.
fn committed(name: &str) -> PathBuf {
    files::root().join("tests/bench").join(name)
}

fn run(choice: &Choice) -> Result<bool> {
    let folder = choice.machine.built.join("bench");
    std::fs::create_dir_all(&folder)?;
    if let [verb, what, words @ ..] = choice.words.as_slice()
        && verb == "profile"
    {
        return profile::run(&choice.machine, what, words).map(|()| true);
    }
    if choice.words == ["order"] {
        return order::run(&choice.machine).map(|()| true);
    }
    if let [verb, results] = choice.words.as_slice()
        && verb == "redis"
    {
        let results = Path::new(results);
        let chart = match choice.update {
            Update::Nothing => results.join("redis.svg"),
            Update::Linux | Update::All => committed("redis.svg"),
        };
        return redis::draw(results, &chart).map(|()| true);
    }
    if let [verb, words @ ..] = choice.words.as_slice()
        && verb == "misses"
    {
        return misses::run(&choice.machine, words, choice.update != Update::Nothing).map(|()| true);
    }
    choice.check_update()?;
    let sitting = sit(choice)?;
    let is_good = choice.program_words().is_none() || show(choice, &sitting, &folder)?;
    Ok(sitting.show_latency() && is_good)
}

/// Shows and judges the rows of the benchmark itself.
fn show(choice: &Choice, sitting: &Sitting, folder: &Path) -> Result<bool> {
    print!("{}", table::render(&sitting.ours, &sitting.linux, &sitting.goals));
    print!("\n{}", parallel::render(&sitting.ours, choice.machine.clock));
    if choice.has_linux {
        print!(
            "Linux:\n{}",
            parallel::render(&sitting.linux.small, choice.machine.clock)
        );
    }
    let unsteady = runs::unsteady(&sitting.runs);
    if choice.runs > 1 {
        print!("\n{}", runs::render(&sitting.runs));
        unsteady.iter().for_each(|row| println!("unsteady: {row}"));
    }
    let Linux { small, huge } = &sitting.linux;
    let failed = sitting
        .ours
        .failed
        .iter()
        .chain(&small.failed)
        .chain(&huge.failed);
    let failures = failed.inspect(|failure| println!("failed: {failure}")).count();
    let is_good = match choice.machine.clock {
        Clock::Instructions => {
            sitting.save(folder, "bench", choice.has_linux)?;
            finish(choice, sitting, folder)?
        }
        Clock::Wall => {
            println!("Nanoseconds of this host, under emulation: noisy, and no measure of a real processor.");
            sitting.save(folder, "wall", choice.has_linux)?;
            true
        }
    };
    Ok(is_good && failures == 0 && unsteady.is_empty())
}

/// What is compared in one run.
struct Sitting {
    /// Ours, each run of it.
    runs: Vec<Figures>,
    /// The middle of them.
    ours: Figures,
    linux: Linux,
    goals: Goals,
    latency: Option<Report>,
}

/// Measures ours, and Linux too or takes what was committed of it.
fn sit(choice: &Choice) -> Result<Sitting> {
    let is_counted = choice.machine.clock == Clock::Instructions;
    let words = choice.program_words();
    let boots = words
        .iter()
        .flat_map(|words| std::iter::repeat_n(words, choice.runs));
    let runs = boots
        .map(|words| parallel::run(&choice.machine, words))
        .collect::<Result<Vec<Figures>>>()?;
    let ours = runs::middle(&runs);
    let linux = if let (true, Some(words)) = (choice.has_linux, &words) {
        Linux::measure(&choice.machine, words)?
    } else if is_counted {
        Linux::load(&committed(""))?
    } else {
        Linux::default()
    };
    let goals = if is_counted {
        Goals::parse(&std::fs::read_to_string(committed("goals.tsv"))?)?
    } else {
        Goals::default()
    };
    let latency = is_counted.then(|| latency::run(&choice.machine, &choice.words));
    Ok(Sitting {
        runs,
        ours,
        linux,
        goals,
        latency: latency.transpose()?.flatten(),
    })
}

impl Sitting {
    /// Our figures, and those of the board beside, which have a table of their own.
    fn all_of_ours(&self) -> Figures {
        let mut all = self.ours.clone();
        all.all.extend(self.latency.iter().flat_map(latency::figures));
        all
    }

    /// Shows how late a sleeper is beside long calls; whether never too late.
    fn show_latency(&self) -> bool {
        let Some(report) = &self.latency else {
            return true;
        };
        print!("\n{}", latency::render(report));
        let failures = latency::failures(report);
        failures.iter().for_each(|failure| println!("failed: {failure}"));
        failures.is_empty()
    }

    /// Writes figures and table to the folder of what is built.
    fn save(&self, folder: &Path, stem: &str, has_linux: bool) -> Result<()> {
        self.all_of_ours().save(&folder.join(format!("{stem}.tsv")))?;
        if has_linux {
            self.linux.save(folder, &format!("{stem}-"))?;
        }
        let text = table::markdown(&self.ours, &self.linux, &self.goals);
        Ok(std::fs::write(folder.join(format!("{stem}.md")), text)?)
    }

    /// Writes what is committed. Rows that were not measured stay as they were, but when all were to be.
    fn commit(&self, choice: &Choice) -> Result<()> {
        let ours = if choice.update == Update::All && choice.has_all {
            self.all_of_ours()
        } else {
            Figures::load(&committed("baseline.tsv"))?.updated(&self.all_of_ours())
        };
        if choice.update == Update::All {
            ours.save(&committed("baseline.tsv"))?;
        }
        let shown = latency::without(&ours);
        let linux = if choice.has_linux {
            Linux::load(&committed(""))?.updated(&self.linux)
        } else {
            self.linux.clone()
        };
        linux.save(&committed(""), "")?;
        chart::draw(&committed("fork.svg"), &shown, &linux)?;
        curves::draw(&committed("curves.svg"), &shown, &linux)?;
        let text = table::markdown(&shown, &linux, &self.goals);
        Ok(std::fs::write(committed("table.md"), text)?)
    }
}

/// What comes after the table where instructions were counted: what they do not show, the classic fork, goals, baseline.
fn finish(choice: &Choice, sitting: &Sitting, folder: &Path) -> Result<bool> {
    print!("\n{}\n", estimate::render(&sitting.ours));
    if choice.words.is_empty() || choice.words.iter().any(|word| word == "work") {
        compare_with_classic(choice, &sitting.ours)?;
    }
    if sitting.ours.median("fork/16").is_some() {
        chart::draw(&folder.join("fork.svg"), &sitting.ours, &sitting.linux)?;
    }
    if choice.has_all && choice.is_whole() {
        curves::draw(&folder.join("curves.svg"), &sitting.ours, &sitting.linux)?;
    }
    for missed in sitting.goals.missed(&sitting.ours) {
        println!("goal missed: {missed}");
    }
    if choice.update != Update::Nothing {
        sitting.commit(choice)?;
        return Ok(true);
    }
    if !choice.is_comparable() {
        return Ok(true);
    }
    let before = Figures::load(&committed("baseline.tsv"))?;
    let worse = baseline::worse(&before, &sitting.ours, choice.has_all && choice.is_whole());
    let better = baseline::better(&before, &sitting.ours);
    print!("{}", baseline::verdict(&worse, &better));
    Ok(worse.is_empty())
}

/// Boots once more, with the fork that copies all tables, for the row that asks what that would cost. After a whole run ours
/// is measured again too, by the same words after a fresh boot: memory that other rows have used lies scattered, and tables
/// of scattered frames are copied more slowly by either fork.
fn compare_with_classic(choice: &Choice, ours: &Figures) -> Result<()> {
    let alone = Machine {
        name: "Holstein alone",
        ..choice.machine.clone()
    };
    let (ours, words) = if choice.words.is_empty() {
        let words = vec!["work".to_owned()];
        (&alone.run(&words)?, words)
    } else {
        (ours, choice.program_words().unwrap_or_default())
    };
    let classic = Machine {
        name: "fork=classic",
        append: format!("{} fork=classic", choice.machine.append),
        ..choice.machine.clone()
    };
    let classic = classic.run(&words)?;
    classic.save(&choice.machine.built.join("bench/classic.tsv"))?;
    println!("{}", classic::render(ours, &classic));
    for missed in classic::missed(ours, &classic) {
        println!("goal missed: {missed}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match choice(std::env::args().skip(1)).and_then(|choice| run(&choice)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
