//! Programs at EL0. The life of a program is a loop in the kernel that calls [`run`], answers the [`Exception`], and
//! repeats.

#[cfg(target_os = "none")]
mod enter;
mod registers;

#[cfg(not(target_os = "none"))]
pub use crate::host::program::run;
pub use crate::trap::{Abort, AbortCause, Exception, Trap, access_of};
use core::mem::MaybeUninit;
#[cfg(target_os = "none")]
pub use enter::run;
pub use registers::{UserRegisters, open_vectors, put_vectors, take_vectors};

/// The general registers of a program while it does not run. The vectors know the layout (arch/vectors.s).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct UserContext {
    /// x0 to x30.
    pub x: [u64; 31],
    /// SP_EL0.
    pub sp: u64,
    /// The next instruction.
    pub pc: u64,
    /// Its processor state.
    pub pstate: Pstate,
}

/// Where a new thread begins at EL0. It lies at the base of its kernel stack, below all that the thread will call: it needs no memory
/// of its own, and its general registers stay there.
#[derive(Debug)]
pub struct UserStart {
    /// General registers.
    pub context: UserContext,
    /// FP, SIMD and thread-pointer registers.
    pub registers: UserRegisters,
}

impl UserStart {
    /// In a place of which nothing is known: what a new thread begins with is copied straight to where it stays.
    #[inline(always)]
    pub(crate) fn fill<'a>(
        place: &'a mut MaybeUninit<UserStart>,
        context: &UserContext,
    ) -> &'a mut UserStart {
        let start = place.as_mut_ptr();
        // SAFETY: both fields of a place that is ours are written.
        unsafe {
            (&raw mut (*start).context).write(*context);
            UserRegisters::fill(&mut *(&raw mut (*start).registers).cast());
            &mut *start
        }
    }
}

/// PSTATE of a program, as SPSR_EL1 has it: EL0, AArch64. Only its condition flags are the program's; no other value can be made, and
/// what the vectors store was made here or by the processor at EL0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Pstate(u64);

impl Pstate {
    /// N, Z, C, V.
    const FLAGS: u64 = 0xf000_0000;
    /// PSTATE.F: nothing is masked at EL0 but FIQ, which no board of ours routes to the kernel: whoever let one through would not
    /// come to an end of it.
    const FIQ_MASKED: u64 = 1 << 6;

    /// The state with the condition flags of `word`, in bits 31:28.
    pub const fn with_flags(word: u64) -> Pstate {
        Pstate(word & Pstate::FLAGS | Pstate::FIQ_MASKED)
    }

    /// The condition flags, as a program sees them.
    pub const fn flags(self) -> u64 {
        self.0 & Pstate::FLAGS
    }
}

impl Default for Pstate {
    fn default() -> Pstate {
        Pstate::with_flags(0)
    }
}
