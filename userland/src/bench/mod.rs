//! The benchmark: what system calls, faults and forks cost, on any kernel with Linux's arm64 system calls.
//!
//! A [`Row`] is one thing to measure. It repeats a deed, times the part that counts with a [`meter::Meter`], and hands
//! the times to the [`report::Report`], which prints a line that machines read. Under QEMU's `-icount shift=0,sleep=off`
//! a nanosecond of the virtual counter is one guest instruction.
//!
//! Rows by theme: [`calls`], [`faults`], [`swapping`], [`forks`], [`lives`], [`execs`], [`snapshot`], [`serving`], [`work`], [`inquiries`],
//! [`transfers`], [`waiting`], [`footprint`], [`parallel`], `traced`; the curves: [`areas`], [`names`], [`crowds`]; and [`lines`], for a machine that counts those. What the [`processor`] itself
//! counts is read where the kernel lets a program do that.

pub mod areas;
pub mod calls;
pub mod children;
pub mod counts;
pub mod crowds;
pub mod execs;
pub mod faults;
pub mod footprint;
pub mod forks;
pub mod inquiries;
pub mod lines;
pub mod lives;
pub mod meter;
pub mod names;
mod network;
pub mod parallel;
pub mod processor;
pub mod report;
pub mod serving;
pub mod settings;
pub mod snapshot;
mod sockets;
pub mod swapping;
mod traced;
pub mod transfers;
pub mod waiting;
pub mod work;

use alloc::vec::Vec;

use crate::runtime::Result;
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use report::Report;
use settings::Settings;

/// One thing to measure.
#[derive(Clone, Copy)]
pub struct Row {
    /// By which it is chosen; the lines that it prints begin with it.
    pub name: &'static str,
    /// Measures and reports.
    pub run: fn(&Settings, &mut Report) -> Result<()>,
}

/// Every row, in the order in which they are run: first those that depend on how much memory the program itself uses.
pub fn rows() -> Vec<Row> {
    let themes = [
        forks::ROWS,
        lives::ROWS,
        execs::ROWS,
        calls::ROWS,
        sockets::ROWS,
        network::ROWS,
        faults::ROWS,
        swapping::ROWS,
        work::ROWS,
        snapshot::ROWS,
        serving::ROWS,
        inquiries::ROWS,
        transfers::ROWS,
        waiting::ROWS,
        footprint::ROWS,
        areas::ROWS,
        names::ROWS,
        crowds::ROWS,
        traced::ROWS,
        calls::CLOCKS,
        parallel::ROWS,
    ];
    themes.into_iter().flatten().copied().collect()
}

const MEBIBYTE: usize = 1 << 20;

/// Private memory of this many pages (at least one), none of them touched.
fn untouched(pages: usize) -> Result<Mapping> {
    Mapping::anonymous(pages.max(1) * PAGE, Sharing::Private)
}

/// Private memory of this many pages, all of them written.
fn filled(pages: usize) -> Result<Mapping> {
    let memory = untouched(pages)?;
    memory.store_pages(pages, 1);
    Ok(memory)
}

/// How many pages so many MiB are.
const fn pages_of(mebibytes: usize) -> usize {
    mebibytes * MEBIBYTE / PAGE
}

/// Numbers that look random and are the same at every run: xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    const fn new() -> Self {
        Random(0x9E37_79B9_7F4A_7C15)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((number * limit as u64) >> 32) as usize
    }

    /// The numbers below `limit`, each once.
    fn order(&mut self, limit: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..limit).collect();
        for place in (1..limit).rev() {
            order.swap(place, self.below(place + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_start_no_other() {
        let rows = rows();
        for row in &rows {
            let same = rows.iter().filter(|other| other.name == row.name);
            assert_eq!(same.count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn an_order_holds_each_number_once() {
        let mut order = Random::new().order(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }
}
