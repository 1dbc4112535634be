//! The translation that the kernel has set up, and the walk of its tables (Arm ARM D8.2, granule of 4 KiB, stage 1).

use crate::tlb::Entry;

/// The registers that say where tables are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regime {
    /// TTBR0_EL1 and TTBR1_EL1
    pub ttbr: [u64; 2],
    /// TCR_EL1
    pub tcr: u64,
}

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
/// TCR_EL1.A1: the ASID is that of TTBR1.
const A1: u32 = 22;
const CONTIGUOUS: u64 = 1 << 52;
const NOT_GLOBAL: u64 = 1 << 11;

/// Where a walk goes on: a table, and the level of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Physical address.
    pub address: u64,
    /// 0 to 3.
    pub level: u32,
}

/// What an entry of a table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A table of the next level.
    Table(Table),
    /// The translation.
    Leaf(Entry),
    /// Nothing: the walk ends with a fault.
    Fault,
}

/// How many pages an entry of a level stands for, as a power of two.
pub fn order(level: u32) -> u32 {
    9 * (3 - level)
}

impl Regime {
    /// The address space that is entered.
    pub fn asid(&self) -> u64 {
        self.ttbr[(self.tcr >> A1 & 1) as usize] >> 48
    }

    /// The first table for an address.
    pub fn root(&self, address: u64) -> Table {
        let half = address >> 63;
        let unused = self.tcr >> (16 * half) & 0x3f;
        // A level decides nine bits, the page's own address twelve.
        let levels = (64 - unused).saturating_sub(12).div_ceil(9).clamp(1, 4) as u32;
        Table {
            address: self.ttbr[half as usize] & ADDRESS,
            level: 4 - levels,
        }
    }

    /// Where the entry for an address lies in a table.
    pub fn slot(table: Table, address: u64) -> u64 {
        table.address + (address >> (12 + order(table.level)) & 511) * 8
    }

    /// What the entry for an address says.
    pub fn step(&self, table: Table, address: u64, entry: u64) -> Step {
        let (level, next) = (table.level, entry & ADDRESS);
        match (entry & 3, level) {
            (3, 3) | (1, 1 | 2) => Step::Leaf(self.leaf(level, address, entry)),
            (3, 0..=2) => Step::Table(Table {
                address: next,
                level: level + 1,
            }),
            _ => Step::Fault,
        }
    }

    fn leaf(&self, level: u32, address: u64, entry: u64) -> Entry {
        // Sixteen neighbours that say so are one.
        let order = order(level) + if entry & CONTIGUOUS != 0 { 4 } else { 0 };
        let mask = !((1u64 << order) - 1);
        Entry {
            page: address >> 12 & mask,
            order,
            asid: (entry & NOT_GLOBAL != 0).then(|| self.asid()),
            frame: (entry & ADDRESS) >> 12 & mask,
        }
    }
}
