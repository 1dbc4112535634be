//! Locks with priority inheritance: FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI. The word holds the id of the thread that has the
//! lock, and tells whether others wait ([`FUTEX_WAITERS`]): then taking and giving back pass here, under the lock of the table,
//! and who has it next is decided here (`table`).
//!
//! A thread that ends, or leaves its memory, leaves its locks to those who wait ([`owner_ended`]). It does not write to their words,
//! which may be words of another space: the new owner does, when it wakes.

mod requeue;
mod table;

pub use requeue::{requeue, wait};

use super::deadline::Deadline;
use super::key::{Key, Scope};
use super::waiters::Waiter;
use crate::process;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use alloc::sync::Arc;
use mm::VirtAddr;
use platform::queue::{Node, with_node};
use platform::user_copy;
use sched::scheduler;
use table::Guard;

/// Whether nobody waits for the word as for a lock with priority inheritance, whom only the owner may wake.
///
/// # Errors
/// `EINVAL`: somebody does.
pub fn check_plain(key: Key) -> Result<(), Errno> {
    if table::is_empty() || table::lock().get(key).is_none() {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// Whether to wait for a lock that somebody else has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockMode {
    /// Until it is free.
    Wait,
    /// `EAGAIN` instead.
    Try,
}

/// What came of asking for a lock.
enum Asked {
    /// The thread has it.
    Owned,
    /// The thread stands among those who wait.
    Waits,
}

/// FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI: the caller has the lock when it returns.
///
/// # Errors
/// `EDEADLK` if it has it already, or would wait for itself; `ESRCH` if the owner has ended without a robust list; `EINVAL` if the
/// word is not of a lock; `EAGAIN`, `ETIMEDOUT`.
pub fn lock(
    current: &Arc<Thread>,
    scope: Scope,
    address: u64,
    patience: LockMode,
    deadline: Deadline,
) -> Result<usize, Errno> {
    let key = Key::of(current, scope, address)?;
    with_node(|node| match ask(current, key, address, patience, node)? {
        Asked::Owned => Ok(0),
        Asked::Waits => await_lock(current, key, address, deadline, node, Errno::RESTART_ALWAYS),
    })
}

fn ask(
    current: &Arc<Thread>,
    key: Key,
    address: u64,
    patience: LockMode,
    node: &Node<Waiter>,
) -> Result<Asked, Errno> {
    loop {
        let word = uaccess::load_u32(address)?;
        // Found without the table's lock, behind which the table of processes may not be locked.
        let owner = owner_of(word);
        let mut table = table::lock();
        let step = decide(&mut table, current, key, word, owner, patience);
        // Whatever is to be answered, it is about the word as it is.
        let new = step.as_ref().map_or(word, |step| step.new_word(word));
        match user_copy::compare_exchange_u32(VirtAddr(address), word, new) {
            Ok(found) if found == word => match step? {
                LockStep::Take(_) => return Ok(Asked::Owned),
                LockStep::Wait(owner) => {
                    table.enter(key, &owner, current, node)?;
                    return Ok(Asked::Waits);
                }
            },
            Ok(_) => {
                drop(table);
                scheduler::cond_resched_killable()?;
            }
            Err(fault) => {
                drop(table);
                uaccess::serve(&fault)?;
            }
        }
    }
}

/// What to do with a lock.
enum LockStep {
    /// It is free: the new word.
    Take(u32),
    /// That thread has it.
    Wait(Arc<Thread>),
}

impl LockStep {
    fn new_word(&self, word: u32) -> u32 {
        match self {
            LockStep::Take(new) => *new,
            LockStep::Wait(_) => word | FUTEX_WAITERS,
        }
    }
}

/// The thread that a word names.
fn owner_of(word: u32) -> Option<Arc<Thread>> {
    match word & FUTEX_TID_MASK {
        0 => None,
        tid => process::find_thread(tid),
    }
}

/// What `thread` is to do about the lock, whose word is `word` and names `owner`.
fn decide(
    table: &mut Guard,
    thread: &Arc<Thread>,
    key: Key,
    word: u32,
    owner: Option<Arc<Thread>>,
    patience: LockMode,
) -> Result<LockStep, Errno> {
    let tid = word & FUTEX_TID_MASK;
    if tid == thread.tid() {
        return Err(Errno::EDEADLK);
    }
    let owner = match table.get(key) {
        Some(lock) => {
            let is_told = tid == lock.owner.tid() || lock.is_orphaned || word & FUTEX_OWNER_DIED != 0;
            if !is_told {
                return Err(Errno::EINVAL);
            }
            lock.owner.clone()
        }
        None if tid == 0 => return Ok(LockStep::Take(word & FUTEX_OWNER_DIED | thread.tid())),
        None => owner
            .filter(|owner| !owner.has_left_futexes())
            .ok_or(Errno::ESRCH)?,
    };
    if patience == LockMode::Try {
        return Err(Errno::EAGAIN);
    }
    table.check_deadlock(thread, &owner)?;
    Ok(LockStep::Wait(owner))
}

/// Sleeps until the lock is given to the thread, which stands among those who wait for it.
fn await_lock(
    current: &Arc<Thread>,
    key: Key,
    address: u64,
    deadline: Deadline,
    node: &Node<Waiter>,
    interrupted: Errno,
) -> Result<usize, Errno> {
    let outcome = deadline.wait(|| (!node.stands()).then_some(()));
    if node.stands() && table::lock().leave(key, current, node) {
        return Err(if outcome.is_ok() {
            Errno::ETIMEDOUT
        } else {
            interrupted
        });
    }
    take_over(current, key, address)
}

/// The lock was given to the thread. If that was because its owner ended, the word does not say so yet.
fn take_over(current: &Arc<Thread>, key: Key, address: u64) -> Result<usize, Errno> {
    let result = loop {
        let word = match uaccess::load_u32(address) {
            Ok(word) => word,
            Err(error) => break Err(error),
        };
        if word & FUTEX_TID_MASK == current.tid() {
            return Ok(0);
        }
        let new = current.tid() | FUTEX_WAITERS | FUTEX_OWNER_DIED;
        match uaccess::compare_exchange_u32(address, word, new) {
            Ok(found) if found == word => break Ok(0),
            Ok(_) => scheduler::cond_resched(),
            Err(error) => break Err(error),
        }
    };
    let mut table = table::lock();
    if result.is_ok() {
        table.adopt(key);
    } else {
        pass_on(&mut table, key);
    }
    result
}

/// FUTEX_UNLOCK_PI: gives the lock to whoever comes next.
///
/// # Errors
/// `EPERM` if the caller does not have it.
pub fn unlock(current: &Arc<Thread>, scope: Scope, address: u64) -> Result<usize, Errno> {
    let key = Key::of(current, scope, address)?;
    loop {
        let word = uaccess::load_u32(address)?;
        if word & FUTEX_TID_MASK != current.tid() {
            return Err(Errno::EPERM);
        }
        let mut table = table::lock();
        let next = match table.get(key) {
            Some(lock) if !Arc::ptr_eq(&lock.owner, current) => return Err(Errno::EINVAL),
            Some(lock) => lock.next(),
            None => None,
        };
        let new = next.as_ref().map_or(0, |next| next.tid() | FUTEX_WAITERS);
        match user_copy::compare_exchange_u32(VirtAddr(address), word, new) {
            Ok(found) if found == word => {
                if let Some(next) = &next {
                    table.hand_over(key, next);
                }
                return Ok(0);
            }
            Ok(_) => {
                drop(table);
                scheduler::cond_resched_killable()?;
            }
            Err(fault) => {
                drop(table);
                uaccess::serve(&fault)?;
            }
        }
    }
}

/// A thread leaves its memory: its locks go to those who wait for them.
pub fn owner_ended(thread: &Thread) {
    if table::is_empty() {
        return;
    }
    loop {
        let mut table = table::lock();
        let Some(key) = table.owned_by(thread) else {
            return;
        };
        pass_on(&mut table, key);
        drop(table);
        scheduler::cond_resched();
    }
}

/// The owner of a lock is to have it no longer, and its word cannot be changed.
fn pass_on(table: &mut Guard, key: Key) {
    let next = table.get(key).and_then(|lock| {
        lock.is_orphaned = true;
        lock.next()
    });
    match next {
        Some(next) => table.hand_over(key, &next),
        None => table.adopt(key),
    }
}

/// The priority of a thread was changed: who has what it waits for inherits the new one.
pub fn priority_changed(thread: &Thread) {
    if !table::is_empty() {
        table::lock().priority_changed(thread);
    }
}
