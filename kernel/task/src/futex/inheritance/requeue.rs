//! FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI: a condition variable whose waiters are moved to the lock that they will need, each
//! of which gets it in turn.

use super::{LockMode, LockStep, decide, owner_of, table, take_over};
use crate::futex::deadline::Deadline;
use crate::futex::key::{Key, Scope};
use crate::futex::sleep::enter_if;
use crate::futex::waiters::{self, Wants};
use crate::futex::wake::Requeue;
use crate::thread::Thread;
use abi::Errno;
use abi::process::{FUTEX_BITSET_MATCH_ANY, FUTEX_WAITERS};
use alloc::sync::Arc;
use mm::VirtAddr;
use platform::queue::{Queue, with_node};
use platform::user_copy;
use sched::scheduler;

/// FUTEX_WAIT_REQUEUE_PI: sleeps while the first word is `value`; the caller has the lock of the word at `to` when it returns.
///
/// # Errors
/// `EINVAL` if the two are one, `EAGAIN` if the first word is something else or a signal came after the move, `ETIMEDOUT`.
pub fn wait(
    current: &Arc<Thread>,
    scope: Scope,
    (from, value): (u64, u32),
    to: u64,
    deadline: Deadline,
) -> Result<usize, Errno> {
    let key = Key::of(current, scope, from)?;
    let target = Key::of(current, scope, to)?;
    if key == target {
        return Err(Errno::EINVAL);
    }
    with_node(|node| {
        let wants = Wants {
            mask: FUTEX_BITSET_MATCH_ANY,
            target: Some(target),
        };
        enter_if(current, key, (from, value), wants, node)?;
        let outcome = deadline.wait(|| (!node.stands()).then_some(()));
        let ended = |interrupted| {
            if outcome.is_ok() {
                Errno::ETIMEDOUT
            } else {
                interrupted
            }
        };
        if node.stands() && waiters::lock(key).leave(node) {
            return Err(ended(Errno::RESTART_ALWAYS));
        }
        if node.stands() && table::lock().leave(target, current, node) {
            return Err(ended(Errno::EAGAIN));
        }
        take_over(current, target, to)
    })
}

/// What was done with the first of those who wait.
enum Moved {
    /// It has the lock, or waits for it.
    One,
    /// Nobody waits.
    Nobody,
    /// The words changed meanwhile.
    Again,
}

/// FUTEX_CMP_REQUEUE_PI: gives the lock of the second word to one who waits for the first one, or lets it wait for the lock, and
/// moves up to `moves` others. How many they were.
///
/// # Errors
/// `EAGAIN` if the first word is not `expected`; `EINVAL` unless one is to be woken, and if they wait for something else.
pub fn requeue(current: &Arc<Thread>, scope: Scope, request: Requeue, expected: u32) -> Result<usize, Errno> {
    let moves = i32::try_from(request.moves).map_err(|_| Errno::EINVAL)? as usize;
    if request.wakes != 1 {
        return Err(Errno::EINVAL);
    }
    let from = Key::of(current, scope, request.from)?;
    let to = Key::of(current, scope, request.to)?;
    if from == to {
        return Err(Errno::EINVAL);
    }
    let mut count = 0;
    while count <= moves {
        let compared = (count == 0).then_some(expected);
        match move_first(from, to, request, compared) {
            Ok(Moved::One) => count += 1,
            Ok(Moved::Nobody) => break,
            Ok(Moved::Again) => {}
            // Those who were moved before are told of.
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
        scheduler::cond_resched_killable()?;
    }
    Ok(count)
}

fn move_first(from: Key, to: Key, request: Requeue, expected: Option<u32>) -> Result<Moved, Errno> {
    let word = uaccess::load_u32(request.to)?;
    let owner = owner_of(word);
    let mut bucket = waiters::lock(from);
    match user_copy::load_u32(VirtAddr(request.from)) {
        Ok(found) if expected.is_some_and(|expected| found != expected) => return Err(Errno::EAGAIN),
        Ok(_) => {}
        Err(fault) => {
            drop(bucket);
            uaccess::serve(&fault)?;
            return Ok(Moved::Again);
        }
    }
    let Some((first, target)) = bucket.first(from) else {
        return Ok(Moved::Nobody);
    };
    if target != Some(to) {
        return Err(Errno::EINVAL);
    }
    let mut table = table::lock();
    let step = decide(&mut table, &first, to, word, owner, LockMode::Wait)?;
    let new = step.new_word(word) | FUTEX_WAITERS;
    match user_copy::compare_exchange_u32(VirtAddr(request.to), word, new) {
        Ok(found) if found == word => {}
        Ok(_) => return Ok(Moved::Again),
        Err(fault) => {
            drop(table);
            drop(bucket);
            uaccess::serve(&fault)?;
            return Ok(Moved::Again);
        }
    }
    match step {
        LockStep::Take(_) => {
            drop(table);
            bucket.give(&first, &mut Queue::new());
            drop(bucket);
            scheduler::wake(&first);
        }
        LockStep::Wait(owner) => table.enter_from(&mut bucket, to, &owner, &first)?,
    }
    Ok(Moved::One)
}
