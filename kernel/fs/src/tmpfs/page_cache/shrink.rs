//! How a file loses pages, truncate(2) and punched holes, and whoever maps it with it ([`mappings`]).

use core::ops::Range;
use core::sync::atomic::Ordering;
use core::{mem, ptr};

use abi::Errno;
use mm::Revocation;

use super::{BATCH, PAGE, PageCache};
use memory::{self, FrameHandle};
use sched::scheduler;
use sched::space::mappings;

/// What becomes of the private copies that programs have of pages that a file loses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PrivateCopies {
    /// They go too: the file ends before them.
    Taken,
    /// They stay: the file has a hole there.
    Kept,
}

impl PageCache {
    /// truncate(2): sets the size; pages behind it are given back and taken from whoever maps them, bytes added are
    /// zeros.
    ///
    /// # Errors
    /// `EPERM` if a seal forbids it. `ENOMEM` if a table on the way to such a page could not be copied, or an error
    /// because the process is to end: the size is then as it was.
    pub fn truncate(&self, size: u64) -> Result<(), Errno> {
        let _writer = self.writer.lock()?;
        self.seals.check_resize(self.size(), size)?;
        if size > self.size() {
            self.clear_gap(size);
            self.grow(size);
            return Ok(());
        }
        let pages = size.div_ceil(PAGE)..u64::MAX;
        // First the size: faults find the new end from now on.
        let old = mem::replace(&mut self.state.lock().size, size);
        if let Err(error) = self.revoke(pages.clone(), PrivateCopies::Taken) {
            self.state.lock().size = old;
            return Err(error);
        }
        self.state.lock().clear_tail(size.next_multiple_of(PAGE));
        // Nobody makes pages behind the new end meanwhile: writers wait for the mutex, and a fault finds the end.
        self.give_back(pages);
        Ok(())
    }

    /// Makes `start..end` zeros and gives back the pages that lie wholly in it (fallocate(2), punch hole); who maps
    /// them loses them, but for private copies.
    ///
    /// # Errors
    /// `EPERM` if a seal forbids it. `ENOMEM`, or an error because the process is to end: some of it may be done.
    pub fn punch(&self, start: u64, end: u64) -> Result<(), Errno> {
        let _writer = self.writer.lock()?;
        self.seals.check_punch()?;
        let (first, last) = (start.div_ceil(PAGE), end / PAGE);
        {
            let mut state = self.state.lock();
            state.clear(start, end.min(first * PAGE));
            state.clear(start.max(last * PAGE), end);
        }
        if first >= last {
            return Ok(());
        }
        self.revoke(first..last, PrivateCopies::Kept)?;
        self.give_back_revoked(&(first..last))
    }

    /// As [`PageCache::give_back`], for pages that were taken from whoever maps them, and may have been mapped again meanwhile. The
    /// file holds each of them as long as somebody may map it: so a store to private memory copies it, and the copy stays.
    fn give_back_revoked(&self, range: &Range<u64>) -> Result<(), Errno> {
        let is_mapped = |frame: &FrameHandle| memory::get().frames().count(frame.frame()) > 1;
        loop {
            let mut gone = [const { None }; BATCH];
            let count = self.state.lock().take_some(range, &mut gone);
            let revoked = if gone.iter().flatten().any(is_mapped) {
                self.revoke(range.clone(), PrivateCopies::Kept)
            } else {
                Ok(())
            };
            drop(gone);
            self.filesystem.discharge_pages(count as u64);
            revoked?;
            if count < BATCH {
                return Ok(());
            }
            scheduler::cond_resched();
        }
    }

    /// Takes pages from whoever maps them.
    fn revoke(&self, pages: Range<u64>, copies: PrivateCopies) -> Result<(), Errno> {
        // A mapping that is made after this look has its faults judged by the state of now: both are under the state's lock.
        if self.mappings.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        mappings::revoke(&Revocation {
            object: self.object(),
            pages,
            takes_copies: copies == PrivateCopies::Taken,
        })
    }

    /// A number that no other file has at the same time.
    pub fn object(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Something is made that shows the file to address spaces.
    pub fn note_mapping(&self) {
        self.mappings.fetch_add(1, Ordering::Relaxed);
    }

    /// The last address space lets go of it.
    pub fn note_unmapping(&self) {
        self.mappings.fetch_sub(1, Ordering::Release);
    }
}
