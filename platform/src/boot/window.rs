//! Eyes for the time before the final map: eight 2 MiB slots at the end of the image's GiB, mapped by blocks in the boot
//! tables. They show the device tree, the likely UART and the pool from which the final tables are made.

use crate::arch;
use crate::layout::IMAGE_BASE;
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a slot: one level-2 block.
pub(crate) const BLOCK: u64 = 2 << 20;

/// Who uses which entry of the boot tables' image L2.
#[derive(Clone, Copy)]
pub(crate) enum Slot {
    /// The device tree, at most 2 MiB at any address: two blocks.
    DeviceTree = 504,
    /// Pool of tables: two blocks.
    Tables = 506,
    /// The likely UART, and what power-off and pin routing need: two blocks.
    Devices = 508,
    /// The header of the payload: two blocks.
    Payload = 510,
}

/// What is in the slot.
#[derive(Clone, Copy)]
pub(crate) enum Memory {
    /// RAM.
    Normal,
    /// Registers.
    Device,
}

impl Memory {
    /// AF, PXN, UXN and, for RAM, Inner Shareable and attribute index 1 (head.s: MAIR_EL1_VALUE).
    const fn block(self) -> u64 {
        const COMMON: u64 = 1 << 54 | 1 << 53 | 1 << 10 | 1;
        match self {
            Memory::Normal => COMMON | 3 << 8 | 1 << 2,
            Memory::Device => COMMON,
        }
    }
}

/// Maps the blocks that hold `len` bytes at `physical`, two blocks at most, and returns the address at which they are seen.
///
/// Only before the final map is installed, and each slot for one place only (break-before-make is not done).
///
/// # Panics
/// When three blocks would be needed.
pub(crate) fn show(slot: Slot, physical: u64, len: u64, memory: Memory) -> usize {
    unsafe extern "C" {
        static boot_tables: [[AtomicU64; 512]; 4];
    }
    let first = physical & !(BLOCK - 1);
    let blocks = (physical - first + len).div_ceil(BLOCK);
    assert!(
        blocks <= 2,
        "{len:#x} bytes at {physical:#x} do not fit into a boot slot"
    );
    for block in 0..blocks {
        // SAFETY: the boot tables (head.s) are four tables; used by this processor alone, as atomics.
        let entry = unsafe { &boot_tables[3][slot as usize + block as usize] };
        entry.store((first + block * BLOCK) | memory.block(), Ordering::Relaxed);
    }
    arch::dsb_ishst();
    arch::isb();
    IMAGE_BASE + slot as usize * BLOCK as usize + (physical - first) as usize
}
