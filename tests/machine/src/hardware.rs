//! The machine as the heart sees it: each method is the instruction that it claims to be. Where in the heart it was asked for is
//! traced ([`SoftMmu::begin_trace`]).

use crate::SoftMmu;
use crate::machine::JUNK;
use crate::tlb::Scope;
use core::panic::Location;
use mm::mmu::GROUP;
use mm::{Asid, Cost, Counters, Descriptor, Frame, Mmu, PAGE_SIZE, VirtAddr};

impl Mmu for SoftMmu {
    fn cpu(&self) -> usize {
        self.cpu.get()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn counted(&self, event: mm::Event) -> u64 {
        self.counters.get(event)
    }

    #[track_caller]
    fn load(&self, table: Frame, index: usize) -> Descriptor {
        let place = Location::caller();
        self.interrupt_reading();
        let mut machine = self.machine.borrow_mut();
        let word = machine.word(table.0, index);
        machine
            .history
            .trace_load(self.cpu.get(), place, table.0, index, word);
        Descriptor(word)
    }

    #[track_caller]
    fn store(&self, table: Frame, index: usize, descriptor: Descriptor) {
        self.step(|machine, cpu| machine.store(cpu, table.0, index, descriptor.0));
    }

    // Both as the trait says, so that the line that asked for them is known.
    #[track_caller]
    fn load_group(&self, table: Frame, group: usize) -> [Descriptor; GROUP] {
        let mut found = [Descriptor::INVALID; GROUP];
        for (nth, descriptor) in found.iter_mut().enumerate() {
            *descriptor = self.load(table, group * GROUP + nth);
        }
        found
    }

    #[track_caller]
    fn store_group(&self, table: Frame, group: usize, descriptors: [Descriptor; GROUP]) {
        for (nth, descriptor) in (0..).zip(descriptors) {
            self.store(table, group * GROUP + nth, descriptor);
        }
    }

    #[track_caller]
    fn dmb_ishst(&self) {
        self.step(|machine, cpu| machine.dmb_ishst(cpu));
    }

    #[track_caller]
    fn dsb_ishst(&self) {
        self.execute(|cost| cost.dsbs += 1);
        self.step(|machine, cpu| machine.dsb_ishst(cpu));
    }

    #[track_caller]
    fn dsb_ish(&self) {
        self.execute(|cost| cost.dsbs += 1);
        self.step(|machine, cpu| machine.dsb_ish(cpu));
    }

    #[track_caller]
    fn tlbi_aside1is(&self, asid: Asid) {
        self.execute(|cost| cost.tlbis += 1);
        self.step(|machine, cpu| machine.tlbi(cpu, "tlbi aside1is", Scope::Asid(asid.0)));
    }

    #[track_caller]
    fn tlbi_vae1is(&self, asid: Asid, address: VirtAddr) {
        self.execute(|cost| cost.tlbis += 1);
        self.step(|machine, cpu| machine.tlbi(cpu, "tlbi vae1is", Scope::Address(asid.0, address.0)));
    }

    #[track_caller]
    fn tlbi_vale1is(&self, asid: Asid, address: VirtAddr) {
        self.execute(|cost| cost.tlbis += 1);
        self.step(|machine, cpu| machine.tlbi(cpu, "tlbi vale1is", Scope::LastLevel(asid.0, address.0)));
    }

    #[track_caller]
    fn tlbi_vaae1is(&self, address: VirtAddr) {
        self.execute(|cost| cost.tlbis += 1);
        self.step(|machine, cpu| machine.tlbi(cpu, "tlbi vaae1is", Scope::AddressOfAll(address.0)));
    }

    #[track_caller]
    fn tlbi_vmalle1is(&self) {
        self.execute(|cost| cost.tlbis += 1);
        self.step(|machine, cpu| machine.tlbi(cpu, "tlbi vmalle1is", Scope::All));
    }

    #[track_caller]
    fn tlbi_vae1_local(&self, asid: Asid, address: VirtAddr) {
        self.execute(add_own_tlbi);
        self.step(|machine, cpu| machine.tlbi_local(cpu, "tlbi vae1", Scope::Address(asid.0, address.0)));
    }

    #[track_caller]
    fn tlbi_vmalle1_local(&self) {
        self.execute(add_own_tlbi);
        self.step(|machine, cpu| machine.tlbi_local(cpu, "tlbi vmalle1", Scope::All));
    }

    #[track_caller]
    fn copy_frame(&self, from: Frame, to: Frame) {
        self.execute(|cost| cost.bytes_copied += PAGE_SIZE as u64);
        // A copy takes its time, and others may store meanwhile.
        let (to, words) = self.step(|machine, cpu| machine.begin_copy(cpu, from.0, to.0));
        for part in [0..words / 2, words / 2..words] {
            self.step(|machine, _| machine.copy_words(from.0, to, part));
        }
    }

    #[track_caller]
    fn zero_frame(&self, frame: Frame) {
        self.execute(|cost| cost.bytes_zeroed += PAGE_SIZE as u64);
        self.step(|machine, cpu| machine.zero_frame(cpu, frame.0));
    }

    #[track_caller]
    fn clear_entries(&self, table: Frame, entries: impl Iterator<Item = usize>) {
        self.step(|machine, cpu| machine.clear_entries(cpu, table.0, entries));
    }

    #[track_caller]
    fn junk_frame(&self, frame: Frame) {
        self.step(|machine, cpu| {
            machine.begin_content(cpu, "junk", frame.0, 0);
            machine.content(frame.0).fill(JUNK);
        });
    }

    #[track_caller]
    fn sync_icache(&self, frame: Frame) {
        self.execute(|cost| cost.dsbs += 2);
        self.step(|machine, cpu| machine.maintain_icache(cpu, frame.0));
        // The kernel may write to the frame before it is noted that this was done.
        self.interrupt();
    }
}

/// A TLBI for one processor, and its DSB NSH.
fn add_own_tlbi(cost: &mut Cost) {
    cost.tlbis += 1;
    cost.dsbs += 1;
}
