//! The machine as the checker knows it: processors with their registers, barriers and TLBs, live trees, lines of memory.

use crate::clocks::Order;
use crate::descriptor::{Half, page_of};
use crate::instruction::{Domain, Register, Scope};
use crate::lines::Lines;
use crate::ram::Ram;
use crate::report::Report;
use crate::rules::{Devices, LastReference, Locks, Mailbox, Open};
use crate::tlb::{Change, Moment, Tlb, Tlbi};
use crate::trees::{TreeId, Trees, Walk};
use std::collections::HashMap;

/// As many processors as the kernel runs on.
pub const PROCESSORS: usize = 8;

/// A range of addresses whose tables were changed so that something is lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// The space's ASID; none for the kernel's half.
    pub asid: Option<u16>,
    /// First address.
    pub address: u64,
    /// Bytes.
    pub span: u64,
    /// Which tree.
    pub tree: TreeId,
    /// The store.
    pub change: Change,
}

/// Whether a TLB may hold entries, good under every ASID, of a tree that TTBR no longer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It holds none.
    Nothing,
    /// Of the tree that TTBR names now.
    Current,
    /// Of one before: only a TLBI of everything forgets them.
    Old,
}

/// Pages that were found in order a moment ago: nothing has changed since.
#[derive(Clone, Copy, Default)]
struct Seen {
    key: u64,
    epoch: u64,
}

const SEEN: usize = 8192;

/// One processor.
pub struct Cpu {
    /// SCTLR_EL1
    pub sctlr: u64,
    /// TCR_EL1, once it was written
    pub tcr: Option<u64>,
    /// MAIR_EL1
    pub mair: u64,
    /// The ASID of TTBR0
    pub asid: u16,
    /// The trees of TTBR0 and TTBR1
    pub trees: [Option<TreeId>; 2],
    /// The last DSB or DMB that orders stores
    pub stores_ordered: Moment,
    /// The last DSB that completes stores
    pub stores_complete: Moment,
    /// The last DSB that completes everything for all processors
    pub all_complete: Moment,
    /// The last DC that cleans
    pub cleaned: Moment,
    /// An IC that nothing has completed yet: where, and how far the DSB must reach
    pub invalidating: Option<(u64, Domain)>,
    /// A write to a register of translation that no ISB has followed: which, and where
    pub unsynchronised: Option<(Register, u64)>,
    /// New entries that no DSB for stores has followed
    pub made: Vec<Loss>,
    /// New entries of the kernel's half that a DSB has made visible, and no ISB has followed
    pub visible: Vec<Loss>,
    /// DC with the MMU off that no DSB has completed
    pub maintaining: Option<u64>,
    /// The last store-release or exclusive store
    pub last_release: Moment,
    /// What the TLB may hold besides, by half
    pub left: [Left; 2],
    /// The TLB, and the instruction cache, were invalidated since power was switched on
    pub has_invalidated: [bool; 2],
    /// An ERET that nothing has followed yet: where, and what its general registers have in common
    pub returning: Option<(u64, u64)>,
    /// It has been at EL0: from then on low addresses of instructions are programs'
    pub has_run_user: bool,
    /// The last entry to EL0
    pub user_entry: Moment,
    /// The last write of TTBR0
    pub space_entry: Moment,
    /// TLBIs that are not complete
    pub tlbis: Vec<Tlbi>,
    /// Losses that no DSB for stores has followed
    pub unordered: Vec<Loss>,
    /// Losses since the last entry to EL0
    pub losses: Vec<Loss>,
    /// Its TLB
    pub tlb: Tlb,
    /// What it did with devices
    pub devices: Devices,
    /// A count that it brought to 0, and no acquire since
    pub last_reference: Option<LastReference>,
    /// An exclusive load of the kernel whose store may follow
    pub exclusive: Option<Open>,
    /// Lines of instructions that it invalidated, and no DSB, or no ISB, since
    pub new_instructions: [Vec<u64>; 2],
    pages_seen: Vec<Seen>,
    fetches_seen: Vec<Seen>,
}

impl Cpu {
    fn new() -> Cpu {
        Cpu {
            sctlr: 0,
            tcr: None,
            mair: 0,
            asid: 0,
            trees: [None; 2],
            stores_ordered: 0,
            stores_complete: 0,
            all_complete: 0,
            cleaned: 0,
            invalidating: None,
            unsynchronised: None,
            made: Vec::new(),
            visible: Vec::new(),
            maintaining: None,
            last_release: 0,
            left: [Left::Nothing; 2],
            has_invalidated: [false; 2],
            returning: None,
            has_run_user: false,
            user_entry: 0,
            space_entry: 0,
            tlbis: Vec::new(),
            unordered: Vec::new(),
            losses: Vec::new(),
            tlb: Tlb::default(),
            devices: Devices::default(),
            last_reference: None,
            exclusive: None,
            new_instructions: [Vec::new(), Vec::new()],
            pages_seen: vec![Seen::default(); SEEN],
            fetches_seen: vec![Seen::default(); SEEN],
        }
    }

    /// A TLBI has completed here.
    pub fn apply(&mut self, tlbi: &Tlbi) {
        self.tlb.apply(tlbi);
        if tlbi.scope == Scope::All {
            self.has_invalidated[0] = true;
            for left in &mut self.left {
                if *left == Left::Old {
                    *left = Left::Nothing;
                }
            }
        }
    }

    /// These lines of instructions are new everywhere; what was fetched of them before an ISB is not.
    pub fn await_isb(&mut self, lines: &[u64]) {
        const MOST: usize = 4096;
        let unfetched = &mut self.new_instructions[1];
        if unfetched.len() < MOST {
            unfetched.extend(lines);
        }
    }

    /// The MMU is on.
    pub fn has_mmu(&self) -> bool {
        self.sctlr & 1 == 1
    }

    /// The tree of a half.
    pub fn tree(&self, half: Half) -> Option<TreeId> {
        self.trees[half as usize]
    }

    /// Address bits of a half, by TCR.
    pub fn bits(&self, half: Half) -> u32 {
        let tcr = self.tcr.unwrap_or(25 << 16 | 25);
        let unused = if half == Half::User { tcr } else { tcr >> 16 };
        64 - (unused & 63) as u32
    }

    /// Whether an instruction at this address is a program's.
    pub fn is_program(&self, pc: u64) -> bool {
        self.has_run_user && self.has_mmu() && Half::of(pc) == Half::User
    }
}

/// Whether `key` was seen in this epoch; now it has been.
fn was_seen(list: &mut [Seen], slot: u64, key: u64, epoch: u64) -> bool {
    let seen = &mut list[(slot % SEEN as u64) as usize];
    let was = seen.key == key && seen.epoch == epoch;
    *seen = Seen { key, epoch };
    was
}

/// The machine.
pub struct Machine {
    /// Its RAM.
    pub ram: Ram,
    /// Its processors.
    pub cpus: Vec<Cpu>,
    /// The trees that they walk.
    pub trees: Trees,
    /// Its memory by lines and pages.
    pub lines: Lines,
    /// What is said of it.
    pub report: Report,
    /// Now.
    pub now: Moment,
    /// Rises whenever a page that was found in order may no longer be.
    pub epoch: u64,
    /// Lines that firmware polls past the caches, stored through them and not cleaned yet, and the polling instruction.
    pub polled: HashMap<u64, u64>,
    /// Rises whenever a line is stored to that a program has executed.
    pub code_epoch: u64,
    /// Its locks.
    pub locks: Locks,
    /// The order between processors is looked at.
    pub has_order: bool,
    /// Who comes behind whom.
    pub order: Order,
    /// What was asked of the VideoCore.
    pub mailbox: Mailbox,
    /// All spaces have one ASID. No TLB is another processor's too (CnP is 0), so that this is well if each forgets everything when
    /// it enters a space, which is looked at as ever.
    pub has_one_asid: bool,
}

impl Machine {
    /// A machine that was just switched on.
    pub fn new(ram: Ram, report: Report) -> Machine {
        Machine {
            cpus: (0..PROCESSORS).map(|_| Cpu::new()).collect(),
            trees: Trees::new(ram.base, ram.size),
            lines: Lines::new(ram.base, ram.size),
            ram,
            report,
            now: 1,
            epoch: 1,
            polled: HashMap::new(),
            code_epoch: 0,
            locks: Locks::default(),
            has_order: false,
            order: Order::default(),
            mailbox: Mailbox::default(),
            has_one_asid: false,
        }
    }

    /// A rule was broken.
    pub fn violation(&mut self, rule: &'static str, pc: u64, text: &str) {
        self.report.violation(rule, pc, text);
    }

    /// Whether each load of this processor must be looked at, which the kernel's are not otherwise.
    pub fn wants_loads(&self, cpu: usize) -> bool {
        let own = &self.cpus[cpu];
        let has_entries = !own.made.is_empty() || !own.visible.is_empty();
        has_entries || own.last_reference.is_some() || self.mailbox.has_answers()
    }

    /// Time passes.
    pub fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// What the tables of this processor say about an address; none without tables.
    pub fn walk(&self, cpu: usize, address: u64) -> Option<Walk> {
        let tree = self.cpus[cpu].tree(Half::of(address))?;
        Some(self.trees.walk(tree, address))
    }

    /// The physical address that this processor reaches by `address`.
    pub fn translate(&self, cpu: usize, address: u64) -> Option<u64> {
        if !self.cpus[cpu].has_mmu() {
            return Some(address);
        }
        self.walk(cpu, address)?.leaf.map(|leaf| leaf.address)
    }

    /// Whether this processor used this page in the epoch before; now it has.
    pub fn was_page_seen(&mut self, cpu: usize, address: u64, write: u64) -> bool {
        let epoch = self.epoch;
        let cpu = &mut self.cpus[cpu];
        let key = (page_of(address) << 4) ^ u64::from(cpu.asid) | write << 60;
        let slot = (address >> 12) ^ (u64::from(cpu.asid) * 31) ^ (write * 4099);
        was_seen(&mut cpu.pages_seen, slot, key, epoch)
    }

    /// Whether this processor executed the block at `address` since tables or fetched lines were stored to; now it has.
    pub fn was_fetch_seen(&mut self, cpu: usize, address: u64) -> bool {
        let now = self.epoch + self.code_epoch;
        let cpu = &mut self.cpus[cpu];
        let key = (address << 8) ^ u64::from(cpu.asid);
        let slot = (address >> 2) ^ (u64::from(cpu.asid) * 31);
        was_seen(&mut cpu.fetches_seen, slot, key, now)
    }

    /// Whether a change is another processor's that has not been back at EL0 since: it may still be on its way to the TLBI.
    pub fn is_in_flight(&self, cpu: usize, change: Option<Change>) -> bool {
        change.is_some_and(|change| change.cpu != cpu && self.cpus[change.cpu].user_entry < change.at)
    }

    /// The ASID under which some processor runs this tree.
    pub fn asid_of(&self, tree: TreeId) -> Option<u16> {
        let user = |cpu: &&Cpu| cpu.tree(Half::User) == Some(tree);
        self.cpus.iter().find(user).map(|cpu| cpu.asid)
    }
}
