//! Whole lives of children: fork, end, wait; chains and trees of them; and ends by force.

use super::children::{Board, expect_success, run};
use super::report::{Report, TIME, hundredths};
use super::settings::Settings;
use super::{Row, filled, pages_of};
use crate::runtime::measure::ticks;
use crate::runtime::memory::{Mapping, PAGE};
use crate::runtime::process::{self, Fork, WaitStatus};
use crate::runtime::signal::Signal;
use crate::runtime::{Errno, Result};
use abi::memory::ProtFlags;
use alloc::format;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "fork_exit_wait",
        run: fork_exit_wait,
    },
    Row {
        name: "exit_page",
        run: exit_page,
    },
    Row {
        name: "scattered_child",
        run: scattered_child,
    },
    Row {
        name: "fuzz_round",
        run: fuzz_round,
    },
    Row {
        name: "chain",
        run: chain,
    },
    Row {
        name: "tree",
        run: tree,
    },
    Row {
        name: "forbidden_store",
        run: forbidden_store,
    },
];

/// fork, _exit, wait, in a small parent and in one of 1 GiB.
fn fork_exit_wait(settings: &Settings, report: &mut Report) -> Result<()> {
    let sizes = settings.sizes_that_fit();
    for size in sizes.into_iter().filter(|size| [0, 1024].contains(size)) {
        let _memory = filled(pages_of(size))?;
        let name = format!("fork_exit_wait/{size}");
        report.measure(&name, 1, settings.repeats_at(size), |meter| {
            meter.time(|| run(|| Ok(())))
        })?;
    }
    Ok(())
}

/// What a page of its own adds to a child's end: the time from before its _exit until the parent has waited, of a child
/// with many pages less that of one with one.
fn exit_page(settings: &Settings, report: &mut Report) -> Result<()> {
    const PAGES: usize = 4096;
    let board = Board::new()?;
    let mut samples = Vec::new();
    for _ in 0..settings.repeats {
        let few = end_of_child(&board, 1)?;
        let many = end_of_child(&board, PAGES)?;
        samples.push(hundredths(many.saturating_sub(few), PAGES as u64 - 1));
    }
    report.add("exit_page", TIME, &mut samples, "");
    Ok(())
}

/// A child that stores to a page in each of many full tables, as a program does that a fuzzer forks again and again: fork, the stores,
/// _exit, wait; for each table, which is copied and released with its 512 pages.
fn scattered_child(settings: &Settings, report: &mut Report) -> Result<()> {
    const TABLES: usize = 16;
    const PAGES: usize = 512;
    let memory = filled(TABLES * PAGES)?;
    report.measure("scattered_child", TABLES as u64, settings.repeats, |meter| {
        meter.time(|| {
            run(|| {
                (0..TABLES).for_each(|table| memory.store(table * PAGES * PAGE, 2));
                Ok(())
            })
        })
    })
}

/// A fuzzer's whole round in a parent of 64 MiB: fork, the child stores to 32 pages that lie 2 MiB apart, _exit, wait.
fn fuzz_round(settings: &Settings, report: &mut Report) -> Result<()> {
    const PAGES: usize = 32;
    const APART: usize = 2 << 20;
    let memory = filled(PAGES * APART / PAGE)?;
    let store_all = || {
        (0..PAGES).for_each(|page| memory.store(page * APART, 2));
        Ok(())
    };
    report.measure("fuzz_round", 1, settings.repeats, |meter| {
        meter.time(|| run(store_all))
    })
}

fn end_of_child(board: &Board, pages: usize) -> Result<u64> {
    run(|| {
        let memory = filled(pages)?;
        board.write(0, ticks());
        // The kernel unmaps it, at the end.
        core::mem::forget(memory);
        Ok(())
    })?;
    Ok(ticks() - board.read(0))
}

/// Sixteen generations, each of which writes a page that it inherited; the whole of it.
fn chain(settings: &Settings, report: &mut Report) -> Result<()> {
    const DEPTH: usize = 16;
    let memory = filled(DEPTH)?;
    report.measure("chain", 1, settings.repeats, |meter| {
        meter.time(|| generation(&memory, DEPTH))
    })
}

fn generation(memory: &Mapping, left: usize) -> Result<()> {
    if left == 0 {
        return Ok(());
    }
    run(|| {
        memory.store((left - 1) * PAGE, left as u64);
        generation(memory, left - 1)
    })
}

/// Ten times over everybody forks.
const LEVELS: u32 = 10;

/// 1,024 processes, that of the benchmark counted; for each process.
fn tree(settings: &Settings, report: &mut Report) -> Result<()> {
    let repeats = settings.repeats.min(5);
    report.measure("tree", 1 << LEVELS, repeats, |meter| meter.time(grow_tree))
}

/// Makes the tree, and returns when all of it has ended.
fn grow_tree() -> Result<()> {
    let (mut children, mut is_root) = (0, true);
    for _ in 0..LEVELS {
        match process::fork_keeping_output()? {
            Fork::Child => (children, is_root) = (0, false),
            Fork::Parent(_) => children += 1,
        }
    }
    let ends = (0..children).try_for_each(|_| expect_success(process::wait_for_end(-1)?));
    if !is_root {
        process::exit_now(i32::from(ends.is_err()));
    }
    ends
}

/// Brings a kernel's caches of what processes are made of into the state in which they are once a machine has been busy:
/// before the first row, so that no row depends on which others were measured before it.
pub fn warm_up() -> Result<()> {
    grow_tree()
}

/// A child stores to a page that it may only read, is ended by SIGSEGV, and is waited for.
fn forbidden_store(settings: &Settings, report: &mut Report) -> Result<()> {
    let page = filled(1)?;
    page.protect(0, 1, ProtFlags::PROT_READ)?;
    report.measure("forbidden_store", 1, settings.repeats, |meter| {
        meter.time(|| forbidden_life(&page))
    })
}

fn forbidden_life(page: &Mapping) -> Result<()> {
    let child = match process::fork_keeping_output()? {
        Fork::Parent(child) => child,
        Fork::Child => {
            page.store(0, 1);
            process::exit_now(0)
        }
    };
    match process::wait_for_end(child)?.status {
        WaitStatus::Signaled { signal, .. } if signal == Signal::SIGSEGV.number() => Ok(()),
        _ => Err(Errno::ECHILD),
    }
}
