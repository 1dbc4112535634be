//! How a space gets tables of its own: a shared table on the path of a write is copied once (*privatised*), and one that the
//! others have left is given back (*regained*). The invariants are in `table`.

use crate::addr::{Frame, Level, VirtAddr};
use crate::descriptor::Descriptor;
use crate::events::Event;
use crate::frames::NoMemory;
use crate::hostage::Hostage;
use crate::memory::Memory;
use crate::mmu::Mmu;
use crate::table::{Tables, new_table, release};
use crate::table_copy::{Replacement, copy_entries, new_target};
use core::ops::Range;

impl Tables {
    /// Makes the tables on the path to `address` private, creating missing ones, and returns the level-3 table. Where that
    /// table is new or copied, its entry for `address` is `replacement`, which brings its own reference, and the second
    /// result is true; else `replacement` was not used. Out of memory: nothing has changed.
    pub(crate) fn make_path<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
        replacement: Option<Descriptor>,
    ) -> Result<(Frame, bool), NoMemory> {
        let (mut table, mut level) = (self.root, Level::L1);
        while let Some(below) = level.below() {
            let index = address.index(level);
            let entry = memory.mmu().load(table, index);
            if entry.is_valid() && entry.is_table_writable() {
                table = entry.frame();
            } else if entry.is_valid() && memory.frames().count(entry.frame()) == 1 {
                self.regain(memory, table, index, below);
                table = entry.frame();
            } else {
                let source = entry.is_valid().then(|| entry.frame());
                let build = build_path(memory, below, source, address, replacement)?;
                self.publish(memory, table, index, below, address, &build);
                return Ok((build.l3, true));
            }
            level = below;
        }
        Ok((table, false))
    }

    /// Makes the existing tables on the path to `address` private, down to the table of level `to` (L2 or L3). Out of memory:
    /// nothing that a program could see has changed.
    pub(crate) fn make_private<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        address: VirtAddr,
        to: Level,
    ) -> Result<(), NoMemory> {
        let (mut table, mut level) = (self.root, Level::L1);
        while let Some(below) = level.below().filter(|_| level < to) {
            let index = address.index(level);
            let entry = memory.mmu().load(table, index);
            if !entry.is_valid() {
                return Ok(());
            }
            table = entry.frame();
            if entry.is_table_writable() {
                // Private already.
            } else if memory.frames().count(table) == 1 {
                self.regain(memory, self.parent_of(memory, address, level), index, below);
            } else {
                let build = build_table(memory, below, table)?;
                let parent = self.parent_of(memory, address, level);
                self.publish(memory, parent, index, below, address, &build);
                table = build.top;
            }
            level = below;
        }
        Ok(())
    }

    /// The table of `level` on the path to `address`, which exists.
    fn parent_of<M: Mmu>(&self, memory: &Memory<M>, address: VirtAddr, level: Level) -> Frame {
        match level {
            Level::L1 => self.root,
            _ => memory.mmu().load(self.root, address.index(Level::L1)).frame(),
        }
    }

    /// Puts a finished private table into entry `index` of `parent` (private), in place of the shared one or of nothing.
    fn publish<M: Mmu>(
        &mut self,
        memory: &Memory<M>,
        parent: Frame,
        index: usize,
        below: Level,
        address: VirtAddr,
        build: &Build,
    ) {
        let mmu = memory.mmu();
        let old = mmu.load(parent, index);
        if !old.is_valid() {
            if parent == self.root {
                self.used.insert(index);
            }
            self.fill_table(memory, parent, index, Descriptor::table(build.top));
            return;
        }
        // Another output address: break before make (Arm ARM D8.14.1).
        let hostage = Hostage::take(memory, parent, index, below);
        if build.has_write_protected {
            hostage.release_after_asid_flush(memory, self.tag);
        } else {
            hostage.release_after_address_flush(memory, self.tag, address);
        }
        mmu.store(parent, index, Descriptor::table(build.top));
        memory.dsb_ishst();
    }

    /// Gives write access below entry `index` of `parent` (private) back: the table there, of level `below`, has count 1.
    /// Whatever in it is solely owned as well is given back with it.
    fn regain<M: Mmu>(&mut self, memory: &Memory<M>, parent: Frame, index: usize, below: Level) {
        let mmu = memory.mmu();
        let entry = mmu.load(parent, index);
        let table = entry.frame();
        let occupancy = memory.frames().occupancy(table);
        if occupancy.is_write_protected() {
            // Before APTable[1] is cleared: this ASID may have cached the descriptors as they were before another space
            // write-protected them, harmless only as long as the path above forbids writes.
            self.flush(memory);
            memory.frames().set_occupancy(table, occupancy.flushed());
        }
        mmu.store(parent, index, entry.table_with_write());
        match below {
            Level::L3 => regain_while_it_pays(memory, table, occupancy.used()),
            _ => regain_tables(memory, table, occupancy.used()),
        }
        memory.dsb_ishst();
        memory.count(Event::TableRegained);
    }

    /// Gives write access back to the page of leaf `index` in `table` (private): its frame has count 1. The neighbours that
    /// are solely owned too are given back with it, a fixed window so that the work per fault is bounded.
    pub(crate) fn regain_window<M: Mmu>(&self, memory: &Memory<M>, table: Frame, index: usize) {
        const WINDOW: usize = 16;
        let start = index & !(WINDOW - 1);
        regain_pages(memory, table, start..start + WINDOW);
        memory.dsb_ishst();
    }
}

/// A private copy of a shared table (and of what lies below on one path), not linked yet.
pub(crate) struct Build {
    /// The table to be linked.
    pub(crate) top: Frame,
    l3: Frame,
    /// Descriptors that this or another space write-protected may be in this space's TLB with write access.
    pub(crate) has_write_protected: bool,
}

/// A private table of `level` that holds what `source` holds, with a private path down to `address`, whose leaf is
/// `replacement` if given. Allocates before it changes anything.
pub(crate) fn build_path<M: Mmu>(
    memory: &Memory<M>,
    level: Level,
    source: Option<Frame>,
    address: VirtAddr,
    replacement: Option<Descriptor>,
) -> Result<Build, NoMemory> {
    let index = address.index(level);
    let Some(below) = level.below() else {
        let replacement = replacement.map(|descriptor| Replacement { index, descriptor });
        return build_l3(memory, source, replacement);
    };
    let top = new_table(memory)?;
    let child_source = source
        .map(|table| memory.mmu().load(table, index))
        .filter(|entry| entry.is_valid())
        .map(Descriptor::frame);
    let child = match build_path(memory, below, child_source, address, replacement) {
        Ok(child) => child,
        Err(error) => {
            release(memory, top, level);
            return Err(error);
        }
    };
    if let (Some(source), true) = (source, child.has_write_protected) {
        // The table below may be reached through `source` without a further APTable[1], so the mark must be seen up here.
        memory.frames().mark_write_protected(source);
    }
    let descriptor = Descriptor::table(child.top);
    let has_write_protected = copy_entries(
        memory,
        level,
        source,
        top,
        Some(Replacement { index, descriptor }),
    );
    Ok(Build {
        top,
        l3: child.l3,
        has_write_protected: has_write_protected | child.has_write_protected,
    })
}

/// A private level-3 table that holds what `source` holds, but for what is replaced.
fn build_l3<M: Mmu>(
    memory: &Memory<M>,
    source: Option<Frame>,
    replacement: Option<Replacement>,
) -> Result<Build, NoMemory> {
    let top = new_target(memory, source)?;
    let has_write_protected = copy_entries(memory, Level::L3, source, top, replacement);
    Ok(Build {
        top,
        l3: top,
        has_write_protected,
    })
}

/// A private copy of `source` alone.
fn build_table<M: Mmu>(memory: &Memory<M>, level: Level, source: Frame) -> Result<Build, NoMemory> {
    if level == Level::L3 {
        return build_l3(memory, Some(source), None);
    }
    let top = new_table(memory)?;
    let has_write_protected = copy_entries(memory, level, Some(source), top, None);
    Ok(Build {
        top,
        l3: top,
        has_write_protected,
    })
}

/// [`regain_pages`] a few at a time, until some of them are all shared: a sharer that copied the table still has most pages of
/// it, so the others are left to the faults on them ([`Tables::regain_window`]).
fn regain_while_it_pays<M: Mmu>(memory: &Memory<M>, table: Frame, used: Range<usize>) {
    const FEW: usize = 4;
    for start in used.clone().step_by(FEW) {
        let found = regain_pages(memory, table, start..used.end.min(start + FEW));
        if found.shared > 0 && found.regained == 0 {
            return;
        }
    }
}

/// Pages that lacked write access which their area allows.
struct Regained {
    /// How many have it again.
    regained: usize,
    /// How many are shared and stay without.
    shared: usize,
}

/// Clears AP\[2\] of the leaves in `range` that are solely owned and that their areas let be written.
fn regain_pages<M: Mmu>(memory: &Memory<M>, table: Frame, range: Range<usize>) -> Regained {
    let (mut regained, mut shared) = (0, 0);
    for index in range {
        let leaf = memory.mmu().load(table, index);
        let is_candidate = leaf.is_page_accessible()
            && leaf.is_area_writable()
            && !leaf.is_page_writable()
            && !leaf.is_of_shared_area();
        if !is_candidate {
            continue;
        }
        if memory.frames().count(leaf.frame()) == 1 {
            memory.mmu().store(table, index, leaf.with_write());
            memory.count(Event::RegainedInBulk);
            regained += 1;
        } else {
            shared += 1;
        }
    }
    Regained { regained, shared }
}

/// Clears APTable\[1\] of the level-2 entries in `used` whose tables are solely owned and were not write-protected: nothing in them
/// needs a flush first. The others are regained when a fault comes to them.
fn regain_tables<M: Mmu>(memory: &Memory<M>, table: Frame, used: Range<usize>) {
    for index in used {
        let entry = memory.mmu().load(table, index);
        if entry.is_valid()
            && !entry.is_table_writable()
            && memory.frames().count(entry.frame()) == 1
            && !memory.frames().occupancy(entry.frame()).is_write_protected()
        {
            memory.mmu().store(table, index, entry.table_with_write());
            memory.count(Event::TableRegained);
        }
    }
}
