//! Device registers as a driver sees them: those of the board (`mmio.rs`), or in a test those of a device made of numbers.

/// A block of 32-bit registers.
pub(crate) trait Registers {
    /// Reads the register at `offset`.
    fn read(&self, offset: usize) -> u32;

    /// Writes the register at `offset`.
    fn write(&self, offset: usize, value: u32);
}
