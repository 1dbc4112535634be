//! What the processor counts of itself: cycles, and instructions retired.

use super::counts::Counts;
use crate::runtime::file::read_text;
use crate::runtime::measure::processor_counters;

/// Both counters, as they stand or as they grew.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessorCounts {
    cycles: u64,
    /// The architecture gives it 32 bits.
    instructions: u32,
}

impl ProcessorCounts {
    /// Whether the kernel lets a privileged program read them: where it does not, that is an illegal instruction.
    pub fn can_be_read() -> bool {
        read_text("/proc/board")
            .is_ok_and(|text| text.contains("performance counters: cycles and instructions"))
    }

    /// As they stand.
    pub fn read() -> ProcessorCounts {
        let (cycles, instructions) = processor_counters();
        ProcessorCounts { cycles, instructions }
    }

    /// How much they grew since then.
    pub fn so_far(self) -> ProcessorCounts {
        let now = ProcessorCounts::read();
        ProcessorCounts {
            cycles: now.cycles.wrapping_sub(self.cycles),
            instructions: now.instructions.wrapping_sub(self.instructions),
        }
    }

    /// Less what was counted for something else.
    pub fn without(self, other: ProcessorCounts) -> ProcessorCounts {
        ProcessorCounts {
            cycles: self.cycles.saturating_sub(other.cycles),
            instructions: self.instructions.saturating_sub(other.instructions),
        }
    }
}

impl From<ProcessorCounts> for Counts {
    /// No deed is without instructions: a processor that says so cannot count them.
    fn from(counts: ProcessorCounts) -> Counts {
        let mut all = Counts::of([("cycles", counts.cycles)]);
        if counts.instructions != 0 {
            all.add(&Counts::of([("instructions", counts.instructions.into())]));
        }
        all
    }
}
