//! Out to EL0 and back.

use super::{Exception, UserContext};
use crate::arch;
use core::arch::asm;

/// Enters the program and returns with the next exception that it takes, and with `context`, which is in a register then as it is.
/// The program's registers are in it; FP/SIMD registers and TPIDR_EL0 are where they were (see [`super::UserRegisters`]), and the
/// program runs in whatever address space is active (`memory::activate`).
///
/// Inlined, so that the registers that the kernel's loop needs are saved once and not at each trap. There is one such loop: the
/// vectors go to `user_return` in it without asking where it lies, and a second one would not be assembled.
#[inline(always)]
pub fn run(context: &mut UserContext) -> (Exception, &mut UserContext) {
    let word: u64;
    let after: *mut UserContext;
    // SAFETY: the block leaves the kernel by ERET and comes back at `user_return` by the vectors (user_vector), which store the
    // program's registers in `context` and find it on this stack, exactly as pushed here; x0 is `context` again.
    // x19 and x29, which cannot be named as clobbers, are kept on the stack. All other general registers are declared lost. ELR,
    // SPSR and SP_EL0 are the program's; SPSR is a `Pstate`, of which only the flags are anybody's choice: EL0 cannot be left but by an
    // exception. Interrupts are masked from here to ERET, so nothing can come between writing ELR and using it.
    unsafe {
        asm!(
            "stp x19, x29, [sp, #-32]!",
            "str x0, [sp, #16]",
            "ldp x30, x1, [x0, #240]",
            "ldp x2, x3, [x0, #256]",
            "msr sp_el0, x1",
            "msr elr_el1, x2",
            "msr spsr_el1, x3",
            "ldp x2, x3, [x0, #16]",
            "ldp x4, x5, [x0, #32]",
            "ldp x6, x7, [x0, #48]",
            "ldp x8, x9, [x0, #64]",
            "ldp x10, x11, [x0, #80]",
            "ldp x12, x13, [x0, #96]",
            "ldp x14, x15, [x0, #112]",
            "ldp x16, x17, [x0, #128]",
            "ldp x18, x19, [x0, #144]",
            "ldp x20, x21, [x0, #160]",
            "ldp x22, x23, [x0, #176]",
            "ldp x24, x25, [x0, #192]",
            "ldp x26, x27, [x0, #208]",
            "ldp x28, x29, [x0, #224]",
            "ldp x0, x1, [x0]",
            "eret",
            "2:",
            ".global user_return",
            ".equiv user_return, 2b",
            "ldp x19, x29, [sp], #32",
            inout("x0") core::ptr::from_mut(context) => after, out("x2") word,
            out("x1") _, out("x3") _, out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _,
            out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _, out("x15") _,
            out("x16") _, out("x17") _, out("x18") _, out("x20") _, out("x21") _, out("x22") _, out("x23") _,
            out("x24") _, out("x25") _, out("x26") _, out("x27") _, out("x28") _, out("x30") _,
        );
    }
    // An exception masks SError; the kernel wants to hear of them (platform/README.md, rule 14).
    arch::unmask_system_errors();
    // SAFETY: it is `context`, which nobody else has.
    (Exception::from_vector(word), unsafe { &mut *after })
}
