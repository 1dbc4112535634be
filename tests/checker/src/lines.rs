//! What is known of each 64-byte line of RAM, and of each page's last store.

use crate::tlb::Moment;
use std::ops::RangeInclusive;

/// Stored with caches on, and not cleaned to the point of unification since.
pub const DIRTY: u8 = 1;
/// Stored, and not invalidated in the instruction caches since.
pub const STALE_INSTRUCTIONS: u8 = 2;
/// Stored with caches off, and not invalidated since.
pub const UNCACHED: u8 = 4;
/// Cleaned, and no instruction cache was told since.
pub const CLEANED: u8 = 8;
/// Stored since power was switched on.
pub const INITIALISED: u8 = 16;
/// Instructions of a program were fetched from it since it was last stored to.
pub const FETCHED: u8 = 32;

/// Bytes of a line.
pub const LINE: u64 = 64;

/// Who stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Writer {
    /// Nobody.
    #[default]
    Nobody,
    /// The kernel.
    Kernel,
    /// A program.
    Program,
}

/// The last store to a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastStore {
    /// When.
    pub at: Moment,
    /// On which processor.
    pub cpu: u8,
    /// By whom.
    pub writer: Writer,
}

/// All lines and pages of RAM.
pub struct Lines {
    base: u64,
    lines: Vec<u8>,
    pages: Vec<LastStore>,
    nothing: u8,
    no_store: LastStore,
}

impl Lines {
    /// Of this RAM, to which nobody has stored.
    pub fn new(base: u64, size: u64) -> Lines {
        Lines {
            base,
            lines: vec![0; (size / LINE) as usize],
            pages: vec![LastStore::default(); (size / 4096) as usize],
            nothing: 0,
            no_store: LastStore::default(),
        }
    }

    /// The line of an address. Outside of RAM there is one that nobody looks at.
    pub fn line(&mut self, address: u64) -> &mut u8 {
        let index = (address.wrapping_sub(self.base) / LINE) as usize;
        self.lines.get_mut(index).unwrap_or(&mut self.nothing)
    }

    /// Whether the line of an address has one of these flags.
    pub fn has(&self, address: u64, flags: u8) -> bool {
        let index = (address.wrapping_sub(self.base) / LINE) as usize;
        self.lines.get(index).is_some_and(|line| line & flags != 0)
    }

    /// The last store to the page of an address.
    pub fn page(&mut self, address: u64) -> &mut LastStore {
        let index = (address.wrapping_sub(self.base) / 4096) as usize;
        self.pages.get_mut(index).unwrap_or(&mut self.no_store)
    }

    /// All instruction caches forget everything that is clean.
    pub fn invalidate_all_instructions(&mut self) {
        for line in &mut self.lines {
            if *line & DIRTY == 0 {
                *line &= !STALE_INSTRUCTIONS;
            }
        }
    }
}

/// The lines that `len` bytes at `address` lie in, by their first addresses.
pub fn lines_of(address: u64, len: u64) -> impl Iterator<Item = u64> {
    let lines: RangeInclusive<u64> = address / LINE..=(address + len.max(1) - 1) / LINE;
    lines.map(|line| line * LINE)
}
