//! What /proc and /sys say (`tests/programs/proc.c`): of processes, their memory, the machine; to whom, and how fast.

use crate::boot::power_off;
use crate::program;
use anyhow::{Context, Result, bail, ensure};
use tests::timeline::{self, FORK, Moment};
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::portable("proc.files", files),
    Scene::holstein("proc.tracing", tracing),
    Scene::holstein("proc.fork_is_drawn", fork_is_drawn),
    Scene::holstein("proc.swap_is_traced", swap_is_traced),
];

fn files(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "proc", "")?;
    program::expect_success(&mut board, "proc")
}

fn tracing(stage: &mut Stage) -> Result<()> {
    let mut board = program::boot(stage, &Machine::Virt(Virt::default()), "", "tracing", "")?;
    program::expect_success(&mut board, "tracing")
}

/// `make trace WHAT=fork`: the parent's stores copy, the child's take what is left, and wait4 comes last; all of it is in the picture.
fn fork_is_drawn(stage: &mut Stage) -> Result<()> {
    let moments = timeline::parse(&timeline::record(stage, FORK)?)?;
    let story = timeline::from_fork(&moments)?;
    let parent = &story[0].thread;
    let place = |is_wanted: &dyn Fn(&Moment) -> bool| story.iter().position(is_wanted);
    let copied = place(&|moment| moment.thread == *parent && moment.told().contains("page copied"));
    let reused = place(&|moment| moment.thread != *parent && moment.told().contains("page reused"));
    let ends = place(&|moment| moment.thread != *parent && moment.title == "the thread ends");
    let waits = place(&|moment| moment.thread == *parent && moment.title.starts_with("wait4 = "));
    let order = [copied, reused, ends, waits];
    ensure!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{order:?} of {story:?}"
    );
    let path = stage.file("trace.svg");
    timeline::draw(&path, FORK, story)?;
    let picture = std::fs::read_to_string(path)?;
    ensure!(story.iter().all(|moment| picture.contains(&moment.title)));
    Ok(())
}

/// Q16's four pages go out by one record; parent and child have A back, then child and parent B, each by a record of its own.
fn swap_is_traced(stage: &mut Stage) -> Result<()> {
    let mut shell = stage.boot_virt(&stage.load())?;
    shell.expect_prompt()?;
    shell.check(
        "cowtrace -e fork true; echo $?",
        "fork: no such event; there are fault, .*\n2\n$",
    )?;
    let traced = shell.run("cowtrace -e swap cow q16 | grep swap:")?;
    // The kernel tells of new swap space meanwhile.
    let lines = traced.lines().filter(|line| !line.contains("Adding"));
    let mut records = lines.map(swap_record);
    let (parent, out) = records.next().context("nothing is traced")??;
    let words: Vec<&str> = out.split_whitespace().collect();
    let &["out", start, end, "pages=4"] = words.as_slice() else {
        bail!("{out}");
    };
    let (start, end) = (address(start)?, address(end)?);
    ensure!(end - start == 4 << 12, "{out}");
    let mut back = Vec::new();
    for record in records {
        let (thread, told) = record?;
        let place = told.strip_prefix("in ").with_context(|| told.clone())?;
        back.push((thread == parent, address(place)? - start));
    }
    let (a, b) = (0, 1 << 12);
    ensure!(back == [(true, a), (false, a), (false, b), (true, b)], "{traced}");
    shell.check("grep pswp /proc/vmstat", "^pswpin 4\npswpout 4\n$")?;
    power_off(&mut shell)
}

/// The thread of a record, and what it tells.
fn swap_record(line: &str) -> Result<(String, String)> {
    let (head, told) = line.split_once("swap: ").context("no record of swap")?;
    let thread = head.split_whitespace().next().context("no thread")?;
    Ok((thread.to_owned(), told.trim().to_owned()))
}

/// The number of `name=0xNUMBER`.
fn address(word: &str) -> Result<u64> {
    let (_, number) = word.split_once("=0x").with_context(|| word.to_owned())?;
    Ok(u64::from_str_radix(number, 16)?)
}
