//! What is counted, and the estimate that is made of it.

use std::ops::AddAssign;

/// Counts of a measured part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions.
    pub instructions: u64,
    /// Lines of instructions that were not in L1.
    pub l1i: u64,
    /// Lines of data that were not in L1: loads, stores, and none that DC ZVA made.
    pub l1d: u64,
    /// Lines that were not in L2 either, and were read from memory while somebody waited.
    pub l2: u64,
    /// Of these, those next to one of the last sixteen.
    pub in_a_row: u64,
    /// Lines read from memory ahead, by PRFM.
    pub ahead: u64,
    /// Lines that went back to memory.
    pub written_back: u64,
    /// Lines that DC ZVA made without reading them.
    pub claimed: u64,
    /// Translations that were not in the first TLBs.
    pub tlb1: u64,
    /// Nor in the second: walks.
    pub walks: u64,
    /// Entries of tables that these loaded.
    pub walk_loads: u64,
    /// DSB.
    pub dsb: u64,
    /// ISB.
    pub isb: u64,
    /// TLBI.
    pub tlbi: u64,
    /// ERET, each the end of an exception.
    pub returns: u64,
}

/// The cycles of the estimate, for a Cortex-A72 at 1.5 GHz. The core's own are from its Software Optimization Guide where that
/// says something; the others are assumed, and chosen so that null call, fault, copied page and cold fork come within a sixth of what
/// a simulated out-of-order core of three instructions a cycle took. A warm fork, exit and wait comes out at half of that.
pub mod assumed {
    /// Of an instruction whose line and data are at hand.
    pub const INSTRUCTION: f64 = 0.9;
    /// What a line from L2 holds up: of 18 cycles a part is hidden by other work.
    pub const FROM_L2: f64 = 10.0;
    /// What a line from memory holds up, if none of its neighbours was waited for just before.
    pub const FROM_MEMORY: f64 = 130.0;
    /// If one was: several are on their way at once.
    pub const IN_A_ROW: f64 = 45.0;
    /// A line that somebody asked for ahead, or that goes back, or is made without reading: the bus is busy that long.
    pub const BUS: f64 = 6.0;
    /// A translation from the second TLB.
    pub const TLB2: f64 = 7.0;
    /// Beginning and end of a walk; its loads count as lines.
    pub const WALK: f64 = 10.0;
    /// An entry of a table that is in the cache.
    pub const WALK_LOAD: f64 = 4.0;
    /// An exception and the return from it.
    pub const EXCEPTION: f64 = 160.0;
    /// DSB.
    pub const DSB: f64 = 20.0;
    /// ISB.
    pub const ISB: f64 = 15.0;
    /// TLBI, on a machine whose other processors sleep.
    pub const TLBI: f64 = 20.0;
}

impl Counts {
    /// The fields by name, in the order in which they are written.
    pub const NAMES: [&'static str; 15] = [
        "instructions",
        "l1i",
        "l1d",
        "l2",
        "in_a_row",
        "ahead",
        "written_back",
        "claimed",
        "tlb1",
        "walks",
        "walk_loads",
        "dsb",
        "isb",
        "tlbi",
        "returns",
    ];

    /// The fields in that order.
    pub fn fields(&self) -> [u64; 15] {
        [
            self.instructions,
            self.l1i,
            self.l1d,
            self.l2,
            self.in_a_row,
            self.ahead,
            self.written_back,
            self.claimed,
            self.tlb1,
            self.walks,
            self.walk_loads,
            self.dsb,
            self.isb,
            self.tlbi,
            self.returns,
        ]
    }

    /// Counts of these fields.
    pub fn of(fields: [u64; 15]) -> Counts {
        let [
            instructions,
            l1i,
            l1d,
            l2,
            in_a_row,
            ahead,
            written_back,
            claimed,
            rest @ ..,
        ] = fields;
        let [tlb1, walks, walk_loads, dsb, isb, tlbi, returns] = rest;
        Counts {
            instructions,
            l1i,
            l1d,
            l2,
            in_a_row,
            ahead,
            written_back,
            claimed,
            tlb1,
            walks,
            walk_loads,
            dsb,
            isb,
            tlbi,
            returns,
        }
    }

    /// The estimate: each kind of event by its constant, added up.
    pub fn cycles(&self) -> f64 {
        let alone = self.l2 - self.in_a_row;
        let from_l2 = (self.l1i + self.l1d).saturating_sub(self.l2);
        let terms = [
            (self.instructions, assumed::INSTRUCTION),
            (from_l2, assumed::FROM_L2),
            (alone, assumed::FROM_MEMORY),
            (self.in_a_row, assumed::IN_A_ROW),
            (self.ahead + self.written_back + self.claimed, assumed::BUS),
            (self.tlb1, assumed::TLB2),
            (self.walks, assumed::WALK),
            (self.walk_loads, assumed::WALK_LOAD),
            (self.returns, assumed::EXCEPTION),
            (self.dsb, assumed::DSB),
            (self.isb, assumed::ISB),
            (self.tlbi, assumed::TLBI),
        ];
        terms.iter().map(|(count, cycles)| *count as f64 * cycles).sum()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        let (mut sum, more) = (self.fields(), other.fields());
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        *self = Counts::of(sum);
    }
}
