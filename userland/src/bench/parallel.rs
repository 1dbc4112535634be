//! How much gets done in a second by one, two and four processes at once, as far as there are processors; nothing
//! where there is one. On a machine that counts instructions all processors take turns on one clock: only without that
//! do these figures mean something.

use super::children::{expect_success, run};
use super::counts::Reader;
use super::report::{RATE, Report};
use super::settings::Settings;
use super::{Row, untouched};
use crate::runtime::file::pipe;
use crate::runtime::measure::{nanoseconds, ticks};
use crate::runtime::process::{self, Fork};
use crate::runtime::{Result, system};
use alloc::format;
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
];

/// fork, _exit and wait by each process.
fn forks(settings: &Settings, report: &mut Report) -> Result<()> {
    const FORKS: u64 = 1000;
    measure(settings, report, "parallel_fork", FORKS, || {
        (0..FORKS).try_for_each(|_| run(|| Ok(())))
    })
}

/// First stores into fresh pages by each process.
fn faults(settings: &Settings, report: &mut Report) -> Result<()> {
    const ROUNDS: u64 = 16;
    const PAGES: usize = 1024;
    measure(settings, report, "parallel_fault", ROUNDS * PAGES as u64, || {
        (0..ROUNDS).try_for_each(|_| untouched(PAGES).map(|memory| memory.store_pages(PAGES, 1)))
    })
}

fn measure(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    operations: u64,
    deed: impl Fn() -> Result<()>,
) -> Result<()> {
    let processors = system::processors()?;
    if processors == 1 {
        return Ok(());
    }
    for workers in [1, 2, 4].into_iter().filter(|&workers| workers <= processors) {
        let (samples, counts) = Reader::new()?.during(|| {
            let rates = (0..settings.repeats).map(|_| {
                let time = nanoseconds(time_of(workers, &deed)?).max(1);
                let all = u128::from(operations * workers as u64);
                Ok((all * 100_000_000_000 / u128::from(time)) as u64)
            });
            rates.collect::<Result<Vec<u64>>>()
        });
        let all = operations * (workers * settings.repeats) as u64;
        report.add(
            &format!("{name}/{workers}"),
            RATE,
            &mut samples?,
            &counts.text(all),
        );
    }
    Ok(())
}

/// Ticks from the start of all workers until the last has ended.
fn time_of(workers: usize, deed: &impl Fn() -> Result<()>) -> Result<u64> {
    let (ready, is_ready) = pipe()?;
    let (wait, go) = pipe()?;
    let mut go = Some(go);
    for _ in 0..workers {
        if process::fork_keeping_output()? == Fork::Child {
            drop(go.take());
            let done = is_ready.write(&[0]).and_then(|()| wait.read(&mut [0]));
            process::exit_now(i32::from(done.and_then(|_| deed()).is_err()));
        }
    }
    for _ in 0..workers {
        ready.read(&mut [0])?;
    }
    let start = ticks();
    drop(go);
    (0..workers).try_for_each(|_| expect_success(process::wait_for_end(-1)?))?;
    Ok(ticks() - start)
}
