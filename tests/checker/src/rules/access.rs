//! Loads and stores: lines of memory, programs' memory, frames that are taken for something new.

use super::order::Role;
use super::remembered::Question;
use crate::descriptor::{Entry, Half, PAGE, Rights, page_of};
use crate::instruction::{Access, Register};
use crate::lines::{DIRTY, FETCHED, INITIALISED, LastStore, STALE_INSTRUCTIONS, UNCACHED, Writer, lines_of};
use crate::machine::{Cpu, Loss, Machine};
use crate::tlb::{Translation, take_table};
use crate::trees::{Leaf, Walk};

/// An instruction that goes to memory.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Where it stands.
    pub pc: u64,
    /// How it goes there.
    pub access: Access,
    /// It acquires or releases.
    pub is_ordered: bool,
    /// What it is to the order between processors.
    pub role: Role,
    /// It takes a reference to something that is counted away.
    pub drops_reference: bool,
    /// It stands in the function that copies to a frame that nobody else has.
    pub takes_frame: TakesFrame,
}

impl Site {
    /// It is a load or store as any other.
    pub fn is_plain(&self) -> bool {
        !self.is_ordered && !self.is_exclusive()
    }

    /// It is one of a pair.
    pub fn is_exclusive(&self) -> bool {
        self.access == Access::Exclusive
    }
}

/// Whether an instruction's stores take a frame for new contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesFrame {
    /// They do.
    Yes,
    /// They do not, or nobody knows.
    No,
}

/// One access, as QEMU tells it.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Virtual address.
    pub address: u64,
    /// Physical address that QEMU used, if it told.
    pub physical: Option<u64>,
    /// Bytes.
    pub size: u64,
    /// What was stored; none for a load.
    pub stored: Option<Value>,
    /// What was loaded; 0 for a store.
    pub loaded: u64,
}

/// What a store has left in memory.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// These bytes, the lowest first in each word.
    Words([u64; 2]),
    /// Whatever RAM holds now: an exclusive store may have failed.
    AsInRam,
}

impl Machine {
    /// An access that has happened.
    pub fn memory(&mut self, cpu: usize, site: &Site, memory: &Memory) {
        let has_mmu = self.cpus[cpu].has_mmu();
        let is_program = self.cpus[cpu].is_program(site.pc);
        if !has_mmu {
            self.check_as_device(cpu, site, memory.address, memory.size);
        } else if !is_program {
            self.check_kernel_translation(cpu, site.pc, memory.address);
        }
        let Some(physical) = memory.physical.or_else(|| self.translate(cpu, memory.address)) else {
            return;
        };
        if has_mmu && Half::of(memory.address) == Half::User {
            self.user_memory(cpu, site, memory, physical);
            if self.has_order {
                self.order.touch_frame(cpu, page_of(physical));
            }
        }
        if has_mmu && !is_program {
            if site.is_ordered {
                self.report.executed(site.pc);
            }
            let before = self.exclusive_access(cpu, site, memory, physical);
            self.lock_access(cpu, site, memory, physical);
            self.count_access(cpu, site, memory, physical, before);
            self.order_access(cpu, site, memory, physical);
            if memory.stored.is_none() && self.mailbox.has_answers() {
                self.check_answer(cpu, site.pc, physical);
            }
        }
        match memory.stored {
            Some(value) => {
                let writer = if is_program {
                    Writer::Program
                } else {
                    Writer::Kernel
                };
                self.store(cpu, site, physical, memory.size, value, writer);
            }
            None if !has_mmu => self.uncached_load(cpu, site.pc, physical),
            None => {}
        }
    }

    fn user_memory(&mut self, cpu: usize, site: &Site, memory: &Memory, physical: u64) {
        let is_program = self.cpus[cpu].is_program(site.pc);
        if !is_program && self.cpus[cpu].has_run_user {
            self.check_kernel_use(cpu, site, memory.address);
        }
        let right = if memory.stored.is_some() {
            Rights::WRITE
        } else {
            Rights::READ
        };
        self.user_access(cpu, site.pc, memory.address, right, Some(physical));
        if memory.address % PAGE + memory.size > PAGE {
            self.user_access(cpu, site.pc, page_of(memory.address) + PAGE, right, None);
        }
        if is_program && memory.stored.is_none() && !self.lines.has(physical, INITIALISED) {
            self.uninitialised(cpu, site.pc, memory.address, physical);
        }
    }

    /// What the kernel's own translation rests on must be in force.
    pub fn check_kernel_translation(&mut self, cpu: usize, pc: u64, address: u64) {
        let is_own = |register: Register| register.is_of_translation() && register != Register::Ttbr0;
        if self.cpus[cpu]
            .unsynchronised
            .is_some_and(|(register, _)| is_own(register))
        {
            self.check_synchronised(cpu, pc, "uses memory");
        }
        let is_inside = |made: &&Loss| address.wrapping_sub(made.address) < made.span;
        let own = &mut self.cpus[cpu];
        let early = own.made.iter().find(is_inside).copied();
        let unfetched = own.visible.iter().find(is_inside).copied();
        if let Some(made) = early {
            own.made.clear();
            let text = format!(
                "cpu {cpu} uses {address:#x} at {pc:#x}, whose entry no DSB has made visible to a walk"
            );
            self.violation("USE-BEFORE-DSB", made.change.pc, &text);
        } else if let Some(made) = unfetched {
            own.visible.clear();
            let text = format!(
                "cpu {cpu} uses {address:#x} at {pc:#x}, and no ISB came behind the DSB for its entry: a walk of before may fault"
            );
            self.violation("USE-BEFORE-ISB", made.change.pc, &text);
        }
    }

    /// No register of translation was written without an ISB since.
    pub fn check_synchronised(&mut self, cpu: usize, pc: u64, what: &str) {
        if let Some((register, from)) = self.cpus[cpu].unsynchronised.take() {
            let text = format!("cpu {cpu} {what} at {pc:#x} with no ISB since it wrote {register:?}");
            self.violation("NO-ISB", from, &text);
        }
    }

    fn check_kernel_use(&mut self, cpu: usize, site: &Site, address: u64) {
        self.check_synchronised(cpu, site.pc, "uses memory of a program");
        if matches!(site.access, Access::Plain | Access::Ordered) {
            let text = format!("cpu {cpu} uses {address:#x} with its own rights");
            self.violation("PLAIN-ACCESS", site.pc, &text);
        }
    }

    /// What QEMU or a loader put into RAM was there before the first instruction: such a line is not all zeros.
    fn uninitialised(&mut self, cpu: usize, pc: u64, address: u64, physical: u64) {
        let mut line = [0; 64];
        self.ram.read(physical & !63, &mut line);
        *self.lines.line(physical) |= INITIALISED;
        if line.iter().all(|&byte| byte == 0) {
            let text = format!("cpu {cpu} reads {address:#x}, {physical:#x}");
            self.violation("UNINITIALISED", pc, &text);
        }
    }

    /// An access to a program's memory, by it or for it: `used` is the physical address, if it is known.
    pub fn user_access(&mut self, cpu: usize, pc: u64, address: u64, right: Rights, used: Option<u64>) {
        self.report.watched.user_accesses += 1;
        let Some(tree) = self.cpus[cpu].tree(Half::User) else {
            return;
        };
        if self.was_page_seen(cpu, address, u64::from(right == Rights::WRITE)) {
            return;
        }
        self.report.watched.compared += 1;
        let walk = self.trees.walk(tree, address);
        let is_legal = walk
            .leaf
            .is_some_and(|leaf| self.is_legal(cpu, leaf, right, used));
        if !is_legal {
            if self.trees.is_unsettled(tree, address, &self.ram) {
                self.epoch += 1;
                return;
            }
            self.illegal(cpu, pc, address, right, used, &walk);
        }
        let asid = self.cpus[cpu].asid;
        self.check_remembered(Question {
            holder: cpu,
            for_cpu: cpu,
            asid,
            address,
            tree,
            when: if right == Rights::WRITE { "store" } else { "load" },
            pc,
        });
        self.take(cpu, address, &walk);
    }

    fn is_legal(&self, cpu: usize, leaf: Leaf, right: Rights, used: Option<u64>) -> bool {
        let is_there = used.is_none_or(|used| page_of(used) == page_of(leaf.address));
        is_there && (leaf.rights.has(right) || !self.cpus[cpu].has_run_user)
    }

    /// QEMU used what the tables no longer say. That is well while another processor is between its store and its flush.
    fn illegal(&mut self, cpu: usize, pc: u64, address: u64, right: Rights, used: Option<u64>, walk: &Walk) {
        let asid = self.cpus[cpu].asid;
        let held = self.cpus[cpu]
            .tlb
            .spaces
            .get(&asid)
            .and_then(|space| space.pages.get(&(address >> 12)));
        let is_held = held.is_some_and(|list| {
            list.iter().any(|held| {
                let is_it = used.is_none_or(|used| page_of(used) == held.frame) && held.rights.has(right);
                is_it && self.is_in_flight(cpu, held.change)
            })
        });
        let is_being_changed = |other: &Cpu| {
            let losses = other.losses.iter();
            losses
                .filter(|loss| loss.asid == Some(asid))
                .any(|loss| address.wrapping_sub(loss.address) < loss.span)
        };
        let others = self.cpus.iter().enumerate().filter(|&(other, _)| other != cpu);
        if is_held || others.into_iter().any(|(_, other)| is_being_changed(other)) {
            self.report.watched.in_flight += 1;
            return;
        }
        let text = format!(
            "cpu {cpu}, ASID {asid}: {} of {address:#x} reached {:#x}; the tables say {}",
            right.text(),
            used.unwrap_or_default(),
            walk.leaf.map_or_else(
                || "nothing".to_owned(),
                |leaf| format!("{:#x} {}", leaf.address, leaf.rights.text())
            )
        );
        self.violation("ILLEGAL-ACCESS", pc, &text);
    }

    /// A TLB and the walk caches take in what a walk found.
    pub fn take(&mut self, cpu: usize, address: u64, walk: &Walk) {
        let (page, born) = (address >> 12, self.now);
        let cpu = &mut self.cpus[cpu];
        let asid = cpu.asid;
        if let Some(leaf) = walk.leaf {
            let translation = Translation {
                frame: page_of(leaf.address),
                rights: leaf.rights,
                attributes: leaf.attributes,
                is_speculative: false,
                born,
                change: None,
            };
            self.report.watched.fills += u64::from(cpu.tlb.take(asid, page, translation));
        }
        let space = cpu.tlb.spaces.entry(asid).or_default();
        if walk.level == 3 {
            space.take_descriptor(page, walk.entries[3], born);
            take_table(&mut space.level3, page >> 9, walk.tables[3], walk.limits[3], born);
        }
        if walk.level >= 2 && walk.tables[2] != 0 {
            take_table(
                &mut space.level2,
                page >> 18,
                walk.tables[2],
                walk.limits[2],
                born,
            );
        }
    }

    /// A store: lines become dirty, tables change, frames are taken.
    fn store(&mut self, cpu: usize, site: &Site, physical: u64, size: u64, value: Value, writer: Writer) {
        self.report.watched.stores += 1;
        if !self.ram.holds(physical) {
            return;
        }
        let at = self.tick();
        if matches!(site.access, Access::Ordered | Access::Exclusive) {
            self.cpus[cpu].last_release = at;
        }
        let flags = if self.cpus[cpu].has_mmu() { DIRTY } else { UNCACHED };
        for line in lines_of(physical, size) {
            let line = self.lines.line(line);
            self.code_epoch += u64::from(*line & FETCHED != 0);
            *line = *line & !FETCHED | flags | STALE_INSTRUCTIONS | INITIALISED;
        }
        if site.takes_frame == TakesFrame::Yes && physical.is_multiple_of(PAGE) {
            self.check_frame_taken(cpu, site.pc, physical, "is copied to");
            self.check_table_taken(cpu, site.pc, physical, "is copied to");
            self.order_frame(cpu, site.pc, physical);
        }
        *self.lines.page(physical) = LastStore {
            at,
            cpu: cpu as u8,
            writer,
        };
        // What an ordered store stores is itself the word that publishes.
        if site.access == Access::Ordered {
            self.cpus[cpu].stores_ordered = self.cpus[cpu].stores_ordered.max(at - 1);
        }
        if self.trees.is_table(page_of(physical)) {
            self.store_to_table(cpu, site.pc, physical, size, value);
        }
    }

    fn store_to_table(&mut self, cpu: usize, pc: u64, physical: u64, size: u64, value: Value) {
        let words = size.div_ceil(8).max(1);
        for number in 0..words {
            let place = (physical & !7) + 8 * number;
            let new = match value {
                Value::Words(words) if size >= 8 && physical.is_multiple_of(8) => words[number as usize & 1],
                _ => self.ram.word(place),
            };
            self.table_store(cpu, pc, place, Entry(new));
        }
    }

    /// A frame gets new contents: nothing may reach it but the kernel.
    pub fn check_frame_taken(&mut self, cpu: usize, pc: u64, frame: u64, what: &str) {
        self.report.watched.frames_taken += 1;
        for holder in 0..self.cpus.len() {
            let Some((asid, page)) = self.reaches(holder, frame) else {
                continue;
            };
            let change = self.cpus[holder].tlb.spaces.get(&asid).and_then(|space| {
                let held = space.pages.get(&page)?.iter().find(|held| held.frame == frame)?;
                held.change
            });
            let cause = change.map_or(pc, |change| change.pc);
            let text = format!(
                "cpu {cpu}: frame {frame:#x} {what} by {pc:#x}, and cpu {holder} may reach it by {:#x} under ASID {asid}",
                page << 12
            );
            self.violation("FRAME-STILL-REACHABLE", cause, &text);
        }
    }

    /// A page by which a processor's TLB reaches a frame under the ASID that it runs under. What it reaches under others is
    /// compared when it enters them.
    fn reaches(&mut self, holder: usize, frame: u64) -> Option<(u16, u64)> {
        let asid = self.cpus[holder].asid;
        let tlb = &mut self.cpus[holder].tlb;
        let list = tlb.reach.remove(&frame)?;
        let space = tlb.spaces.get(&asid)?;
        let is_held = |page: &u64| {
            let list = space.pages.get(page);
            list.is_some_and(|list| list.iter().any(|held| held.frame == frame))
        };
        list.into_iter()
            .find(|(under, page)| *under == asid && is_held(page))
    }

    fn uncached_load(&mut self, cpu: usize, pc: u64, physical: u64) {
        if !self.lines.has(physical, DIRTY) {
            return;
        }
        if pc < FIRMWARE_END {
            self.polled.insert(physical & !63, pc);
            return;
        }
        let text = format!(
            "cpu {cpu} reads {physical:#x} with its MMU off; the line was stored with caches on and never cleaned"
        );
        self.violation("READ-UNCACHED", pc, &text);
    }
}

/// Below it lies the firmware's loop in which other processors of the Raspberry Pi wait: it looks again and again.
pub(super) const FIRMWARE_END: u64 = 0x8_0000;
