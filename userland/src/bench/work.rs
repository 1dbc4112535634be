//! All that a fork costs, and not only the call: what is put off must be paid later. In a parent of so much memory:
//! fork, 64 stores to neighbouring pages and 64 to random ones by the child, 1,024 stores by the parent spread over all
//! of it; and the longest time for which the parent stood still in one call or store.

use super::children::{Board, Waiting};
use super::counts::Reader;
use super::meter::Meter;
use super::report::{Report, TIME, hundredths};
use super::settings::Settings;
use super::{Random, Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::measure::ticks;
use crate::runtime::memory::{Mapping, PAGE};
use alloc::format;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[Row {
    name: "work",
    run: work,
}];

const NEAR: usize = 64;
const RANDOM: usize = 64;
const SPREAD: usize = 1024;

/// The times of one round, in ticks.
#[derive(Default)]
struct Round {
    fork: u64,
    child: u64,
    parent: u64,
    longest: u64,
    /// From before fork until the child has been waited for.
    whole: u64,
}

fn work(settings: &Settings, report: &mut Report) -> Result<()> {
    const SIZES: [usize; 4] = [16, 256, 1024, 4096];
    let sizes = settings.sizes_that_fit();
    for size in sizes.into_iter().filter(|size| SIZES.contains(size)) {
        let memory = filled(pages_of(size))?;
        one_round(&memory, Meter::timing)?;
        if report.is_marking() {
            report.announce_marks(&format!("work/{size}"), 1);
            one_round(&memory, Meter::marking)?;
            continue;
        }
        let rounds: Vec<Round> = (0..settings.repeats_at(size))
            .map(|_| one_round(&memory, Meter::timing))
            .collect::<Result<_>>()?;
        let (counted, counts) = Reader::new()?.during(|| one_round(&memory, Meter::timing));
        counted?;
        let mut add = |what: &str, time: fn(&Round) -> u64, counts: &str| {
            let mut samples: Vec<u64> = rounds.iter().map(|round| hundredths(time(round), 1)).collect();
            report.add(&format!("work{what}/{size}"), TIME, &mut samples, counts);
        };
        add("", |round| round.fork + round.child + round.parent, "");
        add("_child", |round| round.child, "");
        add("_parent", |round| round.parent, "");
        add("_stall", |round| round.longest, "");
        add("_whole", |round| round.whole, &counts.text(1));
    }
    Ok(())
}

fn one_round(memory: &Mapping, meter: fn() -> Meter) -> Result<Round> {
    let board = Board::new()?;
    let pages = memory.pages();
    let mut random = Random::new();
    let places: Vec<usize> = (0..NEAR)
        .chain((0..RANDOM).map(|_| random.below(pages)))
        .collect();
    let start = ticks();
    let mut call = meter();
    let child = Waiting::fork_after(&mut call, || {
        let mut stores = meter();
        stores.time(|| places.iter().for_each(|page| memory.store(page * PAGE, 2)));
        board.write(0, stores.ticks());
    })?;
    child.settle()?;
    let mut stores = meter();
    for store in 0..SPREAD {
        stores.time(|| memory.store(store * (pages / SPREAD) * PAGE, 3));
    }
    child.end()?;
    Ok(Round {
        fork: call.ticks(),
        child: board.read(0),
        parent: stores.ticks(),
        longest: call.longest().max(stores.longest()),
        whole: ticks() - start,
    })
}
