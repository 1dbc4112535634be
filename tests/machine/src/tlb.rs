//! What one processor may remember of translations: every descriptor of every level, tagged by ASID, as often as it was
//! seen in a different form. Nothing is forgotten but by TLBI, which is what the architecture permits.

use crate::decode::Limits;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// One remembered descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cached {
    /// The descriptor as it was read.
    pub raw: u64,
    /// The limits of the levels above at the time of the walk (a combined entry uses these).
    pub above: Limits,
    /// The table it was read from.
    pub table: u32,
    /// The index in that table.
    pub index: u16,
    /// Which life of that table it was read in.
    pub life: u32,
    /// When it was last read, or what it was read by way of: a TLBI takes away what follows from what it takes away.
    pub stamp: u64,
}

impl Cached {
    fn is_same_but_age(&self, other: &Cached) -> bool {
        Cached { stamp: 0, ..*self } == Cached { stamp: 0, ..*other }
    }
}

/// What a TLBI names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// VMALLE1: everything.
    All,
    /// ASIDE1: one address space.
    Asid(u16),
    /// VAE1: all levels for one address.
    Address(u16, u64),
    /// VAAE1: all levels for one address, in every address space.
    AddressOfAll(u64),
    /// VALE1: the last level for one address.
    LastLevel(u16, u64),
}

/// The memory of one address space on one processor: `levels[n]` by address bits above level n+1's span.
#[derive(Default)]
pub struct AsidCache {
    levels: [BTreeMap<u64, Vec<Cached>>; 3],
}

/// log2 of the span of one entry at `level` (1, 2, 3).
pub const fn shift(level: u8) -> u32 {
    39 - 9 * level as u32
}

impl AsidCache {
    /// The remembered descriptors of `level` that serve `address`.
    pub fn find(&self, level: u8, address: u64) -> &[Cached] {
        self.levels[level as usize - 1]
            .get(&(address >> shift(level)))
            .map_or(&[], Vec::as_slice)
    }

    /// Remembers one more; true when it was not known in this form.
    pub fn insert(&mut self, level: u8, address: u64, new: Cached) -> bool {
        let known = self.levels[level as usize - 1]
            .entry(address >> shift(level))
            .or_default();
        match known.iter_mut().find(|old| old.is_same_but_age(&new)) {
            Some(old) => {
                old.stamp = old.stamp.max(new.stamp);
                false
            }
            None => {
                known.push(new);
                true
            }
        }
    }

    /// The pages with a remembered last-level descriptor, by their first address.
    pub fn pages(&self) -> impl Iterator<Item = u64> {
        self.levels[2].keys().map(|page| page << 12)
    }

    /// Every remembered descriptor: its level, the first address it serves, itself.
    pub fn all(&self) -> impl Iterator<Item = (u8, u64, &Cached)> {
        (1u8..=3).flat_map(move |level| {
            let entries = self.levels[level as usize - 1].iter();
            entries.flat_map(move |(key, list)| list.iter().map(move |one| (level, key << shift(level), one)))
        })
    }

    fn forget_at(&mut self, level: u8, address: u64, until: u64, dropped: &mut Vec<Cached>) {
        let key = address >> shift(level);
        if let Some(list) = self.levels[level as usize - 1].get_mut(&key) {
            list.retain(|one| keep(one, until, dropped));
            if list.is_empty() {
                self.levels[level as usize - 1].remove(&key);
            }
        }
    }

    fn forget_all(&mut self, until: u64, dropped: &mut Vec<Cached>) {
        for level in &mut self.levels {
            level.retain(|_, list| {
                list.retain(|one| keep(one, until, dropped));
                !list.is_empty()
            });
        }
    }
}

fn keep(one: &Cached, until: u64, dropped: &mut Vec<Cached>) -> bool {
    let stays = one.stamp > until;
    if !stays {
        dropped.push(*one);
    }
    stays
}

/// The TLB and walk caches of one processor.
#[derive(Default)]
pub struct Tlb {
    spaces: BTreeMap<u16, AsidCache>,
}

impl Tlb {
    /// What is remembered for `asid`.
    pub fn space(&mut self, asid: u16) -> &mut AsidCache {
        self.spaces.entry(asid).or_default()
    }

    /// What is remembered, by ASID.
    pub fn spaces(&self) -> impl Iterator<Item = (u16, &AsidCache)> {
        self.spaces.iter().map(|(asid, space)| (*asid, space))
    }

    /// Forgets what `scope` names and was last read at or before `until`; returns what was forgotten.
    pub fn invalidate(&mut self, scope: Scope, until: u64) -> Vec<Cached> {
        let mut dropped = Vec::new();
        match scope {
            Scope::All => self
                .spaces
                .values_mut()
                .for_each(|space| space.forget_all(until, &mut dropped)),
            Scope::Asid(asid) => self.space(asid).forget_all(until, &mut dropped),
            Scope::Address(asid, address) => {
                for level in 1..=3 {
                    self.space(asid).forget_at(level, address, until, &mut dropped);
                }
            }
            Scope::AddressOfAll(address) => {
                for space in self.spaces.values_mut() {
                    (1..=3).for_each(|level| space.forget_at(level, address, until, &mut dropped));
                }
            }
            Scope::LastLevel(asid, address) => self.space(asid).forget_at(3, address, until, &mut dropped),
        }
        dropped
    }
}
