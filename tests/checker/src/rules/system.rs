//! System instructions: which rule each of them is given to, and what a write to a register of translation changes.

use super::remembered::Question;
use crate::descriptor::Half;
use crate::instruction::{Operation, Register, Scope};
use crate::machine::{Cpu, Left, Machine};
use crate::trees::TreeId;

const ROOT: u64 = 0x0000_ffff_ffff_f000;

impl Machine {
    /// An instruction that is about to be executed; `operand` is the value of its general register, and for ERET 0 if all of them
    /// are.
    pub fn system(&mut self, cpu: usize, pc: u64, operation: Operation, operand: u64) {
        self.tick();
        self.report.executed(pc);
        match operation {
            Operation::ExceptionReturn => {
                self.report.event(self.now, cpu, "ERET", pc, [0; 3]);
                self.cpus[cpu].new_instructions[1].clear();
                // At boot EL2 goes to EL1 by one too, from where the loader put the kernel.
                if Half::of(pc) == Half::Kernel {
                    self.cpus[cpu].returning = Some((pc, operand));
                }
            }
            Operation::Isb => {
                self.report.watched.isbs += 1;
                self.cpus[cpu].new_instructions[1].clear();
                self.cpus[cpu].unsynchronised = None;
                self.cpus[cpu].visible.clear();
            }
            Operation::Dmb(domain, accesses) => self.dmb(cpu, domain, accesses),
            Operation::Dsb(domain, accesses) => self.dsb(cpu, pc, domain, accesses),
            Operation::Tlbi(scope, domain) => self.tlbi(cpu, pc, scope, domain, operand),
            Operation::Cache(cache) => self.cache(cpu, pc, cache, operand),
            Operation::Write(Register::Sgi) => self.check_doorbell(cpu, pc),
            Operation::Write(Register::EndOfInterrupt) => self.check_end_of_interrupt(cpu, pc),
            Operation::Write(Register::Timer) => self.check_acknowledged(cpu, pc),
            Operation::Write(register) => self.write(cpu, pc, register, operand),
            Operation::Acknowledge => self.cpus[cpu].devices.acknowledged = Some(pc),
            // A program's WFI traps, its SEV tells of nothing that the kernel stored, its HVC is none.
            Operation::Call | Operation::SendEvent | Operation::WaitForInterrupt
                if self.cpus[cpu].is_program(pc) => {}
            Operation::Call => self.call_firmware(cpu, pc, operand),
            Operation::SendEvent => self.check_release(cpu, pc),
            Operation::WaitForInterrupt => self.check_sleep(cpu, pc),
        }
    }

    fn write(&mut self, cpu: usize, pc: u64, register: Register, value: u64) {
        let is_turned_on = register == Register::Sctlr && value & 1 == 1 && !self.cpus[cpu].has_mmu();
        if is_turned_on {
            self.check_synchronised(cpu, pc, "turns its MMU on");
            self.check_invalidated(cpu, pc);
        }
        self.check_complete(cpu, pc, register);
        self.cpus[cpu].unsynchronised = Some((register, pc));
        self.epoch += 1;
        match register {
            Register::Sctlr => self.cpus[cpu].sctlr = value,
            Register::Tcr => self.cpus[cpu].tcr = Some(value),
            Register::Mair => {
                let own = &self.cpus[cpu];
                if own.has_mmu() && own.mair != value {
                    self.violation(
                        "MAIR-LIVE",
                        pc,
                        &format!("cpu {cpu} changes MAIR with its MMU on"),
                    );
                }
                self.cpus[cpu].mair = value;
            }
            Register::Ttbr0 => self.enter_space(cpu, pc, value),
            Register::Ttbr1 => {
                self.enter_tree(cpu, pc, value & ROOT, Half::Kernel);
            }
            Register::Sgi | Register::EndOfInterrupt | Register::Timer => {}
        }
        if is_turned_on {
            self.check_stored_uncached(cpu, pc);
            self.order.begin(cpu);
            self.note_global(cpu, Half::User);
            self.note_global(cpu, Half::Kernel);
        }
    }

    /// What the caches and the TLB held when power was switched on must be gone.
    fn check_invalidated(&mut self, cpu: usize, pc: u64) {
        for (was_done, what) in self.cpus[cpu]
            .has_invalidated
            .into_iter()
            .zip(["TLB", "instruction cache"])
        {
            if !was_done {
                let text = format!("cpu {cpu} turns its MMU on and has not invalidated its {what}");
                self.violation("NEVER-INVALIDATED", pc, &text);
            }
        }
    }

    /// The tables that were stored with caches off are read through them from now on.
    fn check_stored_uncached(&mut self, cpu: usize, pc: u64) {
        if let Some(given) = self.cpus[cpu].maintaining.take() {
            let text = format!("cpu {cpu} turns its MMU on at {pc:#x} with no DSB since");
            self.violation("PENDING-DC", given, &text);
        }
        for tree in self.cpus[cpu].trees.into_iter().flatten() {
            for page in self.trees.pages_of(tree) {
                self.check_table_uncached(pc, page);
            }
        }
    }

    /// Maintenance that was given is complete before translation changes.
    fn check_complete(&mut self, cpu: usize, pc: u64, register: Register) {
        if matches!(register, Register::Mair | Register::Tcr) {
            return;
        }
        let own = &self.cpus[cpu];
        let tlbi = own
            .tlbis
            .iter()
            .find(|tlbi| tlbi.scope == Scope::All)
            .map(|tlbi| tlbi.pc);
        let is_sctlr = register == Register::Sctlr;
        let cache = own.invalidating.filter(|_| is_sctlr).map(|(pc, _)| pc);
        for (rule, given) in [("PENDING-TLBI", tlbi), ("PENDING-IC", cache)] {
            if let Some(given) = given {
                let text = format!("cpu {cpu} writes {register:?} at {pc:#x} with no DSB since");
                self.violation(rule, given, &text);
            }
        }
    }

    fn note_global(&mut self, cpu: usize, half: Half) {
        let has_global = self.cpus[cpu]
            .tree(half)
            .is_some_and(|tree| self.trees.has_global(tree));
        let left = &mut self.cpus[cpu].left[half as usize];
        *left = match (*left, has_global) {
            (Left::Old, _) | (Left::Current, false) => Left::Old,
            (Left::Current, true) => Left::Old,
            (Left::Nothing, true) => Left::Current,
            (Left::Nothing, false) => Left::Nothing,
        };
    }

    fn enter_tree(&mut self, cpu: usize, pc: u64, root: u64, half: Half) -> TreeId {
        self.report.watched.tree_changes += 1;
        let bits = self.cpus[cpu].bits(half);
        let mut linked = Vec::new();
        let tree = self.trees.enter(root, half, bits, &self.ram, &mut linked);
        let has_mmu = self.cpus[cpu].has_mmu();
        if has_mmu {
            self.check_linked(cpu, pc, half, &linked);
        }
        let old = self.cpus[cpu].trees[half as usize].replace(tree);
        if has_mmu && old != Some(tree) && (half == Half::Kernel || !self.cpus[cpu].has_run_user) {
            self.note_global(cpu, half);
            if half == Half::Kernel && self.cpus[cpu].left[1] == Left::Old && self.trees.has_global(tree) {
                let text =
                    format!("cpu {cpu} enters {root:#x}; its TLB may hold entries of the tables before");
                self.violation("ROOT-BEFORE-FLUSH", pc, &text);
            }
        }
        if let Some(old) = old {
            self.trees.leave(old);
        }
        tree
    }

    fn enter_space(&mut self, cpu: usize, pc: u64, value: u64) {
        self.report.event(self.now, cpu, "TTBR0", pc, [value, 0, 0]);
        let asid = (value >> 48) as u16;
        let tree = self.enter_tree(cpu, pc, value & ROOT, Half::User);
        self.cpus[cpu].asid = asid;
        self.cpus[cpu].space_entry = self.now;
        if !self.cpus[cpu].has_mmu() || !self.cpus[cpu].has_run_user {
            return;
        }
        // All that is remembered under this ASID must agree with the tables that come in.
        let Some(space) = self.cpus[cpu].tlb.spaces.get(&asid) else {
            return;
        };
        let pages: Vec<u64> = space.pages.keys().copied().collect();
        for page in pages {
            self.check_remembered(Question {
                holder: cpu,
                for_cpu: cpu,
                asid,
                address: page << 12,
                tree,
                when: "switch",
                pc,
            });
        }
    }

    /// Programs of two spaces never run under one ASID, but for number 0, the empty space's. Between taking a number and writing
    /// TTBR0 a processor is still in the space that it leaves, whose number may be another's by then: it goes to no program there.
    pub fn check_asid(&mut self, cpu: usize, pc: u64) {
        let own = &self.cpus[cpu];
        let (asid, tree, since) = (own.asid, own.tree(Half::User), own.space_entry);
        if self.has_one_asid || asid == 0 {
            return;
        }
        let runs_another =
            |other: &Cpu| other.asid == asid && other.tree(Half::User) != tree && other.user_entry > since;
        let others = self.cpus.iter().enumerate();
        let found = others
            .filter(|&(other, _)| other != cpu)
            .find(|(_, other)| runs_another(other))
            .map(|(other, _)| other);
        if let Some(other) = found {
            let text = format!("cpu {cpu} and cpu {other} run two spaces under ASID {asid}");
            self.violation("SHARED-ASID", pc, &text);
        }
    }
}
