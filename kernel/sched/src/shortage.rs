//! Who was refused memory for want of free RAM tries again when room has been made (Linux calls that direct reclaim). What is allocated
//! under a spin lock cannot wait for it: it fails, all is left as it was, and the thread makes room where it holds no lock. Then it does the
//! whole again: a fault (`uaccess`), a call (`syscall`), the access to a page of another space ([`super::space`]). Where a call has had an
//! effect already that cannot be taken back, what follows is done again by itself ([`with_room`]).

use super::{ThreadCore, scheduler};
use abi::Errno;
use core::sync::atomic::Ordering;

/// How often something is tried again: others take what one has made room for.
const MOST_TRIES: usize = 16;

/// Does `work`, again and again where it finds no memory that may be had. What it does in vain leaves nothing behind. No lock is
/// held; it may sleep.
///
/// # Errors
/// Those of `work`.
#[inline(always)]
pub fn with_room<R>(mut work: impl FnMut() -> Result<R, Errno>) -> Result<R, Errno> {
    // It stands in one place, so that it can be inlined there.
    let mut tries = 0;
    loop {
        match work() {
            Err(error) if tries < MOST_TRIES && has_room_for(error) => tries += 1,
            done => return done,
        }
    }
}

/// Whether an error of the thread that runs here was for want of memory that may be had now.
#[cold]
fn has_room_for(error: Errno) -> bool {
    stands_for_want(error) && scheduler::current().has_found_room()
}

impl ThreadCore {
    /// Whether what was refused for want of memory may be had now: RAM was missing since the thread last asked, whoever was refused, and
    /// there is room now. Not where a limit refused, or a test. No lock is held; it may sleep.
    #[cold]
    pub fn has_found_room(&self) -> bool {
        let refusals = platform::memory::refusals();
        let is_news = self.seen_refusals.swap(refusals, Ordering::Relaxed) != refusals;
        is_news && !self.is_ending() && memory::make_room()
    }

    /// Does `work` again, which has failed with `error`, as often as that may be for want of memory.
    ///
    /// # Errors
    /// Those of `work`.
    #[cold]
    #[inline(never)]
    pub fn try_again<R>(
        &self,
        mut error: Errno,
        work: &mut dyn FnMut() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        for _ in 0..MOST_TRIES {
            if !stands_for_want(error) || !self.has_found_room() {
                break;
            }
            match work() {
                Ok(done) => return Ok(done),
                Err(another) => error = another,
            }
        }
        Err(error)
    }
}

/// Whether the error may mean that there was no memory: of a file in memory, of a lock, of a message, and of anything else.
fn stands_for_want(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOMEM | Errno::ENOSPC | Errno::ENOLCK | Errno::ENOBUFS
    )
}
