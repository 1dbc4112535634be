//! The registers of a thread that the kernel itself never uses: they stay in the processor until another thread runs.

use alloc::boxed::Box;
use core::fmt;
use core::mem::MaybeUninit;
use mm::NoMemory;

/// FP/SIMD registers and the thread pointer of one thread (Arm ARM B1.2, C5.2). The assembly knows the layout (arch/copy.s).
#[derive(Clone)]
#[repr(C, align(16))]
pub struct UserRegisters {
    v: [u128; 32],
    fpsr: u32,
    fpcr: u32,
    tpidr: u64,
}

unsafe extern "C" {
    fn save_user_registers(to: *mut UserRegisters);
    fn restore_user_registers(from: *const UserRegisters);
    fn save_vectors(to: *mut [u128; 32]) -> u64;
    fn restore_vectors(from: *const [u128; 32], fpsr: u32, fpcr: u32);
}

/// FPCR bits that a program may choose: AHP, DN, FZ, RMode (Arm ARM C5.2.8); the others stay 0.
const FPCR_MASK: u32 = 0x07c0_0000;
/// FPSR bits: N, Z, C, V, QC and the cumulative exception flags (Arm ARM C5.2.10).
const FPSR_MASK: u32 = 0xf800_009f;

impl UserRegisters {
    /// All zeros, as a program starts.
    pub const fn new() -> UserRegisters {
        UserRegisters {
            v: [0; 32],
            fpsr: 0,
            fpcr: 0,
            tpidr: 0,
        }
    }

    /// Those of the thread that runs: they are in the processor.
    #[inline]
    pub fn running() -> UserRegisters {
        let mut registers = MaybeUninit::<UserRegisters>::uninit();
        // SAFETY: stores 528 bytes, the size of the value, which is 16-byte aligned; any bits are one. FP is enabled (head.s,
        // CPACR_EL1).
        unsafe {
            save_user_registers(registers.as_mut_ptr());
            registers.assume_init()
        }
    }

    /// As [`UserRegisters::running`], in a place of their own.
    ///
    /// # Errors
    /// [`NoMemory`]: there is no place.
    #[inline]
    pub fn saved() -> Result<Box<UserRegisters>, NoMemory> {
        let mut registers = Box::<UserRegisters>::try_new_uninit().map_err(|_| NoMemory)?;
        // SAFETY: as in `running`.
        unsafe {
            save_user_registers(registers.as_mut_ptr());
            Ok(registers.assume_init())
        }
    }

    /// Does something in which other threads run. Meanwhile the registers of this one lie on its stack.
    #[inline(always)]
    pub fn keep_during(other_threads_run: impl FnOnce()) {
        let mut kept = MaybeUninit::<UserRegisters>::uninit();
        // SAFETY: as in `running`, and what was stored is loaded again: it lies on the stack of the thread that runs.
        unsafe {
            save_user_registers(kept.as_mut_ptr());
            other_threads_run();
            restore_user_registers(kept.as_ptr());
        }
    }

    /// Puts the registers into the processor, for the thread that runs next.
    #[inline]
    pub fn restore(&self) {
        // SAFETY: loads as many. The kernel is built without FP, so no compiled code has a value in those registers;
        // TPIDR_EL0 is the program's own.
        unsafe { restore_user_registers(self) }
    }

    /// v0 to v31.
    pub fn v(&self) -> &[u128; 32] {
        &self.v
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
        (self.v, self.fpsr, self.fpcr) = (v, fpsr, fpcr);
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

/// Takes v0 to v31 of the thread that runs from the processor; FPSR and FPCR.
#[inline]
pub fn take_vectors(to: &mut [u128; 32]) -> (u32, u32) {
    // SAFETY: stores 512 bytes, the size of the array. FP is enabled (head.s, CPACR_EL1).
    let status = unsafe { save_vectors(to) };
    (status as u32, (status >> 32) as u32)
}

/// Puts v0 to v31, FPSR and FPCR of the thread that runs into the processor. Bits that have no meaning, or that a program may not
/// choose, are dropped.
#[inline]
pub fn put_vectors(from: &[u128; 32], fpsr: u32, fpcr: u32) {
    // SAFETY: loads as many. The kernel is built without FP, so no compiled code has a value in those registers.
    unsafe { restore_vectors(from, fpsr & FPSR_MASK, fpcr & FPCR_MASK) }
}
