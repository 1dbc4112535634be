//! Device memory, and interrupts to other processors.

use super::access::{FIRMWARE_END, Site};
use crate::instruction::Access;
use crate::machine::Machine;

/// GICD_SGIR of QEMU's virt board and of the Raspberry Pi 4.
const SGI_REGISTERS: [u64; 2] = [0x0800_0f00, 0xff84_1f00];

impl Machine {
    /// Device memory, and all memory while the MMU is off: an access that is not aligned faults, an exclusive one may do anything.
    pub fn check_as_device(&mut self, cpu: usize, site: &Site, address: u64, size: u64) {
        // What firmware does before the kernel has the processor is its own business.
        if self.cpus[cpu].tcr.is_none() && site.pc < FIRMWARE_END {
            return;
        }
        let rule = match site.access {
            Access::Exclusive => "DEVICE-EXCLUSIVE",
            _ if !address.is_multiple_of(size) => "DEVICE-UNALIGNED",
            _ => return,
        };
        let text = format!("cpu {cpu}: {size} bytes at {address:#x}, which is Device memory");
        self.violation(rule, site.pc, &text);
    }

    /// A store to a register of a device.
    pub fn device_store(&mut self, cpu: usize, pc: u64, physical: u64) {
        if SGI_REGISTERS.contains(&physical) {
            self.check_doorbell(cpu, pc);
        }
    }

    /// An interrupt to another processor tells of stores, which must be there before it. What is meant for others is given away by
    /// a store-release or an exclusive; stores of counters and of the own stack may still be on their way.
    pub fn check_doorbell(&mut self, cpu: usize, pc: u64) {
        let own = &self.cpus[cpu];
        if own.last_release > own.stores_complete {
            let text = format!("cpu {cpu} interrupts others, and no DSB has completed its stores");
            self.violation("DOORBELL-BEFORE-DSB", pc, &text);
        }
    }
}
