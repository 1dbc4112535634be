//! fork(2) alone, at several sizes of memory.

use super::children::Waiting;
use super::report::Report;
use super::settings::Settings;
use super::{Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::memory::{Mapping, Sharing};
use abi::memory::MADV_HUGEPAGE;
use alloc::format;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "fork",
        run: fork,
    },
    Row {
        name: "fork_stores",
        run: fork_stores,
    },
    Row {
        name: "fork_huge",
        run: fork_huge,
    },
];

/// The call, in a parent that has written so much memory; the child waits.
fn fork(settings: &Settings, report: &mut Report) -> Result<()> {
    for size in settings.sizes_that_fit() {
        let _memory = filled(pages_of(size))?;
        fork_row(report, &format!("fork/{size}"), settings.repeats_at(size))?;
    }
    Ok(())
}

/// As a C library's fork(): the parent stores to two pages, of its data and of its heap, when it returns, and the child does. The
/// call and the parent's stores.
fn fork_stores(settings: &Settings, report: &mut Report) -> Result<()> {
    let places: [Mapping; 2] = [filled(1)?, filled(4)?];
    let store = || places.iter().for_each(|page| page.store(0, 1));
    report.measure("fork_stores", 1, settings.repeats, |meter| {
        store();
        let child = Waiting::fork_with(meter, store)?;
        child.settle()?;
        child.end()
    })
}

/// The same with the kernel asked to use pages of 2 MiB, which not every kernel has.
fn fork_huge(settings: &Settings, report: &mut Report) -> Result<()> {
    const SIZE: usize = 1024;
    if !settings.sizes_that_fit().contains(&SIZE) {
        return Ok(());
    }
    let memory = Mapping::anonymous(SIZE << 20, Sharing::Private)?;
    memory.advise(MADV_HUGEPAGE)?;
    memory.store_pages(pages_of(SIZE), 1);
    fork_row(report, &format!("fork_huge/{SIZE}"), settings.repeats)
}

/// One line of a fork in the process as it is.
pub(super) fn fork_row(report: &mut Report, name: &str, repeats: usize) -> Result<()> {
    report.measure(name, 1, repeats, |meter| {
        let child = Waiting::fork(meter)?;
        child.settle()?;
        child.end()
    })
}
