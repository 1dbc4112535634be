//! The state of the adversarial machine, and the rules of stores, barriers and TLB maintenance. Complaints are noted, not
//! thrown: the heart runs on to the end of its step, and the test asks for the complaint then.

use crate::decode::output;
use crate::greed::Greed;
use crate::history::{Event, History};
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::tlb::{Cached, Scope, Tlb};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Words in a frame.
pub const FRAME_WORDS: usize = 512;
/// The words of a data page that tests read and write: both ends, neighbours in a cache line, and both halves.
pub const PROBES: [usize; 8] = [0, 1, 7, 8, 200, 255, 256, 511];
/// What a free frame holds: as a descriptor it would be valid, and lead out of all memory.
pub const JUNK: u64 = 0xdead_beef_dead_beef;

/// What is known of one frame besides its words.
#[derive(Clone, Default)]
struct FrameState {
    /// Remembered descriptors, on all processors, whose output is this frame.
    reached: u32,
    /// Remembered descriptors that were read from this frame, in its present life.
    sources: u32,
    /// How often the frame was given a new content as a whole.
    life: u32,
    /// The probes as the instruction side last saw them; never, for most frames.
    synced: Option<[u64; PROBES.len()]>,
}

/// A store that walkers need not see yet.
pub struct PendingStore {
    /// The table.
    pub table: u32,
    /// The entry.
    pub index: usize,
    /// What was there before.
    pub old: u64,
    /// When it was done: stores to one entry become visible in this order (coherence).
    pub stamp: u64,
}

/// One processor.
#[derive(Default)]
pub struct Cpu {
    /// TTBR0_EL1: root and ASID; `None` is the empty table.
    pub ttbr0: Option<(u32, u16)>,
    /// It is in the kernel, between the choice of another address space and the write to TTBR0: it may walk for what it
    /// leaves, and uses nothing of it.
    pub is_leaving: bool,
    /// The root that each ASID belongs to here: of what the TLB holds under other ASIDs nothing may be used again.
    pub owners: BTreeMap<u16, u32>,
    /// Its TLB and walk caches.
    pub tlb: Tlb,
    /// Stores that no barrier has followed yet.
    pub stores: Vec<PendingStore>,
    /// Frames filled since the last barrier.
    pub contents: Vec<u32>,
    /// TLBIs that no DSB ISH has followed yet, with the time of their issue.
    pub tlbis: Vec<(Scope, u64)>,
    /// A table has moved from one entry to another, and nothing was flushed since.
    pub has_moved_table: bool,
}

/// The reference count of a frame, asked from whoever keeps it.
pub type CountOf = Box<dyn Fn(u32) -> u32>;

/// The whole machine.
pub struct Machine {
    first: u32,
    words: Vec<u64>,
    frames: Vec<FrameState>,
    /// The processors.
    pub cpus: Vec<Cpu>,
    /// Its processors use what their TLBs hold, and nothing else.
    pub is_plain: bool,
    /// Its processors remember all that they can.
    pub greed: Option<Greed>,
    /// The adversary's dice.
    pub random: Random,
    /// Addresses that speculation likes, most wanted last.
    pub hot: Vec<u64>,
    /// How the machine disobeys.
    pub sabotage: Option<Sabotage>,
    /// All others are outside of all operations: pages of shared tables may go and come.
    pub is_stopped: bool,
    /// All address spaces are meant to run under one ASID.
    pub is_one_asid: bool,
    /// Where reference counts are kept.
    pub count_of: Option<CountOf>,
    /// What happened.
    pub history: History,
    complaint: Option<String>,
    clock: u64,
}

impl Machine {
    /// `frames` frames of junk from number `first`, `cpus` processors with nothing to translate.
    pub fn new(first: u32, frames: usize, cpus: usize, seed: u64) -> Machine {
        Machine {
            first,
            words: vec![JUNK; frames * FRAME_WORDS],
            frames: vec![FrameState::default(); frames],
            cpus: (0..cpus).map(|_| Cpu::default()).collect(),
            is_plain: false,
            greed: None,
            random: Random::new(seed),
            hot: Vec::new(),
            sabotage: None,
            is_stopped: false,
            is_one_asid: false,
            count_of: None,
            history: History::default(),
            complaint: None,
            clock: 0,
        }
    }

    /// Notes a breach, once: the first is the cause.
    pub fn complain(&mut self, what: impl FnOnce() -> String) {
        if self.complaint.is_none() {
            self.complaint = Some(format!("{}\nthe last events:\n{}", what(), self.history));
        }
    }

    /// Notes a breach if there is one.
    pub fn complain_if(&mut self, is_breach: bool, what: impl FnOnce() -> String) {
        if is_breach {
            self.complain(what);
        }
    }

    /// The first breach, if there was one.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Whether the frame is RAM.
    pub fn has(&self, frame: u32) -> bool {
        (frame.wrapping_sub(self.first) as usize) < self.frames.len()
    }

    /// Time passes: what is remembered later is younger.
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// How many remembered descriptors were read from the table in its present life.
    pub fn sources(&self, table: u32) -> u32 {
        self.frames[self.slot(table)].sources
    }

    fn slot(&self, frame: u32) -> usize {
        assert!(self.has(frame), "frame {frame:#x} is not RAM");
        (frame - self.first) as usize
    }

    /// One word of a frame.
    pub fn word(&self, frame: u32, index: usize) -> u64 {
        self.words[self.slot(frame) * FRAME_WORDS + index]
    }

    /// Changes one word of a frame.
    pub fn set_word(&mut self, frame: u32, index: usize, value: u64) {
        let at = self.slot(frame) * FRAME_WORDS + index;
        self.words[at] = value;
    }

    /// All words of a frame.
    pub fn content(&mut self, frame: u32) -> &mut [u64] {
        let at = self.slot(frame) * FRAME_WORDS;
        &mut self.words[at..at + FRAME_WORDS]
    }

    /// References to the frame; 1 where nobody counts.
    pub fn count(&self, frame: u32) -> u32 {
        self.count_of.as_ref().map_or(1, |count| count(frame))
    }

    /// Marks the start of another life of `frame`: none of what was remembered may reach it any more.
    pub fn begin_content(&mut self, cpu: usize, verb: &'static str, frame: u32, from: u32) {
        self.history.push(cpu, Event::Content(verb, frame, from));
        self.check_unreached(frame, verb);
        let slot = self.slot(frame);
        self.frames[slot].life += 1;
        self.frames[slot].sources = 0;
        // Whoever stored to it before has let go of it since: its stores were observed, and are overwritten.
        for cpu in &mut self.cpus {
            cpu.stores.retain(|store| store.table != frame);
            cpu.contents.retain(|filled| *filled != frame);
        }
        self.cpus[cpu].contents.push(frame);
    }

    /// Fills a frame with zeros.
    pub fn zero_frame(&mut self, cpu: usize, frame: u32) {
        self.begin_content(cpu, "zero", frame, 0);
        let zeroed = match self.sabotage {
            Some(Sabotage::SwallowZeroFrame) => 0,
            Some(Sabotage::PartialZeroFrame) => FRAME_WORDS - 1,
            _ => FRAME_WORDS,
        };
        self.content(frame)[..zeroed].fill(0);
    }

    /// Fills the only entries of a table that hold anything with zeros. Nobody refers to it, and by no TLB is it reached.
    pub fn clear_entries(&mut self, cpu: usize, table: u32, entries: impl Iterator<Item = usize>) {
        self.begin_content(cpu, "clear", table, 0);
        if self.count_of.is_some() && self.count(table) != 0 {
            self.complain(|| format!("table {table:#x} is cleared, and somebody refers to it"));
        }
        // What unwinds after a complaint ends its spaces, which must not complain again: two panics at once end the test.
        let is_sabotaged = self.sabotage == Some(Sabotage::PartialClear) && !is_unwinding();
        let forgotten = usize::from(is_sabotaged);
        entries
            .skip(forgotten)
            .for_each(|index| self.content(table)[index] = 0);
    }

    /// Begins the copy of a frame: where it goes, and how many words of it.
    pub fn begin_copy(&mut self, cpu: usize, from: u32, to: u32) -> (u32, usize) {
        self.begin_content(cpu, "copy to, from", to, from);
        if self.count(from) == 0 || from == to {
            self.complain(|| format!("copy of frame {from:#x}, which is free or the target"));
        }
        match self.sabotage {
            Some(Sabotage::SwallowCopyFrame) => (to, 0),
            Some(Sabotage::PartialCopyFrame) => (to, FRAME_WORDS / 2),
            Some(Sabotage::CopyFrameElsewhere) if self.has(to + 1) => (to + 1, FRAME_WORDS),
            _ => (to, FRAME_WORDS),
        }
    }

    /// Copies some words of a frame.
    pub fn copy_words(&mut self, from: u32, to: u32, words: Range<usize>) {
        let source = self.content(from)[words.clone()].to_vec();
        self.content(to)[words].copy_from_slice(&source);
    }

    /// DC CVAU, DSB ISH, IC IVAU, DSB ISH, ISB over a frame: its barriers also complete what was pending.
    pub fn maintain_icache(&mut self, cpu: usize, frame: u32) {
        self.history.push(cpu, Event::Content("sync icache", frame, 0));
        if self.sabotage != Some(Sabotage::SwallowSyncIcache) {
            self.sync_icache(frame);
        }
    }

    /// Every ASID with its root, once for each processor that may use the two for a translation.
    pub fn owners(&self) -> impl Iterator<Item = (usize, u16, u32)> {
        self.cpus
            .iter()
            .enumerate()
            .flat_map(|(number, cpu)| cpu.owners.iter().map(move |(asid, root)| (number, *asid, *root)))
    }

    /// No processor may store to a frame whose bytes a device takes.
    pub fn check_unwritten(&mut self, frame: u32) {
        let owners: Vec<(usize, u16, u32)> = self.owners().collect();
        for (cpu, asid, root) in owners {
            let cached = self.cpus[cpu].tlb.space(asid).all();
            let leaves = cached.filter(|(level, _, entry)| *level == 3 && output(entry.raw) == frame);
            let addresses: Vec<u64> = leaves.map(|(_, address, _)| address).collect();
            for address in addresses {
                let found = self.candidates(cpu, asid, root, address);
                let is_writable = found.iter().any(|one| one.frame == frame && one.rights.write);
                self.complain_if(is_writable, || {
                    format!("frame {frame:#x} is written out while cpu {cpu} could store to it, asid {asid}, {address:#x}")
                });
            }
        }
    }

    fn check_unreached(&mut self, frame: u32, verb: &str) {
        if self.frames[self.slot(frame)].reached == 0 {
            return;
        }
        let reaching = self.find_cached(|_, _, _, entry| output(entry.raw) == frame);
        if let Some((cpu, asid, level, address)) = reaching {
            self.complain(|| {
                format!(
                    "{verb} of frame {frame:#x}, yet cpu {cpu} still reaches it: \
                     asid {asid}, level {level}, address {address:#x}"
                )
            });
        }
    }

    /// The first remembered descriptor of an owned ASID that `wanted` accepts, by the owner, level, address and itself.
    pub fn find_cached(
        &self,
        wanted: impl Fn(u32, u8, u64, &Cached) -> bool,
    ) -> Option<(usize, u16, u8, u64)> {
        self.cpus.iter().enumerate().find_map(|(number, cpu)| {
            let mut live = cpu
                .tlb
                .spaces()
                .filter_map(|(asid, space)| Some((asid, *cpu.owners.get(&asid)?, space)));
            live.find_map(|(asid, root, space)| {
                let found = space
                    .all()
                    .find(|(level, address, entry)| wanted(root, *level, *address, entry));
                found.map(|(level, address, _)| (number, asid, level, address))
            })
        })
    }

    /// Remembers what `cpu` read at `level` for `address`.
    pub fn remember(&mut self, cpu: usize, asid: u16, level: u8, address: u64, entry: Cached) {
        if self.cpus[cpu].tlb.space(asid).insert(level, address, entry) {
            let (to, from) = (self.slot(output(entry.raw)), self.slot(entry.table));
            self.frames[to].reached += 1;
            self.frames[from].sources += 1;
        }
    }

    /// Which life of a table an entry read now belongs to.
    pub fn life(&self, table: u32) -> u32 {
        self.frames[self.slot(table)].life
    }

    /// Drops what `scope` names and was remembered up to `until`.
    pub fn forget(&mut self, cpu: usize, scope: Scope, until: u64) {
        self.tables_changed();
        for entry in self.cpus[cpu].tlb.invalidate(scope, until) {
            let (to, from) = (self.slot(output(entry.raw)), self.slot(entry.table));
            self.frames[to].reached -= 1;
            if self.frames[from].life == entry.life {
                self.frames[from].sources -= 1;
            }
        }
    }

    /// The instruction side sees the probes of `frame` as they are now.
    pub fn sync_icache(&mut self, frame: u32) {
        let now = PROBES.map(|word| self.word(frame, word));
        let slot = self.slot(frame);
        self.frames[slot].synced = Some(now);
    }

    /// Cache maintenance by EL0 for the one line that holds a probe.
    pub fn sync_probe(&mut self, frame: u32, probe: usize) {
        let now = self.word(frame, PROBES[probe]);
        let slot = self.slot(frame);
        // A frame never synced may hold anything on the instruction side: a value that no program stores.
        self.frames[slot].synced.get_or_insert([JUNK; PROBES.len()])[probe] = now;
    }

    /// What an instruction fetch of a probe gives; a stale one is a breach.
    pub fn fetch(&mut self, frame: u32, probe: usize) -> u64 {
        let now = self.word(frame, PROBES[probe]);
        let seen = self.frames[self.slot(frame)]
            .synced
            .map_or(JUNK, |synced| synced[probe]);
        if seen != now {
            self.complain(|| {
                format!(
                    "cpu executes frame {frame:#x} word {probe}: {seen:#x} in the I-cache, {now:#x} in memory"
                )
            });
        }
        now
    }
}

/// Whether a panic is on its way out.
fn is_unwinding() -> bool {
    #[cfg(not(target_family = "wasm"))]
    return std::thread::panicking();
    #[cfg(target_family = "wasm")]
    return false;
}
