//! The software machine under the face `mm::Mmu`, on which the heart is proven (`kernel/mm/tests`) and shown (`tests/playground`).
//! It has several processors, each with a TLB and walk caches. It decodes descriptors on its own, and complains of every breach of
//! the order that `mm::mmu` states. It is of either temper:
//!
//! * *unkind* on purpose: its TLBs keep every descriptor for ever, in every form in which it was seen; it refills them by
//!   speculation before and after every step; stores reach the walkers only by DSB ISHST, TLBIs take effect only at the DSB ISH. What
//!   it proves: whatever a processor could legally do at any moment is harmless.
//! * *plain*: a processor uses what its TLB holds, and walks when that is nothing. What a program sees then is decided by what it
//!   does alone, and a TLBI that is missing shows at once.
//!
//! Reading order: `decode`, `tlb`, `machine`, `order` (stores, barriers, TLBI), `walk` (translation, speculation), then this file and
//! `hardware`, which is the face; `trace` and `view` are for those who look on.
#![cfg_attr(target_family = "wasm", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod decode;
pub mod greed;
mod hardware;
mod history;
mod machine;
mod order;
pub mod ram;
pub mod random;
pub mod sabotage;
// It hashes with the host's library.
#[cfg(not(target_family = "wasm"))]
pub mod shape;
mod stale;
mod tlb;
mod trace;
mod view;
mod walk;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::panic::Location;
use greed::{Greed, Luck};
pub use history::Event;
use machine::{CountOf, Machine};
pub use machine::{FRAME_WORDS, PROBES};
use mm::{Access, Asid, Cost, Counters, Frame, VirtAddr};
use sabotage::Sabotage;
pub use trace::Traced;
pub use view::Remembered;
pub use walk::Candidate;

/// The machine, one step at a time: the processor that acts is the one last set by [`SoftMmu::set_cpu`].
pub struct SoftMmu {
    machine: RefCell<Machine>,
    cpu: Cell<usize>,
    interloper: RefCell<Option<Rc<dyn Fn()>>>,
    interrupts_each_read: Cell<bool>,
    counters: Counters,
    executed: Cell<Cost>,
}

/// Whether an address space rests or is being changed while one of its translations is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nobody holds its lock: every translation that a processor could use must be one that the tables give.
    Quiet,
    /// Somebody is at work on it: a processor may still use what is about to be taken away.
    Busy,
}

/// What the processors are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Temper {
    /// They do whatever the architecture allows.
    Unkind,
    /// They use what their TLBs hold, and walk when that is nothing.
    Plain,
    /// They remember all that the architecture allows, at each step, and no dice fall ([`greed`]).
    Greedy,
}

impl SoftMmu {
    /// `frames` frames of junk from number `first`, `cpus` processors, the adversary's dice thrown from `seed`.
    pub fn new(first: Frame, frames: usize, cpus: usize, seed: u64) -> SoftMmu {
        SoftMmu {
            machine: RefCell::new(Machine::new(first.0, frames, cpus, seed)),
            cpu: Cell::new(0),
            interloper: RefCell::new(None),
            interrupts_each_read: Cell::new(false),
            counters: Counters::new(),
            executed: Cell::new(Cost::default()),
        }
    }

    /// Barriers, TLB invalidations and bytes that this machine was really asked for.
    pub fn executed(&self) -> Cost {
        self.executed.get()
    }

    fn execute(&self, change: impl FnOnce(&mut Cost)) {
        let mut executed = self.executed.get();
        change(&mut executed);
        self.executed.set(executed);
    }

    /// The processor that acts from now on; returns the one before.
    pub fn set_cpu(&self, cpu: usize) -> usize {
        self.cpu.replace(cpu)
    }

    /// Where the reference counts can be asked for.
    pub fn set_count_of(&self, count_of: CountOf) {
        self.machine.borrow_mut().count_of = Some(count_of);
    }

    /// How the machine shall disobey from now on.
    pub fn set_sabotage(&self, sabotage: Option<Sabotage>) {
        self.machine.borrow_mut().sabotage = sabotage;
    }

    /// What the processors are like from now on.
    pub fn set_temper(&self, temper: Temper) {
        let mut machine = self.machine.borrow_mut();
        machine.is_plain = temper == Temper::Plain;
        machine.greed = (temper == Temper::Greedy).then(Greed::default);
    }

    /// Which translation an access of a greedy processor uses from now on.
    pub fn set_luck(&self, luck: Luck) {
        if let Some(greed) = &mut self.machine.borrow_mut().greed {
            greed.luck = luck;
        }
    }

    /// Whether `cpu` could use a translation of an address that does not let the access through.
    pub fn may_refuse(&self, cpu: usize, address: VirtAddr, access: Access) -> bool {
        self.machine.borrow_mut().may_refuse(cpu, address.0, access)
    }

    /// What other processors do in the middle of a step of this one: called around the machine's steps.
    pub fn set_interloper(&self, interloper: Option<Rc<dyn Fn()>>) {
        *self.interloper.borrow_mut() = interloper;
    }

    /// Whether others may act between any two reads of descriptors, not now and then.
    pub fn interrupt_each_read(&self, is_so: bool) {
        self.interrupts_each_read.set(is_so);
    }

    /// Addresses that speculation shall try; the last ones most.
    pub fn set_hot(&self, addresses: Vec<u64>) {
        self.machine.borrow_mut().hot = addresses;
    }

    /// Moves `address` to the place that speculation likes best.
    pub fn tempt(&self, address: VirtAddr) {
        let mut machine = self.machine.borrow_mut();
        machine.hot.retain(|hot| *hot != address.0);
        machine.hot.push(address.0);
    }

    /// Every processor walks for every hot address.
    pub fn warm_all(&self) {
        self.machine.borrow_mut().warm_all();
    }

    /// Writes into the history what the test is about to do.
    pub fn note(&self, text: impl FnOnce() -> String) {
        let mut machine = self.machine.borrow_mut();
        machine.history.place = None;
        machine.history.push(self.cpu.get(), Event::Note(text()));
    }

    /// Notes a breach that the test itself has found.
    pub fn complain(&self, what: impl FnOnce() -> String) {
        self.machine.borrow_mut().complain(what);
    }

    /// Notes a breach if there is one.
    pub fn complain_if(&self, is_breach: bool, what: impl FnOnce() -> String) {
        if is_breach {
            self.complain(what);
        }
    }

    /// The first breach so far, with the history before it.
    pub fn complaint(&self) -> Option<String> {
        self.machine.borrow().complaint().map(str::to_owned)
    }

    /// The acting processor is about to leave its address space.
    pub fn begin_switch(&self) {
        self.machine.borrow_mut().cpus[self.cpu.get()].is_leaving = true;
    }

    /// TTBR0_EL1 of the acting processor is written, and `asid` belongs to `root` there from now on. Others go first.
    pub fn activate(&self, root: Frame, asid: Asid) {
        self.interrupt();
        let mut machine = self.machine.borrow_mut();
        machine.speculate();
        machine.history.place = None;
        machine.history.push(
            self.cpu.get(),
            Event::Instruction("msr ttbr0_el1", u64::from(root.0), u64::from(asid.0)),
        );
        machine.check_activation(root.0, asid.0);
        let cpu = self.cpu.get();
        machine.cpus[cpu].ttbr0 = Some((root.0, asid.0));
        machine.tables_changed();
        machine.cpus[cpu].is_leaving = false;
        // What the root ran under before is nobody's.
        for other in &mut machine.cpus {
            other
                .owners
                .retain(|owned, owner| *owner != root.0 || *owned == asid.0);
        }
        if machine.cpus[cpu].owners.insert(asid.0, root.0) != Some(root.0) {
            machine.check_asid(cpu, asid.0, root.0);
        }
    }

    /// All address spaces run under one ASID from now on.
    pub fn expect_one_asid(&self) {
        self.machine.borrow_mut().is_one_asid = true;
    }

    /// The acting processor goes to the empty table.
    pub fn deactivate(&self) {
        let mut machine = self.machine.borrow_mut();
        machine.history.place = None;
        machine
            .history
            .push(self.cpu.get(), Event::Instruction("msr ttbr0_el1", 0, 0));
        machine.cpus[self.cpu.get()].ttbr0 = None;
    }

    /// No space has this root any more: its ASIDs are nobody's.
    pub fn disown(&self, root: Frame) {
        for cpu in &mut self.machine.borrow_mut().cpus {
            cpu.owners.retain(|_, owner| *owner != root.0);
        }
    }

    /// TTBR0_EL1 of `cpu`.
    pub fn active(&self, cpu: usize) -> Option<(Frame, Asid)> {
        self.machine.borrow().cpus[cpu]
            .ttbr0
            .map(|(root, asid)| (Frame(root), Asid(asid)))
    }

    /// The acting processor returns to EL0.
    pub fn check_return(&self) {
        self.machine.borrow_mut().check_return(self.cpu.get());
    }

    /// Every translation that any processor could still use for `root` must be right. Call it when nobody is at work.
    pub fn check_root(&self, root: Frame) {
        let mut machine = self.machine.borrow_mut();
        let owned: Vec<(usize, u16, u32)> = machine.owners().filter(|(_, _, r)| *r == root.0).collect();
        for (cpu, asid, root) in owned {
            machine.check_asid(cpu, asid, root);
        }
    }

    /// The acting processor, in EL0, uses `address`: the frame it reaches, or `None` for a fault.
    pub fn translate(&self, address: VirtAddr, access: Access, moment: Moment) -> Option<Frame> {
        let mut machine = self.machine.borrow_mut();
        let cpu = self.cpu.get();
        let (root, asid) = machine.cpus[cpu].ttbr0?;
        machine.walk(cpu, address.0);
        if moment == Moment::Quiet {
            machine.check_address(cpu, asid, root, address.0);
        }
        let chosen = if machine.is_plain {
            machine.held(cpu, asid, address.0)?
        } else {
            let candidates = machine.candidates(cpu, asid, root, address.0);
            if candidates.is_empty() {
                return None;
            }
            machine.choose(&candidates, access)
        };
        if !chosen.grants(access) || !machine.has(chosen.frame) {
            return None;
        }
        if machine.count(chosen.frame) == 0 {
            machine.complain(|| format!("{address:?} reaches free frame {:#x}", chosen.frame));
        }
        Some(Frame(chosen.frame))
    }

    /// What the tables alone say of `address` under `root`.
    pub fn truth(&self, root: Frame, address: VirtAddr) -> Option<Candidate> {
        self.machine.borrow().truth(root.0, address.0)
    }

    /// The raw word of a frame.
    pub fn word(&self, frame: Frame, index: usize) -> u64 {
        self.machine.borrow().word(frame.0, index)
    }

    /// A store of data to a probe of `frame`, by a program or by the kernel for it.
    pub fn write_probe(&self, frame: Frame, probe: usize, value: u64) {
        let mut machine = self.machine.borrow_mut();
        if machine.count(frame.0) == 0 {
            machine.complain(|| format!("data is written to free {frame:?}"));
        }
        machine.set_word(frame.0, PROBES[probe], value);
    }

    /// A load of data from a probe of `frame`.
    pub fn read_probe(&self, frame: Frame, probe: usize) -> u64 {
        self.word(frame, PROBES[probe])
    }

    /// All words of a frame, as a device reads them that writes them away.
    pub fn read_frame(&self, frame: Frame) -> Vec<u64> {
        let mut machine = self.machine.borrow_mut();
        machine.check_unwritten(frame.0);
        machine.content(frame.0).to_vec()
    }

    /// A device fills a frame that nobody refers to.
    pub fn fill_from_device(&self, frame: Frame, words: &[u64]) {
        self.step(|machine, cpu| {
            machine.begin_content(cpu, "read into", frame.0, 0);
            machine.content(frame.0)[..words.len()].copy_from_slice(words);
        });
    }

    /// Whether all other processors are outside of all operations.
    pub fn set_stopped(&self, is_stopped: bool) {
        self.machine.borrow_mut().is_stopped = is_stopped;
    }

    /// An instruction fetch from a probe of `frame`.
    pub fn fetch_probe(&self, frame: Frame, probe: usize) -> u64 {
        self.machine.borrow_mut().fetch(frame.0, probe)
    }

    /// DC CVAU and IC IVAU by EL0 on the line of a probe.
    pub fn sync_probe(&self, frame: Frame, probe: usize) {
        self.machine.borrow_mut().sync_probe(frame.0, probe);
    }

    /// What this processor has stored is seen by whoever takes the lock that it gives back: no DSB is spent on that.
    pub fn give_back_lock(&self) {
        self.machine.borrow_mut().publish(self.cpu.get());
    }

    fn interrupt(&self) {
        let interloper = self.interloper.borrow().clone();
        if let Some(interloper) = interloper {
            interloper();
        }
    }

    /// Between two reads others act, too, but less often: a table has many entries.
    fn interrupt_reading(&self) {
        if self.interrupts_each_read.get() || self.machine.borrow_mut().throws_one_in(30) {
            self.interrupt();
        }
    }

    /// One step of the machine, with unkindness on both sides.
    #[track_caller]
    fn step<T>(&self, act: impl FnOnce(&mut Machine, usize) -> T) -> T {
        let place = Location::caller();
        self.interrupt();
        let mut machine = self.machine.borrow_mut();
        machine.history.place = Some(place);
        machine.speculate();
        let result = act(&mut machine, self.cpu.get());
        machine.speculate();
        result
    }
}
