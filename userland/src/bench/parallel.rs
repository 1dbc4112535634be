//! What one operation costs when one, two and four processors do the same at once, as far as there are so many; nothing where there
//! is one. Processes, each with its own of everything; `parallel_thread_*`: threads of one process.
//!
//! The figure is the time from the start of all to the end of the last, for each operation of all of them. Where time is the host's it
//! falls as processors are added. Where instructions are counted all processors take turns on one clock, so that it is the
//! instructions of all of them for an operation: flat if nobody does more for being one of several. A lock shows there by its
//! waiter: one that spins until its turn is over is counted, one that has stopped its processor (`WFE`, as Linux waits) is not.
//! How often was waited for what stands among the counts.

use super::children::{expect_success, run};
use super::counts::Reader;
use super::report::{Report, TIME, hundredths};
use super::settings::Settings;
use super::{Row, untouched};
use crate::runtime::file::{self, File, pipe};
use crate::runtime::measure::ticks;
use crate::runtime::process::{self, Fork, WaitOptions};
use crate::runtime::threads::{Deed, Threads};
use crate::runtime::time::{self, TimeSpec};
use crate::runtime::{Result, system};
use abi::file::{AtFlags, OpenFlags};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "parallel_fork",
        run: forks,
    },
    Row {
        name: "parallel_fault",
        run: faults,
    },
    Row {
        name: "parallel_open",
        run: opens,
    },
    Row {
        name: "parallel_stat",
        run: stats,
    },
    Row {
        name: "parallel_make",
        run: makes,
    },
    Row {
        name: "parallel_pipe",
        run: pipes,
    },
    Row {
        name: "parallel_thread_fault",
        run: |settings, report| threads(settings, report, "parallel_thread_fault", Deed::Fault, 16, FAULTS),
    },
    Row {
        name: "parallel_thread_map",
        run: |settings, report| threads(settings, report, "parallel_thread_map", Deed::Map, 4096, 1),
    },
    Row {
        name: "parallel_thread_look",
        run: |settings, report| threads(settings, report, "parallel_thread_look", Deed::Look, 16384, 1),
    },
];

/// Pages of each thread.
const FAULTS: usize = 1024;

/// fork, _exit and wait by each process.
fn forks(settings: &Settings, report: &mut Report) -> Result<()> {
    const FORKS: u64 = 1000;
    processes(settings, report, "parallel_fork", FORKS, |_| {
        (0..FORKS).try_for_each(|_| run(|| Ok(())))
    })
}

/// First stores into fresh pages by each process.
fn faults(settings: &Settings, report: &mut Report) -> Result<()> {
    const ROUNDS: u64 = 16;
    const PAGES: usize = 1024;
    processes(settings, report, "parallel_fault", ROUNDS * PAGES as u64, |_| {
        (0..ROUNDS).try_for_each(|_| untouched(PAGES).map(|memory| memory.store_pages(PAGES, 1)))
    })
}

/// open(2) and close(2) of a file of its own, beside those of the others, by each process.
fn opens(settings: &Settings, report: &mut Report) -> Result<()> {
    const OPENS: u64 = 4096;
    with_files(|| {
        processes(settings, report, "parallel_open", OPENS, |worker| {
            let name = own_file(worker);
            (0..OPENS).try_for_each(|_| File::read_only(&name).map(drop))
        })
    })
}

/// fstatat(2) of a file of its own by each process.
fn stats(settings: &Settings, report: &mut Report) -> Result<()> {
    const LOOKS: u64 = 4096;
    with_files(|| {
        processes(settings, report, "parallel_stat", LOOKS, |worker| {
            let name = own_file(worker);
            (0..LOOKS).try_for_each(|_| file::status(&name, AtFlags::empty()).map(drop))
        })
    })
}

/// A file of its own that is made and unlinked in a directory of its own by each process.
fn makes(settings: &Settings, report: &mut Report) -> Result<()> {
    const FILES: u64 = 1024;
    processes(settings, report, "parallel_make", FILES, |worker| {
        let directory = format!("/parallel-{worker}");
        file::make_directory(&directory, 0o700)?;
        let name = format!("{directory}/file");
        let made = (0..FILES).try_for_each(|_| {
            make_file(&name)?;
            file::unlink(&name, AtFlags::empty())
        });
        file::unlink(&directory, AtFlags::AT_REMOVEDIR)?;
        made
    })
}

/// A byte through a pipe of its own by each process.
fn pipes(settings: &Settings, report: &mut Report) -> Result<()> {
    const BYTES: u64 = 4096;
    processes(settings, report, "parallel_pipe", BYTES, |_| {
        let (from, to) = pipe()?;
        (0..BYTES).try_for_each(|_| to.write(&[0]).and_then(|()| from.read(&mut [0]).map(drop)))
    })
}

fn make_file(name: &str) -> Result<()> {
    File::open(name, OpenFlags::O_CREAT | OpenFlags::O_WRONLY, 0o600).map(drop)
}

fn own_file(worker: usize) -> String {
    format!("/parallel-{worker}")
}

/// Does something while each worker has a file.
fn with_files(deed: impl FnOnce() -> Result<()>) -> Result<()> {
    let names: Vec<String> = (0..MOST).map(own_file).collect();
    names.iter().try_for_each(|name| make_file(name))?;
    let done = deed();
    names
        .iter()
        .try_for_each(|name| file::unlink(name, AtFlags::empty()))?;
    done
}

/// A row of processes, each of which does `deed` with its number.
fn processes(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    operations: u64,
    deed: impl Fn(usize) -> Result<()>,
) -> Result<()> {
    measure(settings, report, name, operations, |workers| {
        time_of(workers, &deed)
    })
}

/// A row of threads, each of which does `deed` so many `rounds`, with memory of its own.
fn threads(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    deed: Deed,
    rounds: usize,
    operations_a_round: usize,
) -> Result<()> {
    let operations = (rounds * operations_a_round) as u64;
    measure(settings, report, name, operations, |workers| {
        let memories = (0..workers).map(|_| untouched(FAULTS + 1));
        let mut threads = Threads::start(deed, memories.collect::<Result<Vec<_>>>()?, rounds)?;
        let start = ticks();
        threads.open();
        watch_for(|| threads.are_done().map(|is_over| is_over.then_some(())))?;
        Ok(ticks() - start)
    })
}

/// The most processors that are looked at.
const MOST: usize = 4;
/// How often it is looked whether all have ended: with four processors a turn is a quarter of it. In nanoseconds.
const PERIOD: u64 = 40_000;

/// Reports `name/WORKERS`: `time` says how long so many of them take for `operations` each.
fn measure(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    operations: u64,
    time: impl Fn(usize) -> Result<u64>,
) -> Result<()> {
    let processors = system::processors()?;
    if processors == 1 {
        return Ok(());
    }
    for workers in [1, 2, MOST].into_iter().filter(|&workers| workers <= processors) {
        let all = operations * workers as u64;
        let (samples, counts) = Reader::new()?.during(|| {
            let samples = (0..settings.repeats).map(|_| Ok(hundredths(time(workers)?, all)));
            samples.collect::<Result<Vec<u64>>>()
        });
        report.add(
            &format!("{name}/{workers}"),
            TIME,
            &mut samples?,
            &counts.text(all * settings.repeats as u64),
        );
    }
    Ok(())
}

/// Ticks from the start of all workers until the last has ended.
fn time_of(workers: usize, deed: &impl Fn(usize) -> Result<()>) -> Result<u64> {
    let (ready, is_ready) = pipe()?;
    let (wait, go) = pipe()?;
    let mut go = Some(go);
    for worker in 0..workers {
        if process::fork_keeping_output()? == Fork::Child {
            drop(go.take());
            let done = is_ready.write(&[0]).and_then(|()| wait.read(&mut [0]));
            process::exit_now(i32::from(done.and_then(|_| deed(worker)).is_err()));
        }
    }
    for _ in 0..workers {
        ready.read(&mut [0])?;
    }
    let start = ticks();
    drop(go);
    for _ in 0..workers {
        expect_success(watch_for(|| process::wait(-1, WaitOptions::WNOHANG))?)?;
    }
    Ok(ticks() - start)
}

/// Looks now and then until there is something. Where processors take turns on one clock, such a turn lasts until the next alarm: so
/// they are short, and what one processor does meets what the others do.
fn watch_for<T>(mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    loop {
        time::sleep(TimeSpec::from_nanoseconds(PERIOD))?;
        if let Some(found) = look()? {
            return Ok(found);
        }
    }
}
