//! Pages whose release takes long: those of a file, or of memory without a name, that nobody has any more. The last reference may be
//! dropped under a lock, or where no thread runs; so the pages are laid aside, and the thread gives them back, some at a time, before
//! it returns to its program or ends ([`release`]).

use crate::scheduler;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use lock::Mutex;
use memory::FrameHandle;
use memory::fallible;
use memory::fallible::map::Map;
use platform::heap;

/// Pages given back between two points where others may run.
const BATCH: usize = 64;

/// Pages of one object.
pub trait Pages: Send {
    /// How many are left.
    fn left(&self) -> usize;
    /// Gives back one of them.
    fn release_one(&mut self);
}

impl Pages for BTreeMap<u64, FrameHandle> {
    fn left(&self) -> usize {
        self.len()
    }

    fn release_one(&mut self) {
        drop(self.pop_first());
    }
}

impl Pages for Map<u64, FrameHandle> {
    fn left(&self) -> usize {
        self.len()
    }

    fn release_one(&mut self) {
        drop(self.pop_first());
    }
}

/// What was laid aside.
static ASIDE: Mutex<Vec<Box<dyn Pages>>> = Mutex::new(Vec::new());

/// Whether something may be laid aside. Changed under the lock of [`ASIDE`].
static IS_THERE_ANY: AtomicBool = AtomicBool::new(false);

/// Gives back pages: at once if they are few, or if there is no memory to note them.
pub fn lay_aside(pages: impl Pages + 'static) {
    if pages.left() <= BATCH {
        return;
    }
    let Ok(pages) = fallible::boxed_with(|| pages) else {
        return;
    };
    let mut aside = ASIDE.lock();
    let refused = match aside.try_reserve(1) {
        Ok(()) => {
            heap::push_within_capacity(&mut aside, pages);
            IS_THERE_ANY.store(true, Ordering::Release);
            None
        }
        Err(_) => Some(pages),
    };
    drop(aside);
    drop(refused);
    scheduler::call_current();
}

/// Gives back everything that was laid aside. No lock may be held.
#[inline]
pub fn release() {
    if IS_THERE_ANY.load(Ordering::Acquire) {
        release_all();
    }
}

#[cold]
fn release_all() {
    while let Some(mut pages) = take() {
        while pages.left() > 0 {
            (0..BATCH).for_each(|_| pages.release_one());
            scheduler::cond_resched();
        }
    }
}

fn take() -> Option<Box<dyn Pages>> {
    let mut aside = ASIDE.lock();
    let pages = aside.pop();
    IS_THERE_ANY.store(!aside.is_empty(), Ordering::Release);
    pages
}
