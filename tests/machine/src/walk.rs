//! Translation by the adversary: its walks, its speculation, and every translation that its caches would permit.
//!
//! A TLB may keep the result of a walk as one entry, leaf and hierarchical limits combined, or keep each level's
//! descriptor by itself (Arm ARM D8.13.2, "TLB entries caching intermediate levels"). Both are modelled at once: all
//! combinations that some real machine could use are candidates, and the adversary takes whichever it likes.

use crate::decode::{Limits, Meaning, Rights, decode, effective};
use crate::machine::{JUNK, Machine};
use crate::tlb::{Cached, shift};
use alloc::format;
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

/// Where a walk is.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub level: u8,
    pub table: u32,
    /// The limits of the levels above.
    pub above: Limits,
    /// When what it began with was read.
    pub stamp: u64,
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
        if self.greed.is_some() {
            return self.remember_all();
        }
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
        if self.greed.is_some() {
            return self.walk_each_way(cpu, (root, asid), address);
        }
        if self.is_plain && self.held(cpu, asid, address).is_some() {
            return;
        }
        let (mut level, mut table, mut above, stamp) = self.start_of_walk(cpu, root, asid, address);
        loop {
            let Some(raw) = self.read_for_walk(table, index(address, level)) else {
                return;
            };
            let step = Step {
                level,
                table,
                above,
                stamp,
            };
            let Some(next) = self.step_of_walk(cpu, asid, address, step, raw) else {
                return;
            };
            (level, table, above) = (next.level, next.table, next.above);
        }
    }

    /// A walk that has come to a table finds `raw` there: it is remembered, and the walk goes on if it is a table's descriptor.
    pub(crate) fn step_of_walk(
        &mut self,
        cpu: usize,
        asid: u16,
        address: u64,
        at: Step,
        raw: u64,
    ) -> Option<Step> {
        let level = at.level;
        let meaning = decode(level, raw);
        match meaning {
            Meaning::Invalid => return None,
            Meaning::Wrong(why) => {
                self.complain(|| format!("walk of {address:#x}: {raw:#x} at level {level}: {why}"));
                return None;
            }
            Meaning::Table(frame, _) | Meaning::Page(frame, _) if !self.has(frame) => {
                self.complain(|| format!("walk of {address:#x}: {raw:#x} leads out of RAM"));
                return None;
            }
            _ => {}
        }
        let entry = Cached {
            raw,
            above: at.above,
            table: at.table,
            index: index(address, level) as u16,
            life: self.life(at.table),
            stamp: at.stamp,
        };
        self.remember(cpu, asid, level, address, entry);
        let Meaning::Table(next, limits) = meaning else {
            return None;
        };
        Some(Step {
            level: level + 1,
            table: next,
            above: at.above.and(limits),
            ..at
        })
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
    pub(crate) fn read_for_walk(&mut self, table: u32, index: usize) -> Option<u64> {
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
            for second in self.found_by_walkers(table, index(address, 2)) {
                if let Meaning::Table(table, own) = decode(2, second) {
                    tables.push(LastTable {
                        table,
                        own,
                        above: limits,
                    });
                }
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
        let mut firsts = self.found_by_walkers(root, index(address, 1));
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
            for raw in self.found_by_walkers(last.table, index(address, 3)) {
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
