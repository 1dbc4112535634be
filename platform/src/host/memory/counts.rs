//! Counts of references, several of them, one after the other.

use core::sync::atomic::{AtomicU32, Ordering};
use mm::mmu::GROUP;

/// Takes 1 from `word`, unless it is 1; whether it did.
fn decrement(word: &AtomicU32) -> bool {
    word.fetch_update(Ordering::Release, Ordering::Relaxed, |count| {
        (count > 1).then(|| count - 1)
    })
    .is_ok()
}

/// What `Mmu::unshare_each` says.
pub(super) fn decrement_each(words: &[AtomicU32]) -> usize {
    words.iter().take_while(|word| decrement(word)).count()
}

/// What `Mmu::unshare_group` says.
pub(super) fn decrement_group(words: [&AtomicU32; GROUP]) -> u32 {
    let numbered = words.iter().enumerate();
    numbered.fold(0, |lone, (nth, word)| lone | u32::from(!decrement(word)) << nth)
}

/// Adds 1 to each of `words`.
pub(super) fn increment_each(words: &[AtomicU32]) {
    words.iter().for_each(|word| {
        word.fetch_add(1, Ordering::Relaxed);
    });
}
