//! Waiting: FUTEX_WAIT, FUTEX_WAIT_BITSET, futex_waitv(2).

use super::deadline::Deadline;
use super::key::{Key, Scope};
use super::waiters::{self, Waiter, Wants};
use crate::thread::Thread;
use abi::Errno;
use abi::process::{FUTEX_32, FUTEX_BITSET_MATCH_ANY, FUTEX_PRIVATE_FLAG, FUTEX_WAITV_MAX, FutexWaitv};
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::fallible::TryVec;
use mm::VirtAddr;
use platform::queue::{Node, Nodes, with_node};
use platform::user_copy;

/// Any wake-up.
const ANYTHING: Wants = Wants {
    mask: FUTEX_BITSET_MATCH_ANY,
    target: None,
};

/// FUTEX_WAIT, FUTEX_WAIT_BITSET: sleeps while the word is `value`, until somebody wakes one of the bits of `mask`.
///
/// # Errors
/// `EAGAIN` if the word is something else, `ETIMEDOUT` after `deadline`.
pub fn wait(
    current: &Arc<Thread>,
    scope: Scope,
    address: u64,
    value: u32,
    mask: u32,
    deadline: Deadline,
) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(current, scope, address)?;
    with_node(|node| {
        enter_if(current, key, (address, value), Wants { mask, target: None }, node)?;
        let woken = || (!node.stands()).then_some(0);
        sleep(current, deadline, woken, || {
            (!waiters::leave(key, node)).then_some(0)
        })
    })
}

/// futex_waitv(2): as FUTEX_WAIT on several words; the index of one that was woken.
///
/// # Errors
/// `EINVAL`: flags, a count, a clock or words that are none. `EAGAIN`: a word is another. `ETIMEDOUT`, `EINTR`: waited.
/// `ENOMEM`, those of user memory.
pub fn futex_waitv(
    current: &Arc<Thread>,
    list: u64,
    count: u64,
    flags: u64,
    timeout: u64,
    clock: u64,
) -> Result<usize, Errno> {
    let is_count_valid = (1..=FUTEX_WAITV_MAX as u64).contains(&u64::from(count as u32));
    if flags as u32 != 0 || list == 0 || !is_count_valid {
        return Err(Errno::EINVAL);
    }
    let deadline = Deadline::of_clock(current, timeout, clock)?;
    let mut words: Vec<FutexWaitv> = memory::try_list(count as u32 as usize)?;
    uaccess::read_bytes(list, words.as_mut_slice().as_mut_bytes())?;
    if !words.iter().all(is_valid) {
        return Err(Errno::EINVAL);
    }
    let nodes = Nodes::try_new(words.len()).ok_or(Errno::ENOMEM)?;
    let mut keys = Vec::new();
    keys.try_reserve_exact(words.len()).map_err(|_| Errno::ENOMEM)?;
    let entered = enter_all(current, &words, &nodes, &mut keys);
    let leave = || leave_all(&nodes, &keys);
    match entered {
        Ok(()) => {
            let is_woken = |index: &usize| nodes.get(*index).is_some_and(|node| !node.stands());
            sleep(current, deadline, || (0..keys.len()).find(is_woken), leave)
        }
        Err(error) => leave().ok_or(error),
    }
}

/// Whether flags and value are those of a word of 32 bits.
pub fn is_valid(word: &FutexWaitv) -> bool {
    word.flags & !FUTEX_PRIVATE_FLAG == FUTEX_32 && word.reserved == 0 && word.val >> u32::BITS == 0
}

/// Enters the bucket of each word in turn until one has another value; the keys of those that were entered.
fn enter_all(
    current: &Arc<Thread>,
    words: &[FutexWaitv],
    nodes: &Nodes<Waiter>,
    keys: &mut Vec<Key>,
) -> Result<(), Errno> {
    for (index, word) in words.iter().enumerate() {
        let key = Key::of(current, Scope::of_flags(word.flags), word.uaddr)?;
        let node = nodes.get(index).ok_or(Errno::EINVAL)?;
        enter_if(current, key, (word.uaddr, word.val as u32), ANYTHING, node)?;
        // There is room: for as many as there are words.
        keys.try_push(key)?;
    }
    Ok(())
}

/// Enters the bucket if the word is as given. Look and entry are one step for every waker.
///
/// # Errors
/// `EAGAIN`: it is not.
pub fn enter_if(
    current: &Arc<Thread>,
    key: Key,
    (address, value): (u64, u32),
    wants: Wants,
    node: &Node<Waiter>,
) -> Result<(), Errno> {
    loop {
        let mut bucket = waiters::lock(key);
        match user_copy::load_u32(VirtAddr(address)) {
            Ok(found) if found == value => {
                bucket.enter(key, wants, current, node);
                return Ok(());
            }
            Ok(_) => return Err(Errno::EAGAIN),
            Err(fault) => {
                drop(bucket);
                uaccess::serve(&fault)?;
            }
        }
    }
}

/// Sleeps until `woken` tells which word it was, and leaves the others; a wake-up counts even if it came after the end of the time
/// or after a signal, for the waker has counted it.
fn sleep(
    current: &Thread,
    deadline: Deadline,
    woken: impl Fn() -> Option<usize>,
    leave: impl FnOnce() -> Option<usize>,
) -> Result<usize, Errno> {
    let outcome = deadline.wait(woken);
    if let Some(index) = leave() {
        return Ok(index);
    }
    match outcome {
        Ok(_) => Err(Errno::ETIMEDOUT),
        Err(_) => Err(deadline.interrupted(current)),
    }
}

/// Takes all out of their buckets; the index of the first that was woken before.
fn leave_all(nodes: &Nodes<Waiter>, keys: &[Key]) -> Option<usize> {
    let mut woken = None;
    for (index, key) in keys.iter().enumerate() {
        let has_left = nodes.get(index).is_some_and(|node| waiters::leave(*key, node));
        if !has_left {
            woken = woken.or(Some(index));
        }
    }
    woken
}
