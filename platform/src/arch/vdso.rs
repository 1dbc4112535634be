//! The code of the vDSO as it lies in the image, and what it reads of the processor.

use aarch64_cpu::registers::{TPIDRRO_EL0, Writeable};
use core::arch::global_asm;

global_asm!(include_str!("vdso.s"), options(raw));

unsafe extern "C" {
    static vdso_code: [u8; 0];
    static vdso_rt_sigreturn: [u8; 0];
    static vdso_clock_gettime: [u8; 0];
    static vdso_gettimeofday: [u8; 0];
    static vdso_clock_getres: [u8; 0];
    static vdso_getcpu: [u8; 0];
    static vdso_code_end: [u8; 0];
}

/// All of it.
pub(crate) fn code() -> &'static [u8] {
    let (start, end) = ((&raw const vdso_code).addr(), (&raw const vdso_code_end).addr());
    // SAFETY: the two symbols are the ends of what vdso.s puts into the constants of the image, which nobody writes.
    unsafe { core::slice::from_raw_parts((&raw const vdso_code).cast(), end - start) }
}

/// Where in it each function begins, in the order of `vdso::NAMES`.
pub(crate) fn functions() -> [usize; 5] {
    let start = (&raw const vdso_code).addr();
    [
        (&raw const vdso_rt_sigreturn).addr(),
        (&raw const vdso_clock_gettime).addr(),
        (&raw const vdso_gettimeofday).addr(),
        (&raw const vdso_clock_getres).addr(),
        (&raw const vdso_getcpu).addr(),
    ]
    .map(|function| function - start)
}

/// What programs read in TPIDRRO_EL0: on which processor they run.
pub(crate) fn tell_programs_number(number: usize) {
    TPIDRRO_EL0.set(number as u64);
}
