//! Faults, for each page.

use super::children::{Board, Waiting, run};
use super::meter::Meter;
use super::report::{NUMBER, Report, TIME, hundredths};
use super::settings::Settings;
use super::{Random, Row, filled, untouched};
use crate::runtime::Result;
use crate::runtime::measure::ticks;
use crate::runtime::memory::{Mapping, PAGE};
use crate::runtime::process::{self, RUSAGE_SELF};
use abi::memory::ProtFlags;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "demand_zero",
        run: demand_zero,
    },
    Row {
        name: "read_fault",
        run: read_fault,
    },
    Row {
        name: "first_write",
        run: first_write,
    },
    Row {
        name: "copy_sequential",
        run: copy_sequential,
    },
    Row {
        name: "copy_random",
        run: copy_random,
    },
    Row {
        name: "last_owner",
        run: last_owner,
    },
    Row {
        name: "unprotected_write",
        run: unprotected_write,
    },
    Row {
        name: "inherited_read",
        run: inherited_read,
    },
];

/// Pages of one repeat: 16 MiB.
const PAGES: usize = 4096;

/// The first store into memory that nobody has touched.
fn demand_zero(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("demand_zero", PAGES as u64, settings.repeats, |meter| {
        let memory = untouched(PAGES)?;
        meter.time(|| memory.store_pages(PAGES, 1));
        Ok(())
    })
}

/// The first load: the frame of zeros that all share.
fn read_fault(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("read_fault", PAGES as u64, settings.repeats, |meter| {
        let memory = untouched(PAGES)?;
        meter.time(|| memory.load_pages(PAGES));
        Ok(())
    })
}

/// The first store after it.
fn first_write(settings: &Settings, report: &mut Report) -> Result<()> {
    report.measure("first_write", PAGES as u64, settings.repeats, |meter| {
        let memory = untouched(PAGES)?;
        memory.load_pages(PAGES);
        meter.time(|| memory.store_pages(PAGES, 1));
        Ok(())
    })
}

/// Stores into pages that a living child shares, in the order of addresses.
fn copy_sequential(settings: &Settings, report: &mut Report) -> Result<()> {
    copies(settings, report, "copy_sequential", |memory| {
        memory.store_pages(PAGES, 2)
    })
}

/// The same pages in random order.
fn copy_random(settings: &Settings, report: &mut Report) -> Result<()> {
    let order = Random::new().order(PAGES);
    copies(settings, report, "copy_random", |memory| {
        order.iter().for_each(|page| memory.store(page * PAGE, 2))
    })
}

fn copies(settings: &Settings, report: &mut Report, name: &str, store_all: impl Fn(&Mapping)) -> Result<()> {
    let memory = filled(PAGES)?;
    report.measure(name, PAGES as u64, settings.repeats, |meter| {
        let child = Waiting::fork(&mut Meter::timing())?;
        child.settle()?;
        meter.time(|| store_all(&memory));
        child.end()
    })
}

/// mprotect(2) of what was read-only for a while, and the first store to it; nobody else has the pages.
fn unprotected_write(settings: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(PAGES)?;
    report.measure("unprotected_write", PAGES as u64, settings.repeats, |meter| {
        memory.protect(0, PAGES, ProtFlags::PROT_READ)?;
        meter.time(|| {
            memory.protect(0, PAGES, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
            memory.store_pages(PAGES, 2);
            Ok(())
        })
    })
}

/// Stores into pages whose other owner has ended: nothing needs to be copied.
fn last_owner(settings: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(PAGES)?;
    report.measure("last_owner", PAGES as u64, settings.repeats, |meter| {
        run(|| Ok(()))?;
        meter.time(|| memory.store_pages(PAGES, 2));
        Ok(())
    })
}

/// A child reads what its parent wrote: time, and faults.
fn inherited_read(settings: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(PAGES)?;
    let board = Board::new()?;
    let (mut times, mut faults) = (alloc::vec::Vec::new(), alloc::vec::Vec::new());
    for _ in 0..settings.repeats {
        run(|| {
            let faults = process::usage(RUSAGE_SELF)?.minflt;
            let start = ticks();
            memory.load_pages(PAGES);
            board.write(0, ticks() - start);
            board.write(1, process::usage(RUSAGE_SELF)?.minflt.abs_diff(faults));
            Ok(())
        })?;
        times.push(hundredths(board.read(0), PAGES as u64));
        faults.push(board.read(1) * 100 / PAGES as u64);
    }
    report.add("inherited_read", TIME, &mut times, "");
    report.add("inherited_read/faults", NUMBER, &mut faults, "");
    Ok(())
}
