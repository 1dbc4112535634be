//! Device memory, interrupts to other processors and their ends, messages to the VideoCore.

use super::access::{FIRMWARE_END, Memory, Site, Value};
use crate::instruction::Access;
use crate::lines::{DIRTY, lines_of};
use crate::machine::{Cpu, Machine};
use crate::tlb::Moment;
use std::collections::HashMap;
use std::ops::Range;

/// GICD_SGIR of QEMU's virt board and of the Raspberry Pi 4.
const SGI_REGISTERS: [u64; 2] = [0x0800_0f00, 0xff84_1f00];
/// GICC_EOIR of both.
const END_REGISTERS: [u64; 2] = [0x0801_0010, 0xff84_2010];
/// The interrupt controllers.
const CONTROLLERS: [Range<u64>; 2] = [0x0800_0000..0x0900_0000, 0xff84_0000..0xff85_0000];
/// The peripherals of the Raspberry Pi 4, a page for each, that lie behind a bus which keeps no order between two of them (BCM2711
/// ARM Peripherals, 1.3).
const PERIPHERALS: Range<u64> = 0xfe00_0000..0xff80_0000;
/// The VideoCore's mailbox: where its answer is read, and where a message's address is written.
const MAILBOX_READ: u64 = 0xfe00_b880;
const MAILBOX_WRITE: u64 = 0xfe00_b8a0;
/// The bits of what is written there that say where in RAM the message lies.
const MESSAGE: u64 = 0x3fff_fff0;

/// What a processor has done with devices, and what of that is complete.
#[derive(Default)]
pub struct Devices {
    /// The last DSB SY
    pub complete: Moment,
    /// The last access to a device that is no interrupt controller
    pub accessed: Moment,
    /// The last DC to the point of coherency
    pub cleaned: Moment,
    /// An interrupt that was taken by ICC_IAR1_EL1, and no DSB SY since
    pub acknowledged: Option<u64>,
    /// The peripheral that was accessed last: its page, and when
    peripheral: Option<(u64, Moment)>,
}

/// A line that a device may have stored to.
struct Answer {
    since: Moment,
    dropped: Option<Moment>,
}

/// The message that the VideoCore has, and what it has answered.
#[derive(Default)]
pub struct Mailbox {
    message: Vec<u64>,
    answers: HashMap<u64, Answer>,
}

impl Mailbox {
    /// Whether somebody must look at each load.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }
}

impl Cpu {
    /// DSB SY
    pub fn complete_devices(&mut self, now: Moment) {
        self.devices.complete = now;
        self.devices.acknowledged = None;
    }
}

impl Machine {
    /// Device memory, and all memory while the MMU is off: an exclusive access may do anything. One that is not aligned faults, in QEMU
    /// too: nobody is told of it.
    pub fn check_as_device(&mut self, cpu: usize, site: &Site, address: u64, size: u64) {
        // What firmware does before the kernel has the processor is its own business.
        if self.cpus[cpu].tcr.is_none() && site.pc < FIRMWARE_END {
            return;
        }
        if site.access == Access::Exclusive {
            let text = format!("cpu {cpu}: {size} bytes at {address:#x}, which is Device memory");
            self.violation("DEVICE-EXCLUSIVE", site.pc, &text);
        }
    }

    /// An access to a register of a device.
    pub fn device_access(&mut self, cpu: usize, site: &Site, memory: &Memory) {
        let pc = site.pc;
        self.check_as_device(cpu, site, memory.address, memory.size);
        if self.cpus[cpu].has_mmu() && !self.cpus[cpu].is_program(pc) {
            self.check_kernel_translation(cpu, pc, memory.address);
        }
        let Some(physical) = memory.physical else { return };
        let is_store = memory.stored.is_some();
        if is_store && SGI_REGISTERS.contains(&physical) {
            self.check_doorbell(cpu, pc);
        }
        if is_store && END_REGISTERS.contains(&physical) {
            self.check_end_of_interrupt(cpu, pc);
        }
        if CONTROLLERS.iter().any(|range| range.contains(&physical)) {
            return;
        }
        self.check_acknowledged(cpu, pc);
        let now = self.tick();
        self.check_peripheral(cpu, pc, physical, now);
        self.cpus[cpu].devices.accessed = now;
        match memory.stored {
            Some(Value::Words([value, _])) if physical == MAILBOX_WRITE => {
                self.check_message(cpu, pc, self.ram.base + (value & MESSAGE));
            }
            None if physical == MAILBOX_READ => {
                let answer = || Answer {
                    since: now,
                    dropped: None,
                };
                let lines = self.mailbox.message.iter();
                self.mailbox.answers = lines.map(|&line| (line, answer())).collect();
            }
            _ => {}
        }
    }

    /// Two peripherals of the Pi: what one was told may arrive behind what the other is told.
    fn check_peripheral(&mut self, cpu: usize, pc: u64, physical: u64, now: Moment) {
        if !PERIPHERALS.contains(&physical) {
            return;
        }
        let own = &mut self.cpus[cpu].devices;
        let page = physical >> 12;
        let last = own.peripheral.replace((page, now));
        let complete = own.complete;
        if let Some((other, at)) = last
            && other != page
            && at > complete
        {
            let text = format!(
                "cpu {cpu} goes from the peripheral at {:#x} to {physical:#x} with no DSB SY between",
                other << 12
            );
            self.violation("PERIPHERAL-BEFORE-DSB", pc, &text);
        }
    }

    /// The VideoCore reads a message past the caches.
    fn check_message(&mut self, cpu: usize, pc: u64, message: u64) {
        let len = self.ram.word(message) & 0xffff;
        self.mailbox.message = lines_of(message, len).collect();
        self.mailbox.answers.clear();
        let own = &self.cpus[cpu].devices;
        let is_pending = own.cleaned > own.complete;
        if lines_of(message, len).any(|line| self.lines.has(line, DIRTY)) {
            let text = format!(
                "cpu {cpu} gives the message at {message:#x} to the VideoCore and has not cleaned it"
            );
            self.violation("NEVER-CLEANED", pc, &text);
        } else if is_pending {
            let text =
                format!("cpu {cpu} gives the message at {message:#x} away with no DSB SY behind its DC");
            self.violation("PENDING-DC", pc, &text);
        }
    }

    /// A line is dropped from the caches, which is for what a device has stored if that was waited for.
    pub fn drop_answer(&mut self, cpu: usize, pc: u64, physical: u64) {
        let now = self.tick();
        let complete = self.cpus[cpu].devices.complete;
        let Some(answer) = self.mailbox.answers.get_mut(&(physical & !63)) else {
            return;
        };
        answer.dropped = Some(now);
        if answer.since > complete {
            answer.since = 0;
            let text = format!("cpu {cpu}: line {physical:#x}, with no DSB SY since its device answered");
            self.violation("DC-BEFORE-DSB", pc, &text);
        }
    }

    /// A load of what a device may have stored.
    pub fn check_answer(&mut self, cpu: usize, pc: u64, physical: u64) {
        let Some(answer) = self.mailbox.answers.remove(&(physical & !63)) else {
            return;
        };
        match answer.dropped {
            None => {
                let text = format!(
                    "cpu {cpu} reads {physical:#x}, which a device has stored to; the line was not dropped since"
                );
                self.violation("READ-CACHED", pc, &text);
            }
            Some(dropped) if dropped > self.cpus[cpu].devices.complete => {
                let text =
                    format!("cpu {cpu} reads {physical:#x} with no DSB SY behind the DC that drops it");
                self.violation("PENDING-DC", pc, &text);
            }
            Some(_) => {}
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

    /// A device lets go of its line before its interrupt ends: else it is taken again.
    pub fn check_end_of_interrupt(&mut self, cpu: usize, pc: u64) {
        let own = &self.cpus[cpu].devices;
        if own.accessed > own.complete {
            let text = format!("cpu {cpu} ends an interrupt with no DSB SY behind its access to a device");
            self.violation("END-BEFORE-DSB", pc, &text);
        }
    }

    /// An interrupt is active before its device lets go of its line.
    pub fn check_acknowledged(&mut self, cpu: usize, pc: u64) {
        if let Some(from) = self.cpus[cpu].devices.acknowledged.take() {
            let text =
                format!("cpu {cpu} goes to the device at {pc:#x} with no DSB SY since it took the interrupt");
            self.violation("DEVICE-BEFORE-DSB", from, &text);
        }
    }
}
