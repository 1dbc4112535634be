//! A machine whose processors are threads of the host. Simpler than `tests/machine`, which plays all processors on one thread and
//! interrupts at chosen points: here any two instructions of the heart may meet, counts and marks included. A TLB keeps whole
//! translations until a TLBI takes them away; an access holds its processor's TLB, so that a TLBI waits for it, as DSB ISH does.

use mm::{Asid, Counters, Descriptor, Event, Frame, Mmu, TABLE_ENTRIES, VirtAddr};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard};

/// Processors.
pub const CPUS: usize = 4;
/// What a free frame holds.
const JUNK: u64 = 0xdead_beef_dead_beee;

thread_local! {
    /// The processor that this thread is.
    pub static CPU: Cell<usize> = const { Cell::new(0) };
}

/// How the machine disobeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// Broadcast TLBIs stay on the processor that issued them.
    LocalOnly,
    /// The local TLBI VMALLE1 does nothing.
    SwallowVmalle1,
    /// Stores that take write access from a page are lost.
    LosePageWriteProtect,
}

/// One processor's translations, and TTBR0_EL1.
#[derive(Default)]
pub struct Tlb {
    /// Root and ASID.
    pub ttbr0: Option<(Frame, Asid)>,
    entries: HashMap<(u16, u64), Translation>,
}

#[derive(Clone, Copy)]
struct Translation {
    frame: Frame,
    is_writable: bool,
}

/// RAM and TLBs.
pub struct Machine {
    first: Frame,
    words: Vec<AtomicU64>,
    tlbs: [Mutex<Tlb>; CPUS],
    sabotage: Option<Sabotage>,
    counters: [Counters; CPUS],
}

impl Machine {
    /// `frames` frames of junk from number `first` on.
    pub fn new(first: Frame, frames: usize, sabotage: Option<Sabotage>) -> Machine {
        Machine {
            first,
            words: (0..frames * TABLE_ENTRIES)
                .map(|_| AtomicU64::new(JUNK))
                .collect(),
            tlbs: Default::default(),
            sabotage,
            counters: Default::default(),
        }
    }

    fn word(&self, frame: Frame, index: usize) -> &AtomicU64 {
        &self.words[(frame.0 - self.first.0) as usize * TABLE_ENTRIES + index]
    }

    fn tlb(&self, cpu: usize) -> MutexGuard<'_, Tlb> {
        self.tlbs[cpu].lock().unwrap()
    }

    /// The executing processor loads TTBR0.
    pub fn load_ttbr0(&self, ttbr0: Option<(Frame, Asid)>) {
        self.tlb(self.cpu()).ttbr0 = ttbr0;
    }

    fn walk(&self, root: Frame, address: VirtAddr) -> Option<Translation> {
        let (mut table, mut is_writable) = (root, true);
        for shift in [30, 21] {
            let entry = self.load(table, (address.0 >> shift & 511) as usize);
            if !entry.is_valid() {
                return None;
            }
            is_writable &= entry.is_table_writable();
            table = entry.frame();
        }
        let leaf = self.load(table, (address.0 >> 12 & 511) as usize);
        leaf.is_page_accessible().then(|| Translation {
            frame: leaf.frame(),
            is_writable: is_writable && leaf.is_page_writable(),
        })
    }

    /// The program on the executing processor loads the word at `address`, or stores to it; the value, or `None` for a fault.
    /// `tempting` is an address that the processor looks up because it feels like it.
    pub fn access(&self, address: VirtAddr, store: Option<u64>, tempting: VirtAddr) -> Option<u64> {
        let mut tlb = self.tlb(self.cpu());
        let (root, asid) = tlb.ttbr0?;
        for wanted in [tempting, address] {
            let key = (asid.0, wanted.0 >> 12);
            if !tlb.entries.contains_key(&key)
                && let Some(found) = self.walk(root, wanted)
            {
                tlb.entries.insert(key, found);
            }
        }
        let found = *tlb.entries.get(&(asid.0, address.0 >> 12))?;
        let word = self.word(found.frame, (address.0 >> 3 & 511) as usize);
        match store {
            None => Some(word.load(Ordering::Relaxed)),
            Some(_) if !found.is_writable => None,
            Some(value) => {
                word.store(value, Ordering::Relaxed);
                Some(value)
            }
        }
    }

    fn invalidate(&self, is_meant: impl Fn(u16, u64) -> bool) {
        fence(Ordering::SeqCst);
        let own = self.cpu();
        let is_reached = |cpu: &usize| *cpu == own || self.sabotage != Some(Sabotage::LocalOnly);
        for cpu in (0..CPUS).filter(is_reached) {
            self.tlb(cpu)
                .entries
                .retain(|(asid, page), _| !is_meant(*asid, *page));
        }
    }
}

impl Mmu for Machine {
    fn cpu(&self) -> usize {
        CPU.get()
    }

    fn counters(&self) -> &Counters {
        &self.counters[CPU.get()]
    }

    fn counted(&self, event: Event) -> u64 {
        self.counters.iter().map(|counters| counters.get(event)).sum()
    }

    fn load(&self, table: Frame, index: usize) -> Descriptor {
        Descriptor(self.word(table, index).load(Ordering::Relaxed))
    }

    fn store(&self, table: Frame, index: usize, new: Descriptor) {
        let is_write_protection = |old: Descriptor| old.is_page_writable() && new == old.without_write();
        if self.sabotage != Some(Sabotage::LosePageWriteProtect)
            || !is_write_protection(self.load(table, index))
        {
            self.word(table, index).store(new.0, Ordering::Relaxed);
        }
    }

    fn dmb_ishst(&self) {
        fence(Ordering::Release);
    }

    fn dsb_ishst(&self) {
        fence(Ordering::SeqCst);
    }

    fn dsb_ish(&self) {
        fence(Ordering::SeqCst);
    }

    fn tlbi_aside1is(&self, asid: Asid) {
        self.invalidate(|of, _| of == asid.0);
    }

    fn tlbi_vae1is(&self, asid: Asid, address: VirtAddr) {
        self.invalidate(|of, page| (of, page) == (asid.0, address.0 >> 12));
    }

    fn tlbi_vale1is(&self, asid: Asid, address: VirtAddr) {
        self.tlbi_vae1is(asid, address);
    }

    fn tlbi_vaae1is(&self, address: VirtAddr) {
        self.invalidate(|_, page| page == address.0 >> 12);
    }

    fn tlbi_vmalle1is(&self) {
        self.invalidate(|_, _| true);
    }

    fn tlbi_vae1_local(&self, asid: Asid, address: VirtAddr) {
        let key = (asid.0, address.0 >> 12);
        self.tlb(self.cpu()).entries.remove(&key);
    }

    fn tlbi_vmalle1_local(&self) {
        if self.sabotage != Some(Sabotage::SwallowVmalle1) {
            self.tlb(self.cpu()).entries.clear();
        }
    }

    fn copy_frame(&self, from: Frame, to: Frame) {
        for index in 0..TABLE_ENTRIES {
            let value = self.word(from, index).load(Ordering::Relaxed);
            self.word(to, index).store(value, Ordering::Relaxed);
        }
    }

    fn zero_frame(&self, frame: Frame) {
        (0..TABLE_ENTRIES).for_each(|index| self.word(frame, index).store(0, Ordering::Relaxed));
    }

    fn junk_frame(&self, frame: Frame) {
        (0..TABLE_ENTRIES).for_each(|index| self.word(frame, index).store(JUNK, Ordering::Relaxed));
    }

    fn sync_icache(&self, _frame: Frame) {}
}
