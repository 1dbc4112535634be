//! Memory that several processes share and that has no name.

use abi::Errno;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use memory::fallible::map::Map;
use memory::{self, FrameHandle};
use mm::{FileIdentity, Frame, Interrupted, PageError, PageSource, RemoveError, Revocation};
use sched::deferred_free;
use sched::late_pages;
use sched::scheduler;
use sched::space::mappings;

/// Whether programs may ever store to pages that they share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stores {
    /// They may, now or after mprotect(2).
    Allowed,
    /// They may not: what was mapped is open for reading only.
    Denied,
}

/// Memory that several processes share and that has no name: mmap(2) with MAP_SHARED and MAP_ANONYMOUS. A page is made when
/// somebody first touches it.
pub struct SharedZeros {
    /// Told apart from all others by it; never used again.
    number: u64,
    len: u64,
    stores: Stores,
    pages: Mutex<Map<u64, FrameHandle>, { rank::PAGES }>,
}

impl SharedZeros {
    /// `len` pages.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(len: u64, stores: Stores) -> Result<Arc<SharedZeros>, Errno> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        fallible::arc(SharedZeros {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            len,
            stores,
            pages: Mutex::new(Map::new()),
        })
    }
}

impl SharedZeros {
    /// How many of its pages are there.
    pub fn page_count(&self) -> u64 {
        self.pages.lock().len() as u64
    }

    /// Gives back the pages of a range, one at a time: others run in between.
    fn give_back(&self, range: &Range<u64>) {
        loop {
            let gone = {
                let mut pages = self.pages.lock();
                let first = pages.range(range.start..).next().map(|(index, _)| *index);
                first
                    .filter(|index| *index < range.end)
                    .and_then(|index| pages.remove(&index))
            };
            if gone.is_none() {
                return;
            }
            drop(gone);
            scheduler::cond_resched();
        }
    }
}

impl Drop for SharedZeros {
    fn drop(&mut self) {
        deferred_free::lay_aside(core::mem::replace(self.pages.get_mut(), Map::new()));
    }
}

impl PageSource for SharedZeros {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        if index >= self.len {
            return Err(PageError::BeyondEnd);
        }
        late_pages::ask(self.object(), index)?;
        let mut pages = self.pages.lock();
        if let Some(page) = pages.get(&index) {
            return Ok(page.clone().into_reference());
        }
        let page = FrameHandle::allocate().map_err(|_| PageError::NoMemory)?;
        memory::get().frames().note_object(page.frame());
        pages
            .insert(index, page.clone())
            .map_err(|_| PageError::NoMemory)?;
        Ok(page.into_reference())
    }

    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        late_pages::wait_for(self.object(), index)
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            device: 1,
            inode: self.number,
        }
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(b"/dev/zero (deleted)");
    }

    fn object(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn remove_pages(&self, pages: Range<u64>) -> Result<(), RemoveError> {
        self.give_back(&pages);
        mappings::revoke(&Revocation {
            object: self.object(),
            pages,
            takes_copies: false,
        })
        .map_err(|error| match error {
            Errno::ENOMEM => RemoveError::NoMemory,
            _ => RemoveError::Interrupted,
        })
    }

    fn has_page(&self, index: u64) -> bool {
        self.pages.lock().contains_key(&index)
    }

    fn may_write(&self) -> bool {
        self.stores == Stores::Allowed
    }
}
