//! Pages that are taken out of the middle of a file: fallocate(2), `FALLOC_FL_PUNCH_HOLE`, `FALLOC_FL_COLLAPSE_RANGE`,
//! `FALLOC_FL_INSERT_RANGE`.
//!
//! As long as a range is *cut*, nobody reads a page of it in: whoever wants one sleeps until the store has given up what it had there,
//! and finds zeros, or what has come there. No fault maps one that is still here. So no page shows what the store had before, or what stands in its place afterwards.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use mm::PAGE_SIZE;
use platform::frame;

use crate::PAGE;
use crate::cache::{CacheState, CachedFile, Copies};

/// Bytes that are compared with zeros at once.
const PIECE: usize = 512;

impl CachedFile {
    /// Makes the bytes `start..end` zeros, gives back their pages and what the store has for them. The caller holds
    /// [`CachedFile::writer`].
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the store has no holes. `EIO`, `ENOSPC`, `ENOMEM`; `EINTR` if the process is to end: some of it may be done.
    pub fn punch(self: &Arc<Self>, start: u64, end: u64) -> Result<(), Errno> {
        let size = self.size();
        let end = end.min(size.next_multiple_of(PAGE));
        if start >= end {
            return Ok(());
        }
        let (first, last) = (start.div_ceil(PAGE), end / PAGE);
        self.clear(start, end.min(first * PAGE))?;
        if last >= first {
            self.clear(last * PAGE, end.min(size))?;
        }
        if first >= last {
            return self.store.punch(start, end);
        }
        self.state.lock().cut = Some(first..last);
        let outcome = self.punch_cut(first..last, start..end);
        self.state.lock().cut = None;
        self.arrived.wake_all();
        outcome
    }

    /// Lets the store give the bytes from `start` on other places, by `change`, behind which the file has `size` bytes. The caller holds
    /// [`CachedFile::writer`].
    ///
    /// # Errors
    /// What `change` says; as of [`CachedFile::sync`]; `ENOMEM`; `EINTR` if the process is to end. Nothing has moved then, or as much as
    /// `change` has.
    pub fn rearrange(
        self: &Arc<Self>,
        start: u64,
        size: u64,
        change: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let pages = start / PAGE..u64::MAX;
        self.state.lock().cut = Some(pages.clone());
        let outcome = self.rearrange_cut(pages, size, change);
        self.state.lock().cut = None;
        self.arrived.wake_all();
        outcome
    }

    fn rearrange_cut(
        &self,
        pages: Range<u64>,
        size: u64,
        change: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        // As Linux: private copies go too.
        self.revoke(pages.clone(), Copies::Taken)?;
        self.sync(pages.clone())?;
        let _turn = self.write_back_turn.lock_uninterruptible();
        self.wait_for_readers(&pages)?;
        self.drop_pages(pages);
        change()?;
        self.state.lock().size = size;
        Ok(())
    }

    /// Pages that were on their way when the range was cut have come; there are no new ones.
    fn wait_for_readers(&self, pages: &Range<u64>) -> Result<(), Errno> {
        let have_come = || (!self.state.lock().is_any_coming(pages)).then_some(());
        Ok(self.arrived.wait_killable(have_come)?)
    }

    fn punch_cut(&self, pages: Range<u64>, bytes: Range<u64>) -> Result<(), Errno> {
        self.revoke(pages.clone(), Copies::Kept)?;
        // Whoever writes pages back has done with those that go.
        let _turn = self.write_back_turn.lock_uninterruptible();
        self.wait_for_readers(&pages)?;
        self.drop_pages(pages.clone());
        self.store.punch(bytes.start, bytes.end)
    }

    /// Makes bytes of one page zeros.
    fn clear(self: &Arc<Self>, start: u64, end: u64) -> Result<(), Errno> {
        if start >= end || start >= self.size() {
            return Ok(());
        }
        let (index, offset, len) = (start / PAGE, (start % PAGE) as usize, (end - start) as usize);
        let page = self.frame(index, |index| index..index + 1)?;
        if is_zero(page.frame(), offset..offset + len) {
            return Ok(());
        }
        self.store.reserve(start, end)?;
        frame::zero(page.frame(), offset, len);
        memory::get().frames().note_kernel_write(page.frame());
        self.mark_dirty(&mut self.state.lock(), index)
    }
}

impl CacheState {
    /// Whether that page must not be read in now.
    pub(crate) fn is_cut(&self, index: u64) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.contains(&index))
    }

    fn is_any_coming(&self, pages: &Range<u64>) -> bool {
        let mut some = self
            .pages
            .range(pages.start..)
            .take_while(|(index, _)| **index < pages.end);
        some.any(|(index, _)| self.is_coming(*index))
    }
}

fn is_zero(frame: mm::Frame, place: Range<usize>) -> bool {
    debug_assert!(place.end <= PAGE_SIZE);
    let mut piece = [0; PIECE];
    place.clone().step_by(PIECE).all(|at| {
        let piece = &mut piece[..PIECE.min(place.end - at)];
        frame::read(frame, at, piece);
        piece.iter().all(|byte| *byte == 0)
    })
}
