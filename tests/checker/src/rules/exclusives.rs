//! Exclusives of the kernel: the store belongs to the load before it. A monitor that a switch of threads leaves open lets the next
//! thread's store succeed (an ERET closes it, a switch between two kernel threads does not). The compiler puts spills to the stack between the
//! two, which the architecture allows.

use super::access::{Memory, Site};
use crate::machine::Machine;

/// An exclusive load whose store may follow.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    physical: u64,
    size: u64,
    pc: u64,
    value: u64,
}

impl Machine {
    /// An access of the kernel. For an exclusive store: what its load has loaded.
    pub fn exclusive_access(
        &mut self,
        cpu: usize,
        site: &Site,
        memory: &Memory,
        physical: u64,
    ) -> Option<u64> {
        if !site.is_exclusive() {
            return None;
        }
        let own = &mut self.cpus[cpu].exclusive;
        if memory.stored.is_none() {
            *own = Some(Open {
                physical,
                size: memory.size,
                pc: site.pc,
                value: memory.loaded,
            });
            return None;
        }
        let open = own.take();
        if open.is_none_or(|open| (open.physical, open.size) != (physical, memory.size)) {
            let load = open.map_or_else(
                || "there is none".to_owned(),
                |open| format!("the one at {:#x}", open.pc),
            );
            let text = format!(
                "cpu {cpu} stores to {:#x}, and the exclusive load before it is of another place: {load}",
                memory.address
            );
            self.violation("EXCLUSIVE-OPEN", site.pc, &text);
        }
        open.map(|open| open.value)
    }
}
