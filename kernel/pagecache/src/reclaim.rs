//! Giving pages back. A clock hand goes over the files and their pages: what was looked at since its last round is spared once.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use arrayvec::ArrayVec;

use abi::Errno;
use lock::{Mutex, rank};
use memory::FrameHandle;
use memory::fallible::TryVec;
use mm::{PAGE_SIZE, Revocation};
use sched::scheduler;
use sched::space::mappings;

pub use crate::cache::cached_pages;
use crate::cache::{BATCH, CachedFile};
use crate::page::PageFlags;

/// The part of memory that the cache leaves free, one of so many, and the pages that it leaves free at least: fork, exec and the heap
/// live on them before anybody asks for more.
const FREE_PART: u64 = 32;
const LEAST_FREE: u64 = 1024;
/// Rounds of the hand for one who needs memory: one takes the marks away, the next the pages.
const ROUNDS: usize = 2;
/// Pages that one who needs memory gets at a time.
const WANTED: usize = 64;

struct Files {
    all: Vec<Weak<CachedFile>>,
    /// The file that the hand points to, and the page.
    hand: (usize, u64),
}

static FILES: Mutex<Files, { rank::PAGE_LISTS }> = Mutex::new(Files {
    all: Vec::new(),
    hand: (0, 0),
});

/// There is one more file.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn add(file: &Arc<CachedFile>) -> Result<(), Errno> {
    FILES.lock().all.try_push(Arc::downgrade(file))
}

/// A frame, for which pages are given back if there is none.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn allocate() -> Result<FrameHandle, Errno> {
    FrameHandle::allocate()
        .or_else(|none| {
            let gained = shrink(WANTED);
            if gained > 0 {
                FrameHandle::allocate()
            } else {
                Err(none)
            }
        })
        .map_err(|_| Errno::ENOMEM)
}

/// Gives pages back before `count` more are taken, if little memory is free: the cache does not live on what programs need.
pub(crate) fn leave_room(count: usize) {
    let pages = platform::memory::ram_bytes() / PAGE_SIZE as u64;
    let least = (pages / FREE_PART).max(LEAST_FREE) as usize;
    if memory::free_frames() < least + count {
        shrink(count.max(WANTED));
    }
}

/// Gives back about `wanted` pages that are not dirty; how many. No lock is held; it may sleep.
pub fn shrink(wanted: usize) -> usize {
    let mut gained = 0;
    let mut ends = 0;
    while gained < wanted {
        let Some((file, from)) = next_file(&mut ends) else {
            return gained;
        };
        if let Some(file) = file {
            let (count, next) = file.give_back(from, Marks::Heeded);
            gained += count;
            if count == 0 && ends > ROUNDS / 2 && file.is_mapped() {
                gained += file.give_back_mapped(from);
            }
            advance(next);
        }
        scheduler::cond_resched();
    }
    gained
}

/// The file that the hand points to, and from which page on; `None` inside if it is gone, and outside when the hand was round often
/// enough.
fn next_file(ends: &mut usize) -> Option<(Option<Arc<CachedFile>>, u64)> {
    let mut files = FILES.lock();
    let (index, from) = files.hand;
    if index >= files.all.len() {
        *ends += 1;
        files.hand = (0, 0);
        // The first time it began somewhere in the middle.
        return (*ends <= ROUNDS && !files.all.is_empty()).then_some((None, 0));
    }
    let file = files.all[index].upgrade();
    if file.is_none() {
        files.all.swap_remove(index);
        files.hand = (index, 0);
    }
    Some((file, from))
}

/// Moves the hand on: to page `next` of the same file, or to the next one.
fn advance(next: Option<u64>) {
    let mut files = FILES.lock();
    files.hand = match next {
        Some(page) => (files.hand.0, page),
        None => (files.hand.0 + 1, 0),
    };
}

/// What the mark says that somebody has looked at a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// The page is spared, once.
    Heeded,
    /// Nothing.
    Ignored,
}

impl CachedFile {
    /// Looks at some pages from `from` on and gives back those that nobody needs; how many, and where to go on.
    pub(crate) fn give_back(&self, from: u64, marks: Marks) -> (usize, Option<u64>) {
        let mut gone = ArrayVec::<FrameHandle, BATCH>::new();
        let next = {
            let mut state = self.state.lock();
            let mut unused = ArrayVec::<u64, BATCH>::new();
            let mut last = None;
            for (index, page) in state.pages.range(from..).take(BATCH) {
                last = Some(*index);
                let is_alone = memory::get().frames().count(page.frame.frame()) == 1;
                if !page.is_clean() || !is_alone {
                    continue;
                }
                if page.has(PageFlags::ACCESSED) && marks == Marks::Heeded {
                    page.clear(PageFlags::ACCESSED);
                } else {
                    unused.push(*index);
                }
            }
            for index in unused {
                gone.extend(self.remove(&mut state, index));
            }
            last.map(|last| last + 1)
        };
        (gone.len(), next)
    }

    /// The same, when nothing else is left: takes pages from whoever maps them first. They come back by a fault.
    fn give_back_mapped(&self, from: u64) -> usize {
        let revocation = Revocation {
            object: self.object(),
            pages: from..from + BATCH as u64,
            takes_copies: false,
        };
        if mappings::try_revoke(&revocation) {
            self.give_back(from, Marks::Ignored).0
        } else {
            0
        }
    }
}
