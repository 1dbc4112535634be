//! The registers of a thread that the kernel itself never uses: they stay in the processor until another thread runs.

use alloc::boxed::Box;
use core::fmt;
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

    /// Takes the registers from the processor: those of the thread that ran last.
    #[inline]
    pub fn save(&mut self) {
        // SAFETY: stores 528 bytes, the size of the value, which is 16-byte aligned. FP is enabled (head.s, CPACR_EL1).
        unsafe { save_user_registers(self) }
    }

    /// As [`UserRegisters::save`], into a place of their own.
    ///
    /// # Errors
    /// [`NoMemory`]: there is no place.
    #[inline]
    pub fn saved() -> Result<Box<UserRegisters>, NoMemory> {
        let mut registers = Box::<UserRegisters>::try_new_uninit().map_err(|_| NoMemory)?;
        // SAFETY: as in `save`; the stores fill the whole value, and any bits are one.
        unsafe {
            save_user_registers(registers.as_mut_ptr());
            Ok(registers.assume_init())
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

    /// v0 to v31, to be changed.
    pub fn v_mut(&mut self) -> &mut [u128; 32] {
        &mut self.v
    }

    /// Status: flags of floating-point operations.
    pub fn fpsr(&self) -> u32 {
        self.fpsr
    }

    /// Sets the status; bits that have no meaning are dropped.
    pub fn set_fpsr(&mut self, fpsr: u32) {
        self.fpsr = fpsr & FPSR_MASK;
    }

    /// Control: rounding and the like.
    pub fn fpcr(&self) -> u32 {
        self.fpcr
    }

    /// Sets the control; bits that a program may not choose are dropped.
    pub fn set_fpcr(&mut self, fpcr: u32) {
        self.fpcr = fpcr & FPCR_MASK;
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
