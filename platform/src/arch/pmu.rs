//! The performance counters: cycles, and instructions retired.

use super::{isb, relax};
use core::arch::asm;

/// Whether there is a PMU of the architecture: ID_AA64DFR0_EL1.PMUVer.
pub(crate) fn has_pmu() -> bool {
    let features: u64;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, id_aa64dfr0_el1", out(reg) features, options(nomem, nostack, preserves_flags)) };
    !matches!(features >> 8 & 0xf, 0 | 0xf)
}

/// Cycles of this processor, and the ticks that passed meanwhile on the counter that `now` reads, which are `ticks` or a little more;
/// `None` if nothing counts cycles.
pub(crate) fn cycles_in(ticks: u64, now: impl Fn() -> u64) -> Option<(u64, u64)> {
    if !has_pmu() {
        return None;
    }
    let read = || {
        isb();
        cycles()
    };
    // PMCR_EL0: E, C, LC. PMCNTENSET_EL0: C, the cycle counter.
    // SAFETY: only counters change, which nobody else uses, and which EL0 cannot see (PMUSERENR_EL0, head.s).
    unsafe {
        asm!("msr pmccfiltr_el0, xzr", "msr pmcr_el0, {}", "msr pmcntenset_el0, {}", "isb",
            in(reg) 1u64 | 1 << 2 | 1 << 6, in(reg) 1u64 << 31, options(nomem, nostack, preserves_flags));
    }
    let (start, first) = (now(), read());
    while now() - start < ticks {
        relax();
    }
    let (cycles, passed) = (read().wrapping_sub(first), now() - start);
    // SAFETY: as above: it stops.
    unsafe {
        asm!("msr pmcntenclr_el0, {}", "msr pmcr_el0, xzr", in(reg) 1u64 << 31, options(nomem, nostack, preserves_flags));
    }
    Some((cycles, passed))
}

/// From now on this processor counts its cycles and the instructions that it retires, of programs and of the kernel. There must be a
/// PMU.
pub(crate) fn count_cycles_and_instructions() {
    const INST_RETIRED: u64 = 8;
    // PMCR_EL0: E, P, C, LC. PMCNTENSET_EL0: the cycle counter and counter 0.
    // SAFETY: only counters change, which nobody else uses, and which EL0 cannot see (PMUSERENR_EL0, head.s).
    unsafe {
        asm!("msr pmccfiltr_el0, xzr", "msr pmevtyper0_el0, {}", "msr pmcr_el0, {}", "msr pmcntenset_el0, {}", "isb",
            in(reg) INST_RETIRED, in(reg) 1u64 | 1 << 1 | 1 << 2 | 1 << 6, in(reg) 1u64 << 31 | 1,
            options(nomem, nostack, preserves_flags));
    }
}

/// The cycles that this processor has counted.
pub(crate) fn cycles() -> u64 {
    let count;
    // SAFETY: reads a counter.
    unsafe { asm!("mrs {}, pmccntr_el0", out(reg) count, options(nomem, nostack, preserves_flags)) };
    count
}

/// The instructions that it has counted, in 32 bits.
pub(crate) fn instructions() -> u64 {
    let count;
    // SAFETY: reads a counter.
    unsafe { asm!("mrs {}, pmevcntr0_el0", out(reg) count, options(nomem, nostack, preserves_flags)) };
    count
}
