//! What of a machine decides what it can do next, with the frames named in the order in which they are met: two machines of the same
//! shape behave alike, whatever was stored in their pages.

use crate::SoftMmu;
use crate::machine::FRAME_WORDS;
use core::hash::{Hash, Hasher};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;

/// The address in a descriptor.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// A shape that is being taken.
pub struct Shape<'a> {
    mmu: &'a SoftMmu,
    /// What is known of a frame beside its words: how many refer to it, and what a table's record says.
    about: &'a dyn Fn(u32) -> (u32, u32),
    /// What is known of a page that is out, by its descriptor: how many name its slot, and the frame that still holds it.
    about_swapped: &'a dyn Fn(u64) -> (u32, Option<u32>),
    names: HashMap<u32, u32>,
    /// Of slots.
    slots: HashMap<u64, usize>,
    hasher: DefaultHasher,
}

impl<'a> Shape<'a> {
    /// Of nothing yet.
    pub fn new(
        mmu: &'a SoftMmu,
        about: &'a dyn Fn(u32) -> (u32, u32),
        about_swapped: &'a dyn Fn(u64) -> (u32, Option<u32>),
    ) -> Shape<'a> {
        Shape {
            mmu,
            about,
            about_swapped,
            names: HashMap::new(),
            slots: HashMap::new(),
            hasher: DefaultHasher::new(),
        }
    }

    /// Takes anything in.
    pub fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    /// The name of a frame; whether it is new.
    fn name(&mut self, frame: u32) -> bool {
        let next = self.names.len() as u32;
        let name = *self.names.entry(frame).or_insert(next);
        self.note(name);
        name == next
    }

    /// Takes a tree of tables in, from its root (level 1) or lower.
    pub fn tree(&mut self, table: u32, level: u8) {
        // A sabotage may lead anywhere.
        if !self.name(table) || !self.mmu.machine.borrow().has(table) {
            return;
        }
        self.note((self.about)(table));
        for index in 0..FRAME_WORDS {
            let raw = self.mmu.machine.borrow().word(table, index);
            if raw == 0 {
                continue;
            }
            self.note((index, raw & !ADDRESS));
            let frame = ((raw & ADDRESS) >> 12) as u32;
            if level == 3 && raw & 1 == 0 {
                self.swapped(raw);
            } else if level < 3 {
                self.tree(frame, level + 1);
            } else if self.name(frame) {
                self.note((self.about)(frame).0);
            }
        }
    }

    /// Takes in a page that is out.
    fn swapped(&mut self, raw: u64) {
        let next = self.slots.len();
        let slot = *self.slots.entry(raw & ADDRESS).or_insert(next);
        let (count, frame) = (self.about_swapped)(raw);
        self.note((slot, count, frame.is_some()));
        if let Some(frame) = frame
            && self.name(frame)
        {
            self.note((self.about)(frame).0);
        }
    }

    /// Takes in what processor `cpu` remembers of the trees with these roots.
    pub fn remembered(&mut self, cpu: usize, roots: &[u32]) {
        let mut all = Vec::new();
        {
            let machine = self.mmu.machine.borrow();
            let cpu = &machine.cpus[cpu];
            for (asid, cache) in cpu.tlb.spaces() {
                let owner = cpu.owners.get(&asid);
                let Some(slot) = owner.and_then(|owner| roots.iter().position(|root| root == owner)) else {
                    continue;
                };
                for (level, address, one) in cache.all() {
                    let is_of_this_life = machine.life(one.table) == one.life;
                    all.push((slot, level, address, *one, is_of_this_life));
                }
            }
        }
        for (slot, level, address, one, is_of_this_life) in all {
            self.note((
                slot,
                level,
                address,
                one.raw & !ADDRESS,
                format!("{:?}", one.above),
                one.index,
                is_of_this_life,
            ));
            self.name(((one.raw & ADDRESS) >> 12) as u32);
            self.name(one.table);
        }
    }

    /// The whole of it.
    pub fn finish(self) -> u64 {
        self.hasher.finish()
    }
}
