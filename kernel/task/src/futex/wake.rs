//! Waking: FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP.

use super::inheritance::check_plain;
use super::key::{Key, Scope};
use super::waiters::{self, BucketPair, Woken};
use crate::thread::Thread;
use abi::Errno;
use abi::process::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE, FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR, FUTEX_OP_SET,
    FUTEX_OP_XOR,
};
use mm::VirtAddr;
use platform::user_copy::{self, UserFault};
use sched::scheduler;

/// How often an atomic change is tried with the buckets locked before others are let in (Linux's `FUTEX_MAX_LOOPS`).
const MOST_TRIES: usize = 128;

/// Two words, and what is to be done with those who wait for the first.
#[derive(Clone, Copy)]
pub struct Requeue {
    /// Address of the first word.
    pub from: u64,
    /// Address of the second.
    pub to: u64,
    /// So many are woken.
    pub wakes: u32,
    /// So many then wait for the second word instead.
    pub moves: u32,
}

/// How many to wake for a count as programs give it: Linux wakes one before it looks at the count, which has a sign.
fn at_least_one(count: u32) -> usize {
    (count as i32).max(1) as usize
}

/// FUTEX_WAKE, FUTEX_WAKE_BITSET: wakes up to `count` who wait with one of the bits of `mask`; how many.
///
/// # Errors
/// `EINVAL` for a lock with priority inheritance that somebody waits for.
pub fn wake(current: &Thread, scope: Scope, address: u64, count: u32, mask: u32) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(current, scope, address)?;
    check_plain(key)?;
    Ok(waiters::wake(key, at_least_one(count), mask))
}

/// futex_wake(2): as [`wake`], but none for a count of 0.
///
/// # Errors
/// As [`wake`]. `EINVAL`: an empty mask.
pub fn wake_strictly(
    current: &Thread,
    scope: Scope,
    address: u64,
    count: u32,
    mask: u32,
) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = Key::of(current, scope, address)?;
    match count {
        0 => Ok(0),
        _ => {
            check_plain(key)?;
            Ok(waiters::wake(key, at_least_one(count), mask))
        }
    }
}

/// FUTEX_REQUEUE, and FUTEX_CMP_REQUEUE: only if the first word is `expected`. Returns how many were woken and moved.
///
/// # Errors
/// `EAGAIN`: it is not. `EINVAL`, those of user memory.
pub fn requeue(
    current: &Thread,
    scope: Scope,
    request: Requeue,
    expected: Option<u32>,
) -> Result<usize, Errno> {
    requeue_between(current, [scope; 2], request, expected)
}

/// As [`requeue`], for words that may be used by different threads.
pub fn requeue_between(
    current: &Thread,
    scopes: [Scope; 2],
    request: Requeue,
    expected: Option<u32>,
) -> Result<usize, Errno> {
    let mut wakes = i32::try_from(request.wakes).map_err(|_| Errno::EINVAL)? as usize;
    let mut moves = i32::try_from(request.moves).map_err(|_| Errno::EINVAL)? as usize;
    let (from, to) = keys(current, scopes, request)?;
    check_plain(from)?;
    let mut pair = lock_if(from, to, request.from, expected)?;
    // Not those who come meanwhile.
    let there = pair.len();
    (wakes, moves) = (wakes.min(there), moves.min(there));
    let mut count = 0;
    loop {
        let mut woken = Woken::default();
        pair.take(from, wakes, FUTEX_BITSET_MATCH_ANY, &mut woken);
        let mut has_more = woken.is_full();
        wakes -= woken.len();
        if !has_more {
            let moved;
            (moved, has_more) = pair.move_waiters(moves);
            (moves, count) = (moves - moved, count + moved);
            wakes = 0;
        }
        drop(pair);
        count += woken.wake();
        if !has_more {
            return Ok(count);
        }
        scheduler::cond_resched();
        pair = BucketPair::lock(from, to);
    }
}

fn keys(current: &Thread, scopes: [Scope; 2], request: Requeue) -> Result<(Key, Key), Errno> {
    Ok((
        Key::of(current, scopes[0], request.from)?,
        Key::of(current, scopes[1], request.to)?,
    ))
}

/// Locks both buckets, while the word at `address` is `expected` if something is expected of it: `EAGAIN` if not.
fn lock_if(from: Key, to: Key, address: u64, expected: Option<u32>) -> Result<BucketPair, Errno> {
    loop {
        let pair = BucketPair::lock(from, to);
        let Some(expected) = expected else {
            return Ok(pair);
        };
        match user_copy::load_u32(VirtAddr(address)) {
            Ok(found) if found == expected => return Ok(pair),
            Ok(_) => return Err(Errno::EAGAIN),
            Err(fault) => {
                drop(pair);
                uaccess::serve(&fault)?;
            }
        }
    }
}

/// FUTEX_WAKE_OP: changes the second word as `code` says, wakes those who wait for the first, and those who wait for the second
/// if its old value compares as `code` says; how many. One step for every waiter of both words.
///
/// # Errors
/// `ENOSYS`: an operation or a comparison that there is not. `EINVAL`: a misaligned word. Those of user memory. `EINTR`: the process
/// is to end.
pub fn wake_and_change(current: &Thread, scope: Scope, request: Requeue, code: u32) -> Result<usize, Errno> {
    let (from, to) = keys(current, [scope; 2], request)?;
    let change = WakeOp::decode(code)?;
    loop {
        let mut pair = BucketPair::lock(from, to);
        match change.apply(VirtAddr(request.to)) {
            Ok(Some(old)) => {
                let mut first = Woken::default();
                let mut second = Woken::default();
                let mut most = [at_least_one(request.wakes), 0];
                pair.take(from, most[0], FUTEX_BITSET_MATCH_ANY, &mut first);
                if change.is_met_by(old) {
                    most[1] = at_least_one(request.moves);
                    pair.take(to, most[1], FUTEX_BITSET_MATCH_ANY, &mut second);
                }
                drop(pair);
                return Ok(wake_further(from, most[0], first) + wake_further(to, most[1], second));
            }
            Ok(None) => {
                drop(pair);
                scheduler::cond_resched_killable()?;
            }
            Err(fault) => {
                drop(pair);
                uaccess::serve(&fault)?;
            }
        }
    }
}

/// Wakes those who were taken out, and further ones if there was no room for all that are meant; how many.
fn wake_further(key: Key, most: usize, woken: Woken) -> usize {
    let is_over = !woken.is_full();
    let count = woken.wake();
    if is_over || count == most {
        return count;
    }
    scheduler::cond_resched();
    count + waiters::wake(key, most - count, FUTEX_BITSET_MATCH_ANY)
}

/// What FUTEX_WAKE_OP does with the second word (`FUTEX_OP` of `linux/futex.h`).
struct WakeOp {
    operation: u32,
    argument: u32,
    comparison: u32,
    compared: i32,
}

impl WakeOp {
    /// `ENOSYS` for an operation or a comparison that there is not.
    fn decode(code: u32) -> Result<WakeOp, Errno> {
        let operation = code >> 28 & 0xf;
        let signed_12 = |field: u32| (field << 20) as i32 >> 20;
        let given = signed_12(code >> 12);
        let argument = if operation & FUTEX_OP_OPARG_SHIFT == 0 {
            given as u32
        } else {
            1 << (given & 31)
        };
        let operation = operation & !FUTEX_OP_OPARG_SHIFT;
        let comparison = code >> 24 & 0xf;
        if operation > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE {
            return Err(Errno::ENOSYS);
        }
        Ok(WakeOp {
            operation,
            argument,
            comparison,
            compared: signed_12(code),
        })
    }

    fn of(&self, old: u32) -> u32 {
        match self.operation {
            FUTEX_OP_SET => self.argument,
            FUTEX_OP_ADD => old.wrapping_add(self.argument),
            FUTEX_OP_OR => old | self.argument,
            FUTEX_OP_ANDN => old & !self.argument,
            _ => old ^ self.argument,
        }
    }

    /// Changes the word in one step; its old value. `None` if others kept changing it.
    fn apply(&self, at: VirtAddr) -> Result<Option<u32>, UserFault> {
        let mut old = user_copy::load_u32(at)?;
        for _ in 0..MOST_TRIES {
            let found = user_copy::compare_exchange_u32(at, old, self.of(old))?;
            if found == old {
                return Ok(Some(old));
            }
            old = found;
        }
        Ok(None)
    }

    /// Whether the old value compares as asked.
    fn is_met_by(&self, old: u32) -> bool {
        let old = old as i32;
        match self.comparison {
            FUTEX_OP_CMP_EQ => old == self.compared,
            FUTEX_OP_CMP_NE => old != self.compared,
            FUTEX_OP_CMP_LT => old < self.compared,
            FUTEX_OP_CMP_LE => old <= self.compared,
            FUTEX_OP_CMP_GT => old > self.compared,
            _ => old >= self.compared,
        }
    }
}
