//! Single instructions under their Arm mnemonics, as functions that are inlined, and the assembly files. Together with
//! `wait` and `user::run` this is all assembly of the kernel.

use aarch64_cpu::registers::{CPACR_EL1, ESR_EL1, FAR_EL1, Readable, TPIDR_EL0, Writeable};
use core::arch::{asm, global_asm};
use mm::{Asid, PhysAddr, VirtAddr};
pub(crate) use pmu::{count_cycles_and_instructions, cycles, cycles_in, has_pmu, instructions};
pub(crate) use wait::{wait_for_store, wait_for_store_to_byte};

mod pmu;
pub(crate) mod vdso;
mod wait;

global_asm!(
    include_str!("../boot/head.s"),
    include_str!("../boot/early.s"),
    options(raw)
);
global_asm!(include_str!("vectors.s"), options(raw));
global_asm!(include_str!("copy.s"), options(raw));
global_asm!(include_str!("bytes.s"), options(raw));
global_asm!(include_str!("chacha.s"), options(raw));

macro_rules! instruction {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name() {
            // SAFETY: a barrier, hint or whole-TLB invalidation orders or forgets, and changes no memory. Without `nomem`
            // the compiler moves no access to memory across it.
            unsafe { asm!($text, options(nostack, preserves_flags)) }
        }
    };
}

instruction!(
    /// Stores before are visible to all walkers and processors of the Inner Shareable domain before anything after.
    dsb_ishst, "dsb ishst");
instruction!(
    /// Who sees a store after, sees stores before.
    dmb_ishst, "dmb ishst");
instruction!(
    /// Accesses and TLB maintenance before are complete on all processors.
    dsb_ish, "dsb ish");
instruction!(
    /// As [`dsb_ish`], for this processor.
    dsb_nsh, "dsb nsh");
instruction!(
    /// Accesses before are complete for devices too (platform/README.md, rule 13).
    dsb_sy, "dsb sy");
instruction!(
    /// System register writes before are seen by instructions after.
    isb, "isb");
instruction!(
    /// Sleeps until an interrupt is pending, masked or not.
    wfi, "wfi");
instruction!(
    /// Wakes every processor that waits in WFE.
    sev, "sev");
instruction!(
    /// Forgets all EL1&0 translations on this processor.
    tlbi_vmalle1, "tlbi vmalle1");
instruction!(
    /// Forgets all EL1&0 translations on all processors: in effect after the next DSB.
    tlbi_vmalle1is, "tlbi vmalle1is");
instruction!(
    /// Unmasks SError (PSTATE.A).
    unmask_system_errors, "msr daifclr, #4");
instruction!(
    /// Masks debug exceptions, SError, IRQ and FIQ.
    mask_all, "msr daifset, #15");

/// The operand of a TLBI by address: ASID and virtual page number (Arm ARM C5.5, "TLBI VAE1").
#[inline(always)]
const fn tlbi_operand(asid: Asid, address: u64) -> u64 {
    (asid.0 as u64) << 48 | (address >> 12) & ((1 << 44) - 1)
}

macro_rules! invalidation {
    ($name:ident, $text:literal, $($argument:ident: $type:ty),+ => $operand:expr) => {
        #[doc = concat!("`", $text, "`: in effect after the next DSB.")]
        #[inline(always)]
        pub(crate) fn $name($($argument: $type),+) {
            // SAFETY: a TLBI only makes the processor walk the tables again.
            unsafe { asm!(concat!($text, ", {}"), in(reg) $operand, options(nostack, preserves_flags)) }
        }
    };
}

invalidation!(tlbi_aside1is, "tlbi aside1is", asid: Asid => (asid.0 as u64) << 48);
invalidation!(tlbi_vae1is, "tlbi vae1is", asid: Asid, address: VirtAddr => tlbi_operand(asid, address.0));
invalidation!(tlbi_vale1is, "tlbi vale1is", asid: Asid, address: VirtAddr => tlbi_operand(asid, address.0));
invalidation!(tlbi_vae1, "tlbi vae1", asid: Asid, address: VirtAddr => tlbi_operand(asid, address.0));
// Of whichever ASID.
invalidation!(tlbi_vaae1is, "tlbi vaae1is", address: VirtAddr => tlbi_operand(Asid(0), address.0));
// A global (kernel) translation, by its address alone.
invalidation!(tlbi_vaale1is, "tlbi vaale1is", address: usize => tlbi_operand(Asid(0), address as u64));

/// Switches the user half to the tree at `root` with `asid`, in one register write (TCR_EL1.AS = 1, A1 = 0).
#[inline(always)]
pub(crate) fn set_ttbr0(root: PhysAddr, asid: Asid) {
    // SAFETY: the kernel lives in TTBR1 and reaches user memory only by LDTR/STTR, which may fault; so any tree will do.
    unsafe {
        asm!("msr ttbr0_el1, {}", "isb", in(reg) (asid.0 as u64) << 48 | root.0, options(nostack, preserves_flags));
    }
}

/// Whether EL0 may use FP and SIMD (CPACR_EL1.FPEN is 3, not 1).
#[inline(always)]
pub(crate) fn is_fp_open() -> bool {
    CPACR_EL1.get() & 1 << 21 != 0
}

/// Lets EL0 use FP and SIMD, from its next instruction on: ERET synchronises.
#[inline(always)]
pub(crate) fn open_fp() {
    CPACR_EL1.write(CPACR_EL1::FPEN::TrapNothing);
}

/// Traps what EL0 does with FP and SIMD, from its next instruction on. The kernel goes on using them.
#[inline(always)]
pub(crate) fn close_fp() {
    CPACR_EL1.write(CPACR_EL1::FPEN::TrapEl0);
}

/// TPIDR_EL0.
#[inline(always)]
pub(crate) fn thread_pointer() -> u64 {
    TPIDR_EL0.get()
}

/// Sets TPIDR_EL0.
#[inline(always)]
pub(crate) fn set_thread_pointer(value: u64) {
    TPIDR_EL0.set(value);
}

/// ESR_EL1: what the exception is that this processor took last.
#[inline(always)]
pub(crate) fn syndrome() -> u64 {
    ESR_EL1.get()
}

/// FAR_EL1: the address that it is about.
#[inline(always)]
pub(crate) fn fault_address() -> u64 {
    FAR_EL1.get()
}

/// Whether the kernel could read at `address`: AT S1E1R, and PAR_EL1.F.
pub(crate) fn is_mapped(address: u64) -> bool {
    let result: u64;
    // SAFETY: asks the MMU for a translation, and reads its answer; PAR_EL1 is used by nobody else.
    unsafe {
        asm!("at s1e1r, {}", "isb", "mrs {}, par_el1", in(reg) address, lateout(reg) result, options(nostack, preserves_flags));
    }
    result & 1 == 0
}

/// Whether an IRQ is pending for this processor, masked or not: ISR_EL1.I.
#[inline(always)]
pub(crate) fn is_interrupt_pending() -> bool {
    let status: u64;
    // SAFETY: reads a register that tells what is pending.
    unsafe { asm!("mrs {}, isr_el1", out(reg) status, options(nomem, nostack, preserves_flags)) };
    status & 1 << 7 != 0
}

/// Smallest data-cache and instruction-cache lines in bytes: CTR_EL0.DminLine and IminLine.
#[inline]
fn cache_lines() -> (usize, usize) {
    let ctr: u64;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    (4 << ((ctr >> 16) & 0xf), 4 << (ctr & 0xf))
}

/// Cleans and invalidates `len` bytes at `start` to the point of coherency, for a reader beside the caches.
pub(crate) fn clean_and_invalidate(start: usize, len: usize) {
    let (line, _) = cache_lines();
    let mut at = start & !(line - 1);
    while at < start + len {
        // SAFETY: writes back what the memory holds for every observer; `start..start + len` is mapped (the caller's).
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) };
        at += line;
    }
    dsb_sy();
}

/// Makes `len` bytes at `start`, just written, visible to instruction fetch on all processors (Arm ARM B2.7.4.2).
pub(crate) fn sync_instructions(start: usize, len: usize) {
    let (data_line, instruction_line) = cache_lines();
    for at in (start & !(data_line - 1)..start + len).step_by(data_line) {
        // SAFETY: a clean changes no value; the range is mapped (the caller's).
        unsafe { asm!("dc cvau, {}", in(reg) at, options(nostack, preserves_flags)) };
    }
    dsb_ish();
    for at in (start & !(instruction_line - 1)..start + len).step_by(instruction_line) {
        // SAFETY: forgets cached instructions; the range is mapped (the caller's).
        unsafe { asm!("ic ivau, {}", in(reg) at, options(nostack, preserves_flags)) };
    }
    dsb_ish();
    isb();
}

/// What identifies this processor.
pub(crate) fn identification() -> [(&'static str, u64); 5] {
    macro_rules! read {
        ($($name:literal, $register:literal);*) => {
            [$(($name, {
                let value: u64;
                // SAFETY: reads an identification register.
                unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags)) };
                value
            })),*]
        };
    }
    read!("MIDR_EL1", "midr_el1"; "REVIDR_EL1", "revidr_el1"; "MPIDR_EL1", "mpidr_el1"; "CTR_EL0", "ctr_el0"; "DCZID_EL0", "dczid_el0")
}

/// Implementer and part of MIDR_EL1.
fn kind() -> u64 {
    const IMPLEMENTER_AND_PART: u64 = 0xff00_fff0;
    let [(_, main_id), ..] = identification();
    main_id & IMPLEMENTER_AND_PART
}

/// Whether this processor is a Cortex-A72.
pub(crate) fn is_cortex_a72() -> bool {
    kind() == 0x4100_d080
}

/// Sets bit 32 of CPUACTLR_EL1 of a Cortex-A72.
pub(crate) fn disable_instruction_prefetch() {
    // SAFETY: this processor has the register (the caller asked), and prefetching changes nothing but time.
    unsafe {
        asm!("mrs {0}, s3_1_c15_c2_0", "orr {0}, {0}, #0x100000000", "msr s3_1_c15_c2_0, {0}", "isb",
            out(reg) _, options(nomem, nostack, preserves_flags));
    }
}

/// From now on exceptions of this processor come by the vectors that clear the branch history (vectors.s).
pub(crate) fn use_vectors_with_loop() {
    unsafe extern "C" {
        static exception_vectors_with_loop: u8;
    }
    // SAFETY: a table of vectors that leads to the other one; its address is all that is taken.
    unsafe {
        asm!("msr vbar_el1, {}", "isb", in(reg) &raw const exception_vectors_with_loop, options(nostack, preserves_flags));
    }
}

/// CPUMERRSR_EL1 and L2MERRSR_EL1 of a Cortex-A72 or A57: which memory of the processor, or of its L2 cache, had an error (Cortex-A72
/// TRM 4.3.77 and 4.3.78). `None` on any other.
pub(crate) fn memory_errors() -> Option<[u64; 2]> {
    const CORTEX_A57: u64 = 0x4100_d070;
    if kind() != CORTEX_A57 && !is_cortex_a72() {
        return None;
    }
    let (cpu, l2): (u64, u64);
    // SAFETY: reads registers that this processor has.
    unsafe {
        asm!("mrs {}, s3_1_c15_c2_2", "mrs {}, s3_1_c15_c2_3", out(reg) cpu, out(reg) l2, options(nomem, nostack, preserves_flags));
    }
    Some([cpu, l2])
}

/// `movz w0, #number`, `ret`: two instructions, in the order of memory.
pub(crate) fn function_that_returns(number: u16) -> u64 {
    const MOVZ_W0: u64 = 0x5280_0000;
    const RET: u64 = 0xd65f_03c0;
    RET << 32 | MOVZ_W0 | u64::from(number) << 5
}

/// Calls what [`function_that_returns`] made at `address`.
pub(crate) fn call(address: usize) -> u64 {
    isb();
    // SAFETY: two instructions that change x0 alone and return; the caller has mapped them executable and made them visible.
    let function: extern "C" fn() -> u64 = unsafe { core::mem::transmute(address) };
    function()
}

/// Waits a little in a loop that watches a device.
#[inline]
pub(crate) fn relax() {
    core::hint::spin_loop();
}

/// Asks a debugger that plays host (QEMU `-semihosting`) to end the run with `code`: SYS_EXIT_EXTENDED. Without one the
/// instruction is an exception.
pub(crate) fn semihosting_exit(code: u64) {
    const SYS_EXIT: u64 = 0x18;
    const APPLICATION_EXIT: u64 = 0x20026;
    let block = [APPLICATION_EXIT, code];
    // SAFETY: the host reads the block and ends the machine; nothing of ours runs after.
    unsafe {
        asm!("hlt #0xf000", inout("x0") SYS_EXIT => _, in("x1") block.as_ptr(), options(nostack));
    }
}

/// The processor interface of a GICv3 (Arm IHI 0069, chapter 12.2).
pub(crate) mod gic {
    use super::asm;

    /// Turns on the system-register interface, lets interrupts above `mask` through, ends them in one step (EOImode 0).
    pub(crate) fn enable_interface(mask: u8) {
        // SAFETY: only the delivery of IRQs changes, and those are masked in PSTATE.
        unsafe {
            asm!(
                "mrs {scratch}, icc_sre_el1",
                "orr {scratch}, {scratch}, #1",
                "msr icc_sre_el1, {scratch}",
                "isb",
                "msr icc_ctlr_el1, xzr",
                "msr icc_bpr1_el1, xzr",
                "msr icc_ap1r0_el1, xzr",
                "msr icc_pmr_el1, {mask}",
                "mov {scratch}, #1",
                "msr icc_igrpen1_el1, {scratch}",
                "isb",
                scratch = out(reg) _,
                mask = in(reg) u64::from(mask),
                options(nostack, preserves_flags)
            );
        }
    }

    /// ICC_IAR1_EL1: the pending interrupt, active from now on.
    #[inline(always)]
    pub(crate) fn acknowledge() -> u32 {
        let interrupt: u64;
        // SAFETY: changes the state of the interrupt only. The barrier orders it before accesses to the device.
        unsafe {
            asm!("mrs {}, icc_iar1_el1", "dsb sy", out(reg) interrupt, options(nostack, preserves_flags))
        };
        interrupt as u32
    }

    /// ICC_SGI1R_EL1: a software-generated interrupt of group 1, for whom the word names.
    pub(crate) fn send(word: u64) {
        // SAFETY: interrupts a processor, which takes interrupts as values. The barrier lets it go now.
        unsafe { asm!("msr icc_sgi1r_el1, {}", "isb", in(reg) word, options(nostack, preserves_flags)) };
    }

    /// ICC_EOIR1_EL1: the interrupt is over.
    #[inline(always)]
    pub(crate) fn end(interrupt: u32) {
        // SAFETY: changes the state of the interrupt only.
        unsafe {
            asm!("msr icc_eoir1_el1, {}", "isb", in(reg) u64::from(interrupt), options(nostack, preserves_flags))
        };
    }
}
