//! What the TLBs hold, for those who look on. Looking changes nothing.

use crate::SoftMmu;
use crate::decode::{Meaning, Rights, decode, effective};
use alloc::vec::Vec;

/// A page that a processor's TLB remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remembered {
    /// The address space that it is tagged with.
    pub asid: u16,
    /// The first address that it translates.
    pub address: u64,
    /// Where it leads.
    pub frame: u32,
    /// What it lets a program do.
    pub rights: Rights,
    /// The ASID belongs to a space that may still run.
    pub is_owned: bool,
    /// It grants nothing that the tables do not grant.
    pub is_right: bool,
}

impl SoftMmu {
    /// The pages that the TLB of `cpu` remembers, by ASID and address.
    pub fn remembered(&self, cpu: usize) -> Vec<Remembered> {
        let machine = self.machine.borrow();
        let processor = &machine.cpus[cpu];
        let mut found = Vec::new();
        for (asid, space) in processor.tlb.spaces() {
            let root = processor.owners.get(&asid).copied();
            for (_, address, entry) in space.all().filter(|(level, ..)| *level == 3) {
                let Meaning::Page(frame, own) = decode(3, entry.raw) else {
                    continue;
                };
                let rights = effective(own, entry.above);
                let granted = root.and_then(|root| machine.truth(root, address));
                found.push(Remembered {
                    asid,
                    address,
                    frame,
                    rights,
                    is_owned: root.is_some(),
                    is_right: granted
                        .is_some_and(|right| right.frame == frame && rights.is_within(right.rights)),
                });
            }
        }
        found
    }
}
