//! A host bridge of PCI (IEEE Std 1275, PCI bus binding; `pci-host-ecam-generic`).

use super::PhysRange;
use super::decode::{GicReference, intid};
use super::machine::{PciHost, PciInterrupt};
use super::place::{Place, cells};
use arrayvec::ArrayVec;

/// Cells of an address of the bus: space, and two of the address in it.
const ADDRESS_CELLS: usize = 3;
/// Which space, in the first of them: memory with 32-bit addresses.
const SPACE: u32 = 0x0300_0000;
const MEMORY_32: u32 = 0x0200_0000;

/// What is said of the bridge; `None` if it cannot be used.
pub(super) fn host(place: &Place, gic: &GicReference) -> Option<PciHost> {
    let (window, window_on_bus) = window(place)?;
    let mut mask = cells(place.bytes("interrupt-map-mask")?);
    Some(PciHost {
        configuration: place.registers(0)?,
        window,
        window_on_bus,
        is_coherent: place.upwards().any(|node| node.bytes("dma-coherent").is_some()),
        interrupt_mask: (mask.next()?, mask.nth(ADDRESS_CELLS - 1)?),
        interrupts: interrupts(place, gic)?,
    })
}

/// Where 32-bit memory of devices is, and where it is for them.
fn window(place: &Place) -> Option<(PhysRange, u32)> {
    let above = place.parent?.address_cells() as usize;
    let entry_len = ADDRESS_CELLS + above + 2;
    if place.address_cells() as usize != ADDRESS_CELLS || place.size_cells() != 2 || above > 2 {
        return None;
    }
    let ranges: &[u8] = place.bytes("ranges")?;
    ranges.chunks_exact(entry_len * 4).find_map(|entry| {
        let number = |at: usize, count: usize| {
            cells(entry)
                .skip(at)
                .take(count)
                .fold(0_u64, |high, low| high << 32 | u64::from(low))
        };
        let is_memory = number(0, 1) as u32 & SPACE == MEMORY_32;
        let range = PhysRange {
            start: number(ADDRESS_CELLS, above),
            size: number(ADDRESS_CELLS + above, 2),
        };
        let on_bus = u32::try_from(number(1, 2)).ok()?;
        let is_whole = u64::from(on_bus).checked_add(range.size)? <= 1 << 32;
        (is_memory && is_whole).then_some(())?;
        Some((place.parent?.translate_below(range)?, on_bus))
    })
}

/// The entries of `interrupt-map` that lead to the GIC.
fn interrupts(place: &Place, gic: &GicReference) -> Option<ArrayVec<PciInterrupt, 32>> {
    if gic.interrupt_cells < 3 || gic.address_cells > 2 {
        return None;
    }
    let before = ADDRESS_CELLS + 2;
    let entry_len = before + gic.address_cells + gic.interrupt_cells;
    let map: &[u8] = place.bytes("interrupt-map")?;
    let entries = map.chunks_exact(entry_len * 4).filter_map(|entry| {
        let cell = |at: usize| cells(entry).nth(at);
        let at = before + gic.address_cells;
        (cell(before - 1) == gic.phandle).then_some(())?;
        Some(PciInterrupt {
            device: cell(0)?,
            pin: cell(ADDRESS_CELLS)?,
            interrupt: intid(cell(at)?, cell(at + 1)?)?,
        })
    });
    Some(entries.take(32).collect())
}
