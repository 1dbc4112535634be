//! What a database does to save itself: 1 GiB is written, the parent forks, the child reads all of it, and meanwhile
//! the parent writes one page in a hundred, drawn at random. How long the parent stood still, and who faulted how often.

use super::children::{Board, expect_success};
use super::meter::Meter;
use super::report::{NUMBER, Report, TIME, WORST, hundredths, rest};
use super::settings::Settings;
use super::{Random, Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::measure::ticks;
use crate::runtime::memory::{Mapping, PAGE};
use crate::runtime::process::{self, Fork, RUSAGE_SELF};
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[Row {
    name: "snapshot",
    run: snapshot,
}];

const SIZE: usize = 1024;

/// What is seen in one snapshot.
struct Seen {
    /// Ticks of the fork call.
    stall: u64,
    /// The most ticks between two stores of the parent.
    gap: u64,
    parent_faults: u64,
    child_faults: u64,
    /// Ticks from fork until the child has been waited for.
    whole: u64,
}

fn snapshot(settings: &Settings, report: &mut Report) -> Result<()> {
    if !settings.sizes_that_fit().contains(&SIZE) {
        return Ok(());
    }
    let memory = filled(pages_of(SIZE))?;
    let board = Board::new()?;
    if report.is_marking() {
        report.announce_marks("snapshot", 1);
        return one(&memory, &board, &mut Meter::marking()).map(drop);
    }
    let seen: Vec<Seen> = (0..settings.repeats_at(SIZE))
        .map(|_| one(&memory, &board, &mut Meter::timing()))
        .collect::<Result<_>>()?;
    let mut counting = Meter::counting()?;
    one(&memory, &board, &mut counting)?;
    let counts = counting.counts().text(1);
    let mut add = |what: &str, unit: &str, value: fn(&Seen) -> u64| {
        let mut samples: Vec<u64> = seen.iter().map(value).collect();
        let counts = if what == "whole" { &counts } else { "" };
        report.add(&alloc::format!("snapshot/{what}"), unit, &mut samples, counts);
    };
    add("stall", TIME, |seen| hundredths(seen.stall, 1));
    add("parent_faults", NUMBER, |seen| seen.parent_faults * 100);
    add("child_faults", NUMBER, |seen| seen.child_faults * 100);
    add("whole", TIME, |seen| hundredths(seen.whole, 1));
    // Of the longest stall the worst counts, and not the median: whether the child comes to run while the parent writes is
    // a matter of where the time slice happens to end.
    let longest = seen.iter().map(|seen| seen.gap).max().unwrap_or_default();
    report.add("snapshot/gap", WORST, &mut [hundredths(longest, 1)], "");
    Ok(())
}

fn faults() -> Result<u64> {
    Ok(process::usage(RUSAGE_SELF)?.minflt.unsigned_abs())
}

fn one(memory: &Mapping, board: &Board, meter: &mut Meter) -> Result<Seen> {
    // All pages are the parent's own again, as after a long time without a snapshot.
    memory.store_pages(memory.pages(), 1);
    let mut random = Random::new();
    let places: Vec<usize> = (0..memory.pages() / 100)
        .map(|_| random.below(memory.pages()))
        .collect();
    rest();
    meter.time(|| save(memory, board, &places))
}

/// From the fork until the child has been waited for.
fn save(memory: &Mapping, board: &Board, places: &[usize]) -> Result<Seen> {
    let before = faults()?;
    let start = ticks();
    let child = match process::fork_keeping_output()? {
        Fork::Parent(child) => child,
        Fork::Child => process::exit_now(i32::from(read_all(memory, board).is_err())),
    };
    let stall = ticks() - start;
    let gap = longest_gap(memory, places);
    let parent_faults = faults()? - before;
    expect_success(process::wait_for_end(child)?)?;
    Ok(Seen {
        stall,
        gap,
        parent_faults,
        child_faults: board.read(0),
        whole: ticks() - start,
    })
}

/// The child's part.
fn read_all(memory: &Mapping, board: &Board) -> Result<()> {
    let before = faults()?;
    memory.load_pages(memory.pages());
    board.write(0, faults()? - before);
    Ok(())
}

/// The parent's part: stores, and the most ticks from one to the next.
fn longest_gap(memory: &Mapping, places: &[usize]) -> u64 {
    let mut last = ticks();
    let mut longest = 0;
    for page in places {
        memory.store(page * PAGE, 2);
        let now = ticks();
        longest = longest.max(now - last);
        last = now;
    }
    longest
}
