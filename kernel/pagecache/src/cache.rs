//! The cached pages of one file.

use alloc::sync::Arc;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use abi::Errno;
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use memory::{FrameHandle, fallible};
use mm::{AT_HAND, Frame, PageError, Revocation};
use sched::space::mappings;
use sched::wait::WaitQueue;
use sched::{SleepingMutex, SleepingMutexGuard, deferred_free, scheduler};

use crate::errors::{ErrorSeen, WriteErrors};
use crate::page::{CachedPage, PageFlags};
use crate::reclaim::{self, Marks};
use crate::store::PageStore;
use crate::{PAGE, writeback};

/// Pages looked at, or given back, under one hold of the lock.
pub const BATCH: usize = 64;

/// Pages of all files.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How many pages all files have in the cache.
pub fn cached_pages() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// A file whose pages are cached.
pub struct CachedFile {
    pub(crate) store: Arc<dyn PageStore>,
    pub(crate) state: Mutex<CacheState, { rank::PAGES }>,
    /// Who waits for pages that are coming.
    pub(crate) arrived: WaitQueue,
    /// Keeps other writers out.
    writer: SleepingMutex,
    /// Held by whoever writes pages back: those who come behind it find everything written that was dirty before.
    pub(crate) write_back_turn: SleepingMutex,
    /// What went wrong with that.
    pub(crate) errors: WriteErrors,
    /// [`PageSource`](mm::PageSource)s that show it.
    mappings: AtomicUsize,
    /// When its first dirty page became so, in ticks; 0 for none.
    pub(crate) dirty_since: AtomicU64,
}

pub(crate) struct CacheState {
    pub(crate) size: u64,
    pub(crate) pages: Map<u64, CachedPage>,
    pub(crate) dirty: usize,
    /// Pages that nobody reads in or maps now: see `cut`.
    pub(crate) cut: Option<Range<u64>>,
    /// The last page that could not be read, for the fault that wants it.
    pub(crate) failed: Option<(u64, Errno)>,
}

impl CachedFile {
    /// A file of `size` bytes, of which no page is here.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(store: Arc<dyn PageStore>, size: u64) -> Result<Arc<CachedFile>, Errno> {
        let file = fallible::arc_with(|| CachedFile {
            store,
            state: Mutex::new(CacheState {
                size,
                pages: Map::new(),
                dirty: 0,
                cut: None,
                failed: None,
            }),
            arrived: WaitQueue::new(),
            writer: SleepingMutex::new(),
            write_back_turn: SleepingMutex::new(),
            errors: WriteErrors::new(),
            mappings: AtomicUsize::new(0),
            dirty_since: AtomicU64::new(0),
        })?;
        reclaim::add(&file)?;
        Ok(file)
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.state.lock().size
    }

    /// Pages that are here.
    pub fn page_count(&self) -> u64 {
        self.state.lock().pages.len() as u64
    }

    /// Keeps other writers out. To be held over [`CachedFile::write`].
    ///
    /// # Errors
    /// An error if the process is to end before its turn.
    pub fn writer(&self) -> Result<SleepingMutexGuard<'_>, Errno> {
        self.writer.lock()
    }

    /// From now on an open file is told of errors.
    pub fn sample_errors(&self) -> ErrorSeen {
        self.errors.sample()
    }

    /// Whether page `index` is here.
    pub fn has_page(&self, index: u64) -> bool {
        let state = self.state.lock();
        state
            .pages
            .get(&index)
            .is_some_and(|page| !page.has(PageFlags::COMING))
    }

    /// The frame of page `index` for a mapping, with one reference for the caller. `wanted`: what is to be noted of it.
    ///
    /// # Errors
    /// [`PageError::NotYet`]: it has to be read, by [`CachedFile::wait_for_page`]. Else what [`PageError`] says.
    pub(crate) fn page(self: &Arc<Self>, index: u64, wanted: PageFlags) -> Result<Frame, PageError> {
        let mut state = self.state.lock();
        if index >= state.size.div_ceil(PAGE) {
            return Err(PageError::BeyondEnd);
        }
        match state.pages.get(&index) {
            // A page that is about to go must not be mapped any more.
            _ if state.is_cut(index) => Err(PageError::NotYet),
            Some(page) if !page.has(PageFlags::COMING) => {
                page.set(PageFlags::ACCESSED | wanted);
                let frame = page.frame.clone();
                if wanted.contains(PageFlags::MAY_BE_STORED_TO) {
                    self.mark_dirty(&mut state, index)
                        .map_err(|_| PageError::NoMemory)?;
                }
                Ok(frame.into_reference())
            }
            Some(_) => Err(PageError::NotYet),
            None => match state.failed {
                Some((failed, error)) if failed == index => {
                    state.failed = None;
                    Err(match error {
                        Errno::ENOMEM => PageError::NoMemory,
                        _ => PageError::BeyondEnd,
                    })
                }
                _ => Err(PageError::NotYet),
            },
        }
    }

    /// Gives the frames of pages that are here, see [`PageSource::pages_at_hand`](mm::PageSource::pages_at_hand).
    pub(crate) fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        let state = self.state.lock();
        let end = state
            .size
            .div_ceil(PAGE)
            .min(first.saturating_add(AT_HAND as u64));
        let present = state.pages.range(first..).take_while(|(index, _)| **index < end);
        let is_here = |index: u64, page: &CachedPage| !page.has(PageFlags::COMING) && !state.is_cut(index);
        for (index, page) in present.filter(|(index, page)| is_here(**index, page)) {
            let nth = (index - first) as usize;
            if wanted >> nth & 1 != 0 {
                page.set(PageFlags::ACCESSED);
                found[nth] = Some(page.frame.clone().into_reference());
            }
        }
    }

    /// Notes that a page that is here is to be written back.
    ///
    /// # Errors
    /// `ENOMEM`: there is no place to note it.
    pub(crate) fn mark_dirty(self: &Arc<Self>, state: &mut CacheState, index: u64) -> Result<(), Errno> {
        let Some(page) = state.pages.get(&index) else {
            return Ok(());
        };
        if page.has(PageFlags::DIRTY) {
            return Ok(());
        }
        if state.dirty == 0 {
            writeback::note(self)?;
        }
        page.set(PageFlags::DIRTY);
        state.dirty += 1;
        writeback::count_dirty();
        Ok(())
    }

    /// Puts a page in its place, unless there is one.
    ///
    /// # Errors
    /// `EEXIST`, `ENOMEM`.
    pub(crate) fn add(&self, state: &mut CacheState, index: u64, page: CachedPage) -> Result<(), Errno> {
        if state.pages.contains_key(&index) {
            return Err(Errno::EEXIST);
        }
        memory::get().frames().note_object(page.frame.frame());
        state.pages.insert(index, page)?;
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes a page out.
    pub(crate) fn remove(&self, state: &mut CacheState, index: u64) -> Option<FrameHandle> {
        let page = state.pages.remove(&index)?;
        COUNT.fetch_sub(1, Ordering::Relaxed);
        if page.has(PageFlags::DIRTY) {
            state.dirty -= 1;
            writeback::uncount_dirty(1);
        }
        Some(page.frame)
    }

    /// Sets the size, as truncate(2): pages behind it go, from whoever maps them too, and bytes added are zeros. The caller holds
    /// [`CachedFile::writer`], and tells the store.
    ///
    /// # Errors
    /// `ENOMEM`, or an error because the process is to end: the size is then as it was.
    pub fn set_size(self: &Arc<Self>, size: u64) -> Result<(), Errno> {
        let old = core::mem::replace(&mut self.state.lock().size, size);
        if size >= old {
            return Ok(());
        }
        let pages = size.div_ceil(PAGE)..u64::MAX;
        if let Err(error) = self.revoke(pages.clone(), Copies::Taken) {
            self.state.lock().size = old;
            return Err(error);
        }
        // Whoever writes pages back has done with those that go.
        let _turn = self.write_back_turn.lock_uninterruptible();
        self.clear_tail(size);
        self.drop_pages(pages);
        Ok(())
    }

    /// The first page of a range that was written to and is not on the disk yet.
    pub fn next_unwritten(&self, range: Range<u64>) -> Option<u64> {
        let state = self.state.lock();
        let is_unwritten = |page: &CachedPage| page.has(PageFlags::DIRTY) || page.has(PageFlags::WRITING);
        let mut pages = state.pages.range(range.start..);
        let found = pages.find(|(index, page)| **index >= range.end || is_unwritten(page));
        found.map(|(index, _)| *index).filter(|index| *index < range.end)
    }

    /// Whether some page is to be written back.
    pub fn has_dirty_pages(&self) -> bool {
        self.state.lock().dirty > 0
    }

    /// Forgets all pages, dirty or not: the file is no more.
    pub fn discard(&self) {
        let _turn = self.write_back_turn.lock_uninterruptible();
        self.drop_pages(0..u64::MAX);
    }

    /// Zeroes what lies behind the end in its last page, if that is here.
    fn clear_tail(&self, size: u64) {
        let offset = (size % PAGE) as usize;
        let state = self.state.lock();
        if offset > 0
            && let Some(page) = state.pages.get(&(size / PAGE))
        {
            platform::frame::zero(page.frame.frame(), offset, mm::PAGE_SIZE - offset);
        }
    }

    /// Forgets the pages of a range, dirty or not, but for those that are coming. Whoever maps some keeps his frames.
    pub fn drop_pages(&self, range: Range<u64>) {
        let mut from = range.start;
        loop {
            let mut gone = arrayvec::ArrayVec::<FrameHandle, BATCH>::new();
            {
                let mut state = self.state.lock();
                let some: arrayvec::ArrayVec<u64, BATCH> = state
                    .pages
                    .range(from..)
                    .take_while(|(index, _)| **index < range.end)
                    .map(|(index, _)| *index)
                    .take(BATCH)
                    .collect();
                let Some(last) = some.last() else {
                    return;
                };
                from = last + 1;
                for index in some {
                    let is_coming = |page: &CachedPage| page.has(PageFlags::COMING);
                    if !state.pages.get(&index).is_some_and(is_coming) {
                        gone.extend(self.remove(&mut state, index));
                    }
                }
            }
            drop(gone);
            scheduler::cond_resched();
        }
    }

    /// Forgets the pages that are not dirty and that nobody maps.
    pub fn forget(&self) {
        let mut from = Some(0);
        while let Some(at) = from {
            from = self.give_back(at, Marks::Ignored).1;
            scheduler::cond_resched();
        }
    }

    /// Takes pages from whoever maps them.
    ///
    /// # Errors
    /// `ENOMEM`, or an error because the process is to end.
    pub(crate) fn revoke(&self, pages: Range<u64>, takes_copies: Copies) -> Result<(), Errno> {
        if self.mappings.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        mappings::revoke(&Revocation {
            object: self.object(),
            pages,
            takes_copies: takes_copies == Copies::Taken,
        })
    }

    /// A number that no other file has at the same time.
    pub(crate) fn object(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Whether address spaces may show it.
    pub(crate) fn is_mapped(&self) -> bool {
        self.mappings.load(Ordering::Relaxed) > 0
    }

    /// Something is made that shows the file to address spaces.
    pub(crate) fn note_mapping(&self) {
        self.mappings.fetch_add(1, Ordering::Relaxed);
    }

    /// The last address space lets go of it.
    pub(crate) fn note_unmapping(&self) {
        self.mappings.fetch_sub(1, Ordering::Release);
    }
}

/// What becomes of the private copies that programs have of pages that are taken from them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// They go too: the file ends before them.
    Taken,
    /// They stay.
    Kept,
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let pages = core::mem::replace(&mut state.pages, Map::new());
        COUNT.fetch_sub(pages.len(), Ordering::Relaxed);
        writeback::uncount_dirty(state.dirty);
        deferred_free::lay_aside(CachedPages(pages));
    }
}

/// The pages of a file that nobody has any more.
struct CachedPages(Map<u64, CachedPage>);

impl deferred_free::Pages for CachedPages {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn release_one(&mut self) {
        drop(self.0.pop_first());
    }
}
