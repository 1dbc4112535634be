//! The registers of a thread that the kernel itself never uses: they stay in the processor until another thread runs.
//!
//! A program that never uses FP nor SIMD pays for neither: it begins with them *closed* (CPACR_EL1.FPEN = 1: what EL0 does with them
//! traps, what the kernel does in its copies does not), and there is nothing to keep for it. Its first use opens them
//! ([`open_vectors`]), from then on they are kept whenever another thread runs. What closed registers hold is another program's, and
//! is shown to nobody: they count as zeros.

use crate::arch;
use core::fmt;
use core::mem::MaybeUninit;

/// v0 to v31.
type Vectors = [u128; 32];

/// FP/SIMD registers and the thread pointer of one thread (Arm ARM B1.2, C5.2). The assembly knows the layout (arch/copy.s).
#[derive(Clone)]
#[repr(C, align(16))]
pub struct UserRegisters {
    /// Set if they are open, as are the two behind.
    v: MaybeUninit<Vectors>,
    fpsr: u32,
    fpcr: u32,
    tpidr: u64,
    is_open: bool,
}

unsafe extern "C" {
    fn save_user_registers(to: *mut UserRegisters);
    fn restore_user_registers(from: *const UserRegisters);
    fn save_vectors(to: *mut Vectors) -> u64;
    fn restore_vectors(from: *const Vectors, fpsr: u32, fpcr: u32);
}

/// FPCR bits that a program may choose: AHP, DN, FZ, RMode (Arm ARM C5.2.8); the others stay 0.
const FPCR_MASK: u32 = 0x07c0_0000;
/// FPSR bits: N, Z, C, V, QC and the cumulative exception flags (Arm ARM C5.2.10).
const FPSR_MASK: u32 = 0xf800_009f;

/// What closed ones count as.
static ZEROS: Vectors = [0; 32];

impl UserRegisters {
    /// All zeros and closed, as a program starts.
    pub const fn new() -> UserRegisters {
        UserRegisters {
            v: MaybeUninit::uninit(),
            fpsr: 0,
            fpcr: 0,
            tpidr: 0,
            is_open: false,
        }
    }

    /// As [`UserRegisters::new`], made where it stays: the vectors, which are large, are not written.
    #[inline(always)]
    pub(super) fn fill(place: &mut MaybeUninit<UserRegisters>) {
        let registers = place.as_mut_ptr();
        // SAFETY: every field of a place that is ours is written, but for the one that need not be.
        unsafe {
            (&raw mut (*registers).fpsr).write(0);
            (&raw mut (*registers).fpcr).write(0);
            (&raw mut (*registers).tpidr).write(0);
            (&raw mut (*registers).is_open).write(false);
        }
    }

    /// Those of the thread that runs: they are in the processor.
    #[inline]
    pub fn running() -> UserRegisters {
        let mut registers = UserRegisters::new();
        registers.take();
        registers
    }

    /// Takes those of the thread that runs from the processor.
    #[inline]
    pub fn take(&mut self) {
        self.is_open = arch::is_fp_open();
        if self.is_open {
            // SAFETY: stores 528 bytes, up to `is_open`, of the value, which is 16-byte aligned. FP is enabled for the kernel
            // (head.s, CPACR_EL1).
            unsafe { save_user_registers(self) }
        } else {
            self.tpidr = arch::thread_pointer();
        }
    }

    /// Does something in which other threads run. Meanwhile the registers of this one lie on its stack.
    #[inline(always)]
    pub fn keep_during(other_threads_run: impl FnOnce()) {
        if !arch::is_fp_open() {
            let thread_pointer = arch::thread_pointer();
            other_threads_run();
            arch::close_fp();
            return arch::set_thread_pointer(thread_pointer);
        }
        let mut kept = MaybeUninit::<UserRegisters>::uninit();
        // SAFETY: as in `take`, and what was stored is loaded again: it lies on the stack of the thread that runs.
        unsafe {
            save_user_registers(kept.as_mut_ptr());
            other_threads_run();
            arch::open_fp();
            restore_user_registers(kept.as_ptr());
        }
    }

    /// Puts the registers into the processor, for the thread that runs.
    #[inline]
    pub fn restore(&self) {
        if !self.is_open {
            arch::close_fp();
            return arch::set_thread_pointer(self.tpidr);
        }
        arch::open_fp();
        // SAFETY: loads as many as `take` stored. The kernel is built without FP, so no compiled code has a value in those
        // registers; TPIDR_EL0 is the program's own.
        unsafe { restore_user_registers(self) }
    }

    /// v0 to v31.
    pub fn v(&self) -> &[u128; 32] {
        if self.is_open {
            // SAFETY: `take` stored them.
            unsafe { self.v.assume_init_ref() }
        } else {
            &ZEROS
        }
    }

    /// Status: flags of floating-point operations.
    pub fn fpsr(&self) -> u32 {
        self.fpsr
    }

    /// Control: rounding and the like.
    pub fn fpcr(&self) -> u32 {
        self.fpcr
    }

    /// What a host has in place of `restore_vectors`.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn set_vectors(&mut self, v: [u128; 32], fpsr: u32, fpcr: u32) {
        self.v.write(v);
        (self.fpsr, self.fpcr) = (fpsr, fpcr);
    }

    /// The thread pointer, TPIDR_EL0.
    pub fn tpidr(&self) -> u64 {
        self.tpidr
    }

    /// Sets the thread pointer.
    pub fn set_tpidr(&mut self, tpidr: u64) {
        self.tpidr = tpidr;
    }
}

impl Default for UserRegisters {
    fn default() -> UserRegisters {
        UserRegisters::new()
    }
}

impl fmt::Debug for UserRegisters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "UserRegisters {{ fpsr {:#x}, fpcr {:#x}, tpidr {:#x} }}",
            self.fpsr, self.fpcr, self.tpidr
        )
    }
}

/// The program that runs uses FP or SIMD for the first time ([`super::Trap::ClosedVectors`]).
#[cold]
pub fn open_vectors() {
    put_vectors(&ZEROS, 0, 0);
}

/// Takes v0 to v31 of the thread that runs from the processor; FPSR and FPCR.
#[inline]
pub fn take_vectors(to: &mut [u128; 32]) -> (u32, u32) {
    if !arch::is_fp_open() {
        *to = ZEROS;
        return (0, 0);
    }
    // SAFETY: stores 512 bytes, the size of the array. FP is enabled for the kernel (head.s, CPACR_EL1).
    let status = unsafe { save_vectors(to) };
    (status as u32, (status >> 32) as u32)
}

/// Puts v0 to v31, FPSR and FPCR of the thread that runs into the processor. Bits that have no meaning, or that a program may not
/// choose, are dropped.
#[inline]
pub fn put_vectors(from: &[u128; 32], fpsr: u32, fpcr: u32) {
    arch::open_fp();
    // SAFETY: loads as many. The kernel is built without FP, so no compiled code has a value in those registers.
    unsafe { restore_vectors(from, fpsr & FPSR_MASK, fpcr & FPCR_MASK) }
}
