//! The processors' counters of cycles and of instructions, for programs that may know them (`pmu=programs` on the command line).
//! EL0 never reads them itself: PMUSERENR_EL0 is 0 and stays so. Its read traps, and the kernel answers it or not, by who asks: what
//! a processor counted is not of the asking program alone.

use crate::arch;
use core::sync::atomic::{AtomicBool, Ordering};

static COUNTS_FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// From now on the processors count. Called on the boot processor, before the others are started. Returns whether it can count.
pub fn count_for_programs() -> bool {
    COUNTS_FOR_PROGRAMS.store(arch::has_pmu(), Ordering::Relaxed);
    apply();
    counts_for_programs()
}

/// Whether the processors count for programs.
pub fn counts_for_programs() -> bool {
    COUNTS_FOR_PROGRAMS.load(Ordering::Relaxed)
}

/// Lets the running processor count, if that was asked for.
pub(crate) fn apply() {
    if counts_for_programs() {
        arch::count_cycles_and_instructions();
    }
}

/// A counter that a program reads by MRS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    /// PMCCNTR_EL0.
    Cycles,
    /// PMEVCNTR0_EL0, which counts INST_RETIRED.
    Instructions,
}

impl Counter {
    /// The counter that a trapped instruction of this syndrome reads, and the number of the register that it goes to, 31 for none;
    /// `None` if it is no such read, or nothing is counted for programs.
    pub fn decode(esr: u64) -> Option<(Counter, usize)> {
        let counter = match esr & !REGISTER & ISS {
            CYCLES => Counter::Cycles,
            INSTRUCTIONS => Counter::Instructions,
            _ => return None,
        };
        counts_for_programs().then_some((counter, (esr & REGISTER) as usize >> 5))
    }

    /// What the running processor has counted.
    pub fn read(self) -> u64 {
        match self {
            Counter::Cycles => arch::cycles(),
            Counter::Instructions => arch::instructions(),
        }
    }
}

/// The syndrome without class and length, and Rt in it (Arm ARM D24.2.40, "ISS encoding for an exception from MSR, MRS").
const ISS: u64 = 0x1ff_ffff;
const REGISTER: u64 = 0x1f << 5;
const CYCLES: u64 = mrs(3, 3, 9, 13, 0);
const INSTRUCTIONS: u64 = mrs(3, 3, 14, 8, 0);

const fn mrs(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | 1
}
