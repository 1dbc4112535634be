//! The benchmark from the host's side: boots it, prints the table, writes figures and chart, and fails when a row became
//! worse than the committed baseline.
//!
//! ```text
//! bench [OPTION...] [ROW|sizes=..|repeats=..]...   instructions on our kernel
//!     --linux          on Debian's kernel as well, side by side
//!     --wall           the host's time instead of instructions, on --cpus processors
//!     --update         write what was measured to tests/bench: the baseline, or with --linux Linux's figures
//!     --kernel FILE    another image     --memory SIZE     --cpus N     --append WORDS
//! bench profile WHAT    where the instructions of one fork, fault, switch, ... go
//! ```

mod baseline;
mod chart;
mod classic;
mod estimate;
mod figures;
mod machine;
mod profile;
mod table;

use anyhow::{Context, Result, ensure};
use figures::Figures;
use machine::{Clock, Machine};
use std::path::PathBuf;
use std::process::ExitCode;
use table::Goals;
use tests::files;

/// What the command line asks for.
struct Choice {
    has_linux: bool,
    is_update: bool,
    machine: Machine,
    words: Vec<String>,
}

fn choice(mut words: impl Iterator<Item = String>) -> Result<Choice> {
    let built = files::built();
    let mut choice = Choice {
        has_linux: false,
        is_update: false,
        machine: Machine {
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
            "--linux" => choice.has_linux = true,
            "--update" => choice.is_update = true,
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
    let is_counted = choice.machine.clock == Clock::Instructions;
    let ours = choice.machine.run(&choice.words)?;
    let linux = if choice.has_linux {
        let kernel = machine::linux()?;
        let machine = Machine {
            kernel,
            append: String::new(),
            ..choice.machine.clone()
        };
        machine.run(&choice.words)?
    } else if is_counted {
        Figures::load(&committed("linux.tsv"))?
    } else {
        Figures::default()
    };
    let goals = if is_counted {
        Goals::parse(&std::fs::read_to_string(committed("goals.tsv"))?)?
    } else {
        Goals::default()
    };
    print!("{}", table::render(&ours, &linux, &goals));
    if !is_counted {
        println!("Nanoseconds of this host, under emulation: noisy, and no measure of a real processor.");
    }
    if is_counted {
        print!("\n{}\n", estimate::render(&ours));
    }
    if is_counted && (choice.words.is_empty() || choice.words.iter().any(|word| word == "work")) {
        compare_with_classic(choice, &ours)?;
    }
    let stem = if is_counted { "bench" } else { "wall" };
    ours.save(&folder.join(format!("{stem}.tsv")))?;
    if choice.has_linux {
        linux.save(&folder.join(format!("{stem}-linux.tsv")))?;
    }
    std::fs::write(
        folder.join(format!("{stem}.md")),
        table::markdown(&ours, &linux, &goals),
    )?;
    let failed: Vec<_> = ours.failed.iter().chain(&linux.failed).collect();
    failed.iter().for_each(|failure| println!("failed: {failure}"));
    if !is_counted {
        return Ok(failed.is_empty());
    }
    if ours.median("fork/16").is_some() {
        chart::draw(&folder.join("fork.svg"), &ours, &linux)?;
    }
    let is_good = judge(choice, &ours, &linux, &goals)?;
    Ok(is_good && failed.is_empty())
}

/// Boots once more, with the fork that copies all tables, for the row that asks what that would cost.
fn compare_with_classic(choice: &Choice, ours: &Figures) -> Result<()> {
    let machine = Machine {
        append: format!("{} fork=classic", choice.machine.append),
        ..choice.machine.clone()
    };
    let words = if choice.words.is_empty() {
        &["work".to_owned()][..]
    } else {
        &choice.words
    };
    let classic = machine.run(words)?;
    classic.save(&machine.built.join("bench/classic.tsv"))?;
    println!("{}", classic::render(ours, &classic));
    for missed in classic::missed(ours, &classic) {
        println!("goal missed: {missed}");
    }
    Ok(())
}

/// Compares with what is committed, or commits what was measured to it.
fn judge(choice: &Choice, ours: &Figures, linux: &Figures, goals: &Goals) -> Result<bool> {
    for missed in goals.missed(ours) {
        println!("goal missed: {missed}");
    }
    if choice.is_update {
        ensure!(
            choice.words.is_empty(),
            "only a whole run may become the baseline"
        );
        ours.save(&committed("baseline.tsv"))?;
        if choice.has_linux {
            linux.save(&committed("linux.tsv"))?;
        }
        chart::draw(&committed("fork.svg"), ours, linux)?;
        std::fs::write(committed("table.md"), table::markdown(ours, linux, goals))?;
        return Ok(true);
    }
    let before = Figures::load(&committed("baseline.tsv"))?;
    let worse = baseline::regressions(&before, ours, choice.words.is_empty());
    worse.iter().for_each(|row| println!("worse: {row}"));
    Ok(worse.is_empty())
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
