//! What a processor could use that the tables do not grant: it is a breach wherever nobody is at work on the space.

use crate::decode::{Rights, output};
use crate::machine::Machine;
use alloc::format;
use alloc::vec::Vec;

impl Machine {
    /// Complains where a processor could reach, for `address` under `asid`, what the tables under `root` do not grant.
    /// Meant for moments when nobody is at work on the space.
    pub fn check_address(&mut self, cpu: usize, asid: u16, root: u32, address: u64) {
        let right = self.truth(root, address);
        for candidate in self.candidates(cpu, asid, root, address) {
            let fits = match right {
                Some(right) => candidate.frame == right.frame && candidate.rights.is_within(right.rights),
                None => candidate.rights == Rights::NONE,
            };
            if !fits {
                self.complain(|| {
                    format!(
                        "cpu {cpu} asid {asid} could use a stale entry for {address:#x}: it gives {candidate:x?}, \
                         the tables give {right:x?}"
                    )
                });
            }
        }
    }

    /// Complains if `cpu` could write, to any page that it remembers of `asid`, what the tables do not let it write.
    pub fn check_writes(&mut self, cpu: usize, asid: u16, root: u32) {
        let pages: Vec<u64> = self.cpus[cpu].tlb.space(asid).pages().collect();
        for address in pages {
            let right = self.truth(root, address).filter(|right| right.rights.write);
            let candidates = self.candidates(cpu, asid, root, address);
            let mut writable = candidates.into_iter().filter(|candidate| candidate.rights.write);
            if let Some(wrong) =
                writable.find(|candidate| right.map(|right| right.frame) != Some(candidate.frame))
            {
                self.complain(|| {
                    format!("a subtree of asid {asid} is opened over a stale leaf: cpu {cpu} writes {wrong:x?} at {address:#x}")
                });
            }
        }
    }

    /// [`Machine::check_address`] for all that `cpu` remembers of `asid`, and for every remembered table that it is still the
    /// one in the tree.
    pub fn check_asid(&mut self, cpu: usize, asid: u16, root: u32) {
        let space = self.cpus[cpu].tlb.space(asid);
        let pages: Vec<u64> = space.pages().collect();
        let tables: Vec<(u8, u64, u32)> = space
            .all()
            .filter(|(level, ..)| *level < 3)
            .map(|(level, address, entry)| (level, address, output(entry.raw)))
            .collect();
        for address in pages {
            self.check_address(cpu, asid, root, address);
        }
        for (level, address, table) in tables {
            let right = self.table_for(root, address, level + 1);
            self.complain_if(right != Some(table), || {
                format!(
                    "cpu {cpu} asid {asid} remembers table {table:#x} at level {level} for {address:#x}: \
                     the tree has {right:x?}"
                )
            });
        }
    }
}
