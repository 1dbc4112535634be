//! Writing into pages. What is written is dirty, and comes to the store later.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use memory::FrameHandle;
use mm::{Frame, PAGE_SIZE};
use platform::frame;
use sched::scheduler;
use uaccess::Source;

use crate::cache::CachedFile;
use crate::page::{CachedPage, PageFlags};
use crate::writeback::WriterPace;
use crate::{PAGE, reclaim, writeback};

/// Bytes for which room is made at once.
const RESERVED: u64 = 1 << 20;
/// Bytes copied from frame to frame at once.
const PIECE: usize = 512;

impl CachedFile {
    /// Writes `most` bytes at `at`; how many were taken. The caller holds [`CachedFile::writer`].
    ///
    /// # Errors
    /// `ENOSPC`, `EIO`, `ENOMEM`, `EFAULT`; `EINTR` if the process is to end.
    pub fn write(
        self: &Arc<Self>,
        at: u64,
        from: &mut dyn Source,
        most: usize,
        pace: WriterPace,
    ) -> Result<usize, Errno> {
        let most = most.min(from.left());
        self.clear_gap(at)?;
        let mut done = 0;
        let mut reserved = at;
        while done < most {
            let from_here = at + done as u64;
            if from_here >= reserved {
                reserved = match self.reserve(from_here, (most - done) as u64) {
                    Ok(reserved) => reserved,
                    Err(error) if done == 0 => return Err(error),
                    Err(_) => break,
                };
            }
            let room = ((reserved - from_here) as usize).min(most - done);
            match self.write_page(from_here, from, room) {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            if let Err(error) =
                writeback::balance(self, pace).and_then(|()| scheduler::cond_resched_killable())
            {
                return if done == 0 { Err(error) } else { Ok(done) };
            }
        }
        Ok(done)
    }

    /// Room for `wanted` bytes at `at`, or fewer; up to where.
    fn reserve(&self, at: u64, wanted: u64) -> Result<u64, Errno> {
        let end = at + wanted.min(RESERVED - at % RESERVED);
        match self.store.reserve(at, end) {
            Err(Errno::ENOSPC) => {
                // There may be room for less.
                let end = at + wanted.min(PAGE - at % PAGE);
                self.store.reserve(at, end).map(|()| end)
            }
            reserved => reserved.map(|()| end),
        }
    }

    fn write_page(self: &Arc<Self>, at: u64, from: &mut dyn Source, most: usize) -> Result<usize, Errno> {
        let (index, offset) = (at / PAGE, (at % PAGE) as usize);
        let len = most.min(PAGE_SIZE - offset);
        let end = at + len as u64;
        let is_whole = offset == 0 && (len == PAGE_SIZE || end >= self.size());
        let copied = if self.has_page(index) || !(is_whole || index >= self.size().div_ceil(PAGE)) {
            let frame = self.frame(index, |index| index..index + 1)?;
            from.take_into_frame(frame.frame(), offset, len)?
        } else {
            self.write_new(index, offset..offset + len, from)?
        };
        self.finish_page(at, copied)
    }

    /// Fills a page that is not here without reading it: all of it is written, or it lies behind the end.
    fn write_new(
        self: &Arc<Self>,
        index: u64,
        place: Range<usize>,
        from: &mut dyn Source,
    ) -> Result<usize, Errno> {
        reclaim::leave_room(1);
        let fresh = reclaim::allocate()?;
        let copied = from.take_into_frame(fresh.frame(), place.start, place.len())?;
        let is_behind_end = index >= self.size().div_ceil(PAGE);
        if copied == place.len() || is_behind_end {
            let page = CachedPage::new(fresh.clone(), PageFlags::ACCESSED);
            match self.add(&mut self.state.lock(), index, page) {
                Err(Errno::EEXIST) => {}
                added => return added.map(|()| copied),
            }
        }
        // It came meanwhile, or is not wholly overwritten after all.
        let frame = self.frame(index, |index| index..index + 1)?;
        copy(fresh.frame(), frame.frame(), place.start..place.start + copied);
        Ok(copied)
    }

    /// `copied` bytes were put at `at`, into a page that was here a moment ago.
    fn finish_page(self: &Arc<Self>, at: u64, copied: usize) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        let index = at / PAGE;
        if let Some(page) = state.pages.get(&index) {
            memory::get().frames().note_kernel_write(page.frame.frame());
        }
        self.mark_dirty(&mut state, index)?;
        state.size = state.size.max(at + copied as u64);
        Ok(copied)
    }

    /// What lies between the end of the file and `at` becomes zeros: it is about to be inside the file. The caller holds
    /// [`CachedFile::writer`].
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`, `EINTR`.
    pub fn clear_gap(self: &Arc<Self>, at: u64) -> Result<(), Errno> {
        let size = self.size();
        let offset = (size % PAGE) as usize;
        if at <= size || offset == 0 {
            return Ok(());
        }
        // A mapping may have stored behind the end.
        let frame: FrameHandle = self.frame(size / PAGE, |index| index..index + 1)?;
        frame::zero(frame.frame(), offset, PAGE_SIZE - offset);
        let mut state = self.state.lock();
        self.mark_dirty(&mut state, size / PAGE)
    }
}

/// Copies bytes of one frame to the same place of another.
fn copy(from: Frame, to: Frame, place: Range<usize>) {
    let mut piece = [0; PIECE];
    for at in place.clone().step_by(PIECE) {
        let piece = &mut piece[..PIECE.min(place.end - at)];
        frame::read(from, at, piece);
        frame::write(to, at, piece);
    }
}
