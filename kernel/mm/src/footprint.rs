//! How much memory a space holds, roughly, in a time that does not depend on it: for who must choose the process whose end gives
//! back most.

use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::AddressSpace;

/// So many level-3 tables are looked at; the rest is taken to be like them.
const SAMPLE: u64 = 1024;

/// What a space holds. What it shares with others counts in full for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Footprint {
    /// Mapped pages: exact up to a GiB or two, then as dense as those.
    pub pages: u64,
    /// Translation tables, the root not among them: exact.
    pub tables: u64,
}

impl AddressSpace {
    /// Tables, below the root, that other spaces have as well: right after a fork those that it shared. What a shared table leads to
    /// is shared with it. So many tables of this space's own are looked into that a sample is; after a fork that is its stack's path.
    pub fn shared_tables<M: Mmu>(&self, memory: &Memory<M>) -> u64 {
        let frames = memory.frames();
        let below = |table| {
            let used = frames.occupancy(table).used();
            let entries = used.map(move |index| memory.mmu().load(table, index));
            let valid = entries.filter(|entry| entry.is_valid());
            valid.map(|entry| entry.frame())
        };
        let (mut shared, mut looked) = (0, 0);
        for table in below(self.tables.root()) {
            if frames.count(table) > 1 {
                shared += 1 + frames.occupancy(table).valid() as u64;
            } else if looked < SAMPLE {
                for table in below(table) {
                    looked += 1;
                    shared += u64::from(frames.count(table) > 1);
                }
            }
        }
        shared
    }

    /// What it holds, by the counts that each table keeps of its entries: at most 512 tables of level 2 and some of level 3 are
    /// asked.
    pub fn footprint<M: Mmu>(&self, memory: &Memory<M>) -> Footprint {
        let frames = memory.frames();
        let below = |table| {
            let used = frames.occupancy(table).used();
            let entries = used.map(move |index| memory.mmu().load(table, index));
            entries
                .filter(|entry| entry.is_valid())
                .map(|entry| entry.frame())
        };
        let (mut middle, mut last, mut looked, mut pages) = (0, 0, 0, 0);
        for table in below(self.tables.root()) {
            middle += 1;
            last += frames.occupancy(table).valid() as u64;
            if looked < SAMPLE {
                for table in below(table) {
                    looked += 1;
                    pages += frames.occupancy(table).valid() as u64;
                }
            }
        }
        Footprint {
            pages: (pages * last).checked_div(looked).unwrap_or(0),
            tables: middle + last,
        }
    }
}
