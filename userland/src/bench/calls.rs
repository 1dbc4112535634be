//! System calls that need no other memory than a page, and switches between two processes.

use super::Row;
use super::children::Board;
use super::meter::Meter;
use super::report::{Report, TIME, hundredths};
use super::settings::Settings;
use crate::runtime::file::{File, pipe};
use crate::runtime::measure::{break_cycles, empty_calls, null_calls, ticks};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::process::{self, Fork};
use crate::runtime::time::{self, CLOCK_REALTIME};
use crate::runtime::vdso::ClockFunction;
use crate::runtime::{Errno, Result};

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "null_call",
        run: null_call,
    },
    Row {
        name: "mmap_munmap",
        run: map_and_unmap,
    },
    Row {
        name: "mmap_touch_munmap",
        run: map_touch_unmap,
    },
    Row {
        name: "brk",
        run: move_break,
    },
    Row {
        name: "pipe_round_trip",
        run: pipe_round_trip,
    },
    Row {
        name: "switch",
        run: switch,
    },
    Row {
        name: "yield",
        run: yield_to_another,
    },
];

/// The last of all: who has touched the vDSO has a table there, beside which other rows would map.
pub const CLOCKS: &[Row] = &[
    Row {
        name: "clock_call",
        run: clock_call,
    },
    Row {
        name: "clock_vdso",
        run: clock_vdso,
    },
];

/// Calls in one repeat: enough that the counter's step does not show.
const CALLS: u64 = 4096;

/// The same for calls that take longer.
const TIMES: u64 = 512;

/// getppid(2), without the loop around it.
fn null_call(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("null_call", CALLS, settings.repeats, |meter| {
        let start = ticks();
        empty_calls(CALLS);
        let loops = ticks() - start;
        meter.time(|| null_calls(CALLS));
        // The call takes the place of the instruction that does nothing.
        meter.deduct(loops);
        Ok(())
    })
}

/// clock_gettime(2) of the time of day, by a call.
fn clock_call(settings: &Settings, report: &mut Report) -> Result<()> {
    repeat_call(settings, report, "clock_call", || {
        time::now(CLOCK_REALTIME).map(drop)
    })
}

/// The same as the vDSO answers it.
fn clock_vdso(settings: &Settings, report: &mut Report) -> Result<()> {
    let function = ClockFunction::find().ok_or(Errno::ENOSYS)?;
    repeat_call(settings, report, "clock_vdso", || {
        core::hint::black_box(function.now(CLOCK_REALTIME));
        Ok(())
    })
}

fn map_and_unmap(settings: &Settings, report: &mut Report) -> Result<()> {
    repeat_call(settings, report, "mmap_munmap", || map_page().map(drop))
}

fn map_touch_unmap(settings: &Settings, report: &mut Report) -> Result<()> {
    repeat_call(settings, report, "mmap_touch_munmap", || {
        map_page().map(|page| page.store(0, 1))
    })
}

/// Unmapped when dropped.
fn map_page() -> Result<Mapping> {
    Mapping::anonymous(PAGE, Sharing::Private)
}

/// brk(2) up by a page, a store into it, and down again.
fn move_break(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("brk", TIMES, settings.repeats, |meter| {
        meter.time(|| break_cycles(TIMES))
    })
}

fn repeat_call(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    call: impl Fn() -> Result<()>,
) -> Result<()> {
    report.measure(name, TIMES, settings.repeats, |meter| {
        meter.time(|| (0..TIMES).try_for_each(|_| call()))
    })
}

/// Round trips in one repeat.
const ROUNDS: u64 = 512;

/// A byte there and a byte back.
fn exchange(to: &File, from: &File) -> Result<()> {
    to.write(&[1])?;
    match from.read(&mut [0])? {
        1 => Ok(()),
        _ => Err(Errno::EPIPE),
    }
}

/// A process that sends back each byte, until there are no more.
struct Echo {
    pid: i32,
    to: File,
    from: File,
}

impl Echo {
    fn start() -> Result<Echo> {
        let (child_from, to) = pipe()?;
        let (from, child_to) = pipe()?;
        match process::fork_keeping_output()? {
            Fork::Parent(pid) => Ok(Echo { pid, to, from }),
            Fork::Child => {
                drop((to, from));
                while let Ok(1) = child_from.read(&mut [0]) {
                    if child_to.write(&[1]).is_err() {
                        break;
                    }
                }
                process::exit_now(0)
            }
        }
    }

    fn end(self) -> Result<()> {
        drop(self.to);
        process::wait_for_end(self.pid).map(drop)
    }
}

fn round_trips(meter: &mut Meter) -> Result<()> {
    let echo = Echo::start()?;
    exchange(&echo.to, &echo.from)?;
    meter.time(|| (0..ROUNDS).try_for_each(|_| exchange(&echo.to, &echo.from)))?;
    echo.end()
}

/// A byte to another process and one back: two writes, two reads, two switches.
fn pipe_round_trip(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("pipe_round_trip", ROUNDS, settings.repeats, round_trips)
}

/// A switch between processes: half of a round trip, less the same reads and writes within one process.
fn switch(settings: &Settings, report: &mut Report) -> Result<()> {
    measure_switch("switch", settings, report)
}

/// As [`switch`], under another name.
pub(super) fn measure_switch(name: &'static str, settings: &Settings, report: &mut Report) -> Result<()> {
    let (from, to) = pipe()?;
    let mut samples = alloc::vec::Vec::new();
    for _ in 0..settings.repeats {
        let (mut alone, mut both) = (Meter::timing(), Meter::timing());
        alone.time(|| (0..2 * ROUNDS).try_for_each(|_| exchange(&to, &from)))?;
        round_trips(&mut both)?;
        samples.push(hundredths(both.ticks().saturating_sub(alone.ticks()), 2 * ROUNDS));
    }
    report.add(name, TIME, &mut samples, "");
    Ok(())
}

/// sched_yield(2) to another process that does nothing else: a call and a switch, where there is one processor.
fn yield_to_another(settings: &Settings, report: &mut Report) -> Result<()> {
    let board = Board::new()?;
    let child = match process::fork_keeping_output()? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            while board.read(0) == 0 {
                process::yield_now();
            }
            process::exit_now(0)
        }
    };
    let measured = report.measure("yield", 2 * ROUNDS, settings.repeats, |meter| {
        meter.time(|| (0..ROUNDS).for_each(|_| process::yield_now()));
        Ok(())
    });
    board.write(0, 1);
    process::wait_for_end(child)?;
    measured
}
