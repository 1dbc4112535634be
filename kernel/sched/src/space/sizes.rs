//! How large a space is and was: counted in pieces between which others run, and looked at before much of it goes.

use super::Space;
use super::peaks::raise;
use crate::scheduler;
use core::sync::atomic::Ordering;
use mm::{PAGE_SIZE, VirtAddr};

/// What goes in smaller pieces is not looked at before: malloc(3) takes larger ones by mmap(2) of their own.
const LEAST_DROPPED: u64 = 128 << 10;
/// The space is looked at when that part of it has gone since the last look, so that looks cost less than what they are about.
const PART: u64 = 8;

impl Space {
    /// It has areas of that many bytes and so many resident bytes: the most of both that were ever found.
    pub fn note_sizes(&self, bytes: u64, resident: u64) -> (u64, u64) {
        self.with(|_| {
            let pages = self.peaks.note_pages(resident / PAGE_SIZE as u64);
            (raise(&self.peaks.bytes, bytes), pages * PAGE_SIZE as u64)
        })
    }

    /// The peak of what is resident begins anew with what is now.
    pub fn reset_peak(&self) {
        let now = self.count_resident();
        self.with(|_| self.peaks.pages.store(now, Ordering::Relaxed));
    }

    /// Whether [`Space::note_before_dropping`] does something about so many bytes.
    #[inline(always)]
    pub const fn notes_dropping(len: u64) -> bool {
        len >= LEAST_DROPPED
    }

    /// To be called before up to `len` bytes are unmapped or dropped. No lock is held.
    #[inline]
    pub fn note_before_dropping(&self, len: u64) {
        if Space::notes_dropping(len) {
            self.look_before_dropping(len);
        }
    }

    #[cold]
    fn look_before_dropping(&self, len: u64) {
        let bytes = self.with(|space| {
            let bytes = space.areas().sums().bytes;
            let dropped = self.peaks.dropped.load(Ordering::Relaxed).saturating_add(len);
            let is_much = dropped >= bytes / PART;
            self.peaks
                .dropped
                .store(if is_much { 0 } else { dropped }, Ordering::Relaxed);
            is_much.then_some(bytes)
        });
        if let Some(bytes) = bytes {
            self.note_sizes(bytes, self.count_resident() * PAGE_SIZE as u64);
        }
    }

    /// Resident pages, counted in pieces between which others run.
    pub fn count_resident(&self) -> u64 {
        let (mut sum, mut next) = (0, Some(VirtAddr(0)));
        while let Some(from) = next {
            let (pages, rest) = self.with(|space| space.count_resident(memory::get(), from));
            sum += pages;
            next = rest;
            if next.is_some() {
                scheduler::cond_resched();
            }
        }
        sum
    }
}
