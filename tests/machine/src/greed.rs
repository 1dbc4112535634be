//! The machine of searches: no dice fall. Its processors remember, at each step, all that the architecture lets them remember: of each
//! hot address, from wherever a walk may begin, each value that a walker may find. So whatever another machine remembers this one does,
//! too; and that nothing is left of what was remembered is seen wherever nothing may be left. What an access uses of it, where that
//! makes a difference, is said by who asks.

use crate::decode::{Limits, Meaning, decode};
use crate::machine::Machine;
use crate::walk::{Candidate, Step, index};
use alloc::vec;
use alloc::vec::Vec;
use mm::Access;

/// Which of the translations that a processor could use an access does use.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Luck {
    /// The oldest that lets it through; if there is none, it faults.
    #[default]
    Oldest,
    /// The youngest that lets it through.
    Youngest,
    /// One that does not let it through, if there is one.
    Refused,
}

/// What a greedy machine keeps.
#[derive(Default)]
pub struct Greed {
    /// What accesses use.
    pub luck: Luck,
    /// All is remembered that there is.
    is_sated: bool,
}

impl Machine {
    /// There may be more to remember now.
    pub(crate) fn tables_changed(&mut self) {
        if let Some(greed) = &mut self.greed {
            greed.is_sated = false;
        }
    }

    /// Every processor walks each way for each hot address.
    pub(crate) fn remember_all(&mut self) {
        if self.greed.as_ref().is_some_and(|greed| !greed.is_sated) {
            self.warm_all();
            self.greed.iter_mut().for_each(|greed| greed.is_sated = true);
        }
    }

    /// All walks that there may be for an address, and whatever they may find.
    pub(crate) fn walk_each_way(&mut self, cpu: usize, (root, asid): (u32, u16), address: u64) {
        let stamp = self.tick();
        let mut open = vec![Step {
            level: 1,
            table: root,
            above: Limits::default(),
            stamp,
        }];
        for level in 1..=2 {
            for entry in self.cpus[cpu].tlb.space(asid).find(level, address) {
                if let Meaning::Table(table, limits) = decode(level, entry.raw) {
                    let above = entry.above.and(limits);
                    open.push(Step {
                        level: level + 1,
                        table,
                        above,
                        stamp: entry.stamp,
                    });
                }
            }
        }
        while let Some(step) = open.pop() {
            let index = index(address, step.level);
            let Some(now) = self.read_for_walk(step.table, index) else {
                continue;
            };
            for raw in self.older(step.table, index).into_iter().chain([now]) {
                open.extend(self.step_of_walk(cpu, asid, address, step, raw));
            }
        }
    }

    /// What a walker may find in an entry: of a greedy machine all of it, else one.
    pub(crate) fn found_by_walkers(&mut self, table: u32, index: usize) -> Vec<u64> {
        let one = self.visible(table, index);
        let mut all = if self.greed.is_some() {
            self.older(table, index)
        } else {
            Vec::new()
        };
        all.push(one);
        all
    }

    /// What stores that are not visible to all yet have replaced in an entry.
    fn older(&self, table: u32, index: usize) -> Vec<u64> {
        let pending = self.cpus.iter().flat_map(|cpu| &cpu.stores);
        let here = pending.filter(|store| (store.table, store.index) == (table, index));
        here.map(|store| store.old).collect()
    }

    /// The translation that an access uses.
    pub(crate) fn choose(&mut self, candidates: &[Candidate], access: Access) -> Candidate {
        let Some(greed) = &self.greed else {
            return self.random.pick(candidates);
        };
        let mut granting = candidates.iter().filter(|one| one.grants(access));
        let chosen = match greed.luck {
            Luck::Oldest => granting.next(),
            Luck::Youngest => granting.next_back(),
            Luck::Refused => candidates.iter().find(|one| !one.grants(access)),
        };
        *chosen.unwrap_or(&candidates[0])
    }

    /// Whether a processor could use a translation that does not let the access through.
    pub(crate) fn may_refuse(&mut self, cpu: usize, address: u64, access: Access) -> bool {
        let Some((root, asid)) = self.cpus[cpu].ttbr0 else {
            return false;
        };
        let found = self.candidates(cpu, asid, root, address);
        found.iter().any(|one| !one.grants(access))
    }

    /// Whether the dice say so; a greedy machine has none.
    pub(crate) fn throws_one_in(&mut self, number: usize) -> bool {
        self.greed.is_none() && self.random.one_in(number)
    }
}
