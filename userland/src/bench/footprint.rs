//! Bytes: what a kernel sets aside for a thread, a forked process, a program. Many of a kind wait while the free memory is looked at.

use super::Row;
use super::execs::{EXIT, write_program};
use super::report::{BYTES, Report};
use super::settings::Settings;
use crate::runtime::file::{File, duplicate, pipe};
use crate::runtime::process::{self, Fork, WaitingRoom};
use crate::runtime::time::{self, TimeSpec};
use crate::runtime::{Result, system};
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "bytes_thread",
        run: threads,
    },
    Row {
        name: "bytes_forked",
        run: forked,
    },
    Row {
        name: "bytes_executed",
        run: executed,
    },
];

/// How many of a kind there are at a time: what a kernel keeps at hand for the next ones is little beside them.
const MANY: usize = 1000;

/// Until all wait, or are gone.
const SETTLING: u64 = 50_000_000;

/// A program that waits for one byte of its standard input.
const WAITER: &str = "/waiter";

/// `mov x0, #0`, `mov x1, sp`, `mov x2, #1`, `mov x8, #63`, `svc #0`: read(0, sp, 1).
const READ: [u32; 5] = [0xd280_0000, 0x9100_03e1, 0xd280_0022, 0xd280_07e8, 0xd400_0001];

/// One thread, its stack not counted.
fn threads(_: &Settings, report: &mut Report) -> Result<()> {
    static ROOM: WaitingRoom = WaitingRoom::new();
    measure(report, "bytes_thread", |wait, _| {
        process::waiting_thread(wait, &ROOM).map(|()| None)
    })
}

/// A child that shares all with its parent but for what it writes on its way to the wait.
fn forked(_: &Settings, report: &mut Report) -> Result<()> {
    measure(
        report,
        "bytes_forked",
        |wait, _| match process::fork_keeping_output()? {
            Fork::Child => process::exit_now(i32::from(wait.read(&mut [0]).is_err())),
            Fork::Parent(child) => Ok(Some(child)),
        },
    )
}

/// The smallest program.
fn executed(_: &Settings, report: &mut Report) -> Result<()> {
    write_program(WAITER, &[READ.as_slice(), &EXIT].concat())?;
    measure(
        report,
        "bytes_executed",
        |wait, _| match process::fork_keeping_output()? {
            Fork::Child => {
                if duplicate(wait.descriptor(), 0).is_ok() {
                    process::execute(WAITER, &[WAITER], &[]);
                }
                process::exit_now(127)
            }
            Fork::Parent(child) => Ok(Some(child)),
        },
    )
}

/// Bytes for one of what `begin` begins, which is a child or a thread that reads one byte.
fn measure(
    report: &mut Report,
    name: &str,
    begin: impl Fn(&File, usize) -> Result<Option<i32>>,
) -> Result<()> {
    let (wait, go) = pipe()?;
    let mut children = Vec::with_capacity(MANY);
    // Once: what the first of a kind have left, the next may find.
    let before = free_memory()?;
    for nth in 0..MANY {
        children.extend(begin(&wait, nth)?);
    }
    let taken = before.saturating_sub(free_memory()?);
    go.write(&[0; MANY])?;
    for child in children {
        process::wait_for_end(child)?;
    }
    report.add(name, BYTES, &mut [taken * 100 / MANY as u64], "");
    Ok(())
}

/// When all that began or ended has come to rest.
fn free_memory() -> Result<u64> {
    time::sleep(TimeSpec::from_nanoseconds(SETTLING))?;
    let memory = system::information()?;
    Ok(memory.freeram * u64::from(memory.mem_unit))
}
