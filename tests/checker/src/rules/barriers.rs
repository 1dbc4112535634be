//! Barriers, TLBI, and what must be complete when a program goes on.

use super::remembered::Question;
use crate::descriptor::{Half, page_of};
use crate::instruction::{Accesses, Domain, Scope};
use crate::lines::{CLEANED, DIRTY, FETCHED, INITIALISED, STALE_INSTRUCTIONS, lines_of};
use crate::machine::{Cpu, Left, Loss, Machine};
use crate::tlb::Tlbi;

impl Machine {
    /// DMB
    pub fn dmb(&mut self, cpu: usize, domain: Domain, accesses: Accesses) {
        self.order_barrier(cpu, domain, accesses);
        if accesses != Accesses::Loads && domain >= Domain::Inner {
            self.cpus[cpu].stores_ordered = self.now;
        }
        if accesses != Accesses::Stores && domain >= Domain::Inner {
            self.cpus[cpu].last_reference = None;
        }
    }

    /// DSB
    pub fn dsb(&mut self, cpu: usize, pc: u64, domain: Domain, accesses: Accesses) {
        self.report.watched.dsbs += 1;
        self.order_barrier(cpu, domain, accesses);
        self.report
            .event(self.now, cpu, "DSB", pc, [domain as u64, accesses as u64, 0]);
        if accesses != Accesses::Stores && domain >= Domain::Inner {
            self.cpus[cpu].last_reference = None;
        }
        if accesses == Accesses::Loads {
            return;
        }
        if domain >= Domain::Inner {
            let own = &mut self.cpus[cpu];
            own.stores_ordered = self.now;
            own.stores_complete = self.now;
            own.unordered.clear();
            let made = std::mem::take(&mut own.made);
            let own_half = made
                .into_iter()
                .filter(|made| Half::of(made.address) == Half::Kernel);
            self.cpus[cpu].visible.extend(own_half);
        }
        if accesses == Accesses::All {
            self.complete(cpu, domain);
        }
    }

    fn complete(&mut self, cpu: usize, domain: Domain) {
        let now = self.now;
        if domain >= Domain::Inner {
            let lines = std::mem::take(&mut self.cpus[cpu].new_instructions[0]);
            self.cpus.iter_mut().for_each(|cpu| cpu.await_isb(&lines));
        }
        let own = &mut self.cpus[cpu];
        if domain == Domain::System {
            own.complete_devices(now);
        }
        if domain >= Domain::Inner {
            own.all_complete = now;
            own.maintaining = None;
        }
        own.invalidating = own.invalidating.filter(|&(_, reach)| domain < reach);
        let given = std::mem::take(&mut own.tlbis);
        if given.is_empty() {
            return;
        }
        let (complete, open): (Vec<Tlbi>, Vec<Tlbi>) = given
            .into_iter()
            .partition(|tlbi| !tlbi.is_broadcast || domain >= Domain::Inner);
        self.cpus[cpu].tlbis = open;
        if self.has_order && complete.iter().any(|tlbi| tlbi.is_broadcast) {
            self.order.complete_flush(cpu);
        }
        for tlbi in &complete {
            if tlbi.is_broadcast {
                self.cpus.iter_mut().for_each(|cpu| cpu.apply(tlbi));
            } else {
                self.cpus[cpu].apply(tlbi);
            }
        }
        self.epoch += 1;
    }

    /// TLBI
    pub fn tlbi(&mut self, cpu: usize, pc: u64, scope: Scope, domain: Domain, operand: u64) {
        self.report.watched.tlbis += 1;
        self.report
            .event(self.now, cpu, "TLBI", pc, [scope as u64, domain as u64, operand]);
        let tlbi = Tlbi::new(scope, domain >= Domain::Inner, operand, self.now, pc);
        let own = &mut self.cpus[cpu];
        let (early, unordered): (Vec<Loss>, Vec<Loss>) = std::mem::take(&mut own.unordered)
            .into_iter()
            .partition(|loss| tlbi.covers(loss.asid, loss.address, loss.span));
        own.unordered = unordered;
        own.tlbis.push(tlbi);
        for loss in early {
            let text = format!(
                "cpu {cpu}: the TLBI at {pc:#x} comes before a DSB for the store to the entry of {:#x}: a walk may take the old \
                 one in again",
                loss.address
            );
            self.violation("TLBI-BEFORE-DSB", loss.change.pc, &text);
        }
    }

    /// A processor goes to EL0: its work must be complete, and what it took away forgotten everywhere.
    pub fn enter_user(&mut self, cpu: usize, pc: u64) {
        self.report.watched.user_entries += 1;
        self.check_asid(cpu, pc);
        if self.cpus[cpu].left[Half::User as usize] != Left::Nothing {
            let text = format!(
                "cpu {cpu} goes to EL0, and its TLB may hold entries of the tables that it booted with"
            );
            self.violation("GLOBAL-LEFT", pc, &text);
            self.cpus[cpu].left[Half::User as usize] = Left::Nothing;
        }
        let own = &mut self.cpus[cpu];
        own.has_run_user = true;
        own.user_entry = self.now;
        own.unsynchronised = None;
        let tlbi = own.tlbis.first().map(|tlbi| tlbi.pc);
        let store = own
            .unordered
            .first()
            .or(own.made.first())
            .map(|loss| loss.change.pc);
        own.made.clear();
        own.visible.clear();
        let cache = own.invalidating.take().map(|(pc, _)| pc);
        own.unordered.clear();
        let losses = std::mem::take(&mut own.losses);
        let pending = [
            ("PENDING-TLBI", tlbi),
            ("PENDING-STORE", store),
            ("PENDING-IC", cache),
        ];
        for (rule, given) in pending {
            if let Some(given) = given {
                let text = format!("cpu {cpu} goes to EL0 by {pc:#x} with no DSB since");
                self.violation(rule, given, &text);
            }
        }
        self.cpus[cpu].tlbis.clear();
        for loss in losses {
            self.check_loss(cpu, pc, &loss);
        }
    }

    /// What was taken away before this entry to EL0 must be gone from all TLBs that may use it.
    fn check_loss(&mut self, cpu: usize, pc: u64, loss: &Loss) {
        let Some(asid) = loss.asid else { return };
        if self.asid_of(loss.tree) != Some(asid) {
            return;
        }
        // What others remember under this number may be of the space that had it before a roll-over: it is compared when they enter.
        let is_inside = |own: &Cpu| own.tree(Half::User) == Some(loss.tree) && own.asid == asid;
        let inside: Vec<usize> = (0..self.cpus.len())
            .filter(|&holder| is_inside(&self.cpus[holder]))
            .collect();
        for holder in inside {
            for address in self.remembered_in(holder, asid, loss) {
                let question = Question {
                    holder,
                    for_cpu: cpu,
                    asid,
                    address,
                    tree: loss.tree,
                    when: "return to EL0",
                    pc,
                };
                self.check_remembered(question);
            }
        }
    }

    fn remembered_in(&self, holder: usize, asid: u16, loss: &Loss) -> Vec<u64> {
        let Some(space) = self.cpus[holder].tlb.spaces.get(&asid) else {
            return Vec::new();
        };
        let first = loss.address >> 12;
        if loss.span == 4096 {
            return space
                .pages
                .contains_key(&first)
                .then_some(loss.address)
                .into_iter()
                .collect();
        }
        let pages = first..first + (loss.span >> 12);
        let inside = space.pages.keys().filter(|page| pages.contains(page));
        inside.map(|page| page << 12).collect()
    }

    /// A program executes `len` bytes of instructions from `pc` on.
    pub fn user_block(&mut self, cpu: usize, pc: u64, len: u64) {
        if !self.cpus[cpu].has_mmu() {
            return;
        }
        let Some(tree) = self.cpus[cpu].tree(Half::User) else {
            return;
        };
        if let Some((from, registers)) = self.cpus[cpu].returning.take() {
            self.check_begin(cpu, from, registers);
            self.enter_user(cpu, from);
        }
        if self.was_fetch_seen(cpu, pc) {
            return;
        }
        let walk = self.trees.walk(tree, pc);
        let Some(leaf) = walk.leaf else { return };
        if self.trees.is_unsettled(tree, pc, &self.ram) {
            return;
        }
        self.check_instructions(cpu, pc, leaf.address, len);
        let asid = self.cpus[cpu].asid;
        self.check_remembered(Question {
            holder: cpu,
            for_cpu: cpu,
            asid,
            address: pc,
            tree,
            when: "fetch",
            pc,
        });
        self.take(cpu, pc, &walk);
    }

    /// The kernel executes instructions that were stored since power was switched on.
    pub fn kernel_block(&mut self, cpu: usize, pc: u64, len: u64) {
        let Some(physical) = self.translate(cpu, pc).filter(|_| self.cpus[cpu].has_mmu()) else {
            return;
        };
        self.check_instructions(cpu, pc, physical, len);
        for line in lines_of(physical, len) {
            let [incomplete, unfetched] = &mut self.cpus[cpu].new_instructions;
            let rule = match (incomplete.contains(&line), unfetched.contains(&line)) {
                (true, _) => "PENDING-IC",
                (_, true) => "EXECUTE-BEFORE-ISB",
                _ => continue,
            };
            incomplete.clear();
            unfetched.clear();
            let text = format!("cpu {cpu} executes line {line:#x}, which was invalidated a moment ago");
            self.violation(rule, pc, &text);
        }
    }

    /// Whether something was stored to the instructions at `pc` since power was switched on.
    pub fn is_stored(&self, pc: u64, len: u64) -> bool {
        let physical = self
            .cpus
            .iter()
            .enumerate()
            .filter(|(_, own)| own.has_mmu())
            .find_map(|(cpu, _)| self.translate(cpu, pc));
        physical.is_some_and(|physical| lines_of(physical, len).any(|line| self.lines.has(line, INITIALISED)))
    }

    fn check_instructions(&mut self, cpu: usize, pc: u64, physical: u64, len: u64) {
        self.report.watched.fetches += 1;
        let in_page = (page_of(physical) + 4096 - physical).min(len);
        for line in lines_of(physical, in_page) {
            let flags = self.lines.line(line);
            let (was_stale, was_dirty) = (*flags & STALE_INSTRUCTIONS != 0, *flags & (DIRTY | CLEANED));
            *flags = *flags & !STALE_INSTRUCTIONS | FETCHED;
            if was_stale {
                let missing = if was_dirty & DIRTY != 0 {
                    "cleaned"
                } else {
                    "invalidated"
                };
                let last = *self.lines.page(line);
                let text = format!(
                    "cpu {cpu} executes line {line:#x} at {pc:#x}, not {missing} since it was stored to (last on its page: cpu {} \
                     {:?})",
                    last.cpu, last.writer
                );
                self.violation("STALE-INSTRUCTIONS", 0, &text);
            }
        }
    }
}
