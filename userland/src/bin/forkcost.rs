//! `forkcost [MEBIBYTES...]`: what fork(2) costs a parent that has touched so much memory, and what the first stores after it
//! cost, in nanoseconds of the virtual counter: instructions, under QEMU's `-icount shift=0,sleep=off`. Runs on Linux too.
//!
//! The child is blocked on a pipe while the parent is timed, so that nothing of its life is counted in.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use userland::runtime::file::pipe;
use userland::runtime::memory::{Mapping, PAGE, Sharing};
use userland::runtime::process::{self, Fork};
use userland::runtime::{Result, time};
use userland::{eprintln, println};

userland::entry!(program);

const ROUNDS: usize = 9;

fn program(arguments: &[&str]) -> i32 {
    let sizes: core::result::Result<Vec<usize>, _> = arguments
        .iter()
        .skip(1)
        .map(|size| size.parse::<usize>())
        .collect();
    let sizes = match sizes {
        Ok(sizes) if sizes.is_empty() => [0, 1, 16, 64, 256].to_vec(),
        Ok(sizes) => sizes,
        Err(_) => {
            eprintln!("usage: forkcost [MEBIBYTES...]");
            return 2;
        }
    };
    println!("Nanoseconds of the virtual counter (instructions, under QEMU's -icount shift=0,sleep=off).");
    println!("   MiB   first fork  median fork   fork+exit+wait   64 stores (per store)");
    for size in sizes {
        if let Err(error) = measure(size) {
            eprintln!("forkcost: {size} MiB: {error}");
            return 1;
        }
    }
    0
}

/// One row: a parent of `mebibytes`, all touched.
fn measure(mebibytes: usize) -> Result<()> {
    let memory = Mapping::anonymous((mebibytes << 20).max(PAGE), Sharing::Private)?;
    for page in 0..memory.pages() {
        memory.store(page * PAGE, page as u64);
    }
    let mut forks = [0; ROUNDS];
    let mut lives = [0; ROUNDS];
    let mut stores = [0; ROUNDS];
    for round in 0..ROUNDS {
        (forks[round], stores[round]) = fork_and_store(&memory)?;
        lives[round] = whole_life()?;
    }
    let first = forks[0];
    println!(
        "{mebibytes:6} {first:12} {:12} {:16} {:12}",
        median(&mut forks),
        median(&mut lives),
        median(&mut stores) / 64,
    );
    Ok(())
}

/// Nanoseconds of one fork, and of 64 stores to spread pages after it while the child lives.
fn fork_and_store(memory: &Mapping) -> Result<(u64, u64)> {
    let (wait_end, go_end) = pipe()?;
    let before = now();
    let fork = process::fork_keeping_output()?;
    let after = now();
    let Fork::Parent(child) = fork else {
        drop(go_end);
        let status = wait_end.read(&mut [0]).map_or(1, |_| 0);
        process::exit_now(status);
    };
    let step = (memory.pages() / 64).max(1);
    let start = now();
    for store in 0..64 {
        memory.store((store * step % memory.pages()) * PAGE + 8, store as u64);
    }
    let stores = now() - start;
    drop(go_end);
    process::wait_for_end(child)?;
    Ok((after - before, stores))
}

/// Nanoseconds of fork, _exit in the child, and wait.
fn whole_life() -> Result<u64> {
    let before = now();
    match process::fork_keeping_output()? {
        Fork::Child => process::exit_now(0),
        Fork::Parent(child) => process::wait_for_end(child)?,
    };
    Ok(now() - before)
}

fn now() -> u64 {
    let (value, rate) = time::counter();
    (u128::from(value) * 1_000_000_000 / u128::from(rate)) as u64
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}
