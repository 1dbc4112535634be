//! The PL031 real-time clock: Arm DDI 0224, 3.3. It counts seconds, and QEMU sets it to those since 1970.

use super::mmio::Mmio;

/// Bytes of registers.
pub(crate) const PL031_LEN: usize = 0x1000;

/// RTCDR: the counter.
const DATA: usize = 0x000;

/// The clock's seconds now.
pub(crate) fn seconds(registers: Mmio) -> u32 {
    registers.read(DATA)
}
