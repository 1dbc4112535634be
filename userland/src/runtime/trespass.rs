//! What programs must not do, for the tests of what happens to them. Every function here ends the program: by the
//! kernel's signal, or, should the machine let the deed pass, by exit status 2. Nothing of Rust's runs after the deed,
//! which is why it may be asked for from safe code.

use super::{output, process};

/// The deed was let pass.
fn survived() -> ! {
    output::eprint(format_args!("the machine let it pass\n"));
    process::exit_now(2)
}

/// Writes a deed out in AArch64 instructions: x0 and x1 hold the arguments, x9 and x30 are free, x28 keeps the stack
/// pointer. On the host there is no deed.
macro_rules! deed {
    ($(#[$documentation:meta])* $name:ident($($argument:ident = $register:tt),*): $($instruction:literal),+) => {
        $(#[$documentation])*
        pub fn $name($($argument: usize),*) -> ! {
            // SAFETY: control never comes back to Rust code that could see what memory or registers have become.
            #[cfg(target_arch = "aarch64")]
            unsafe {
                core::arch::asm!(
                    "mov x28, sp",
                    $($instruction,)+
                    "mov sp, x28",
                    $(in($register) $argument,)*
                    out("x28") _,
                    clobber_abi("C"),
                );
            }
            $(let _: usize = $argument;)*
            survived()
        }
    };
}

deed! {
    /// Loads from an address.
    load(address = "x0"): "ldr x9, [x0]"
}
deed! {
    /// Stores zero to an address.
    store(address = "x0"): "str xzr, [x0]"
}
deed! {
    /// Executes what lies at an address.
    jump(address = "x0"): "blr x0"
}
deed! {
    /// Executes what lies on the stack: zeros.
    jump_to_stack(): "str xzr, [sp, #-16]!", "mov x9, sp", "blr x9"
}
deed! {
    /// Pushes for ever.
    overflow_stack(): "2:", "str xzr, [sp, #-16]!", "b 2b"
}
deed! {
    /// An instruction that is none, for good (`udf`).
    undefined_instruction(): "udf #0"
}
deed! {
    /// A breakpoint that no debugger waits for.
    breakpoint(): "brk #7"
}
deed! {
    /// Reads a register of the kernel.
    read_system_register(): "mrs x9, ttbr0_el1"
}
deed! {
    /// Writes a register of the kernel.
    write_system_register(): "msr ttbr0_el1, xzr"
}
deed! {
    /// Masks interrupts.
    mask_interrupts(): "msr daifset, #2"
}
deed! {
    /// Calls the hypervisor.
    call_hypervisor(): "hvc #0"
}
deed! {
    /// Calls the firmware.
    call_firmware(): "smc #0"
}
deed! {
    /// Loads through a stack pointer that is not a multiple of 16.
    misalign_stack(): "sub x9, sp, #24", "mov sp, x9", "ldr x9, [sp]"
}
deed! {
    /// Goes to an address that is not a multiple of 4.
    misalign_program_counter(): "adr x9, 2f", "add x9, x9, #2", "br x9", "2:", "nop"
}
deed! {
    /// A load-exclusive from an address that is not a multiple of 8.
    misalign_exclusive(): "sub x9, sp, #31", "ldxr x9, [x9]"
}
deed! {
    /// Zeroes the cache line at an address (`dc zva`), as memset may.
    zero_line(address = "x0"): "dc zva, x0"
}
