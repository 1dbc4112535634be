//! Rows for a machine that counts lines and translations (`make misses`): what is done is the same as elsewhere, but how much of it
//! lies in caches when it begins is said. Nothing is timed.

use super::children::{Waiting, run};
use super::meter::Meter;
use super::report::Report;
use super::settings::Settings;
use super::{Random, Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::measure::{mark_begin, mark_end};
use crate::runtime::memory::{Mapping, PAGE};
use crate::runtime::process::{self, Fork};
use abi::memory::ProtFlags;
use alloc::format;
use alloc::vec::Vec;

/// The rows of this file.
const ROWS: &[Row] = &[
    Row {
        name: "copy_in_l2",
        run: copy_in_l2,
    },
    Row {
        name: "copy_in_l1",
        run: copy_in_l1,
    },
    Row {
        name: "region_store",
        run: region_store,
    },
    Row {
        name: "life",
        run: life,
    },
    Row {
        name: "exit",
        run: exit,
    },
    Row {
        name: "munmap",
        run: munmap,
    },
    Row {
        name: "mprotect",
        run: mprotect,
    },
    Row {
        name: "snapshot_stores",
        run: snapshot_stores,
    },
];

/// Rows of other files that are looked at too.
const OTHERS: &[&str] = &[
    "null_call",
    "yield",
    "pipe_round_trip",
    "demand_zero",
    "copy_sequential",
    "fork",
    "fork_exec_wait",
    "fuzz_round",
];

/// All of them.
pub fn rows() -> Vec<Row> {
    let others = super::rows().into_iter().filter(|row| OTHERS.contains(&row.name));
    others.chain(ROWS.iter().copied()).collect()
}

const LINE: usize = 64;
/// MiB of the parent in the rows of many tables, and pages that one of these tables maps.
const PARENT: usize = 64;
const REGION: usize = 512 * PAGE;

fn load_lines(memory: &Mapping, from: usize, length: usize) {
    for offset in (from..from + length).step_by(LINE) {
        memory.load(offset);
    }
}

/// Stores into pages that a living child shares, of which all lines were loaded just before: 256 KiB of them.
fn copy_in_l2(_: &Settings, report: &mut Report) -> Result<()> {
    copies(
        report,
        "copy_in_l2",
        |memory| load_lines(memory, 0, memory.length()),
        |_, _| {},
    )
}

/// The same, each page's lines loaded before the store to it.
fn copy_in_l1(_: &Settings, report: &mut Report) -> Result<()> {
    copies(
        report,
        "copy_in_l1",
        |_| {},
        |memory, page| load_lines(memory, page * PAGE, PAGE),
    )
}

fn copies(
    report: &mut Report,
    name: &str,
    before_all: impl Fn(&Mapping),
    before_each: impl Fn(&Mapping, usize),
) -> Result<()> {
    const PAGES: usize = 64;
    let memory = filled(PAGES)?;
    report.measure(name, PAGES as u64, 1, |meter| {
        let child = Waiting::fork(&mut Meter::timing())?;
        child.settle()?;
        before_all(&memory);
        for page in 0..PAGES {
            before_each(&memory, page);
            meter.time(|| memory.store(page * PAGE, 2));
        }
        child.end()
    })
}

/// The first store after a fork into each region of 2 MiB: its table and its page are copied.
fn region_store(_: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(pages_of(PARENT))?;
    let regions = memory.length() / REGION;
    report.measure("region_store", regions as u64, 1, |meter| {
        let child = Waiting::fork(&mut Meter::timing())?;
        child.settle()?;
        (0..regions).for_each(|region| meter.time(|| memory.store(region * REGION, 2)));
        child.end()
    })
}

/// fork, _exit, wait.
fn life(settings: &Settings, report: &mut Report) -> Result<()> {
    for size in settings.sizes_that_fit() {
        let _memory = filled(pages_of(size))?;
        report.measure(&format!("life/{size}"), 1, 1, |meter| {
            meter.time(|| run(|| Ok(())))
        })?;
    }
    Ok(())
}

/// From a child's _exit until its parent has waited for it.
fn exit(_: &Settings, report: &mut Report) -> Result<()> {
    report.measure("exit", 1, 1, |_| {
        let ended = match process::fork_keeping_output()? {
            Fork::Child => {
                mark_begin();
                process::exit_now(0)
            }
            Fork::Parent(child) => process::wait_for_end(child),
        };
        mark_end();
        super::children::expect_success(ended?)
    })
}

/// munmap(2) of 1 MiB that was written.
fn munmap(_: &Settings, report: &mut Report) -> Result<()> {
    report.measure("munmap", 1, 1, |meter| {
        let memory = filled(pages_of(1))?;
        meter.time(|| drop(memory));
        Ok(())
    })
}

/// mprotect(2) of as much: its pages may not be written any more.
fn mprotect(_: &Settings, report: &mut Report) -> Result<()> {
    let memory = filled(pages_of(1))?;
    let all = memory.pages();
    report.measure("mprotect", 1, 1, |meter| {
        memory.protect(0, all, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        memory.store_pages(all, 1);
        meter.time(|| memory.protect(0, all, ProtFlags::PROT_READ))
    })
}

/// A snapshot of 256 MiB: the fork, then each store to one page of a hundred, while the child reads all.
fn snapshot_stores(_: &Settings, report: &mut Report) -> Result<()> {
    const SIZE: usize = 256;
    let memory = filled(pages_of(SIZE))?;
    let mut random = Random::new();
    let places: Vec<usize> = (0..memory.pages() / 100)
        .map(|_| random.below(memory.pages()))
        .collect();
    report.measure("snapshot_stores", 1, 1, |meter| {
        memory.store_pages(memory.pages(), 1);
        let child = match meter.time(process::fork_keeping_output)? {
            Fork::Parent(child) => child,
            Fork::Child => {
                memory.load_pages(memory.pages());
                process::exit_now(0)
            }
        };
        places
            .iter()
            .for_each(|page| meter.time(|| memory.store(page * PAGE, 2)));
        super::children::expect_success(process::wait_for_end(child)?)
    })
}
