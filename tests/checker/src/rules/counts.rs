//! Counts of references: who lets go of one releases what it did; who takes the last one away comes, by an acquire, behind all that the others did before they let go.

use super::access::{Memory, Site};
use super::order::Role;
use crate::machine::Machine;

/// A count that has come to 0, and no acquire has followed.
#[derive(Clone, Copy, Debug)]
pub struct LastReference {
    count: u64,
    size: u64,
    pc: u64,
}

/// What lies so near to a count is what is counted: `Arc` has it in front of the value, 8 bytes before it another count.
const BEFORE: u64 = 16;
const BEHIND: u64 = 64;

impl LastReference {
    /// Whether this access may be to what was counted. A count of four bytes is a frame's, which lies elsewhere: anything may be.
    fn counts(&self, site: &Site, physical: u64) -> bool {
        let is_near = physical.wrapping_sub(self.count - BEFORE) < BEFORE + BEHIND;
        is_near || self.size == 4 && site.role != Role::Unknown
    }
}

impl Machine {
    /// An access of the kernel; `before`: what the load of the same exclusive pair has loaded.
    pub fn count_access(
        &mut self,
        cpu: usize,
        site: &Site,
        memory: &Memory,
        physical: u64,
        before: Option<u64>,
    ) {
        if let Some(last) = self.cpus[cpu].last_reference
            && last.counts(site, physical)
        {
            self.cpus[cpu].last_reference = None;
            let is_acquire = site.is_ordered && memory.stored.is_none() && physical == last.count;
            if !is_acquire {
                let text = format!(
                    "cpu {cpu} took the last reference at {:#x} away, and goes to {:#x} at {:#x} with no acquire between",
                    last.count, memory.address, site.pc
                );
                self.violation("LAST-WITHOUT-ACQUIRE", last.pc, &text);
            }
        }
        if site.drops_reference && site.is_exclusive() && memory.stored.is_some() {
            let mut bytes = [0; 8];
            let len = memory.size.min(8) as usize;
            self.ram.read(physical, &mut bytes[..len]);
            self.report.executed(site.pc);
            if !site.is_ordered {
                let text = format!(
                    "cpu {cpu} lets go of a reference at {physical:#x} by a store that does not release what it did with it"
                );
                self.violation("DROP-WITHOUT-RELEASE", site.pc, &text);
            }
            // Another may have taken the last one away when this is told: then it was not 1 here before.
            if before == Some(1) && bytes == [0; 8] {
                self.cpus[cpu].last_reference = Some(LastReference {
                    count: physical,
                    size: memory.size,
                    pc: site.pc,
                });
            }
        }
    }
}
