//! Locks of one byte: 0 when free, taken by an exclusive load that acquires and a store of something else, given back by a store of 0
//! that releases. What one holder stored is ordered before what the next one loads by these two alone: QEMU keeps the order anyway.

use super::access::{Memory, Site};
use crate::machine::Machine;
use std::collections::{HashMap, HashSet};

/// What is known of the locks.
#[derive(Default)]
pub struct Locks {
    /// Who holds which.
    held: HashMap<u64, usize>,
    /// Bytes that were ever given back with release.
    known: HashSet<u64>,
    /// The last exclusive load of each processor: where, and whether it acquired.
    loaded: HashMap<usize, (u64, bool)>,
}

impl Machine {
    /// An access of the kernel to a byte.
    pub fn lock_access(&mut self, cpu: usize, site: &Site, memory: &Memory, physical: u64) {
        if memory.size != 1 || site.is_plain() && memory.stored.is_none() {
            return;
        }
        let is_exclusive = site.is_exclusive();
        if memory.stored.is_none() {
            if is_exclusive {
                self.locks.loaded.insert(cpu, (physical, site.is_ordered));
            }
            return;
        }
        let mut byte = [0];
        self.ram.read(physical, &mut byte);
        if is_exclusive {
            let loaded = self.locks.loaded.remove(&cpu);
            let acquired = loaded.filter(|(place, _)| *place == physical);
            if let (Some((_, acquired)), true) = (acquired, byte != [0]) {
                self.locks.held.insert(physical, cpu);
                if !acquired && self.locks.known.contains(&physical) {
                    let text = format!(
                        "cpu {cpu} takes the lock at {:#x}, and its load does not acquire",
                        memory.address
                    );
                    self.violation("LOCK-WITHOUT-ACQUIRE", site.pc, &text);
                }
            }
            return;
        }
        let is_zero = matches!(memory.stored, Some(super::Value::Words([value, _])) if value & 0xff == 0);
        if !is_zero {
            return;
        }
        let holder = self.locks.held.remove(&physical);
        if site.is_ordered {
            if holder.is_some() {
                self.locks.known.insert(physical);
            }
        } else if holder == Some(cpu) && self.locks.known.contains(&physical) {
            let text = format!(
                "cpu {cpu} gives the lock at {:#x} back by a store that does not release",
                memory.address
            );
            self.violation("UNLOCK-WITHOUT-RELEASE", site.pc, &text);
        }
    }
}
