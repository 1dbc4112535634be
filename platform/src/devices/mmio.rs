//! Device registers: 32-bit, at fixed offsets of a block that is mapped Device-nGnRE.

use super::registers::Registers;

/// A block of device registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mmio {
    base: usize,
    len: usize,
}

impl Mmio {
    /// The registers at the virtual address `base`.
    ///
    /// # Safety
    /// `len` bytes there must be mapped as Device memory as long as the value or a copy is used, and be registers for which
    /// no 32-bit access can harm memory.
    pub(crate) const unsafe fn new(base: usize, len: usize) -> Mmio {
        Mmio { base, len }
    }

    fn address(self, offset: usize) -> usize {
        assert!(
            offset.is_multiple_of(4) && offset < self.len,
            "register {offset:#x} is outside of its device"
        );
        self.base + offset
    }

    /// Reads the register at `offset`.
    #[inline]
    pub(crate) fn read(self, offset: usize) -> u32 {
        let register = core::ptr::with_exposed_provenance::<u32>(self.address(offset));
        // SAFETY: inside the block of which `new` was promised that it is mapped and may be accessed so; aligned.
        unsafe { register.read_volatile() }
    }

    /// Reads the 64-bit register at `offset`, in one access.
    ///
    /// # Panics
    /// When it does not lie in the block, aligned.
    pub(crate) fn read_64(self, offset: usize) -> u64 {
        let at = self.address(offset);
        assert!(
            at.is_multiple_of(8) && offset + 8 <= self.len,
            "register {offset:#x} is no 64-bit register of its device"
        );
        // SAFETY: inside the block of which `new` was promised that it is mapped and may be accessed; aligned.
        unsafe { core::ptr::with_exposed_provenance::<u64>(at).read_volatile() }
    }

    /// Writes the register at `offset`.
    #[inline]
    pub(crate) fn write(self, offset: usize, value: u32) {
        let register = core::ptr::with_exposed_provenance_mut::<u32>(self.address(offset));
        // SAFETY: as in `read`.
        unsafe { register.write_volatile(value) }
    }

    /// Replaces the bits of `mask` by those of `value`.
    pub(crate) fn modify(self, offset: usize, mask: u32, value: u32) {
        self.write(offset, self.read(offset) & !mask | value & mask);
    }

    /// The registers from `offset` on.
    pub(crate) fn from(self, offset: usize) -> Mmio {
        Mmio {
            base: self.address(offset),
            len: self.len - offset,
        }
    }

    /// `len` registers' bytes from `offset` on.
    pub(crate) fn part(self, offset: usize, len: usize) -> Mmio {
        assert!(len <= self.len - offset, "a device ends in its page");
        Mmio {
            len,
            ..self.from(offset)
        }
    }

    /// The virtual address of the block.
    pub(crate) fn base(self) -> usize {
        self.base
    }

    /// Bytes in the block.
    pub(crate) fn len(self) -> usize {
        self.len
    }
}

impl Registers for Mmio {
    fn read(&self, offset: usize) -> u32 {
        Mmio::read(*self, offset)
    }

    fn write(&self, offset: usize, value: u32) {
        Mmio::write(*self, offset, value);
    }
}
