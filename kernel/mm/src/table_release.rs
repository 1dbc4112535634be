//! The end of a level-3 table: a reference less on each of its pages. As in `table_copy`, a table is looked at by groups of
//! [`GROUP`] entries, and where they are a [`Row`] the references of all its frames are dropped at once.

use crate::addr::Frame;
use crate::descriptor::{Descriptor, Row};
use crate::frames::FreeChain;
use crate::memory::Memory;
use crate::mmu::{GROUP, Mmu};
use crate::table;
use crate::table_copy::groups_of;
use core::ops::Range;

/// Drops what the entries in `used` of `table`, whose last reference is gone, refer to, and frees the table.
pub(crate) fn release_pages<M: Mmu>(memory: &Memory<M>, table: Frame, used: Range<usize>) {
    let mut chain = FreeChain::default();
    if used.len() < GROUP {
        let entries = used.clone().map(|index| memory.mmu().load(table, index));
        entries.for_each(|entry| release_entry(memory, entry, &mut chain));
    } else {
        release_groups(memory, table, groups_of(used.clone()), &mut chain);
    }
    let (mmu, frames) = (memory.mmu(), memory.frames());
    if table::is_cleared(&used) {
        table::free(memory, table, used);
    } else {
        frames.free_into(mmu, table, &mut chain);
    }
    frames.free_chain(mmu, chain);
}

#[inline(never)]
fn release_groups<M: Mmu>(memory: &Memory<M>, table: Frame, groups: Range<usize>, chain: &mut FreeChain) {
    let mmu = memory.mmu();
    let Range { mut start, end } = groups;
    while start < end {
        let entries = mmu.load_group(table, start);
        if !entries[0].is_valid() && !Descriptor::united(&entries).is_valid() {
            start += 1;
            continue;
        }
        let Some(row) = Row::as_it_is(&entries) else {
            release_scattered(memory, &entries, chain);
            start += 1;
            continue;
        };
        let reached = mmu.row_end(table, start + 1..end, &row.behind(GROUP));
        let len = (reached - start) * GROUP;
        memory.frames().release_row(mmu, &row, len, chain);
        start = reached;
    }
}

/// A group that is no row. What others refer to as well is asked and let go of by one access each, the last references after them.
#[inline(always)]
fn release_scattered<M: Mmu>(memory: &Memory<M>, entries: &[Descriptor; GROUP], chain: &mut FreeChain) {
    if Descriptor::common(entries).is_valid() {
        memory.frames().release_group(memory.mmu(), entries, chain);
    } else {
        entries
            .iter()
            .for_each(|entry| release_entry(memory, *entry, chain));
    }
}

#[inline(always)]
fn release_entry<M: Mmu>(memory: &Memory<M>, entry: Descriptor, chain: &mut FreeChain) {
    if entry.is_valid() {
        memory.frames().release_into(memory.mmu(), entry.frame(), chain);
    }
}

/// Drops the references of the swapped entries in `used` of `table`, whose last reference is gone.
#[cold]
pub(crate) fn release_swapped<M: Mmu>(memory: &Memory<M>, table: Frame, used: Range<usize>) {
    for index in used {
        let entry = memory.mmu().load(table, index);
        if entry.is_swapped() {
            memory.swap().release(memory.frames(), memory.mmu(), entry.slot());
        }
    }
}
