//! What the users of a database feel while it saves itself: requests come every millisecond, each stores to a few of
//! 1 GiB of pages, and at the first of them the server forks a child that reads all of it again and again; or they come more often, and
//! store to one page of 64 MiB. How late each request is served, counted from the moment when it came: the fork itself is in the first, and whatever the
//! child's work and the copying after the fork hold up in the others.

use super::children::{Board, expect_success};
use super::report::{Report, TIME, WORST, rest};
use super::settings::Settings;
use super::{Random, Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::measure::{mark_begin, mark_end, nanoseconds, ticks};
use crate::runtime::memory::{Mapping, PAGE};
use crate::runtime::process::{self, Fork};
use crate::runtime::time::{self, TimeSpec};
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[Row {
    name: "serving",
    run: serving,
}];

/// A database and those who ask it.
struct Service {
    name: &'static str,
    /// MiB.
    size: usize,
    /// Pages that a request stores to.
    stores: usize,
    /// Nanoseconds from one request to the next.
    period: u64,
}

const SERVICES: [Service; 2] = [
    Service {
        name: "serving",
        size: 1024,
        stores: 8,
        period: 1_000_000,
    },
    Service {
        name: "serving_often",
        size: 64,
        stores: 1,
        period: 150_000,
    },
];

const REQUESTS: u64 = 64;
/// Where the board tells the child to end.
const IS_OVER: usize = 0;

fn serving(settings: &Settings, report: &mut Report) -> Result<()> {
    let sizes = settings.sizes_that_fit();
    // Who watches the marks prints every instruction: of the small one only.
    let is_marking = report.is_marking();
    let is_asked_for =
        |service: &&Service| sizes.contains(&1024.max(service.size)) && !(is_marking && service.stores > 1);
    SERVICES
        .iter()
        .filter(is_asked_for)
        .try_for_each(|service| serve(service, settings, report))
}

fn serve(service: &Service, settings: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(pages_of(service.size))?;
    if report.is_marking() {
        report.announce_marks(service.name, REQUESTS);
        return one_round(service, &memory, true).map(drop);
    }
    let rounds: Vec<Vec<u64>> = (0..settings.repeats_at(1024))
        .map(|_| one_round(service, &memory, false))
        .collect::<Result<_>>()?;
    let late = || rounds.iter().flatten().map(|&late| late * 100);
    let name = |what| alloc::format!("{}/{what}", service.name);
    report.add(&name("usual"), TIME, &mut late().collect::<Vec<_>>(), "");
    let worst = late().max().unwrap_or_default();
    report.add(&name("worst"), WORST, &mut [worst], "");
    Ok(())
}

/// How late each request was, in nanoseconds; or marks around each, which begin before it comes.
fn one_round(service: &Service, memory: &Mapping, is_marking: bool) -> Result<Vec<u64>> {
    // All pages are the server's own again, as after a long time without a snapshot.
    memory.store_pages(memory.pages(), 1);
    let board = Board::new()?;
    let mut random = Random::new();
    let mut late = Vec::with_capacity(REQUESTS as usize);
    rest();
    let start = ticks();
    let child = match process::fork_keeping_output()? {
        Fork::Parent(child) => child,
        Fork::Child => {
            read_until_over(memory, &board);
            process::exit_now(0)
        }
    };
    for request in 0..REQUESTS {
        let due = request * service.period;
        if is_marking {
            mark_begin();
        }
        wait_until(start, due)?;
        for _ in 0..service.stores {
            memory.store(random.below(memory.pages()) * PAGE, 2);
        }
        late.push((nanoseconds(ticks() - start)).saturating_sub(due));
        if is_marking {
            mark_end();
        }
    }
    board.write(IS_OVER, 1);
    expect_success(process::wait_for_end(child)?)?;
    Ok(late)
}

/// Sleeps until so many nanoseconds after `start`.
fn wait_until(start: u64, due: u64) -> Result<()> {
    loop {
        let passed = nanoseconds(ticks() - start);
        if passed >= due {
            return Ok(());
        }
        time::sleep(TimeSpec::from_nanoseconds((due - passed) as _))?;
    }
}

/// The child's part: a snapshot that takes longer than the requests.
fn read_until_over(memory: &Mapping, board: &Board) {
    while board.read(IS_OVER) == 0 {
        for page in 0..memory.pages() {
            memory.touch(page * PAGE);
            if board.read(IS_OVER) != 0 {
                return;
            }
        }
    }
}
