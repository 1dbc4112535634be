//! Files that tell of events, and waiting for many of them.

use super::Row;
use super::report::Report;
use super::settings::Settings;
use crate::runtime::events::{Epoll, counter};
use crate::runtime::file::{File, duplicate_above};
use crate::runtime::semaphore::Semaphore;
use crate::runtime::{Errno, Result, process};
use abi::events::EpollEvent;
use abi::process::{RLIMIT_NOFILE, RLimit};
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "eventfd",
        run: count,
    },
    Row {
        name: "sysv_semaphore",
        run: take_and_give,
    },
    Row {
        name: "epoll_wait",
        run: wait_for_ten,
    },
    Row {
        name: "epoll_ctl",
        run: add_and_delete,
    },
];

/// Deeds in one repeat.
const TIMES: u64 = 64;
/// Files that are ready.
const READY: usize = 10;
/// Files that are watched.
const WATCHED: [usize; 2] = [READY, 10_000];

/// A write and a read of a counter.
fn count(settings: &Settings, report: &mut Report) -> Result<()> {
    let counter = counter()?;
    report.measure("eventfd", TIMES, settings.repeats, |meter| {
        meter.time(|| {
            (0..TIMES).try_for_each(|_| {
                counter.write(&1_u64.to_ne_bytes())?;
                counter.read(&mut [0; 8]).map(drop)
            })
        })
    })
}

/// A semaphore of System V that is given and taken again by the same process.
fn take_and_give(settings: &Settings, report: &mut Report) -> Result<()> {
    let semaphore = Semaphore::new()?;
    report.measure("sysv_semaphore", TIMES, settings.repeats, |meter| {
        meter.time(|| {
            (0..TIMES).try_for_each(|_| {
                semaphore.add(1)?;
                semaphore.add(-1)
            })
        })
    })
}

/// An epoll that watches so many files, and those of them that are ready.
struct Crowd {
    epoll: Epoll,
    _ready: Vec<File>,
    _quiet: Vec<File>,
}

impl Crowd {
    fn new(watched: usize) -> Result<Crowd> {
        const LIMIT: u64 = 40_000;
        let limit = RLimit {
            cur: LIMIT,
            max: LIMIT,
        };
        process::limit(RLIMIT_NOFILE, Some(limit))?;
        let epoll = Epoll::new()?;
        let ready: Vec<File> = (0..READY).map(|_| counter()).collect::<Result<_>>()?;
        for file in &ready {
            file.write(&1_u64.to_ne_bytes())?;
            epoll.add(file.descriptor())?;
        }
        let mut quiet = alloc::vec![counter()?];
        while quiet.len() + READY < watched {
            let copy = duplicate_above(quiet[0].descriptor(), 0)?;
            quiet.push(File::from_descriptor(copy));
        }
        for file in quiet.iter().take(watched - READY) {
            epoll.add(file.descriptor())?;
        }
        Ok(Crowd {
            epoll,
            _ready: ready,
            _quiet: quiet,
        })
    }
}

/// epoll_wait(2) where ten files are ready, of so many.
fn wait_for_ten(settings: &Settings, report: &mut Report) -> Result<()> {
    for watched in WATCHED {
        let crowd = Crowd::new(watched)?;
        let mut events = [EpollEvent::default(); 64];
        let name = alloc::format!("epoll_wait/{watched}");
        report.measure(&name, TIMES, settings.repeats, |meter| {
            meter.time(|| {
                (0..TIMES).try_for_each(|_| match crowd.epoll.look(&mut events)? {
                    READY => Ok(()),
                    _ => Err(Errno::EIO),
                })
            })
        })?;
    }
    Ok(())
}

/// A further file is watched beside so many, and no more.
fn add_and_delete(settings: &Settings, report: &mut Report) -> Result<()> {
    for watched in WATCHED {
        let crowd = Crowd::new(watched)?;
        let further = counter()?;
        let name = alloc::format!("epoll_ctl/{watched}");
        report.measure(&name, TIMES, settings.repeats, |meter| {
            meter.time(|| {
                (0..TIMES).try_for_each(|_| {
                    crowd.epoll.add(further.descriptor())?;
                    crowd.epoll.delete(further.descriptor())
                })
            })
        })?;
    }
    Ok(())
}
