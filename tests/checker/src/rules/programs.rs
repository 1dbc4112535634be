//! Programs that begin: execve(2) hands them registers that are all 0, and a space of their own.

use crate::descriptor::Half;
use crate::machine::Machine;
use crate::trees::Runs;

impl Machine {
    /// A processor goes to EL0 in the space that it walks now; `registers` is what its general registers have in common: 0 if they
    /// all are. A program that has run has a system call's number, or an address, in one of them; one that begins has not, until
    /// its first instructions were executed.
    pub fn check_begin(&mut self, cpu: usize, pc: u64, registers: u64) {
        let Some(tree) = self.cpus[cpu].tree(Half::User) else {
            return;
        };
        let Some(runs) = self.trees.runs(tree) else {
            return;
        };
        if registers != 0 {
            *runs = Runs::Program;
            return;
        }
        if *runs == Runs::Program {
            let text = format!(
                "cpu {cpu}, ASID {}: a program begins, all of its registers are 0, in a space in which one has run",
                self.cpus[cpu].asid
            );
            self.violation("SPACE-NOT-ENTERED", pc, &text);
        } else {
            *runs = Runs::Begun;
        }
    }
}
