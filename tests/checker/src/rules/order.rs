//! Order between processors: QEMU's machine does one thing after the other, and barriers, acquires and releases do nothing in it. Here
//! two accesses to the same bytes by two processors, one of them a store, neither of them atomic, must be ordered by a release of the one
//! and an acquire of the other, however far apart they were.

use super::access::{Memory, Site};
use crate::descriptor::Half;
use crate::instruction::{Access, Accesses, Domain};
use crate::machine::Machine;

/// What is known of a load or store that is like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing: it is not looked at.
    Unknown,
    /// It is an atomic that neither acquires nor releases.
    Relaxed,
    /// It is not atomic.
    Data,
}

impl Machine {
    /// DMB or DSB
    pub fn order_barrier(&mut self, cpu: usize, domain: Domain, accesses: Accesses) {
        if domain < Domain::Inner {
            return;
        }
        if accesses != Accesses::Stores {
            self.order.barrier_for_loads(cpu);
        }
        if accesses != Accesses::Loads {
            self.order.barrier_for_stores(cpu);
        }
    }

    /// An atomic store that is about to happen.
    pub fn release(&mut self, cpu: usize, site: &Site, address: u64, len: u64) {
        if self.cpus[cpu].has_mmu()
            && Half::of(address) == Half::Kernel
            && let Some(physical) = self.translate(cpu, address)
        {
            self.order.store_atomic(cpu, physical, len, site.is_ordered);
        }
    }

    /// An access of the kernel to its own half.
    pub fn order_access(&mut self, cpu: usize, site: &Site, memory: &Memory, physical: u64) {
        if Half::of(memory.address) != Half::Kernel {
            return;
        }
        let is_exclusive = site.is_exclusive();
        let (is_store, len) = (memory.stored.is_some(), memory.size);
        match (site.access, site.role) {
            (Access::Exclusive | Access::Ordered, _) | (_, Role::Relaxed) if is_store => {
                if is_exclusive {
                    self.order.close_exclusive(cpu, physical, len);
                }
                self.order.store_atomic(cpu, physical, len, site.is_ordered);
            }
            (Access::Exclusive | Access::Ordered, _) | (_, Role::Relaxed) => {
                if is_exclusive {
                    self.order.open_exclusive(cpu, physical, site.is_ordered);
                }
                self.order.load_atomic(cpu, physical, len, site.is_ordered);
            }
            (_, Role::Data) => self.order_data(cpu, site, memory, physical),
            (_, Role::Unknown) => {}
        }
    }

    /// A frame gets new contents behind all that programs, and the kernel for them, did with it.
    pub fn order_frame(&mut self, cpu: usize, pc: u64, frame: u64) {
        if let Some(other) = self.order.take_frame(cpu, frame) {
            let text = format!(
                "cpu {cpu} takes frame {frame:#x}, and nothing orders what cpu {other} did with it before"
            );
            self.violation("FRAME-NOT-ORDERED", pc, &text);
        }
    }

    fn order_data(&mut self, cpu: usize, site: &Site, memory: &Memory, physical: u64) {
        let is_store = memory.stored.is_some();
        self.report.watched.ordered += 1;
        let Some((other, was_store)) = self.order.access(cpu, site.pc, physical, memory.size, is_store)
        else {
            return;
        };
        let text = format!(
            "cpu {cpu} {} {:#x}, which cpu {} {} at {:#x}; nothing orders the two",
            if is_store { "stores to" } else { "loads" },
            memory.address,
            other.cpu,
            if was_store { "stored to" } else { "loaded" },
            site.pc >> 32 << 32 | u64::from(other.pc)
        );
        self.violation("NOT-ORDERED", site.pc, &text);
    }
}
