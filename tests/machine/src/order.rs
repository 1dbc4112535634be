//! The rules of stores, barriers and TLB maintenance: when a walker sees a store, when a TLBI has taken effect, and what
//! is a breach of the order that `mm::mmu` states.

use crate::decode::output;
use crate::history::Event;
use crate::machine::{FRAME_WORDS, JUNK, Machine, PendingStore};
use crate::sabotage::Sabotage;
use crate::tlb::Scope;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Output address, AttrIndx, SH, nG (1 -> 0), Contiguous: each needs the entry broken first (Arm ARM D8.14.1).
const NEEDS_BREAK: u64 = 0x0010_ffff_ffff_fb1e;

/// Whether a page descriptor becomes one of a swapped page: the same but for write access and where it leads.
fn is_swap(page: u64, swapped: u64) -> bool {
    const LEADS: u64 = 0x0000_ffff_ffff_f003;
    page & 3 == 3 && swapped & 3 == 0 && (page | 1 << 7) & !LEADS == swapped & !LEADS
}

impl Machine {
    /// A descriptor store by the heart.
    pub fn store(&mut self, cpu: usize, table: u32, index: usize, asked: u64) {
        let old = self.word(table, index);
        self.history.push(
            cpu,
            Event::Store {
                table,
                index,
                old,
                new: asked,
            },
        );
        let bent = self
            .sabotage
            .map_or(Some(asked), |how| how.bend_store(old, asked));
        let Some(mut new) = bent else { return };
        if self.is_moved(cpu, new) {
            self.cpus[cpu].has_moved_table = true;
            if self.sabotage == Some(Sabotage::OpenMovedTable) {
                new &= !(1 << 62);
            }
        }
        self.check_store(cpu, table, index, if old == JUNK { 0 } else { old }, new);
        self.set_word(table, index, new);
        self.tables_changed();
        if (old | new) & 1 == 0 {
            // Whichever of the two a walker finds, it finds nothing.
            return;
        }
        let stamp = self.tick();
        self.cpus[cpu].stores.push(PendingStore {
            table,
            index,
            old,
            stamp,
        });
        if old >> 62 & 1 == 1 && new >> 62 & 1 == 0 && old != JUNK && new & 1 == 1 {
            self.check_opened(table);
        }
    }

    /// Whether `new` is a table descriptor that this processor has just taken out of another entry.
    fn is_moved(&self, cpu: usize, new: u64) -> bool {
        let is_table = |raw: u64| raw & 3 == 3 && raw >> 10 & 1 == 0;
        let was_it = |store: &PendingStore| {
            is_table(store.old)
                && output(store.old) == output(new)
                && self.word(store.table, store.index) & 1 == 0
        };
        is_table(new) && self.cpus[cpu].stores.iter().any(was_it)
    }

    /// Write access is given back to a subtree: from this moment no processor may hold a writable leaf that the tables below
    /// do not grant, though the path above made it harmless until now.
    fn check_opened(&mut self, table: u32) {
        let owners: Vec<(usize, u16, u32)> = self.owners().collect();
        for (cpu, asid, root) in owners {
            if self.tables_below(core::iter::once(root)).contains(&table) {
                self.check_writes(cpu, asid, root);
            }
        }
    }

    fn check_store(&mut self, cpu: usize, table: u32, index: usize, old: u64, new: u64) {
        let protected = old | if old >> 10 & 1 != 0 { 1 << 7 } else { 1 << 62 };
        match self.count(table) {
            0 => self.complain(|| format!("a store into table {table:#x}, which nobody holds")),
            1 => {}
            _ if self.is_stopped && (is_swap(old, new) || is_swap(new, old)) => {}
            count if new != old && new != protected => self.complain(|| {
                format!("table {table:#x}[{index}] with count {count} changes {old:#x} -> {new:#x} (I3)")
            }),
            _ => {}
        }
        if new & 1 == 0 {
            return;
        }
        if new & 2 == 0 {
            self.complain(|| format!("a block or reserved descriptor {new:#x} in {table:#x}[{index}]"));
        }
        if old & 1 != 0 && (old ^ new) & NEEDS_BREAK != 0 {
            self.complain(|| format!("{table:#x}[{index}] {old:#x} -> {new:#x} without break"));
        }
        if old & 1 == 0 {
            self.check_make(cpu, table, index, new);
        }
    }

    /// An entry becomes valid: what it showed before must be flushed, and what it leads to must be visible.
    fn check_make(&mut self, cpu: usize, table: u32, index: usize, new: u64) {
        let target = output(new);
        if !self.has(target) || self.count(target) == 0 {
            return self.complain(|| format!("{table:#x}[{index}] = {new:#x} points to no frame in use"));
        }
        if self.sources(table) > 0 {
            let life = self.life(table);
            let before = self.find_cached(|root, level, address, entry| {
                (entry.table, entry.index as usize, entry.life) == (table, index, life)
                    && output(entry.raw) != target
                    && self.table_for(root, address, level) == Some(table)
            });
            if let Some((holder, asid, level, address)) = before {
                self.complain(|| {
                    format!(
                        "{table:#x}[{index}] = {new:#x} is made before its break was flushed: cpu {holder} still \
                         holds the old one, asid {asid}, level {level}, address {address:#x}"
                    )
                });
            }
        }
        if self.is_unpublished(cpu, target) && self.reachable_tables().contains(&table) {
            self.complain(|| {
                format!(
                    "{table:#x}[{index}] = {new:#x} is linked before the content of {target:#x} is visible"
                )
            });
        }
    }

    fn is_unpublished(&self, cpu: usize, frame: u32) -> bool {
        let cpu = &self.cpus[cpu];
        cpu.contents.contains(&frame) || cpu.stores.iter().any(|store| store.table == frame)
    }

    /// Every table that a walk from a live root can come to.
    fn reachable_tables(&self) -> BTreeSet<u32> {
        self.tables_below(self.owners().map(|(_, _, root)| root))
    }

    fn tables_below(&self, roots: impl Iterator<Item = u32>) -> BTreeSet<u32> {
        let mut found: BTreeSet<u32> = BTreeSet::new();
        let mut level: BTreeSet<u32> = roots.collect();
        for _ in 0..2 {
            let descriptors = level
                .iter()
                .flat_map(|&table| (0..FRAME_WORDS).map(move |index| (table, index)));
            let raw = descriptors.map(|(table, index)| self.word(table, index));
            let next = raw
                .filter(|raw| raw & 3 == 3 && *raw != JUNK && self.has(output(*raw)))
                .map(output)
                .collect();
            found.extend(core::mem::replace(&mut level, next));
        }
        found.extend(level);
        found
    }

    /// DMB ISHST: what frames were filled with is seen by who sees a later store. Stores to tables wait for a DSB.
    pub fn dmb_ishst(&mut self, cpu: usize) {
        self.history.push(cpu, Event::Instruction("dmb ishst", 0, 0));
        if self.sabotage != Some(Sabotage::SwallowDmbIshst) {
            self.cpus[cpu].contents.clear();
        }
    }

    /// DSB ISHST.
    pub fn dsb_ishst(&mut self, cpu: usize) {
        self.history.push(cpu, Event::Instruction("dsb ishst", 0, 0));
        if self.sabotage != Some(Sabotage::SwallowDsbIshst) {
            self.publish(cpu);
        }
    }

    /// DSB ISH: what DSB ISHST does, and the TLBIs of this processor take effect.
    pub fn dsb_ish(&mut self, cpu: usize) {
        self.history.push(cpu, Event::Instruction("dsb ish", 0, 0));
        if self.sabotage == Some(Sabotage::SwallowDsbIsh) {
            return;
        }
        self.publish(cpu);
        for (scope, issued) in core::mem::take(&mut self.cpus[cpu].tlbis) {
            for target in 0..self.cpus.len() {
                if target == cpu || self.sabotage != Some(Sabotage::LocalOnly) {
                    self.forget(target, scope, issued);
                }
            }
        }
    }

    /// The stores and contents of this processor become visible to all.
    pub fn publish(&mut self, cpu: usize) {
        let published = core::mem::take(&mut self.cpus[cpu].stores);
        self.cpus[cpu].contents.clear();
        let is_older = |other: &PendingStore| {
            let same = published
                .iter()
                .filter(|own| (own.table, own.index) == (other.table, other.index));
            same.into_iter().any(|own| other.stamp < own.stamp)
        };
        for other in &mut self.cpus {
            other.stores.retain(|store| !is_older(store));
        }
    }

    /// Arm is other-multi-copy-atomic: a store that this processor has observed of another, by acquiring a count that the
    /// other released after it, is visible to every walker. This machine's data are sequentially consistent, so all
    /// write protection by others may have been observed when a TLBI is issued on the strength of a count.
    fn publish_write_protection_by_others(&mut self, cpu: usize) {
        for other in (0..self.cpus.len()).filter(|other| *other != cpu) {
            let mut stores = core::mem::take(&mut self.cpus[other].stores);
            stores.retain(|store| {
                let now = self.word(store.table, store.index);
                store.old & 1 == 0 || store.old == JUNK || (store.old ^ now) & NEEDS_BREAK != 0
            });
            self.cpus[other].stores = stores;
        }
    }

    /// A broadcast TLBI: waits for the DSB ISH.
    pub fn tlbi(&mut self, cpu: usize, name: &'static str, scope: Scope) {
        self.note_tlbi(cpu, name, scope);
        if !self.cpus[cpu].stores.is_empty() {
            let reachable = self.reachable_tables();
            let early = self.cpus[cpu]
                .stores
                .iter()
                .find(|store| reachable.contains(&store.table));
            if let Some((table, index)) = early.map(|store| (store.table, store.index)) {
                self.complain(|| format!("{name} before the store to {table:#x}[{index}] is visible"));
            }
        }
        self.publish_write_protection_by_others(cpu);
        let issued = self.tick();
        let has_moved_table = core::mem::take(&mut self.cpus[cpu].has_moved_table);
        if has_moved_table && self.sabotage == Some(Sabotage::SwallowFlushOfMovedTable) {
            return;
        }
        let bent = match (self.sabotage, scope) {
            (Some(Sabotage::SwallowVmalle1is), Scope::All) => None,
            // The sabotages of VMALLE1 are of the local one.
            (_, Scope::All) => Some(scope),
            _ => self.bend_scope(scope),
        };
        if let Some(scope) = bent {
            self.cpus[cpu].tlbis.push((scope, issued));
        }
    }

    /// TLBI VAE1 or VMALLE1 with its DSB NSH.
    pub fn tlbi_local(&mut self, cpu: usize, name: &'static str, scope: Scope) {
        self.note_tlbi(cpu, name, scope);
        let target = match (self.sabotage, scope) {
            (Some(Sabotage::SwallowVae1Local), Scope::Address(..)) => return,
            (Some(Sabotage::Vmalle1OfNeighbour), Scope::All) => (cpu + 1) % self.cpus.len(),
            _ => cpu,
        };
        if let Some(scope) = self.bend_scope(scope) {
            self.forget(target, scope, u64::MAX);
        }
    }

    fn note_tlbi(&mut self, cpu: usize, name: &'static str, scope: Scope) {
        let (asid, address) = match scope {
            Scope::All => (0, 0),
            Scope::AddressOfAll(address) => (0, address),
            Scope::Asid(asid) => (asid, 0),
            Scope::Address(asid, address) | Scope::LastLevel(asid, address) => (asid, address),
        };
        self.history
            .push(cpu, Event::Instruction(name, u64::from(asid), address));
    }

    fn bend_scope(&self, scope: Scope) -> Option<Scope> {
        use Sabotage as S;
        match (self.sabotage, scope) {
            (Some(S::SwallowVmalle1), Scope::All) => None,
            (Some(S::SwallowAside1is), Scope::Asid(_)) => None,
            (Some(S::SwallowVale1is), Scope::LastLevel(..)) => None,
            (Some(S::SwallowVae1is), Scope::Address(..)) => None,
            (Some(S::SwallowVaae1is), Scope::AddressOfAll(..)) => None,
            (Some(S::Vaae1isOfOneAsid), Scope::AddressOfAll(at)) => Some(Scope::Address(1, at)),
            (Some(S::Vae1isOfLastLevel), Scope::Address(asid, at)) => Some(Scope::LastLevel(asid, at)),
            (Some(S::Aside1isOfOneAddress), Scope::Asid(asid)) => {
                Some(Scope::Address(asid, self.hot.last().copied().unwrap_or(0)))
            }
            (Some(S::WrongAsid), Scope::Asid(asid)) => Some(Scope::Asid(asid ^ 1)),
            (Some(S::WrongAsid), Scope::Address(asid, at)) => Some(Scope::Address(asid ^ 1, at)),
            (Some(S::WrongAsid), Scope::LastLevel(asid, at)) => Some(Scope::LastLevel(asid ^ 1, at)),
            (Some(S::WrongAddress), Scope::AddressOfAll(at)) => Some(Scope::AddressOfAll(at + 0x1000)),
            (Some(S::WrongAddress), Scope::Address(asid, at)) => Some(Scope::Address(asid, at + 0x1000)),
            (Some(S::WrongAddress), Scope::LastLevel(asid, at)) => Some(Scope::LastLevel(asid, at + 0x1000)),
            (_, scope) => Some(scope),
        }
    }

    /// What a walker may find in an entry: the word, or one that a pending store has not yet replaced for it.
    pub fn visible(&mut self, table: u32, index: usize) -> u64 {
        let now = self.word(table, index);
        if self.is_plain || self.greed.is_some() {
            return now;
        }
        let pending = self.cpus.iter().flat_map(|cpu| &cpu.stores);
        let olds = pending
            .filter(|store| (store.table, store.index) == (table, index))
            .map(|store| store.old);
        let mut choices: Vec<u64> = olds.collect();
        if choices.is_empty() {
            return now;
        }
        choices.push(now);
        self.random.pick(&choices)
    }

    /// The processor goes to EL0: nothing of what it did may still be under way.
    pub fn check_return(&mut self, cpu: usize) {
        if let Some((scope, _)) = self.cpus[cpu].tlbis.first().copied() {
            self.complain(|| format!("return to user with a TLBI pending: {scope:?}"));
        }
        if !self.cpus[cpu].stores.is_empty() {
            let reachable = self.reachable_tables();
            let late = self.cpus[cpu]
                .stores
                .iter()
                .find(|store| reachable.contains(&store.table));
            if let Some((table, index)) = late.map(|store| (store.table, store.index)) {
                self.complain(|| format!("return to user, the store to {table:#x}[{index}] not yet visible"));
            }
        }
    }

    /// TTBR0 is written: the tree must be visible, the ASID belong to no other root that is in use, and the root run under no
    /// other ASID, since a TLBI names but one.
    pub fn check_activation(&mut self, root: u32, asid: u16) {
        let pending = self.cpus.iter().any(|cpu| !cpu.stores.is_empty());
        if pending {
            let below = self.tables_below(core::iter::once(root));
            let mut stores = self.cpus.iter().flat_map(|cpu| &cpu.stores);
            // Write protection under way in a shared table takes rights away early or late: either is harmless here.
            let is_new = |old: u64| old & 1 == 0 || old == JUNK;
            if stores.any(|store| is_new(store.old) && below.contains(&store.table)) {
                self.complain(|| format!("root {root:#x} is activated before its tables are visible"));
            }
        }
        let staying = self.cpus.iter().filter(|cpu| !cpu.is_leaving);
        let running: Vec<(u32, u16)> = staying.filter_map(|cpu| cpu.ttbr0).collect();
        for (other, with) in running {
            self.complain_if((other == root) != (with == asid) && !self.is_one_asid, || {
                format!("asid {asid} on root {root:#x} while root {other:#x} runs with asid {with}")
            });
        }
    }
}
