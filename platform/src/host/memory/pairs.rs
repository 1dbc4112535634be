//! Several words of memory, one after the other.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::mmu::GROUP;
use mm::{Descriptor, Row};

/// Loads all of `words`.
pub(super) fn load(words: &[AtomicU64; 8]) -> [u64; 8] {
    core::array::from_fn(|at| words[at].load(Ordering::Relaxed))
}

/// Stores all of `words`.
pub(super) fn store(words: &[AtomicU64; 8], values: [u64; 8]) {
    words
        .iter()
        .zip(values)
        .for_each(|(word, value)| word.store(value, Ordering::Relaxed));
}

/// What `Mmu::share_row` says, for tables that lie at `source` and `target`.
///
/// # Safety
/// The groups lie in both tables, which are mapped and used as atomics only.
pub(super) unsafe fn share_row(
    source: *const AtomicU64,
    target: *const AtomicU64,
    groups: Range<usize>,
    row: &Row,
) -> usize {
    let at = |table: *const AtomicU64, group: usize| {
        // SAFETY: the group lies in the table (contract), and its entries one after the other.
        unsafe { &*table.add(group * GROUP).cast::<[AtomicU64; GROUP]>() }
    };
    for group in groups.clone() {
        let rest = row.behind((group - groups.start) * GROUP);
        let Some(protected) = rest.write_protected(&load(at(source, group)).map(Descriptor)) else {
            return group;
        };
        let words = protected.map(|descriptor| descriptor.0);
        if row.change != 0 {
            store(at(source, group), words);
        }
        store(at(target, group), words);
    }
    groups.end
}

/// What `Mmu::row_end` says, for a table that lies at `table`.
///
/// # Safety
/// The groups lie in the table, which is mapped and used as atomics only.
pub(super) unsafe fn row_end(table: *const AtomicU64, groups: Range<usize>, row: &Row) -> usize {
    let is_of_row = |group: &usize| {
        // SAFETY: the group lies in the table (contract), and its entries one after the other.
        let words = unsafe { &*table.add(group * GROUP).cast::<[AtomicU64; GROUP]>() };
        let rest = row.behind((group - groups.start) * GROUP);
        rest.write_protected(&load(words).map(Descriptor)).is_some()
    };
    groups
        .clone()
        .find(|group| !is_of_row(group))
        .unwrap_or(groups.end)
}
