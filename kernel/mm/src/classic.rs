//! Fork as kernels do it that share no tables: every table is copied at once, and every page shared one by one. It is made of
//! the same parts as `fork`, and is there for one purpose: to be measured against (`fork=classic`).
//!
//! Caller holds the parent's lock.

use crate::addr::{Frame, Level};
use crate::descriptor::Descriptor;
use crate::events::Event;
use crate::fork::Forked;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::space::AddressSpace;
use crate::table::{Tables, link, new_table, release};
use crate::table_copy::{copy_entries, new_target};

impl AddressSpace {
    /// A copy of this space with tables of its own.
    ///
    /// # Errors
    /// [`NoMemory`]: the parent's pages are as they were, and take a fault more.
    pub fn fork_classic<M: Mmu>(&mut self, memory: &Memory<M>) -> Result<Forked, NoMemory> {
        let root = self.tables.copy(memory)?;
        memory.count(Event::Fork);
        Ok(Forked { root })
    }
}

impl Tables {
    /// The root of a tree of its own that holds the same pages, which lose write access in both. One flush of this ASID.
    fn copy<M: Mmu>(&mut self, memory: &Memory<M>) -> Result<Frame, NoMemory> {
        let copy = new_table(memory)?;
        let copied = self.copy_into(memory, copy);
        self.flush(memory);
        memory.dsb_ishst();
        match copied {
            Ok(()) => Ok(copy),
            Err(error) => {
                Tables::forked(copy, self.used).release(memory);
                Err(error)
            }
        }
    }

    fn copy_into<M: Mmu>(&self, memory: &Memory<M>, copy: Frame) -> Result<(), NoMemory> {
        for index in self.used.iter() {
            let entry = memory.mmu().load(self.root(), index);
            if entry.is_valid() {
                let table = copy_tree(memory, Level::L2, entry.frame())?;
                link(memory, copy, index, Descriptor::table(table));
            }
        }
        Ok(())
    }
}

/// A copy of the table `source` of `level` and of all below it.
fn copy_tree<M: Mmu>(memory: &Memory<M>, level: Level, source: Frame) -> Result<Frame, NoMemory> {
    let Some(below) = level.below() else {
        let copy = new_target(memory, Some(source))?;
        copy_entries(memory, level, Some(source), copy, None);
        return Ok(copy);
    };
    let copy = new_table(memory)?;
    // The tables below may be reached through `source`, so the mark of what is write-protected in them must be seen up here.
    memory.frames().mark_write_protected(source);
    for index in memory.frames().occupancy(source).used() {
        let entry = memory.mmu().load(source, index);
        if !entry.is_valid() {
            continue;
        }
        match copy_tree(memory, below, entry.frame()) {
            Ok(table) => link(memory, copy, index, Descriptor::table(table)),
            Err(error) => {
                release(memory, copy, level);
                return Err(error);
            }
        }
    }
    Ok(copy)
}
