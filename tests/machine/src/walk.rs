//! Translation by the adversary: its walks, its speculation, and every translation that its caches would permit.
//!
//! A TLB may keep the result of a walk as one entry, leaf and hierarchical limits combined, or keep each level's
//! descriptor by itself (Arm ARM D8.13.2, "TLB entries caching intermediate levels"). Both are modelled at once: all
//! combinations that some real machine could use are candidates, and the adversary takes whichever it likes.

use crate::decode::{Limits, Meaning, Rights, decode, effective, output};
use crate::machine::{JUNK, Machine};
use crate::tlb::{Cached, shift};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use mm::Access;

/// One way to translate an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The frame reached.
    pub frame: u32,
    /// What EL0 may do there.
    pub rights: Rights,
}

impl Candidate {
    /// Whether it lets `access` through.
    pub fn grants(&self, access: Access) -> bool {
        match access {
            Access::Read => self.rights.read,
            Access::Write => self.rights.write,
            Access::Execute => self.rights.execute,
        }
    }
}

/// Index of `address` in a table of `level`.
pub fn index(address: u64, level: u8) -> usize {
    (address >> shift(level) & 511) as usize
}

/// A table that a walk has come to: whose level-2 descriptor said so, under which limits.
struct LastTable {
    table: u32,
    own: Limits,
    above: Limits,
}

impl Machine {
    /// What the tables themselves say, all stores visible: the only translation that is right.
    pub fn truth(&self, root: u32, address: u64) -> Option<Candidate> {
        let mut table = root;
        let mut limits = Limits::default();
        for level in 1..=3 {
            match decode(level, self.word(table, index(address, level))) {
                Meaning::Table(next, more) if self.has(next) => {
                    table = next;
                    limits = limits.and(more);
                }
                Meaning::Page(frame, own) => {
                    return Some(Candidate {
                        frame,
                        rights: effective(own, limits),
                    });
                }
                _ => return None,
            }
        }
        None
    }

    /// What the TLB of a plain processor holds for `address`.
    pub fn held(&mut self, cpu: usize, asid: u16, address: u64) -> Option<Candidate> {
        let held = self.cpus[cpu].tlb.space(asid).find(3, address);
        held.last().and_then(|entry| match decode(3, entry.raw) {
            Meaning::Page(frame, own) => Some(Candidate {
                frame,
                rights: effective(own, entry.above),
            }),
            _ => None,
        })
    }

    /// Some processors walk for some addresses, because they feel like it. A plain one does not.
    pub fn speculate(&mut self) {
        if self.is_plain {
            return;
        }
        for _ in 0..self.random.below(3) {
            let cpu = self.random.below(self.cpus.len());
            if let Some(address) = self.tempting_address() {
                self.walk(cpu, address);
            }
        }
    }

    /// Every processor walks for every tempting address.
    pub fn warm_all(&mut self) {
        for cpu in 0..self.cpus.len() {
            for hot in 0..self.hot.len() {
                self.walk(cpu, self.hot[hot]);
            }
        }
    }

    fn tempting_address(&mut self) -> Option<u64> {
        let len = self.hot.len();
        match len {
            0 => None,
            _ if self.random.one_in(2) => Some(self.hot[len - 1 - self.random.below(len.min(4))]),
            _ => Some(self.hot[self.random.below(len)]),
        }
    }

    /// One walk, from the root or from a remembered table; everything read on the way is remembered.
    pub fn walk(&mut self, cpu: usize, address: u64) {
        let Some((root, asid)) = self.cpus[cpu].ttbr0 else {
            return;
        };
        if self.is_plain && self.held(cpu, asid, address).is_some() {
            return;
        }
        let (mut level, mut table, mut above, stamp) = self.start_of_walk(cpu, root, asid, address);
        loop {
            let Some(raw) = self.read_for_walk(table, index(address, level)) else {
                return;
            };
            let meaning = decode(level, raw);
            match meaning {
                Meaning::Invalid => return,
                Meaning::Wrong(why) => {
                    return self
                        .complain(|| format!("walk of {address:#x}: {raw:#x} at level {level}: {why}"));
                }
                Meaning::Table(frame, _) | Meaning::Page(frame, _) if !self.has(frame) => {
                    return self.complain(|| format!("walk of {address:#x}: {raw:#x} leads out of RAM"));
                }
                _ => {}
            }
            let life = self.life(table);
            let entry = Cached {
                raw,
                above,
                table,
                index: index(address, level) as u16,
                life,
                stamp,
            };
            self.remember(cpu, asid, level, address, entry);
            let Meaning::Table(next, limits) = meaning else {
                return;
            };
            (level, table, above) = (level + 1, next, above.and(limits));
        }
    }

    fn start_of_walk(&mut self, cpu: usize, root: u32, asid: u16, address: u64) -> (u8, u32, Limits, u64) {
        let level = 1 + self.random.below(3) as u8;
        let from_root = (1, root, Limits::default(), self.tick());
        if level == 3 || self.is_plain {
            return from_root;
        }
        let remembered = self.cpus[cpu].tlb.space(asid).find(level, address).to_vec();
        if remembered.is_empty() {
            return from_root;
        }
        let entry = self.random.pick(&remembered);
        match decode(level, entry.raw) {
            Meaning::Table(next, limits) => (level + 1, next, entry.above.and(limits), entry.stamp),
            _ => from_root,
        }
    }

    /// One read of a table by a walker.
    fn read_for_walk(&mut self, table: u32, index: usize) -> Option<u64> {
        if self.count(table) == 0 {
            self.complain(|| format!("a walker reads table {table:#x}, which is free"));
            return None;
        }
        let raw = self.visible(table, index);
        if raw == JUNK {
            self.complain(|| format!("a walker reads {table:#x}[{index}], which was never written"));
            return None;
        }
        Some(raw)
    }

    /// Every translation of `address` that `cpu` could use under `asid`, by what it remembers and what it could read now.
    pub fn candidates(&mut self, cpu: usize, asid: u16, root: u32, address: u64) -> Vec<Candidate> {
        let firsts = self.first_level(cpu, asid, root, address);
        let mut first_limits: Vec<Limits> = Vec::with_capacity(2);
        let mut tables: Vec<LastTable> = Vec::with_capacity(4);
        for raw in firsts {
            let Meaning::Table(table, limits) = decode(1, raw) else {
                continue;
            };
            add(&mut first_limits, limits);
            let second = self.visible(table, index(address, 2));
            if let Meaning::Table(table, own) = decode(2, second) {
                tables.push(LastTable {
                    table,
                    own,
                    above: limits,
                });
            }
        }
        for entry in self.cpus[cpu].tlb.space(asid).find(2, address) {
            if let Meaning::Table(table, own) = decode(2, entry.raw) {
                tables.push(LastTable {
                    table,
                    own,
                    above: entry.above,
                });
            }
        }
        self.leaves(cpu, asid, address, &first_limits, &tables)
    }

    fn first_level(&mut self, cpu: usize, asid: u16, root: u32, address: u64) -> Vec<u64> {
        let mut firsts = vec![self.visible(root, index(address, 1))];
        for entry in self.cpus[cpu].tlb.space(asid).find(1, address) {
            add(&mut firsts, entry.raw);
        }
        firsts
    }

    fn leaves(
        &mut self,
        cpu: usize,
        asid: u16,
        address: u64,
        firsts: &[Limits],
        tables: &[LastTable],
    ) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::with_capacity(4);
        let mut pages: Vec<(u32, Rights)> = Vec::with_capacity(4);
        for entry in self.cpus[cpu].tlb.space(asid).find(3, address) {
            if let Meaning::Page(frame, own) = decode(3, entry.raw) {
                add(&mut pages, (frame, own));
                add(
                    &mut found,
                    Candidate {
                        frame,
                        rights: effective(own, entry.above),
                    },
                );
            }
        }
        for last in tables
            .iter()
            .filter(|last| self.has(last.table))
            .collect::<Vec<_>>()
        {
            let raw = self.visible(last.table, index(address, 3));
            if let Meaning::Page(frame, own) = decode(3, raw) {
                add(&mut pages, (frame, own));
                add(
                    &mut found,
                    Candidate {
                        frame,
                        rights: effective(own, last.above.and(last.own)),
                    },
                );
            }
        }
        for first in firsts {
            for second in tables {
                for (frame, own) in &pages {
                    let rights = effective(*own, first.and(second.own));
                    add(
                        &mut found,
                        Candidate {
                            frame: *frame,
                            rights,
                        },
                    );
                }
            }
        }
        found
    }

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

    /// The table of `level` on the way to `address`.
    pub fn table_for(&self, root: u32, address: u64, level: u8) -> Option<u32> {
        let mut table = root;
        for above in 1..level {
            match decode(above, self.word(table, index(address, above))) {
                Meaning::Table(next, _) if self.has(next) => table = next,
                _ => return None,
            }
        }
        Some(table)
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
