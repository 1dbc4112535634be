//! Waiting: FUTEX_WAIT, FUTEX_WAIT_BITSET, futex_waitv(2).

use super::absolute_deadline;
use super::key::{Key, Scope};
use super::waiters::{self, Waiter};
use crate::fallible::TryVec;
use crate::thread::Thread;
use crate::{memory, user_memory, wait};
use abi::Errno;
use abi::process::{FUTEX_32, FUTEX_BITSET_MATCH_ANY, FUTEX_PRIVATE_FLAG, FUTEX_WAITV_MAX, FutexWaitv};
use abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME};
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::slice;
use mm::VirtAddr;
use platform::user_copy;

/// FUTEX_WAIT, FUTEX_WAIT_BITSET: sleeps while the word is `value`, until somebody wakes one of the bits of `mask`. `EAGAIN` if
/// the word is something else, `ETIMEDOUT` after `deadline`.
pub fn wait(
    current: &Arc<Thread>,
    scope: Scope,
    address: u64,
    value: u32,
    mask: u32,
    deadline: Option<u64>,
) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(current, scope, address)?;
    let waiter = Waiter::new(current, mask)?;
    enter_if(key, address, value, &waiter)?;
    sleep(current, slice::from_ref(&waiter), deadline).map(|_| 0)
}

/// futex_waitv(2): as FUTEX_WAIT on several words; the index of one that was woken.
pub fn futex_waitv(
    current: &Arc<Thread>,
    list: u64,
    count: u64,
    flags: u64,
    timeout: u64,
    clock: u64,
) -> Result<usize, Errno> {
    if flags as u32 != 0 || !(1..=FUTEX_WAITV_MAX as u64).contains(&u64::from(count as u32)) {
        return Err(Errno::EINVAL);
    }
    let is_realtime = match clock as u32 {
        CLOCK_REALTIME => true,
        CLOCK_MONOTONIC => false,
        _ if timeout == 0 => false,
        _ => return Err(Errno::EINVAL),
    };
    let deadline = absolute_deadline(current, timeout, is_realtime)?;
    let mut words: Vec<FutexWaitv> = memory::try_list(count as u32 as usize)?;
    user_memory::read_bytes(list, words.as_mut_slice().as_mut_bytes())?;
    if !words.iter().all(is_valid) {
        return Err(Errno::EINVAL);
    }
    let mut standing = Vec::new();
    standing
        .try_reserve_exact(words.len())
        .map_err(|_| Errno::ENOMEM)?;
    match enter_all(current, &words, &mut standing) {
        Ok(()) => sleep(current, &standing, deadline),
        Err(error) => leave_all(&standing).ok_or(error),
    }
}

fn is_valid(word: &FutexWaitv) -> bool {
    word.flags & !FUTEX_PRIVATE_FLAG == FUTEX_32 && word.reserved == 0
}

/// Enters the bucket of each word in turn until one has another value.
fn enter_all(
    current: &Arc<Thread>,
    words: &[FutexWaitv],
    standing: &mut Vec<Arc<Waiter>>,
) -> Result<(), Errno> {
    for word in words {
        let key = Key::of(current, Scope::of_flags(word.flags), word.uaddr)?;
        let waiter = Waiter::new(current, FUTEX_BITSET_MATCH_ANY)?;
        enter_if(key, word.uaddr, word.val as u32, &waiter)?;
        // There is room: for as many as there are words.
        standing.try_push(waiter)?;
    }
    Ok(())
}

/// Enters the bucket if the word is `value`: `EAGAIN` if not. Look and entry are one step for every waker.
fn enter_if(key: Key, address: u64, value: u32, waiter: &Arc<Waiter>) -> Result<(), Errno> {
    loop {
        let mut bucket = waiters::lock(key);
        match user_copy::load_u32(VirtAddr(address)) {
            Ok(found) if found == value => return bucket.enter(key, waiter),
            Ok(_) => return Err(Errno::EAGAIN),
            Err(fault) => {
                drop(bucket);
                user_memory::serve(&fault)?;
            }
        }
    }
}

/// Sleeps until one of those who stand in their buckets is woken, and takes out the others; its index.
fn sleep(current: &Thread, standing: &[Arc<Waiter>], deadline: Option<u64>) -> Result<usize, Errno> {
    let woken = || standing.iter().position(|waiter| waiter.is_woken());
    let outcome = wait::wait_alone(deadline, woken);
    let ended = match outcome {
        Ok(_) => Errno::ETIMEDOUT,
        Err(_) if deadline.is_some() => Errno::RESTART_NO_HANDLER,
        Err(_) => Errno::RESTART,
    };
    // A wake-up counts even if it came after the end of the time or after a signal: the waker has counted it.
    if let Some(index) = leave_all(standing) {
        return Ok(index);
    }
    if let Some(deadline) = deadline.filter(|_| ended == Errno::RESTART_NO_HANDLER) {
        current.keep_deadline(deadline);
    }
    Err(ended)
}

/// Takes all out of their buckets; the index of the first that was woken before.
fn leave_all(standing: &[Arc<Waiter>]) -> Option<usize> {
    let mut woken = None;
    for (index, waiter) in standing.iter().enumerate() {
        // Who knows to be woken need not take the lock again.
        if waiter.is_woken() || !waiter.leave() {
            woken = woken.or(Some(index));
        }
    }
    woken
}
