//! Device registers as a driver sees them: those of the board (`mmio.rs`), or in a test those of a device made of numbers.

use crate::arch;

/// Accesses to one peripheral of the Raspberry Pi 4: its bus keeps no order between two of them (platform/README.md, rule 13).
pub(crate) fn apart<T>(accesses: impl FnOnce() -> T) -> T {
    arch::dsb_sy();
    let result = accesses();
    arch::dsb_sy();
    result
}

/// A block of 32-bit registers.
pub(crate) trait Registers {
    /// Reads the register at `offset`.
    fn read(&self, offset: usize) -> u32;

    /// Writes the register at `offset`.
    fn write(&self, offset: usize, value: u32);
}
