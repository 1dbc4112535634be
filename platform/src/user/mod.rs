//! Programs at EL0. The life of a program is a loop in the kernel that calls [`run`], answers the [`Exception`], and
//! repeats.

#[cfg(target_os = "none")]
mod enter;
mod registers;

#[cfg(not(target_os = "none"))]
pub use crate::host::program::run;
pub use crate::trap::{Abort, AbortCause, Exception, Trap};
#[cfg(target_os = "none")]
pub use enter::run;
pub use registers::UserRegisters;

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
    /// Condition flags in bits 31:28 (SPSR_EL1); the rest is replaced by [`run`]: EL0, AArch64, nothing masked.
    pub pstate: u64,
}
