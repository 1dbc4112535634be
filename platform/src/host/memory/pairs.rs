//! Several words of memory, one after the other.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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

/// Adds 1 to each of `words`.
pub(super) fn increment_each(words: &[AtomicU32]) {
    words.iter().for_each(|word| {
        word.fetch_add(1, Ordering::Relaxed);
    });
}
