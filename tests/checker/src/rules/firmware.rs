//! What is given to firmware and to processors that sleep: power, other processors, WFI.

use crate::machine::Machine;

/// PSCI's numbers, as 32 bits and as 64.
const CPU_ON: [u64; 2] = [0x8400_0003, 0xc400_0003];
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;

impl Machine {
    /// HVC or SMC: `function` is X0.
    pub fn call_firmware(&mut self, cpu: usize, pc: u64, function: u64) {
        let own = &self.cpus[cpu].devices;
        if matches!(function, SYSTEM_OFF | SYSTEM_RESET) && own.accessed > own.complete {
            let text =
                format!("cpu {cpu} ends the machine with no DSB SY behind its last access to a device");
            self.violation("POWER-BEFORE-DSB", pc, &text);
        }
        if CPU_ON.contains(&function) {
            self.check_release(cpu, pc);
        }
    }

    /// Another processor is let go, which reads past the caches what was cleaned for it.
    pub fn check_release(&mut self, cpu: usize, pc: u64) {
        let own = &self.cpus[cpu].devices;
        if own.cleaned > own.complete {
            let text = format!("cpu {cpu} lets another processor go with no DSB SY behind its DC");
            self.violation("PENDING-DC", pc, &text);
        }
    }

    /// WFI: what others are to see is stored before, in memory and in devices.
    pub fn check_sleep(&mut self, cpu: usize, pc: u64) {
        let own = &self.cpus[cpu];
        if own.last_release > own.devices.complete {
            let text = format!("cpu {cpu} sleeps with no DSB SY behind what it gave away");
            self.violation("SLEEP-BEFORE-DSB", pc, &text);
        }
    }
}
