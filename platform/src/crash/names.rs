//! Syndromes in words (Arm ARM D24.2.40, "ESR_EL1").

use crate::trap::{Syndrome, SyndromeValue};

/// The exception class of a syndrome.
pub(super) fn class(esr: u64) -> &'static str {
    match SyndromeValue::new(esr).read(Syndrome::CLASS) {
        0x00 => "unknown reason (undefined instruction)",
        0x01 => "trapped WFI or WFE",
        0x07 => "trapped FP/SIMD access",
        0x0d => "branch target exception",
        0x0e => "illegal execution state",
        0x15 => "SVC",
        0x16 => "HVC",
        0x17 => "SMC",
        0x18 => "trapped MSR, MRS or system instruction",
        0x19 => "trapped SVE access",
        0x20 => "instruction abort from EL0",
        0x21 => "instruction abort",
        0x22 => "PC alignment fault",
        0x24 => "data abort from EL0",
        0x25 => "data abort",
        0x26 => "SP alignment fault",
        0x2c => "trapped floating-point exception",
        0x2f => "SError",
        0x30 | 0x31 => "hardware breakpoint",
        0x32 | 0x33 => "software step",
        0x34 | 0x35 => "watchpoint",
        0x3c => "BRK instruction",
        _ => "exception class without a name here",
    }
}

/// The fault status of an abort (DFSC, IFSC).
pub(super) fn fault_status(esr: u64) -> &'static str {
    match SyndromeValue::new(esr).read(Syndrome::FAULT_STATUS) {
        0x00 => "address size fault, level 0",
        0x01 => "address size fault, level 1",
        0x02 => "address size fault, level 2",
        0x03 => "address size fault, level 3",
        0x04 => "translation fault, level 0",
        0x05 => "translation fault, level 1",
        0x06 => "translation fault, level 2",
        0x07 => "translation fault, level 3",
        0x09 => "access flag fault, level 1",
        0x0a => "access flag fault, level 2",
        0x0b => "access flag fault, level 3",
        0x0d => "permission fault, level 1",
        0x0e => "permission fault, level 2",
        0x0f => "permission fault, level 3",
        0x10 => "synchronous external abort",
        0x14..=0x17 => "synchronous external abort on a table walk",
        0x18 => "synchronous parity or ECC error",
        0x1c..=0x1f => "synchronous parity or ECC error on a table walk",
        0x21 => "alignment fault",
        0x30 => "TLB conflict abort",
        0x31 => "unsupported atomic hardware update",
        0x35 => "unsupported exclusive or atomic access",
        _ => "fault status without a name here",
    }
}
