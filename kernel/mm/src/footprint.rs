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
