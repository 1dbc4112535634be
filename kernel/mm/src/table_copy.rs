//! The copy of a shared table: every child of the one is shared with the other, one reference more each, and write access is
//! taken from both descriptors. All that fork puts off is done here, so this is the loop that counts.
//!
//! A table is looked at by groups of [`GROUP`] entries. Where memory was filled in order its descriptors are a [`Row`], and a
//! group that continues the row is checked, write-protected and stored without a decision about a single entry; the references are
//! taken at the end of the row, on all its frames at once. Nobody can miss them meanwhile: the source holds one on each frame,
//! and whoever copies holds the source (I3).
//!
//! The entry that the copy is made for gets another descriptor in the target; its frame is not shared by the copy. In a source
//! that others share it is write-protected like its neighbours, for who writes there next has to fault on the path above anyhow. A
//! source with one reference is that of a parent who forks, and writes there next: the entry is passed over.

mod swapped;

use crate::addr::{Frame, Level, TABLE_ENTRIES};
use crate::descriptor::{Descriptor, Row};
use crate::events::Event;
use crate::frames::NoMemory;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::occupancy::Occupancy;
use crate::sync::{Ordering, fence};
use crate::table::{link, new_table};
use core::ops::Range;

/// An entry of a copy that is not what the source has there.
#[derive(Clone, Copy)]
pub(crate) struct Replacement {
    pub(crate) index: usize,
    /// What is there instead; brings its own reference.
    pub(crate) descriptor: Descriptor,
}

/// A level-3 table with one reference for a copy of `source`, which the caller makes at once: its contents are anything if
/// the copy will overwrite all of them.
pub(crate) fn new_target<M: Mmu>(memory: &Memory<M>, source: Option<Frame>) -> Result<Frame, NoMemory> {
    match source.map(|source| groups_of(memory.frames().occupancy(source).used())) {
        Some(ALL_GROUPS) => memory.frames().allocate_unfilled(memory.mmu()),
        _ => new_table(memory),
    }
}

const ALL_GROUPS: Range<usize> = 0..TABLE_ENTRIES / GROUP;

/// The groups that hold the entries in `used`.
#[inline(always)]
pub(crate) fn groups_of(used: Range<usize>) -> Range<usize> {
    used.start / GROUP..used.end.div_ceil(GROUP)
}

/// Shares every child of `source` with `target` (private, and empty where `source` has no entries), but for the one that is
/// replaced. Returns whether `source` has write-protected descriptors. Inlined for what is new or has nothing else in it, as most tables
/// on the path to a stack.
#[inline(always)]
pub(crate) fn copy_entries<M: Mmu>(
    memory: &Memory<M>,
    level: Level,
    source: Option<Frame>,
    target: Frame,
    replacement: Option<Replacement>,
) -> bool {
    let Some(source) = source else {
        if let Some(Replacement { index, descriptor }) = replacement {
            link(memory, target, index, descriptor);
        }
        return false;
    };
    let occupancy = memory.frames().occupancy(source);
    if let Some(Replacement { index, descriptor }) = replacement
        && occupancy.used() == (index..index + 1)
    {
        // There is nothing else in it.
        link(memory, target, index, descriptor);
        memory.count(Event::TableCopied);
        fence(Ordering::Acquire);
        return memory.frames().occupancy(source).is_write_protected();
    }
    copy_others(memory, level, (source, occupancy), target, replacement)
}

/// [`copy_entries`] of a table that has others. What it has where was looked up by the caller: that does not change while it is copied.
#[inline(never)]
fn copy_others<M: Mmu>(
    memory: &Memory<M>,
    level: Level,
    (source, occupancy): (Frame, Occupancy),
    target: Frame,
    replacement: Option<Replacement>,
) -> bool {
    if occupancy.may_have_swapped() {
        return swapped::copy_with_swapped(memory, source, target, replacement);
    }
    let copy = TableCopy {
        memory,
        source,
        target,
        replacement,
        spared: match replacement {
            Some(Replacement { index, .. }) if memory.frames().count(source) == 1 => index / GROUP,
            _ => usize::MAX,
        },
        is_marked: false,
        valid: 0,
        run: Run::default(),
    };
    let used = occupancy.used();
    let copied = match level {
        Level::L3 => copy.make(used, Descriptor::without_write, Descriptor::page_write_protected),
        _ => copy.make(
            used,
            Descriptor::table_without_write,
            Descriptor::table_without_write,
        ),
    };
    finish_copy(memory, source, (target, copied))
}

/// Notes what `target` has, and counts what was done; whether `source` has write-protected descriptors.
#[inline(always)]
fn finish_copy<M: Mmu>(memory: &Memory<M>, source: Frame, (target, occupancy): (Frame, Occupancy)) -> bool {
    memory.frames().set_occupancy(target, occupancy);
    let bytes = occupancy.used().len() * size_of::<Descriptor>();
    memory.count(Event::TableCopied);
    memory.mmu().counters().add(Event::TableBytes, bytes as u64);
    // After the descriptors: see `mark_write_protected`.
    fence(Ordering::Acquire);
    memory.frames().occupancy(source).is_write_protected()
}

/// A copy that is being made.
struct TableCopy<'a, M: Mmu> {
    memory: &'a Memory<M>,
    source: Frame,
    target: Frame,
    replacement: Option<Replacement>,
    /// The group of the entry that keeps write access in the source; none of a table if no entry does.
    spared: usize,
    /// The source bears the mark of write protection.
    is_marked: bool,
    /// Entries shared so far.
    valid: usize,
    run: Run,
}

/// Frames in a row that were put into the target, and whose references are still to be taken.
#[derive(Clone, Copy, Default)]
struct Run {
    lowest: u32,
    len: u32,
}

impl<M: Mmu> TableCopy<'_, M> {
    /// Copies the entries in `used`, which are all; what the target has then. `protect_plain` write-protects what does not belong to a
    /// MAP_SHARED area, `protect` everything.
    #[inline(always)]
    fn make(
        mut self,
        used: Range<usize>,
        protect_plain: impl Fn(Descriptor) -> Descriptor,
        protect: impl Fn(Descriptor) -> Descriptor,
    ) -> Occupancy {
        let Range { start, end } = groups_of(used.clone());
        let mut group = start;
        while group < end {
            let entries = self.memory.mmu().load_group(self.source, group);
            if group == self.spared {
                self.share_mixed(group, &entries, &protect);
            } else if let Some((row, protected)) = Row::of(&entries, &protect_plain) {
                let stop = if group < self.spared {
                    end.min(self.spared)
                } else {
                    end
                };
                group = self.share_row(group..stop, &row, protected);
                continue;
            } else if !Descriptor::united(&entries).is_valid() {
                // A gap between what lies far apart, as a program's text and its heap.
                self.memory
                    .mmu()
                    .store_group(self.target, group, [Descriptor::INVALID; GROUP]);
            } else if !self.share_scattered(group, &entries, &protect_plain) {
                self.share_mixed(group, &entries, &protect);
            }
            group += 1;
        }
        self.take_references();
        self.finish(used)
    }

    /// Shares the groups that are one row with the first of them, whose entries without write access are `protected`; the first
    /// that is not.
    #[inline(always)]
    fn share_row(&mut self, groups: Range<usize>, row: &Row, protected: [Descriptor; GROUP]) -> usize {
        let mmu = self.memory.mmu();
        let Range { start, end } = groups;
        if row.change != 0 {
            self.mark();
            mmu.store_group(self.source, start, protected);
        }
        mmu.store_group(self.target, start, protected);
        let reached = mmu.share_row(self.source, self.target, start + 1..end, &row.behind(GROUP));
        self.share_later(row, (reached - start) * GROUP);
        reached
    }

    /// Shares a group that is full of what `protect_plain` write-protects, with nothing to decide about the single entry; whether it is.
    #[inline(always)]
    fn share_scattered(
        &mut self,
        group: usize,
        entries: &[Descriptor; GROUP],
        protect_plain: impl Fn(Descriptor) -> Descriptor,
    ) -> bool {
        let (mmu, records) = (self.memory.mmu(), self.memory.frames().records());
        let common = Descriptor::common(entries);
        if !common.is_valid() || Descriptor::united(entries).is_of_shared_area() {
            return false;
        }
        records.share_group(entries);
        let protected = entries.map(&protect_plain);
        if protect_plain(common) != common {
            self.mark();
            mmu.store_group(self.source, group, protected);
        }
        mmu.store_group(self.target, group, protected);
        self.valid += GROUP;
        true
    }

    /// Shares the valid entries of a group one by one, and clears the others in the target.
    #[inline(never)]
    fn share_mixed(
        &mut self,
        group: usize,
        entries: &[Descriptor; GROUP],
        protect: impl Fn(Descriptor) -> Descriptor,
    ) {
        let (mmu, records) = (self.memory.mmu(), self.memory.frames().records());
        let kept = match self.replacement {
            Some(Replacement { index, .. }) if group == self.spared => Some(index),
            _ => None,
        };
        let copies = core::array::from_fn(|nth| {
            let (entry, index) = (entries[nth], group * GROUP + nth);
            if !entry.is_valid() || Some(index) == kept {
                return Descriptor::INVALID;
            }
            self.valid += 1;
            records.share(entry.frame());
            let protected = protect(entry);
            if protected != entry {
                self.mark();
                mmu.store(self.source, index, protected);
            }
            protected
        });
        mmu.store_group(self.target, group, copies);
    }

    /// Notes that the first `len` entries of `row`, not 0, were put into the target.
    #[inline(always)]
    fn share_later(&mut self, row: &Row, len: usize) {
        self.valid += len;
        let lowest = row.lowest(len).0;
        if lowest == self.run.lowest + self.run.len {
            self.run.len += len as u32;
        } else {
            self.take_references();
            self.run = Run {
                lowest,
                len: len as u32,
            };
        }
    }

    /// Takes a reference to each frame of the run.
    #[inline(never)]
    fn take_references(&self) {
        let records = self.memory.frames().records();
        if self.run.len != 0 {
            records.share_run(self.memory.mmu(), Frame(self.run.lowest), self.run.len as usize);
        }
    }

    /// Puts the replacement into the target, whose occupancy is then known.
    #[inline(always)]
    fn finish(self, used: Range<usize>) -> Occupancy {
        let mmu = self.memory.mmu();
        let Some(Replacement { index, descriptor }) = self.replacement else {
            return Occupancy::spanning(used, self.valid);
        };
        let mut valid = self.valid;
        if used.contains(&index) {
            let copied = mmu.load(self.target, index);
            if copied.is_valid() {
                // It was shared with its group, and the source's own reference is left. Nobody walks the target yet.
                mmu.store(self.target, index, Descriptor::INVALID);
                self.memory.frames().records().unshare(copied.frame());
                valid -= 1;
            }
        }
        mmu.store(self.target, index, descriptor);
        Occupancy::spanning(used, valid).with(index)
    }

    /// Before the first write protection the mark: another sharer that copies this table meanwhile finds it with the descriptor.
    #[inline(always)]
    fn mark(&mut self) {
        if !self.is_marked {
            self.memory.frames().mark_write_protected(self.source);
            self.is_marked = true;
        }
    }
}
