//! DC and IC.

use crate::descriptor::{Rights, page_of};
use crate::instruction::{Cache, Domain};
use crate::lines::{CLEANED, DIRTY, FETCHED, INITIALISED, LastStore, STALE_INSTRUCTIONS, UNCACHED, Writer};
use crate::machine::Machine;

impl Machine {
    /// A cache maintenance instruction, which is about to be executed.
    pub fn cache(&mut self, cpu: usize, pc: u64, cache: Cache, address: u64) {
        match cache {
            Cache::InvalidateAllInstructions => {
                self.lines.invalidate_all_instructions();
                self.code_epoch += 1;
                self.cpus[cpu].has_invalidated[1] = true;
                self.cpus[cpu].invalidating = Some((pc, Domain::Local));
                return;
            }
            Cache::BySetAndWay => {
                let text = format!("cpu {cpu} maintains by set and way, which reaches its own caches only");
                self.violation("SET-AND-WAY", pc, &text);
                return;
            }
            _ => {}
        }
        let Some(physical) = self
            .translate(cpu, address)
            .filter(|&physical| self.ram.holds(physical))
        else {
            return;
        };
        match cache {
            Cache::Zero => self.zero(cpu, pc, address, physical),
            Cache::InvalidateInstructions => self.invalidate_instructions(cpu, pc, physical),
            _ => self.clean(cpu, pc, cache, physical),
        }
    }

    fn clean(&mut self, cpu: usize, pc: u64, cache: Cache, physical: u64) {
        let now = self.now;
        if !self.cpus[cpu].has_mmu() {
            self.cpus[cpu].maintaining = Some(pc);
        }
        if cache != Cache::CleanToUnification {
            self.cpus[cpu].devices.cleaned = now;
            self.drop_answer(cpu, pc, physical);
        }
        let line = self.lines.line(physical);
        match cache {
            Cache::Invalidate => *line &= !(UNCACHED | DIRTY),
            Cache::CleanAndInvalidate => *line = *line & !(UNCACHED | DIRTY) | CLEANED,
            _ => *line = *line & !DIRTY | CLEANED,
        }
        if cache != Cache::Invalidate {
            self.cpus[cpu].cleaned = now;
        }
        if cache != Cache::CleanToUnification {
            self.polled.remove(&(physical & !63));
        }
    }

    fn invalidate_instructions(&mut self, cpu: usize, pc: u64, physical: u64) {
        let is_program = self.cpus[cpu].is_program(pc);
        let own = &mut self.cpus[cpu];
        if !is_program {
            own.new_instructions[0].push(physical & !63);
        }
        own.invalidating = Some((pc, Domain::Inner));
        let is_early = own.cleaned > own.all_complete;
        let line = self.lines.line(physical);
        let was_cleaned = *line & CLEANED != 0;
        if *line & DIRTY == 0 {
            *line &= !STALE_INSTRUCTIONS;
        }
        *line &= !CLEANED;
        if was_cleaned && is_early {
            let text = format!("cpu {cpu}: line {physical:#x} was cleaned, and no DSB followed");
            self.violation("IC-BEFORE-DSB", pc, &text);
        }
    }

    fn zero(&mut self, cpu: usize, pc: u64, address: u64, physical: u64) {
        let is_program = self.cpus[cpu].is_program(pc);
        if !self.cpus[cpu].has_mmu() {
            self.violation(
                "ZERO-UNCACHED",
                pc,
                &format!("cpu {cpu} zeroes {physical:#x} with its MMU off"),
            );
        }
        if is_program {
            let may = self
                .walk(cpu, address)
                .and_then(|walk| walk.leaf)
                .is_some_and(|leaf| leaf.rights.has(Rights::WRITE));
            if !may {
                return; // it will fault
            }
            self.user_access(cpu, pc, address, Rights::WRITE, None);
        } else if physical.is_multiple_of(4096) {
            self.check_frame_taken(cpu, pc, physical, "is zeroed");
            self.check_table_taken(cpu, pc, physical, "is zeroed");
            self.order_frame(cpu, pc, physical);
        }
        if self.trees.is_table(page_of(physical)) {
            self.violation(
                "ZERO-TABLE",
                pc,
                &format!("cpu {cpu} zeroes {physical:#x}, which is a live table"),
            );
        }
        let at = self.tick();
        let line = self.lines.line(physical);
        let was_fetched = *line & FETCHED != 0;
        *line = *line & !FETCHED | DIRTY | STALE_INSTRUCTIONS | INITIALISED;
        self.code_epoch += u64::from(was_fetched);
        *self.lines.page(physical) = LastStore {
            at,
            cpu: cpu as u8,
            writer: if is_program {
                Writer::Program
            } else {
                Writer::Kernel
            },
        };
    }

    /// The machine is switched off.
    pub fn close(&mut self) {
        for (line, pc) in std::mem::take(&mut self.polled) {
            let text = format!(
                "line {line:#x} is polled past the caches, was stored to through them and never cleaned"
            );
            self.violation("NEVER-CLEANED", pc, &text);
        }
        self.report.close();
    }
}
