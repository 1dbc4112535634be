//! What one processor's TLB and walk caches may hold. They forget nothing but what a TLBI makes them forget, and are filled by
//! speculation with whatever a live table has ever said.

use crate::descriptor::{Entry, Limits, Rights};
use crate::instruction::Scope;
use std::collections::HashMap;

/// A moment in the order of events.
pub type Moment = u64;

/// The store after which the tables no longer say what a TLB may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who stored.
    pub cpu: usize,
    /// When.
    pub at: Moment,
    /// By which instruction.
    pub pc: u64,
}

/// A translation.
#[derive(Clone, Copy, Debug)]
pub struct Translation {
    /// The frame's physical address.
    pub frame: u64,
    /// What it allows.
    pub rights: Rights,
    /// See [`Entry::attributes`].
    pub attributes: u8,
    /// Nobody asked for it.
    pub is_speculative: bool,
    /// When it was taken.
    pub born: Moment,
    /// What made it wrong.
    pub change: Option<Change>,
}

/// A table that a walk may begin at.
#[derive(Clone, Copy, Debug)]
pub struct CachedTable {
    /// The table's physical address.
    pub table: u64,
    /// What the tables above it took away.
    pub limits: Limits,
    /// When it was taken.
    pub born: Moment,
    /// What made it wrong.
    pub change: Option<Change>,
}

/// Something that is remembered since a moment.
trait Remembered {
    fn born(&self) -> Moment;
}

impl Remembered for Translation {
    fn born(&self) -> Moment {
        self.born
    }
}

impl Remembered for CachedTable {
    fn born(&self) -> Moment {
        self.born
    }
}

/// By page, or by the range that a table translates: what is remembered.
pub type Held<T> = HashMap<u64, Vec<T>>;

fn forget<T: Remembered>(held: &mut Held<T>, key: u64, before: Moment) {
    if let Some(list) = held.get_mut(&key) {
        list.retain(|one| one.born() >= before);
        if list.is_empty() {
            held.remove(&key);
        }
    }
}

fn forget_all<T: Remembered>(held: &mut Held<T>, before: Moment) {
    held.retain(|_, list| {
        list.retain(|one| one.born() >= before);
        !list.is_empty()
    });
}

/// What is remembered under one ASID.
#[derive(Default)]
pub struct Space {
    /// Whole translations, by page.
    pub pages: Held<Translation>,
    /// Level-3 descriptors by themselves, without what the tables above them take away, by page.
    pub descriptors: Held<Translation>,
    /// Level-3 tables, by the 2 MiB that they translate.
    pub level3: Held<CachedTable>,
    /// Level-2 tables, by the 1 GiB that they translate.
    pub level2: Held<CachedTable>,
}

impl Space {
    fn apply(&mut self, tlbi: &Tlbi) {
        let page = tlbi.address >> 12;
        match tlbi.scope {
            Scope::All | Scope::Asid => {
                forget_all(&mut self.pages, tlbi.at);
                forget_all(&mut self.descriptors, tlbi.at);
                forget_all(&mut self.level3, tlbi.at);
                forget_all(&mut self.level2, tlbi.at);
            }
            _ => {
                forget(&mut self.pages, page, tlbi.at);
                forget(&mut self.descriptors, page, tlbi.at);
            }
        }
        if matches!(tlbi.scope, Scope::Address | Scope::AddressAnyAsid) {
            forget(&mut self.level3, page >> 9, tlbi.at);
            forget(&mut self.level2, page >> 18, tlbi.at);
        }
    }

    /// Takes a translation in. Whether it was not there.
    pub fn take(&mut self, page: u64, new: Translation) -> bool {
        if new.rights.is_empty() {
            return false;
        }
        let list = self.pages.entry(page).or_default();
        let same = |old: &&mut Translation| {
            old.frame == new.frame && old.rights == new.rights && old.attributes == new.attributes
        };
        if let Some(old) = list.iter_mut().find(same) {
            if old.change.is_some() && !new.is_speculative {
                old.change = None;
                old.born = new.born;
            }
            return false;
        }
        list.push(new);
        true
    }

    /// Takes a level-3 descriptor in by itself.
    pub fn take_descriptor(&mut self, page: u64, entry: Entry, born: Moment) {
        let rights = entry.el0_rights(Limits::default());
        if !entry.is_leaf(3) || rights.is_empty() {
            return;
        }
        let list = self.descriptors.entry(page).or_default();
        let (frame, attributes) = (entry.address(), entry.attributes());
        let same =
            |old: &Translation| old.frame == frame && old.rights == rights && old.attributes == attributes;
        if !list.iter().any(same) {
            list.push(Translation {
                frame,
                rights,
                attributes,
                is_speculative: false,
                born,
                change: None,
            });
        }
    }
}

/// Takes a table into a walk cache.
pub fn take_table(held: &mut Held<CachedTable>, key: u64, table: u64, limits: Limits, born: Moment) {
    let list = held.entry(key).or_default();
    let same = |old: &&mut CachedTable| old.table == table && old.limits == limits;
    match list.iter_mut().find(same) {
        Some(old) => old.change = None,
        None => list.push(CachedTable {
            table,
            limits,
            born,
            change: None,
        }),
    }
}

/// A TLBI that was given and is not complete.
#[derive(Clone, Copy, Debug)]
pub struct Tlbi {
    /// What it forgets.
    pub scope: Scope,
    /// It is broadcast.
    pub is_broadcast: bool,
    /// The ASID in its operand.
    pub asid: u16,
    /// The address in its operand.
    pub address: u64,
    /// When it was given.
    pub at: Moment,
    /// By which instruction.
    pub pc: u64,
}

impl Tlbi {
    /// From the value of the operand's register.
    pub fn new(scope: Scope, is_broadcast: bool, operand: u64, at: Moment, pc: u64) -> Tlbi {
        let address = (operand & 0xfff_ffff_ffff) << 12;
        Tlbi {
            scope,
            is_broadcast,
            asid: (operand >> 48) as u16,
            address: if address >> 55 == 1 {
                address | 0xff00_0000_0000_0000
            } else {
                address
            },
            at,
            pc,
        }
    }

    /// Whether it reaches some of the `span` bytes at `address`, under this ASID or, if that is none, of all.
    pub fn covers(&self, asid: Option<u16>, address: u64, span: u64) -> bool {
        let is_inside = self.address.wrapping_sub(address) < span;
        let is_asid = asid.is_none_or(|asid| asid == self.asid);
        match self.scope {
            Scope::All => true,
            Scope::Asid => asid.is_some() && is_asid,
            Scope::Address | Scope::Leaf => is_asid && is_inside,
            Scope::AddressAnyAsid | Scope::LeafAnyAsid => is_inside,
        }
    }
}

/// One processor's.
#[derive(Default)]
pub struct Tlb {
    /// By ASID.
    pub spaces: HashMap<u16, Space>,
    /// Global translations: the kernel's.
    pub global: Space,
    /// For each frame, the pages of ASIDs under which it may be reached; some may have been forgotten since.
    pub reach: HashMap<u64, Vec<(u16, u64)>>,
}

impl Tlb {
    /// Takes a program's translation in. Whether it was not there.
    pub fn take(&mut self, asid: u16, page: u64, new: Translation) -> bool {
        let is_new = self.spaces.entry(asid).or_default().take(page, new);
        if is_new {
            self.reach.entry(new.frame).or_default().push((asid, page));
        }
        is_new
    }

    /// A TLBI has completed.
    pub fn apply(&mut self, tlbi: &Tlbi) {
        match tlbi.scope {
            Scope::All | Scope::AddressAnyAsid | Scope::LeafAnyAsid => {
                self.spaces.values_mut().for_each(|space| space.apply(tlbi));
                self.global.apply(tlbi);
            }
            Scope::Asid => {
                if let Some(space) = self.spaces.get_mut(&tlbi.asid) {
                    space.apply(tlbi);
                }
            }
            Scope::Address | Scope::Leaf => {
                if let Some(space) = self.spaces.get_mut(&tlbi.asid) {
                    space.apply(tlbi);
                }
                self.global.apply(tlbi);
            }
        }
    }
}
