//! Writing back what is dirty: by age, by share, and when somebody asks.

use alloc::sync::Arc;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use abi::Errno;
use lock::{Mutex, rank};
use memory::FrameHandle;
use memory::fallible::TryVec;
use mm::PAGE_SIZE;
use platform::timer;
use sched::scheduler;
use sched::time::{self, SECOND};
use sched::wait::WaitQueue;
use spin::Once;
use vfs::file_ops::Io;
use vfs::mount;

use crate::PAGE;
use crate::cache::{CachedFile, Copies};
use crate::page::PageFlags;

/// Pages written at once.
const RUN: usize = 32;
/// How often it is looked for pages that are old enough, and how old that is: `dirty_writeback_centisecs`, `dirty_expire_centisecs`.
const PERIOD: u64 = 5 * SECOND;
const OLD: u64 = 30 * SECOND;
/// Pages of memory for each that may be dirty before writers have to wait (`dirty_ratio`), and before writing back begins
/// (`dirty_background_ratio`).
const LIMIT_PART: usize = 10;
const BACKGROUND_PART: usize = 20;
/// For how long a writer waits at a time for others' pages to be written, in nanoseconds.
const PAUSE: u64 = SECOND / 10;

/// Dirty pages of all files.
static DIRTY: AtomicUsize = AtomicUsize::new(0);
/// Pages that are being written.
static WRITING: AtomicUsize = AtomicUsize::new(0);
/// Files that have some. Each is held here until it has none.
static FILES: Mutex<Vec<Arc<CachedFile>>, { rank::PAGE_LISTS }> = Mutex::new(Vec::new());
/// Who writes back, while there is nothing to do.
static WORKER: WaitQueue = WaitQueue::new();
/// Writers who wait until fewer pages are dirty.
static WRITERS: WaitQueue = WaitQueue::new();

/// How many pages are dirty.
pub fn dirty_pages() -> usize {
    DIRTY.load(Ordering::Relaxed)
}

/// How many pages are being written.
pub fn written_pages() -> usize {
    WRITING.load(Ordering::Relaxed)
}

pub(crate) fn count_dirty() {
    DIRTY.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn uncount_dirty(count: usize) {
    DIRTY.fetch_sub(count, Ordering::Relaxed);
}

/// So many pages may be dirty at a time.
fn share(part: usize) -> usize {
    platform::memory::ram_bytes() as usize / PAGE_SIZE / part
}

/// The file has its first dirty page. Called with its pages locked.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn note(file: &Arc<CachedFile>) -> Result<(), Errno> {
    if file.dirty_since.load(Ordering::Relaxed) != 0 {
        return Ok(()); // it stands there still
    }
    FILES.lock().try_push(file.clone())?;
    file.dirty_since.store(timer::ticks().max(1), Ordering::Relaxed);
    Ok(())
}

/// Whether a writer waits until fewer pages are dirty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriterPace {
    /// He does.
    Waits,
    /// He writes his own back, and goes on: what he writes is another file's page on its way to the disk, and nothing else would make
    /// that one clean.
    GoesOn,
}

impl WriterPace {
    /// That of such a write.
    pub fn of(io: &Io) -> WriterPace {
        if io.is_below_another() {
            WriterPace::GoesOn
        } else {
            WriterPace::Waits
        }
    }
}

/// Lets a writer go on when not too many pages are dirty; else he writes his own.
///
/// # Errors
/// `EINTR`: the process is to end.
pub(crate) fn balance(file: &Arc<CachedFile>, pace: WriterPace) -> Result<(), Errno> {
    if dirty_pages() < share(BACKGROUND_PART) {
        return Ok(());
    }
    WORKER.wake_all();
    while dirty_pages() >= share(LIMIT_PART) {
        // What goes wrong is told by fsync(2).
        let _ = file.sync(0..u64::MAX);
        if pace == WriterPace::GoesOn {
            return Ok(());
        }
        let is_fewer = || (dirty_pages() < share(LIMIT_PART)).then_some(());
        WRITERS.wait_killable_deadline(Some(time::deadline_after(PAUSE)), is_fewer)?;
    }
    Ok(())
}

/// Writes back for ever what is old, and everything while much is dirty. The work of a thread of the kernel's own.
pub fn run() -> ! {
    loop {
        let is_much = || (dirty_pages() >= share(BACKGROUND_PART) || has_chore()).then_some(());
        let wait = WORKER.wait_uninterruptible(Some(time::deadline_after(PERIOD)), is_much);
        if let Some(chore) = CHORE.get() {
            (chore.work)();
        }
        let is_pressed = wait.is_some();
        let now = timer::ticks();
        let old = timer::nanos_to_ticks(OLD);
        write_files(|file| {
            let since = file.dirty_since.load(Ordering::Relaxed);
            is_pressed || now.saturating_sub(since) >= old
        });
        mount::commit_all();
    }
}

/// What else is done by the thread that writes back: it may sleep.
pub(crate) struct Chore {
    /// Whether there is something to do.
    pub is_due: fn() -> bool,
    /// Does it.
    pub work: fn(),
}

static CHORE: Once<Chore> = Once::new();

/// Says what. Once, at boot.
pub(crate) fn set_chore(chore: Chore) {
    CHORE.call_once(|| chore);
}

fn has_chore() -> bool {
    CHORE.get().is_some_and(|chore| (chore.is_due)())
}

/// Wakes who writes back: there is something to do.
pub fn wake() {
    WORKER.wake_all();
}

/// Writes everything back. What goes wrong is told to those who have the files open.
pub fn sync_all() {
    write_files(|_| true);
}

/// Writes back the files that `is_due` says, each once.
fn write_files(is_due: impl Fn(&CachedFile) -> bool) {
    let count = FILES.lock().len();
    // The last one first: one that has no dirty page left goes from the list.
    for index in (0..count).rev() {
        let file = FILES.lock().get(index).cloned();
        if let Some(file) = file.filter(|file| is_due(file)) {
            // Told by fsync(2).
            let _ = file.sync(0..u64::MAX);
        }
        scheduler::cond_resched();
    }
}

/// Pages of one run.
#[derive(Default)]
struct Run {
    first: u64,
    pages: ArrayVec<FrameHandle, RUN>,
    may_be_stored_to: bool,
}

impl CachedFile {
    /// Writes back what is dirty of a range of pages; what was being written is written when it returns. The store has it then, and may
    /// still lose it.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `ENOMEM`: the first of several; noted for those who have the file open.
    pub fn sync(&self, range: Range<u64>) -> Result<(), Errno> {
        let _turn = self.write_back_turn.lock_uninterruptible();
        let mut result = Ok(());
        let mut from = range.start;
        while let Some(run) = self.take_run(from..range.end) {
            from = run.first + run.pages.len() as u64;
            result = result.and(self.write_run(&run));
            WRITERS.wake_all();
            scheduler::cond_resched();
        }
        self.leave_list();
        result
    }

    /// As [`CachedFile::sync`], and then the store keeps it: fsync(2).
    ///
    /// # Errors
    /// As of [`CachedFile::sync`]; what went wrong since `seen` was last told.
    pub fn fsync(&self, range: Range<u64>, seen: &crate::ErrorSeen) -> Result<(), Errno> {
        // An error of these pages is noted, and told below.
        let _ = self.sync(range);
        self.store
            .commit()
            .inspect_err(|error| self.errors.note(*error))
            .ok();
        self.errors.check(seen)
    }

    /// Takes the next dirty pages that follow each other: they are being written from now on.
    fn take_run(&self, range: Range<u64>) -> Option<Run> {
        let mut state = self.state.lock();
        if state.dirty == 0 {
            return None;
        }
        let mut run = Run::default();
        let mut looked = 0;
        for (index, page) in state.pages.range(range.start..) {
            let is_next = run.pages.is_empty() || *index == run.first + run.pages.len() as u64;
            if *index >= range.end || run.pages.is_full() || !is_next {
                break;
            }
            if page.has(PageFlags::DIRTY) {
                if run.pages.is_empty() {
                    run.first = *index;
                }
                run.may_be_stored_to |= page.has(PageFlags::MAY_BE_STORED_TO);
                page.clear(PageFlags::DIRTY | PageFlags::MAY_BE_STORED_TO);
                page.set(PageFlags::WRITING);
                run.pages.push(page.frame.clone());
            } else if !run.pages.is_empty() {
                break;
            }
            looked += 1;
            if looked > LOOKED && run.pages.is_empty() {
                run.first = *index + 1;
                return Some(run);
            }
        }
        if run.pages.is_empty() {
            return None;
        }
        state.dirty -= run.pages.len();
        uncount_dirty(run.pages.len());
        WRITING.fetch_add(run.pages.len(), Ordering::Relaxed);
        Some(run)
    }

    fn write_run(&self, run: &Run) -> Result<(), Errno> {
        let pages = run.first..run.first + run.pages.len() as u64;
        if run.pages.is_empty() {
            return Ok(());
        }
        let revoked = if run.may_be_stored_to {
            self.revoke(pages.clone(), Copies::Kept)
        } else {
            Ok(())
        };
        let size = self.size();
        let written = if run.first >= size.div_ceil(PAGE) {
            Ok(()) // cut off meanwhile
        } else {
            self.store.write(run.first, &run.pages, size)
        };
        if let Err(error) = written {
            self.errors.note(error);
        }
        self.end_writing(pages.clone());
        if revoked.is_err() {
            self.mark_stored_to(pages);
        }
        written
    }

    /// The pages are written, or lost.
    fn end_writing(&self, pages: Range<u64>) {
        WRITING.fetch_sub((pages.end - pages.start) as usize, Ordering::Relaxed);
        let state = self.state.lock();
        for page in pages.filter_map(|index| state.pages.get(&index)) {
            page.clear(PageFlags::WRITING);
        }
    }

    /// Somebody may still store to the pages: they are dirty again.
    fn mark_stored_to(&self, pages: Range<u64>) {
        let mut state = self.state.lock();
        for index in pages {
            let Some(page) = state.pages.get(&index) else {
                continue;
            };
            if !page.has(PageFlags::DIRTY) {
                page.set(PageFlags::DIRTY | PageFlags::MAY_BE_STORED_TO);
                state.dirty += 1;
                count_dirty();
            }
        }
    }

    /// A file without dirty pages is not held any more.
    fn leave_list(&self) {
        let left = {
            let state = self.state.lock();
            if state.dirty > 0 || self.dirty_since.load(Ordering::Relaxed) == 0 {
                None
            } else {
                self.dirty_since.store(0, Ordering::Relaxed);
                let mut files = FILES.lock();
                let place = files
                    .iter()
                    .position(|file| core::ptr::eq(Arc::as_ptr(file), self));
                place.map(|place| files.swap_remove(place))
            }
        };
        // Whoever calls holds it too: this is not the last reference.
        drop(left);
    }
}

/// Pages that are looked at under one hold of the lock.
const LOOKED: usize = 256;
