//! The machine: two caches of the first level, one of the second, TLBs, walks. Sizes are those of a Cortex-A72 in a Raspberry Pi 4
//! (its Technical Reference Manual, chapters 5 to 7; what that leaves open is said at the field).

use crate::cache::{Cache, LINE_SHIFT};
use crate::counts::Counts;
use crate::regime::{self, Regime, Step, Table};
use crate::tlb::{Entry, Forget, Tlb};

/// Physical memory, of which only tables are read.
pub trait Memory {
    /// The eight bytes at an address.
    fn word(&self, address: u64) -> u64;
}

/// How a line was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An instruction's.
    Instruction,
    /// Of data.
    Data,
    /// A table's, by a walk.
    Walk,
}

/// A line that was not in a cache of the first level (of walks, in the second).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Miss {
    /// How.
    pub kind: Kind,
    /// Its first address, virtual; of a walk, physical.
    pub address: u64,
    /// The instruction.
    pub pc: u64,
    /// Whether it was read from memory.
    pub is_from_memory: bool,
}

/// What happens at DC ZVA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zva {
    /// The line is made without reading it.
    #[default]
    Claims,
    /// The line is read first, as for a store.
    Fills,
}

/// Pages of the first TLBs: what is larger is remembered by pieces of 1 MiB there.
const L1_ORDER: u32 = 8;
/// Lines missed in memory that the next one may be a neighbour of.
const RECENT: usize = 16;

/// The machine.
pub struct Model<M> {
    memory: M,
    /// What the kernel has set up.
    pub regime: Regime,
    zva: Zva,
    l1i: Cache,
    l1d: Cache,
    l2: Cache,
    tlb_i: Tlb,
    tlb_d: Tlb,
    tlb2: Tlb,
    /// Tables that walks came by. How many the core remembers is not published: 64 are assumed.
    tables: Tlb,
    recent: [u64; RECENT],
    next_recent: usize,
    pc: u64,
    line_of_pc: u64,
    /// What was counted since somebody took it.
    pub counts: Counts,
    /// The lines missed, if somebody wants to know.
    pub missed: Option<Vec<Miss>>,
}

impl<M: Memory> Model<M> {
    /// A machine that has nothing in its caches.
    pub fn new(memory: M, zva: Zva) -> Model<M> {
        Model {
            memory,
            regime: Regime::default(),
            zva,
            l1i: Cache::new(48 << 10, 3),
            l1d: Cache::new(32 << 10, 2),
            l2: Cache::new(1 << 20, 16),
            tlb_i: Tlb::new(48, 48),
            tlb_d: Tlb::new(32, 32),
            tlb2: Tlb::new(1024, 4),
            tables: Tlb::new(64, 64),
            recent: [0; RECENT],
            next_recent: 0,
            pc: 0,
            line_of_pc: u64::MAX,
            counts: Counts::default(),
            missed: None,
        }
    }

    /// Forgets all lines and translations.
    pub fn empty(&mut self) {
        for cache in [&mut self.l1i, &mut self.l1d, &mut self.l2] {
            cache.clear();
        }
        self.forget(Forget::All, true);
        self.recent = [0; RECENT];
    }

    /// A TLBI: translations, and with them the tables of the way there unless only leaves were meant.
    pub fn forget(&mut self, what: Forget, has_tables: bool) {
        for tlb in [&mut self.tlb_i, &mut self.tlb_d, &mut self.tlb2] {
            tlb.forget(what);
        }
        if has_tables {
            self.tables.forget(what);
        }
        self.line_of_pc = u64::MAX;
    }

    /// The kernel enters another space, or changes where tables are.
    pub fn set_regime(&mut self, regime: Regime) {
        self.regime = regime;
        self.line_of_pc = u64::MAX;
    }

    /// An instruction is executed.
    pub fn fetch(&mut self, pc: u64) {
        self.counts.instructions += 1;
        self.pc = pc;
        let line = pc >> LINE_SHIFT;
        if line == self.line_of_pc {
            return;
        }
        self.line_of_pc = line;
        let Some(physical) = self.translate(pc, Kind::Instruction) else {
            return;
        };
        if !self.l1i.touch(physical, false) {
            self.counts.l1i += 1;
            let is_from_memory = self.read_into_l2(physical);
            // Instructions are never stored to there.
            let _clean = self.l1i.insert(physical, false);
            self.note(Kind::Instruction, pc, is_from_memory);
        }
    }

    /// A load or store of so many bytes.
    pub fn access(&mut self, address: u64, size: u64, is_store: bool) {
        self.access_line(address, is_store);
        let last = address.wrapping_add(size.max(1) - 1);
        if last >> LINE_SHIFT != address >> LINE_SHIFT {
            self.access_line(last, is_store);
        }
    }

    fn access_line(&mut self, address: u64, is_store: bool) {
        let Some(line) = self.translate(address, Kind::Data) else {
            return;
        };
        if !self.l1d.touch(line, is_store) {
            self.counts.l1d += 1;
            let is_from_memory = self.read_into_l2(line);
            self.insert_l1d(line, is_store);
            self.note(Kind::Data, address, is_from_memory);
        }
    }

    /// DC ZVA.
    pub fn zero(&mut self, address: u64) {
        if self.zva == Zva::Fills {
            return self.access_line(address, true);
        }
        let Some(line) = self.translate(address, Kind::Data) else {
            return;
        };
        if !self.l1d.touch(line, true) {
            self.counts.claimed += u64::from(!self.l2.touch(line, false));
            self.insert_l1d(line, true);
        }
    }

    /// PRFM: nobody waits for the line, and none comes if the translation is not at hand in one of the TLBs.
    pub fn prefetch(&mut self, address: u64) {
        let (page, asid) = (address >> 12, self.regime.asid());
        let found = self.tlb_d.find(page, asid).or_else(|| self.tlb2.find(page, asid));
        let Some(line) = found.map(|entry| line_of(entry.frame_of(page), address)) else {
            return;
        };
        if !self.l1d.touch(line, false) {
            if !self.l2.touch(line, false) {
                self.counts.ahead += 1;
                self.insert_l2(line, false);
            }
            self.insert_l1d(line, false);
        }
    }

    fn insert_l1d(&mut self, line: u64, is_dirty: bool) {
        if let Some(old) = self.l1d.insert(line, is_dirty)
            && !self.l2.touch(old, true)
        {
            self.insert_l2(old, true);
        }
    }

    fn insert_l2(&mut self, line: u64, is_dirty: bool) {
        self.counts.written_back += u64::from(self.l2.insert(line, is_dirty).is_some());
    }

    /// Brings a line into L2; whether it came from memory.
    fn read_into_l2(&mut self, line: u64) -> bool {
        if self.l2.touch(line, false) {
            return false;
        }
        self.insert_l2(line, false);
        self.counts.l2 += 1;
        let is_neighbour = self.recent.iter().any(|&old| old.abs_diff(line) == 1);
        self.counts.in_a_row += u64::from(is_neighbour);
        self.recent[self.next_recent] = line;
        self.next_recent = (self.next_recent + 1) % RECENT;
        true
    }

    fn note(&mut self, kind: Kind, address: u64, is_from_memory: bool) {
        let pc = self.pc;
        if let Some(missed) = &mut self.missed {
            missed.push(Miss {
                kind,
                address: address >> LINE_SHIFT << LINE_SHIFT,
                pc,
                is_from_memory,
            });
        }
    }

    /// The physical line of an address; none if nothing is mapped there, which the processor says by a fault.
    fn translate(&mut self, address: u64, kind: Kind) -> Option<u64> {
        let (page, asid) = (address >> 12, self.regime.asid());
        let first = match kind {
            Kind::Instruction => &mut self.tlb_i,
            Kind::Data | Kind::Walk => &mut self.tlb_d,
        };
        if let Some(entry) = first.find(page, asid) {
            return Some(line_of(entry.frame_of(page), address));
        }
        self.counts.tlb1 += 1;
        let entry = match self.tlb2.find(page, asid) {
            Some(entry) => entry,
            None => {
                self.counts.walks += 1;
                let entry = self.walk(address)?;
                self.tlb2.insert(entry);
                entry
            }
        };
        let first = match kind {
            Kind::Instruction => &mut self.tlb_i,
            Kind::Data | Kind::Walk => &mut self.tlb_d,
        };
        first.insert(entry.part(page, L1_ORDER));
        Some(line_of(entry.frame_of(page), address))
    }

    /// Walks from the last table that is remembered. Walks load through L2.
    fn walk(&mut self, address: u64) -> Option<Entry> {
        let (page, asid) = (address >> 12, self.regime.asid());
        let remembered = self.tables.find(page, asid);
        let mut table = remembered.map_or_else(|| self.regime.root(address), remembered_table);
        loop {
            let slot = Regime::slot(table, address);
            self.counts.walk_loads += 1;
            let line = slot >> LINE_SHIFT;
            // A store that is still in L1 is seen there: the line is not read again.
            if !self.l1d.touch(line, false) && self.read_into_l2(line) {
                self.note(Kind::Walk, slot, true);
            }
            match self.regime.step(table, address, self.memory.word(slot)) {
                Step::Leaf(entry) => return Some(entry),
                Step::Fault => return None,
                Step::Table(next) => {
                    let order = regime::order(table.level);
                    self.tables.insert(Entry {
                        page: page >> order << order,
                        order,
                        asid: Some(asid),
                        frame: next.address >> 12,
                    });
                    table = next;
                }
            }
        }
    }
}

fn line_of(frame: u64, address: u64) -> u64 {
    frame << (12 - LINE_SHIFT) | (address & 0xfff) >> LINE_SHIFT
}

fn remembered_table(entry: Entry) -> Table {
    Table {
        address: entry.frame << 12,
        level: 4 - entry.order / 9,
    }
}
