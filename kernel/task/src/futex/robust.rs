//! The words of a thread that ends: robust locks that it holds (set_robust_list(2)) and the word that its creator waits for
//! (set_tid_address(2)). All of it is user memory that the program may have got wrong: what cannot be read or written is
//! passed over, and a list without an end is given up.

use super::inheritance;
use super::key::Scope;
use super::wake::wake;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT,
    RobustListHead,
};
use core::sync::atomic::{Ordering, fence};

/// Lets go of what a thread holds in user memory when it leaves that memory: at its end, and when exec takes it to another.
/// It is the running thread, still in its address space, and holds no lock.
pub fn thread_ended(thread: &Thread) {
    let head = thread.leave_futexes();
    if head != 0 {
        // A broken list is the program's; it says nothing about the rest.
        let _ = release_robust_list(thread, head);
    }
    inheritance::owner_ended(thread);
    let word = thread.clear_child_tid().swap(0, Ordering::Relaxed);
    // Whoever sees the zero may take the thread's memory: all that the thread stored there comes before.
    fence(Ordering::Release);
    if word != 0 && is_watched(thread) && uaccess::write_value(word, &0u32).is_ok() {
        wake_one(thread, word);
    }
}

/// Whether somebody else lives in the thread's memory. A write for nobody would only copy a page.
fn is_watched(thread: &Thread) -> bool {
    thread.process().space().is_some_and(|space| space.is_shared())
}

fn wake_one(thread: &Thread, address: u64) {
    // Without an address that can be used there is nobody to wake.
    let _ = wake(thread, Scope::Shared, address, 1, FUTEX_BITSET_MATCH_ANY);
}

/// A link of the list: an address whose bit 0 says whether the lock has priority inheritance.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link {
    entry: u64,
    is_pi: bool,
}

impl Link {
    fn decode(word: u64) -> Link {
        Link {
            entry: word & !1,
            is_pi: word & 1 != 0,
        }
    }
}

/// Whether a lock stands in the list, or is the one that was being locked or unlocked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Listed,
    Pending,
}

/// Goes through the list at `head`; the pending lock comes last.
fn release_robust_list(thread: &Thread, head: u64) -> Result<(), Errno> {
    let list: RobustListHead = uaccess::read_value(head)?;
    let pending = Link::decode(list.list_op_pending);
    let word = |link: Link| link.entry.wrapping_add_signed(list.futex_offset);
    let mut link = Link::decode(list.list);
    for _ in 0..ROBUST_LIST_LIMIT {
        if link.entry == head {
            break;
        }
        // Read before the lock is released: its next owner may change it.
        let next = uaccess::read_value(link.entry).map(Link::decode);
        if link.entry != pending.entry {
            release_lock(thread, word(link), link, Standing::Listed)?;
        }
        link = next?;
    }
    if pending.entry != 0 {
        release_lock(thread, word(pending), pending, Standing::Pending)?;
    }
    Ok(())
}

/// Marks a lock that the thread holds as left behind, and wakes one who waits for it.
fn release_lock(thread: &Thread, address: u64, link: Link, standing: Standing) -> Result<(), Errno> {
    if !address.is_multiple_of(size_of::<u32>() as u64) {
        return Err(Errno::EINVAL);
    }
    let mut word = uaccess::load_u32(address)?;
    loop {
        let owner = word & FUTEX_TID_MASK;
        if standing == Standing::Pending && !link.is_pi && owner == 0 {
            // The thread had set the word free and may not have got round to waking the next.
            wake_one(thread, address);
            return Ok(());
        }
        if owner != thread.tid() {
            return Ok(());
        }
        let left = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        let found = uaccess::compare_exchange_u32(address, word, left)?;
        if found == word {
            break;
        }
        word = found;
    }
    if !link.is_pi && word & FUTEX_WAITERS != 0 {
        wake_one(thread, address);
    }
    Ok(())
}
