//! Where things are in the kernel's half of the address space (TTBR1, 39 bits), and the bounds of the image.
//!
//! ```text
//! 0xffff_ff80_0000_0000  LINEAR_BASE   all RAM at LINEAR_BASE + physical address, up to 256 GiB
//! 0xffff_ffc0_0000_0000  STACK_BASE    kernel stacks: slots of 64 KiB, the stack in the upper half, the lower half unmapped
//! 0xffff_ffd0_0000_0000  DEVICE_BASE   device registers
//! 0xffff_ffff_8000_0000  IMAGE_BASE    the kernel image, text RX, constants R, data RW
//! ```

use core::ops::Range;
use mm::{PAGE_SIZE, PhysAddr};

/// First address of the map of all RAM.
pub(crate) const LINEAR_BASE: usize = 0xffff_ff80_0000_0000;
/// RAM at or above this physical address has no place in the linear map and is not used.
pub(crate) const LINEAR_END: u64 = 256 << 30;
/// First address of the kernel stacks.
pub(crate) const STACK_BASE: usize = 0xffff_ffc0_0000_0000;
/// First address of device registers.
pub(crate) const DEVICE_BASE: usize = 0xffff_ffd0_0000_0000;
/// Link address of the image: `_head`.
pub(crate) const IMAGE_BASE: usize = 0xffff_ffff_8000_0000;

/// The linear-map address of a physical one.
#[inline(always)]
pub(crate) const fn linear(address: PhysAddr) -> usize {
    LINEAR_BASE + address.0 as usize
}

/// The physical address behind an address of the linear map.
#[inline]
pub(crate) const fn linear_to_physical(address: usize) -> PhysAddr {
    PhysAddr((address - LINEAR_BASE) as u64)
}

/// `address` rounded down to a page.
pub(crate) const fn page_down(address: u64) -> u64 {
    address & !(PAGE_SIZE as u64 - 1)
}

/// `address` rounded up to a page; the caller has checked that it is not within a page of 2^64.
pub(crate) const fn page_up(address: u64) -> u64 {
    page_down(address + PAGE_SIZE as u64 - 1)
}

/// The sections of the image by virtual address, page aligned (linker/kernel.ld).
pub(crate) mod image {
    use super::*;

    macro_rules! symbol {
        ($(#[$doc:meta])* $name:ident, $symbol:ident) => {
            $(#[$doc])*
            pub(crate) fn $name() -> usize {
                unsafe extern "C" {
                    static $symbol: u8;
                }
                (&raw const $symbol).addr()
            }
        };
    }

    symbol!(text_start, __text_start);
    symbol!(text_end, __text_end);
    symbol!(rodata_start, __rodata_start);
    symbol!(rodata_end, __rodata_end);
    symbol!(data_start, __data_start);
    symbol!(
        /// End of the image, where the payload begins.
        end,
        __end
    );
    symbol!(boot_stack_slot, boot_stack_slot);
    symbol!(boot_stack_top, boot_stack_top);
    symbol!(emergency_stack_top, emergency_stack_top);
    symbol!(fixups_start, __fixups_start);
    symbol!(fixups_end, __fixups_end);

    /// Code.
    pub(crate) fn text() -> Range<usize> {
        text_start()..text_end()
    }

    /// Constants.
    pub(crate) fn rodata() -> Range<usize> {
        rodata_start()..rodata_end()
    }

    /// Data, zeros, boot tables, boot stacks.
    pub(crate) fn data() -> Range<usize> {
        data_start()..end()
    }

    /// The page below the boot stack that no map holds.
    pub(crate) fn boot_guard() -> Range<usize> {
        emergency_stack_top()..emergency_stack_top() + PAGE_SIZE
    }
}

/// Whether a stack pointer lies in the lower half of a 64 KiB slot of [`STACK_BASE`], or of the boot stack's: where one is that
/// ran out of its stack.
pub(crate) fn is_below_a_stack(address: usize) -> bool {
    let boot = image::boot_stack_slot()..image::boot_stack_top();
    let is_lower_half = address & (1 << 15) == 0;
    is_lower_half && (boot.contains(&address) || (STACK_BASE..DEVICE_BASE).contains(&address))
}
