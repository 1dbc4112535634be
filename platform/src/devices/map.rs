//! Device registers in the kernel's address space: each block of registers gets the next addresses, Device-nGnRE and never
//! executable. Only devices that have a driver are mapped: speculation cannot touch what is not (platform/README.md, rule 12).

use super::mmio::Mmio;
use crate::layout::{DEVICE_BASE, page_down, page_up};
use crate::memory::kernel_tables::{KernelTables, Rights};
use formats::dtb::PhysRange;
use mm::{NoMemory, PhysAddr};
use spin::Mutex;

/// Bytes of a block descriptor. Below this, addresses equal the physical ones, so that large devices need few entries.
const BLOCK: usize = 2 << 20;

static NEXT: Mutex<usize> = Mutex::new(DEVICE_BASE);

/// Maps the registers in `range` into `tables`.
///
/// # Errors
/// No table to be had.
///
/// # Safety
/// The range must be the registers of a device that is mapped nowhere else, no memory.
pub(crate) unsafe fn map(
    tables: KernelTables,
    range: PhysRange,
    new_table: &mut dyn FnMut() -> Option<PhysAddr>,
) -> Result<Mmio, NoMemory> {
    let first = page_down(range.start);
    let len = page_up(range.end()) - first;
    let mut next = NEXT.lock();
    let start = next.next_multiple_of(BLOCK) + first as usize % BLOCK;
    tables.map(
        start..start + len as usize,
        PhysAddr(first),
        Rights::Device,
        new_table,
    )?;
    *next = start + len as usize;
    // SAFETY: just mapped as Device memory and never unmapped; the caller says that these are registers.
    Ok(unsafe { Mmio::new(start + (range.start - first) as usize, range.size as usize) })
}
