//! The device tree and the payload's header, read through the boot window.

use super::error::BootError;
use super::window::{self, Memory, Slot};
use crate::layout::LINEAR_END;
use formats::dtb::{DeviceTree, DtbError, Machine};
use formats::symbols;

/// The bytes of RAM at `physical`, through a boot slot.
fn bytes(slot: Slot, physical: u64, len: usize) -> &'static [u8] {
    let start = window::show(slot, physical, len as u64, Memory::Normal);
    // SAFETY: mapped by `show` as long as the boot tables are in use, which is longer than anyone keeps the slice: both
    // callers are done when they return. Nobody writes there meanwhile.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(start), len) }
}

/// Reads the device tree at the physical address that the loader passed.
pub(super) fn read_machine(physical: u64) -> Result<Machine, BootError> {
    const START: usize = 8;
    if physical == 0 || !physical.is_multiple_of(START as u64) || physical >= LINEAR_END {
        return Err(BootError::NoDeviceTree(physical));
    }
    let machine = DeviceTree::claimed_len(bytes(Slot::DeviceTree, physical, START))
        .and_then(|len| Machine::from_device_tree(bytes(Slot::DeviceTree, physical, len)));
    machine.map_err(|error| match error {
        DtbError::NoMagic => BootError::NoDeviceTree(physical),
        error => BootError::DeviceTree(error),
    })
}

/// Length of the payload that begins at `physical`, the end of the image; 0 if the image tool appended none.
pub(super) fn payload_len(physical: u64) -> u64 {
    const LIMIT: u64 = 1 << 30;
    let header = bytes(Slot::Payload, physical, symbols::HEADER_LEN);
    let (magic, rest) = header.split_at(symbols::MAGIC.len());
    match rest.first_chunk() {
        Some(len) if magic == symbols::MAGIC => u64::from_le_bytes(*len).min(LIMIT),
        _ => 0,
    }
}
