//! Calls of a process with many descriptors or record locks, and lives of processes beside many others.

use super::Row;
use super::children::{Waiting, expect_success, run};
use super::execs::{TINY, write_tiny};
use super::report::Report;
use super::settings::Settings;
use crate::runtime::crowd::Path;
use crate::runtime::directory::names;
use crate::runtime::file::{File, duplicate_above, pipe};
use crate::runtime::process::{self, Fork};
use crate::runtime::{Errno, Result};
use abi::file::{F_UNLCK, F_WRLCK, OpenFlags};
use abi::process::{RLIMIT_NOFILE, RLimit};
use alloc::format;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "descriptors",
        run: beside_descriptors,
    },
    Row {
        name: "record_locks",
        run: beside_record_locks,
    },
    Row {
        name: "processes",
        run: beside_processes,
    },
];

/// Calls in one repeat.
const CALLS: u64 = 256;

/// Beside so many descriptors: dup and close; fork; fork, exit and wait; and a child's first open.
fn beside_descriptors(settings: &Settings, report: &mut Report) -> Result<()> {
    const LIMIT: u64 = 40_000;
    process::limit(
        RLIMIT_NOFILE,
        Some(RLimit {
            cur: LIMIT,
            max: LIMIT,
        }),
    )?;
    write_tiny()?;
    let tiny = Path::new(TINY)?;
    for count in settings.crowds(&[10, 1000, 10_000], &[100, 30_000]) {
        let file = tiny.open(OpenFlags::O_RDONLY)?;
        let copy = || duplicate_above(file.descriptor(), 0).map(File::from_descriptor);
        let _copies: Vec<File> = (0..count).map(|_| copy()).collect::<Result<_>>()?;
        let name = |what| format!("descriptors_{what}/{count}");
        report.measure(&name("dup"), CALLS, settings.repeats, |meter| {
            meter.time(|| (0..CALLS).try_for_each(|_| copy().map(drop)))
        })?;
        report.measure(&name("fork"), 1, settings.repeats, |meter| {
            let child = Waiting::fork(meter)?;
            child.settle()?;
            child.end()
        })?;
        report.measure(&name("life"), 1, settings.repeats, |meter| {
            meter.time(|| run(|| Ok(())))
        })?;
        report.measure(&name("child_open"), 1, settings.repeats, |meter| {
            Waiting::time_deed(meter, || tiny.open(OpenFlags::O_RDONLY).map(core::mem::forget))
        })?;
    }
    Ok(())
}

/// A record lock of one byte and its end, where the process holds so many others of the file.
fn beside_record_locks(settings: &Settings, report: &mut Report) -> Result<()> {
    const STEP: i64 = 4;
    let set = |file: &File, kind: u32, start| file.lock_record(kind as i16, start, 1);
    for count in settings.crowds(&[100, 1000], &[10, 10_000]) {
        let file = File::open("/locked", OpenFlags::O_RDWR | OpenFlags::O_CREAT, 0o644)?;
        (0..count as i64).try_for_each(|held| set(&file, F_WRLCK, held * STEP))?;
        let middle = count as i64 / 2 * STEP + STEP / 2;
        report.measure(
            &format!("record_locks/{count}"),
            CALLS,
            settings.repeats,
            |meter| {
                meter.time(|| {
                    (0..CALLS).try_for_each(|_| {
                        set(&file, F_WRLCK, middle)?;
                        set(&file, F_UNLCK, middle)
                    })
                })
            },
        )?;
    }
    Ok(())
}

/// Beside so many processes that wait: fork, exit, wait; and what ps(1) asks, for each process.
fn beside_processes(settings: &Settings, report: &mut Report) -> Result<()> {
    for count in settings.crowds(&[10, 1000], &[100, 10_000]) {
        let crowd = Crowd::start(count)?;
        report.measure(
            &format!("processes_fork/{count}"),
            16,
            settings.repeats,
            |meter| meter.time(|| (0..16).try_for_each(|_| run(|| Ok(())))),
        )?;
        report.measure(
            &format!("processes_ps/{count}"),
            count as u64,
            settings.repeats.min(3),
            |meter| meter.time(|| list_processes(count)),
        )?;
        crowd.end(count)?;
    }
    Ok(())
}

/// The names in /proc, and the file `stat` of each process.
fn list_processes(least: usize) -> Result<()> {
    let mut text = [0; 1024];
    let mut found = 0;
    for name in names("/proc")?
        .iter()
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
    {
        if File::read_only(&format!("/proc/{name}/stat"))?.read(&mut text)? == 0 {
            return Err(Errno::EIO);
        }
        found += 1;
    }
    if found >= least { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Children that wait, all for the end of the same file.
struct Crowd {
    go: File,
}

impl Crowd {
    fn start(count: usize) -> Result<Crowd> {
        let (wait, go) = pipe()?;
        for _ in 0..count {
            if let Fork::Child = process::fork_keeping_output()? {
                drop(go);
                process::exit_now(i32::from(wait.read(&mut [0]).is_err()));
            }
        }
        Ok(Crowd { go })
    }

    fn end(self, count: usize) -> Result<()> {
        drop(self.go);
        (0..count).try_for_each(|_| expect_success(process::wait_for_end(-1)?))
    }
}
