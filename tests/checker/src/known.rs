//! What is known of an instruction before it is executed.

use crate::instruction::{self, Access, Operation, Target};
use crate::options::Options;
use crate::rules::{Role, Site};

/// What a callback finds by the number that it was registered with.
#[derive(Clone, Copy)]
pub struct Known {
    /// Where it stands, and how it goes to memory.
    pub site: Site,
    /// What it does besides.
    pub operation: Option<Operation>,
    /// STXR and kin, which QEMU carries out by a load and a store: the load is no access of the program.
    pub is_store_exclusive: bool,
    /// Where it stores, if that is known beforehand.
    pub target: Option<Target>,
    /// General register of a system instruction; instructions of a block of a program.
    pub operand: usize,
}

impl Known {
    /// Of the word at `pc`.
    pub fn new(pc: u64, word: u32, options: &Options) -> Known {
        Known {
            site: Site {
                pc,
                access: instruction::access(word),
                is_ordered: instruction::is_ordered(word),
                role: options.role(pc),
                drops_reference: options.drops_reference(pc),
                takes_frame: options.takes_frame(pc),
            },
            operation: instruction::decode(word),
            target: instruction::store_target(word),
            is_store_exclusive: instruction::is_store_exclusive(word),
            operand: instruction::source_register(word),
        }
    }

    /// It may tell other processors of what was stored before.
    pub fn is_release(&self) -> bool {
        let is_atomic = matches!(self.site.access, Access::Exclusive | Access::Ordered);
        self.target.is_some() && (is_atomic || self.site.role == Role::Relaxed)
    }
}
