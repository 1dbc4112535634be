//! The page cache of a regular file, which is the file: one frame for each page that was ever written or mapped;
//! a page without a frame is a hole and reads as zeros.
//!
//! mmap(2) maps these very frames ([`PageCache::page`]), so shared mappings and read(2) see each other's bytes, and
//! program text exists once. Bytes behind the end of the file in its last page are made zero whenever the end moves up.

mod shrink;

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::AtomicUsize;

use abi::Errno;
use abi::file::SealFlags;
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use mm::{AT_HAND, Frame, PAGE_SIZE, PageError};

use super::seals::Seals;
use memory::{self, FrameHandle};
use sched::deferred_free;
use sched::scheduler;
use sched::{SleepingMutex, SleepingMutexGuard};
use uaccess::{Sink, Source};
use vfs::inode_ops::{Seek, SizeChange};
use vfs::super_block::SuperBlock;

const PAGE: u64 = PAGE_SIZE as u64;

/// Pages given back, or looked at, under one hold of the lock.
const BATCH: usize = 64;

/// The bytes of a regular file, page by page.
pub struct PageCache {
    filesystem: Arc<SuperBlock>,
    state: Mutex<PageCacheState, { rank::PAGES }>,
    writer: SleepingMutex,
    /// What may not be changed any more.
    pub seals: Seals,
    /// [`PageSource`](mm::PageSource)s that show it.
    mappings: AtomicUsize,
}

struct PageCacheState {
    size: u64,
    pages: Map<u64, FrameHandle>,
}

impl PageCacheState {
    /// Which bytes of its page a read at `at` takes next that wants some, where they begin and how many; `None` at the end of the file.
    #[inline]
    fn part(&self, at: u64, wanted: usize) -> Option<(usize, usize)> {
        let left = self.size.checked_sub(at).filter(|left| *left > 0)?;
        let offset = (at % PAGE) as usize;
        let len = wanted
            .min(PAGE_SIZE - offset)
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        Some((offset, len))
    }
}

impl PageCache {
    /// An empty file of that filesystem, which gets no seals.
    pub fn new(filesystem: &Arc<SuperBlock>) -> Self {
        Self::with_seals(filesystem, SealFlags::F_SEAL_SEAL)
    }

    /// An empty file with these seals.
    pub fn with_seals(filesystem: &Arc<SuperBlock>, seals: SealFlags) -> Self {
        let state = Mutex::new(PageCacheState {
            size: 0,
            pages: Map::new(),
        });
        PageCache {
            filesystem: filesystem.clone(),
            state,
            writer: SleepingMutex::new(),
            seals: Seals::new(seals),
            mappings: AtomicUsize::new(0),
        }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.state.lock().size
    }

    /// Pages that are not holes.
    pub fn page_count(&self) -> u64 {
        self.state.lock().pages.len() as u64
    }

    /// Reads from `at` until the end of the file or until `to` is full. Takes no lock while it copies.
    ///
    /// # Errors
    /// What `to` says of the first bytes: `EFAULT`.
    pub fn read(&self, at: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut done = 0;
        loop {
            let (at, wanted) = (at + done as u64, to.room());
            if wanted == 0 {
                break;
            }
            let state = self.state.lock();
            let Some((offset, len)) = state.part(at, wanted) else {
                break;
            };
            let frame = state.pages.get(&(at / PAGE)).cloned();
            drop(state);
            let result = match &frame {
                Some(frame) => to.put_frame(frame.frame(), offset, len),
                None => to.put(&ZEROS[..len]),
            };
            match result {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Keeps other writers out. To be held over [`PageCache::write`].
    ///
    /// # Errors
    /// An error if the process is to end before its turn.
    pub fn writer(&self) -> Result<SleepingMutexGuard<'_>, Errno> {
        self.writer.lock()
    }

    /// Writes at `at` and returns how many bytes were taken. The caller holds [`PageCache::writer`] and has checked
    /// that the write ends at or below `MAX_FILE_SIZE`.
    ///
    /// # Errors
    /// `ENOSPC` if the filesystem or the memory is full, `EFAULT`.
    pub fn write(&self, at: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        self.clear_gap(at);
        let mut done = 0;
        while from.left() > 0 {
            match self.write_page(at + done as u64, from) {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_page(&self, at: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        let offset = (at % PAGE) as usize;
        let len = from.left().min(PAGE_SIZE - offset);
        let frame = self.frame(at / PAGE)?;
        let copied = from.take_into_frame(frame.frame(), offset, len)?;
        memory::get().frames().note_kernel_write(frame.frame());
        self.grow(at + copied as u64);
        Ok(copied)
    }

    /// The frame of that page, made if it is a hole, for who writes: it may lie behind the end. The caller holds
    /// [`PageCache::writer`].
    fn frame(&self, index: u64) -> Result<FrameHandle, Errno> {
        self.find_or_make(index, |_| true).map_err(|_| Errno::ENOSPC)
    }

    /// The frame of that page, made if it is a hole, as long as `is_inside` says of the state that the page is wanted. The
    /// page is made with no lock held; whoever comes first keeps his.
    fn find_or_make(
        &self,
        index: u64,
        is_inside: impl Fn(&PageCacheState) -> bool,
    ) -> Result<FrameHandle, PageError> {
        let mut made = None;
        loop {
            {
                let mut state = self.state.lock();
                if !is_inside(&state) {
                    return Err(PageError::BeyondEnd);
                }
                if let Some(frame) = state.pages.get(&index) {
                    return Ok(frame.clone());
                }
                if let Some(frame) = made.take() {
                    return self.add(&mut state, index, frame);
                }
            }
            made = Some(FrameHandle::allocate().map_err(|_| PageError::NoMemory)?);
        }
    }

    fn add(
        &self,
        state: &mut PageCacheState,
        index: u64,
        frame: FrameHandle,
    ) -> Result<FrameHandle, PageError> {
        if !self.filesystem.charge_page() {
            return Err(PageError::NoSpace);
        }
        if state.pages.insert(index, frame.clone()).is_err() {
            self.filesystem.discharge_pages(1);
            return Err(PageError::NoMemory);
        }
        memory::get().frames().note_object(frame.frame());
        Ok(frame)
    }

    /// What lies between the end of the file and `at` becomes zeros: it is about to be inside the file.
    fn clear_gap(&self, at: u64) {
        let mut state = self.state.lock();
        if at > state.size {
            state.clear_tail(at);
        }
    }

    /// Moves the end of the file up to `size`, if it is lower. What comes inside was written or cleared.
    fn grow(&self, size: u64) {
        let mut state = self.state.lock();
        state.size = state.size.max(size);
    }

    /// Gives back the pages of a range, a few at a time. The caller holds [`PageCache::writer`] and no lock.
    fn give_back(&self, range: Range<u64>) {
        loop {
            let mut gone = [const { None }; BATCH];
            let count = self.state.lock().take_some(&range, &mut gone);
            drop(gone);
            self.filesystem.discharge_pages(count as u64);
            if count < BATCH {
                return;
            }
            // Even a process that is to end brings this to its end: the file is not to be left in between.
            scheduler::cond_resched();
        }
    }

    /// Gives all pages of `start..end` frames (fallocate(2), mode 0).
    ///
    /// # Errors
    /// `ENOSPC`, `EPERM` if a seal forbids to grow.
    pub fn allocate(&self, start: u64, end: u64, wanted: SizeChange) -> Result<(), Errno> {
        let _writer = self.writer.lock()?;
        let size = self.size();
        self.seals.check_resize(size, size.max(end))?;
        for index in start / PAGE..end.div_ceil(PAGE) {
            scheduler::cond_resched_killable()?;
            self.frame(index)?;
        }
        if wanted == SizeChange::Grow {
            self.clear_gap(end);
            self.grow(end);
        }
        Ok(())
    }

    /// Whether page `index` is no hole.
    pub fn has_page(&self, index: u64) -> bool {
        self.state.lock().pages.contains_key(&index)
    }

    /// The next offset from `at` on that is data or hole: lseek(2), `SEEK_DATA` and `SEEK_HOLE`. `None` behind the end or, for
    /// data, where none follows. No lock may be held.
    pub fn seek(&self, at: u64, data: Seek) -> Option<u64> {
        let mut index = at / PAGE;
        loop {
            let state = self.state.lock();
            if at >= state.size {
                return None;
            }
            if data == Seek::Data {
                let (index, _) = state.pages.range(index..).next()?;
                return Some(at.max(index * PAGE)).filter(|found| *found < state.size);
            }
            let run = state.pages.range(index..).take(BATCH).zip(index..);
            let len = run.take_while(|((page, _), expected)| *page == expected).count();
            index += len as u64;
            if len < BATCH {
                return Some(at.max(index * PAGE).min(state.size));
            }
            drop(state);
            scheduler::cond_resched();
        }
    }

    /// The frame of page `index` for a mapping; a hole gets one. The end of the file is looked at under the same lock:
    /// a truncate on another processor leaves no page behind it.
    ///
    /// # Errors
    /// [`PageError`]: behind the end, no memory, or no room in the file system.
    pub fn page(&self, index: u64) -> Result<FrameHandle, PageError> {
        self.find_or_make(index, |state| index < state.size.div_ceil(PAGE))
    }

    /// Gives the frames of pages that are no holes, see [`PageSource::pages_at_hand`](mm::PageSource::pages_at_hand).
    pub fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        let state = self.state.lock();
        let end = state
            .size
            .div_ceil(PAGE)
            .min(first.saturating_add(AT_HAND as u64));
        let present = state.pages.range(first..).take_while(|(index, _)| **index < end);
        for (index, frame) in present {
            let nth = (index - first) as usize;
            if wanted >> nth & 1 != 0 {
                found[nth] = Some(frame.clone().into_reference());
            }
        }
    }
}

static ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

impl PageCacheState {
    /// Takes out some pages of a range; all of them if fewer than [`BATCH`]. How many.
    fn take_some(&mut self, range: &Range<u64>, gone: &mut [Option<FrameHandle>; BATCH]) -> usize {
        for (count, place) in gone.iter_mut().enumerate() {
            let first = self.pages.range(range.start..).next().map(|(index, _)| *index);
            let Some(index) = first.filter(|index| *index < range.end) else {
                return count;
            };
            *place = self.pages.remove(&index);
        }
        BATCH
    }

    /// Zeroes what lies behind the end of the file in its last page, up to `to`.
    fn clear_tail(&mut self, to: u64) {
        let end = self.size.next_multiple_of(PAGE);
        self.clear(self.size, end.min(to));
    }

    /// Zeroes `start..end`, which lie in one page.
    fn clear(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if let Some(frame) = self.pages.get(&(start / PAGE)) {
            platform::frame::zero(frame.frame(), (start % PAGE) as usize, (end - start) as usize);
        }
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        let pages = core::mem::replace(&mut self.state.get_mut().pages, Map::new());
        self.filesystem.discharge_pages(pages.len() as u64);
        deferred_free::lay_aside(pages);
    }
}
