//! Mappings beside many others, in a process of many threads, in a child just forked; and memory that moves.

use super::children::Waiting;
use super::report::Report;
use super::settings::Settings;
use super::{MEBIBYTE, Row, filled, pages_of, untouched};
use crate::runtime::Result;
use crate::runtime::crowd::Threads;
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use abi::memory::ProtFlags;
use alloc::format;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "areas",
        run: beside_areas,
    },
    Row {
        name: "threads_map",
        run: beside_threads,
    },
    Row {
        name: "mremap",
        run: move_memory,
    },
];

/// Calls in one repeat.
const CALLS: u64 = 256;

/// A mapping of which no page has a neighbour with the same rights: so many areas.
fn areas(count: usize) -> Result<Mapping> {
    let memory = untouched(count)?;
    for page in (0..count).step_by(2) {
        memory.protect(page, 1, ProtFlags::PROT_READ)?;
    }
    Ok(memory)
}

/// Beside so many areas: mmap and munmap of a page; mprotect of a page that becomes an area of its own, and of its neighbours' again;
/// fork; and the child's first mmap.
fn beside_areas(settings: &Settings, report: &mut Report) -> Result<()> {
    for count in settings.crowds(&[10, 1000, 10_000], &[100, 30_000, 65_000]) {
        let _areas = areas(count)?;
        let name = |what| format!("areas_{what}/{count}");
        map_and_unmap(settings, report, &name("map"))?;
        let three = untouched(3)?;
        report.measure(&name("protect"), 2 * CALLS, settings.repeats, |meter| {
            meter.time(|| (0..CALLS).try_for_each(|_| protect_and_back(&three)))
        })?;
        report.measure(&name("fork"), 1, settings.repeats, |meter| {
            let child = Waiting::fork(meter)?;
            child.settle()?;
            child.end()
        })?;
        child_maps(settings, report, &name("child_map"))?;
    }
    Ok(())
}

fn protect_and_back(three: &Mapping) -> Result<()> {
    three.protect(1, 1, ProtFlags::PROT_READ)?;
    three.protect(1, 1, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)
}

/// mmap and munmap of a page.
fn map_and_unmap(settings: &Settings, report: &mut Report, name: &str) -> Result<()> {
    let call = || Mapping::anonymous(PAGE, Sharing::Private).map(drop);
    report.measure(name, CALLS, settings.repeats, |meter| {
        meter.time(|| (0..CALLS).try_for_each(|_| call()))
    })
}

/// The first mmap of a child, which may have to pay for what fork put off.
fn child_maps(settings: &Settings, report: &mut Report, name: &str) -> Result<()> {
    report.measure(name, 1, settings.repeats, |meter| {
        Waiting::time_deed(meter, || {
            Mapping::anonymous(PAGE, Sharing::Private).map(core::mem::forget)
        })
    })
}

/// mmap and munmap of a page while so many other threads of the process wait.
fn beside_threads(settings: &Settings, report: &mut Report) -> Result<()> {
    for count in settings.crowds(&[10, 1000], &[100]) {
        let _threads = Threads::start(count)?;
        map_and_unmap(settings, report, &format!("threads_map/{count}"))?;
    }
    Ok(())
}

/// mremap of so many MiB, all written, to a place that lies some MiB away.
fn move_memory(settings: &Settings, report: &mut Report) -> Result<()> {
    const TABLE: usize = 2 * MEBIBYTE;
    for size in settings.crowds(&[4, 16], &[1, 64]) {
        let pages = pages_of(size);
        let memory = filled(3 * pages + TABLE / PAGE)?;
        let start = (memory.address().next_multiple_of(TABLE) - memory.address()) / PAGE;
        report.measure(&format!("mremap/{size}"), 2, settings.repeats, |meter| {
            let other = start + 2 * pages;
            memory.open_hole(other, pages)?;
            meter.time(|| memory.move_pages(start, other, pages))?;
            meter.time(|| memory.move_pages(other, start, pages))?;
            memory.close_hole(other, pages)
        })?;
    }
    Ok(())
}
