//! How much all segments are together, and how many have gone without a word to the table.

use super::settings::SHMALL;
use abi::Errno;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bits of an identifier that say where the segment stands; those above, how often that place was used.
pub const INDEX_BITS: u32 = 15;

/// Segments that have gone and still have a place.
static GONE: AtomicUsize = AtomicUsize::new(0);
/// Pages of all segments.
static PAGES: AtomicU64 = AtomicU64::new(0);

/// Pages of all segments.
pub fn pages() -> u64 {
    PAGES.load(Ordering::Relaxed)
}

/// Counts pages among those of all segments.
///
/// # Errors
/// `ENOSPC`: there would be too many.
pub fn take_pages(pages: u64) -> Result<(), Errno> {
    let more = |all: u64| all.checked_add(pages).filter(|all| *all <= SHMALL.get());
    match PAGES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
        Ok(_) => Ok(()),
        Err(_) => Err(Errno::ENOSPC),
    }
}

/// Of what [`take_pages`] took nothing became of.
pub fn give_pages_back(pages: u64) {
    PAGES.fetch_sub(pages, Ordering::Relaxed);
}

/// A segment of so many pages is dropped.
pub fn note_end(pages: u64) {
    give_pages_back(pages);
    GONE.fetch_add(1, Ordering::Relaxed);
}

/// Whether there is a place of one that has gone.
pub fn have_any_gone() -> bool {
    GONE.load(Ordering::Relaxed) > 0
}

/// Its place is free.
pub fn note_tidied() {
    GONE.fetch_sub(1, Ordering::Relaxed);
}
