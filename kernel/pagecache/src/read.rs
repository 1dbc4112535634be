//! Reading: who wants a page that is not here reads it, and some that follow.

use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::Errno;
use memory::FrameHandle;
use mm::{Interrupted, PAGE_SIZE};
use uaccess::Sink;

use crate::cache::{CacheState, CachedFile};
use crate::page::{CachedPage, PageFlags};
use crate::{PAGE, reclaim};

/// Pages read at once at most.
const MOST: usize = 32;
/// Pages read by one who begins somewhere.
const FIRST_WINDOW: u32 = 4;
/// Pages read for a fault, around it.
const FAULT_WINDOW: u64 = 16;

/// How one open file reads: in a row, or here and there.
pub struct ReadAhead {
    /// The page behind the last one that was wanted.
    next: AtomicU64,
    /// How many to read next time.
    window: AtomicU32,
}

impl Default for ReadAhead {
    fn default() -> Self {
        ReadAhead {
            next: AtomicU64::new(0),
            window: AtomicU32::new(FIRST_WINDOW),
        }
    }
}

impl ReadAhead {
    /// How many pages to read for one who wants page `index`, which is not here: twice as many as last time if he goes on in a row.
    fn window(&self, index: u64) -> usize {
        let is_in_row = self.next.load(Ordering::Relaxed) == index;
        let window = if is_in_row {
            self.window.load(Ordering::Relaxed).min(MOST as u32)
        } else {
            1
        };
        self.window
            .store((window * 2).max(FIRST_WINDOW), Ordering::Relaxed);
        window as usize
    }

    fn note(&self, index: u64) {
        self.next.store(index + 1, Ordering::Relaxed);
    }
}

/// What one page has to give to a read.
struct ReadPart {
    index: u64,
    offset: usize,
    len: usize,
}

impl CachedFile {
    /// Reads from `at` until the end of the file or until `to` is full. Takes no lock while it copies.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`, `EINTR`; what `to` says of the first bytes: `EFAULT`.
    pub fn read(self: &Arc<Self>, at: u64, to: &mut dyn Sink, ahead: &ReadAhead) -> Result<usize, Errno> {
        let mut done = 0;
        while let Some(part) = self.part(at + done as u64, to.room()) {
            let copied = self.copy_part(&part, to, ahead);
            match copied {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            sched::scheduler::cond_resched_killable()?;
        }
        Ok(done)
    }

    fn copy_part(
        self: &Arc<Self>,
        part: &ReadPart,
        to: &mut dyn Sink,
        ahead: &ReadAhead,
    ) -> Result<usize, Errno> {
        let frame = self.frame(part.index, |index| index..index + ahead.window(index) as u64)?;
        ahead.note(part.index);
        to.put_frame(frame.frame(), part.offset, part.len)
    }

    /// The bytes of one page that a read at `at` takes next; `None` at the end of the file or of the wish.
    fn part(&self, at: u64, wanted: usize) -> Option<ReadPart> {
        let left = self.size().checked_sub(at).filter(|left| *left > 0)?;
        let offset = (at % PAGE) as usize;
        let len = wanted
            .min(PAGE_SIZE - offset)
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        (len > 0).then_some(ReadPart {
            index: at / PAGE,
            offset,
            len,
        })
    }

    /// The frame of page `index`, read if it is not here, with those of the range that `window` says.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`; `EINTR` if the process is to end.
    pub(crate) fn frame(
        self: &Arc<Self>,
        index: u64,
        window: impl Fn(u64) -> core::ops::Range<u64>,
    ) -> Result<FrameHandle, Errno> {
        loop {
            {
                let state = self.state.lock();
                match state.pages.get(&index) {
                    Some(page) if !page.has(PageFlags::COMING) => {
                        page.set(PageFlags::ACCESSED);
                        return Ok(page.frame.clone());
                    }
                    Some(_) => {}
                    None if state.is_cut(index) => {}
                    None => {
                        drop(state);
                        self.read_in(index, window(index))?;
                        continue;
                    }
                }
            }
            self.wait_while_coming(index)?;
        }
    }

    fn wait_while_coming(&self, index: u64) -> Result<(), Errno> {
        let is_awaited = |state: &CacheState| state.is_coming(index) || state.is_cut(index);
        let has_come = || (!is_awaited(&self.state.lock())).then_some(());
        Ok(self.arrived.wait_killable(has_come)?)
    }

    /// Reads page `index`, and those of `window` that follow each other around it and are not here.
    fn read_in(self: &Arc<Self>, index: u64, window: core::ops::Range<u64>) -> Result<(), Errno> {
        let end = self
            .size()
            .div_ceil(PAGE)
            .max(index + 1)
            .min(window.end.max(index + 1));
        let wanted = ((end - index.min(window.start)) as usize).min(MOST);
        reclaim::leave_room(wanted);
        let mut pages = ArrayVec::<FrameHandle, MOST>::new();
        let first = self.begin_reading(index, window.start.min(index)..end, &mut pages)?;
        let Some(first) = first else {
            return Ok(()); // another thread was faster
        };
        let result = self.store.read(first, &pages);
        self.end_reading(first, &pages, result);
        self.arrived.wake_all();
        result
    }

    /// Puts empty pages in place; the number of the first, and the pages.
    fn begin_reading(
        &self,
        index: u64,
        range: core::ops::Range<u64>,
        pages: &mut ArrayVec<FrameHandle, MOST>,
    ) -> Result<Option<u64>, Errno> {
        let mut made = ArrayVec::<FrameHandle, MOST>::new();
        made.push(reclaim::allocate()?);
        let wanted = ((range.end - range.start) as usize).min(MOST);
        while made.len() < wanted {
            // Those that are only read ahead may be left out.
            match FrameHandle::allocate() {
                Ok(frame) => made.push(frame),
                Err(_) => break,
            }
        }
        let mut state = self.state.lock();
        if state.pages.contains_key(&index) || state.is_cut(index) {
            return Ok(None);
        }
        let mut first = index;
        let is_free = |state: &CacheState, at: u64| !state.pages.contains_key(&at) && !state.is_cut(at);
        while first > range.start && index - first + 1 < made.len() as u64 && is_free(&state, first - 1) {
            first -= 1;
        }
        for at in first..range.end {
            if made.is_empty() || !is_free(&state, at) {
                break;
            }
            let frame = made.remove(0);
            let page = CachedPage::new(frame.clone(), PageFlags::COMING | PageFlags::ACCESSED);
            if let Err(error) = self.add(&mut state, at, page) {
                if at <= index {
                    for at in first..at {
                        self.remove(&mut state, at);
                    }
                    drop(state);
                    self.arrived.wake_all();
                    return Err(error);
                }
                break;
            }
            pages.push(frame);
        }
        Ok(Some(first))
    }

    /// The pages have come, or not.
    fn end_reading(&self, first: u64, pages: &[FrameHandle], result: Result<(), Errno>) {
        let mut state = self.state.lock();
        let end = state.size.div_ceil(PAGE);
        for (index, frame) in (first..).zip(pages) {
            match result {
                Ok(()) if index < end => {
                    memory::get().frames().note_kernel_write(frame.frame());
                    if let Some(page) = state.pages.get(&index) {
                        page.clear(PageFlags::COMING);
                    }
                }
                _ => drop(self.remove(&mut state, index)),
            }
        }
    }

    /// Reads page `index` for a fault, which is looked at anew behind this.
    ///
    /// # Errors
    /// [`Interrupted`]: the thread is to end.
    pub(crate) fn wait_for_page(self: &Arc<Self>, index: u64) -> Result<(), Interrupted> {
        if index >= self.size().div_ceil(PAGE) {
            return Ok(());
        }
        let window = |index: u64| {
            let start = index - index % FAULT_WINDOW;
            start..start + FAULT_WINDOW
        };
        let come = self.wait_while_coming(index);
        match come.and_then(|()| self.frame(index, window)) {
            Ok(_) => Ok(()),
            Err(Errno::EINTR) => Err(Interrupted),
            Err(error) => {
                self.state.lock().failed = Some((index, error));
                Ok(())
            }
        }
    }
}

impl CacheState {
    pub(crate) fn is_coming(&self, index: u64) -> bool {
        let page = self.pages.get(&index);
        page.is_some_and(|page| page.has(PageFlags::COMING))
    }
}
