//! Pages that go out to compressed swap space and come back, for each page; and fork(2) of a process that is half out. Where there is no
//! /dev/zram0 there is nothing to measure.

use alloc::format;

use super::forks::fork_row;
use super::report::Report;
use super::settings::Settings;
use super::{Row, filled, pages_of};
use crate::compressed::SwapArea;
use crate::runtime::Result;
use crate::runtime::memory::Mapping;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "page_out",
        run: page_out,
    },
    Row {
        name: "major_fault",
        run: major_fault,
    },
    Row {
        name: "fork_swapped",
        run: fork_swapped,
    },
];

/// Pages of one repeat: 4 MiB.
const PAGES: usize = 1024;
/// The largest process that is forked, in MiB.
const LARGEST: usize = 256;

/// Does `work` while there is swap space for so many pages, if there can be.
fn with_swap(pages: usize, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let Some(area) = SwapArea::begin(pages + 64)? else {
        return Ok(());
    };
    let done = work();
    done.and(area.end())
}

/// madvise(2) with `MADV_PAGEOUT`: each page is taken out of its table, compressed, and its frame is free.
fn page_out(settings: &Settings, report: &mut Report) -> Result<()> {
    with_swap(PAGES, || {
        let memory = filled(PAGES)?;
        report.measure("page_out", PAGES as u64, settings.repeats, |meter| {
            memory.store_pages(PAGES, 1);
            meter.time(|| memory.page_out())
        })
    })
}

/// The first load of a page that is out: it is read, and unpacked.
fn major_fault(settings: &Settings, report: &mut Report) -> Result<()> {
    with_swap(PAGES, || {
        let memory = filled(PAGES)?;
        report.measure("major_fault", PAGES as u64, settings.repeats, |meter| {
            memory.store_pages(PAGES, 1);
            memory.page_out()?;
            meter.time(|| memory.load_pages(PAGES));
            Ok(())
        })
    })
}

/// The call, in a parent that has written so much memory, every second page of which is out: slots are shared as frames are.
fn fork_swapped(settings: &Settings, report: &mut Report) -> Result<()> {
    for size in settings.sizes_that_fit() {
        if size <= LARGEST {
            with_swap(pages_of(size), || {
                let memory = filled(pages_of(size))?;
                page_out_half(&memory)?;
                fork_row(report, &format!("fork_swapped/{size}"), settings.repeats_at(size))
            })?;
        }
    }
    Ok(())
}

fn page_out_half(memory: &Mapping) -> Result<()> {
    (0..memory.pages())
        .step_by(2)
        .try_for_each(|page| memory.page_out_one(page))
}
