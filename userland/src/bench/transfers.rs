//! Bytes and signals that the kernel hands to programs: reads of a page, random bytes, a pipe that many wait for, a handler.

use super::Row;
use super::children::expect_success;
use super::report::{Report, rest};
use super::settings::Settings;
use crate::runtime::file::{File, pipe};
use crate::runtime::memory::PAGE;
use crate::runtime::process::{self, Fork};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::runtime::{Errno, Result};
use abi::file::OpenFlags;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "pipe_readers",
        run: wake_one_of_many,
    },
    Row {
        name: "signal",
        run: deliver_a_signal,
    },
    Row {
        name: "pread_4k",
        run: read_a_page,
    },
    Row {
        name: "urandom_1m",
        run: read_random_bytes,
    },
];

/// Calls in one repeat.
const CALLS: u64 = 256;

/// Processes that wait for the same pipe.
const READERS: usize = 100;

/// A byte to a pipe that a hundred processes wait for, and one back from the one that got it.
fn wake_one_of_many(settings: &Settings, report: &mut Report) -> Result<()> {
    let (from, to) = pipe()?;
    let (answers, answer) = pipe()?;
    let mut readers = Vec::with_capacity(READERS);
    for _ in 0..READERS {
        match process::fork_keeping_output()? {
            Fork::Parent(pid) => readers.push(pid),
            Fork::Child => {
                drop((to, answers));
                while let Ok(1) = from.read(&mut [0]) {
                    if answer.write(&[1]).is_err() {
                        break;
                    }
                }
                process::exit_now(0)
            }
        }
    }
    drop((from, answer));
    let measured = report.measure("pipe_readers/100", CALLS, settings.repeats, |meter| {
        let exchange = || {
            to.write(&[1])?;
            match answers.read(&mut [0])? {
                1 => Ok(()),
                _ => Err(Errno::EPIPE),
            }
        };
        // Who has used much of its time before is preempted by each reader that it wakes, and another does not until it waits.
        rest();
        // So often that all have begun to wait.
        (0..2 * READERS).try_for_each(|_| exchange())?;
        meter.time(|| (0..CALLS).try_for_each(|_| exchange()))
    });
    drop(to);
    for reader in readers {
        expect_success(process::wait_for_end(reader)?)?;
    }
    measured
}

/// kill(2) of the process itself, the handler, and the return from it.
fn deliver_a_signal(settings: &Settings, report: &mut Report) -> Result<()> {
    signal::set(Signal::SIGUSR1, Disposition::Note)?;
    let own = process::id();
    let measured = report.measure("signal", CALLS, settings.repeats, |meter| {
        meter.time(|| {
            (0..CALLS).try_for_each(|_| {
                signal::send(own, Signal::SIGUSR1)?;
                if signal::take(Signal::SIGUSR1) {
                    Ok(())
                } else {
                    Err(Errno::EINTR)
                }
            })
        })
    });
    signal::set(Signal::SIGUSR1, Disposition::Default)?;
    measured
}

/// pread(2) of a whole page of a file in memory.
fn read_a_page(settings: &Settings, report: &mut Report) -> Result<()> {
    const PATH: &str = "/bench-page";
    let flags = OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_TRUNC;
    let file = File::open(PATH, flags, 0o600)?;
    crate::runtime::file::unlink(PATH, abi::file::AtFlags::empty())?;
    let mut page = alloc::vec![1; PAGE];
    file.write(&page)?;
    report.measure("pread_4k", CALLS, settings.repeats, |meter| {
        meter.time(|| {
            (0..CALLS).try_for_each(|_| match file.read_at(0, &mut page)? {
                PAGE => Ok(()),
                _ => Err(Errno::EIO),
            })
        })
    })
}

/// read(2) of a MiB of /dev/urandom.
fn read_random_bytes(settings: &Settings, report: &mut Report) -> Result<()> {
    let file = File::read_only("/dev/urandom")?;
    let mut bytes = alloc::vec![1; 1 << 20];
    report.measure("urandom_1m", 1, settings.repeats, |meter| {
        let read = meter.time(|| file.read(&mut bytes))?;
        if read == bytes.len() {
            Ok(())
        } else {
            Err(Errno::EIO)
        }
    })
}
