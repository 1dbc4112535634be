//! The calls of Linux 6.7 that say how large a word is: futex_wake(2), futex_wait(2), futex_requeue(2). Words of 32 bits are the only
//! ones, here as there.

use super::deadline::Deadline;
use super::key::Scope;
use super::wake::{self, Requeue};
use super::{is_valid, sleep};
use crate::thread::Thread;
use abi::Errno;
use abi::process::{FUTEX_32, FUTEX_PRIVATE_FLAG, FutexWaitv};
use alloc::sync::Arc;

/// Who uses a word with such flags. `EINVAL` for others than the size and `FUTEX_PRIVATE_FLAG`.
fn scope(flags: u64) -> Result<Scope, Errno> {
    let flags = flags as u32;
    if flags & !FUTEX_PRIVATE_FLAG == FUTEX_32 {
        Ok(Scope::of_flags(flags))
    } else {
        Err(Errno::EINVAL)
    }
}

/// A value or a mask of a word. `EINVAL` for more than it has bits.
fn of_word(value: u64) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}

/// futex_wake(2): as FUTEX_WAKE_BITSET, but a count of 0 wakes nobody.
///
/// # Errors
/// `EINVAL`: flags, a mask or an address that are none; a lock with priority inheritance. Those of user memory.
pub fn futex_wake(current: &Thread, address: u64, mask: u64, count: u64, flags: u64) -> Result<usize, Errno> {
    let (scope, mask) = (scope(flags)?, of_word(mask)?);
    wake::wake_strictly(current, scope, address, count as u32, mask)
}

/// futex_wait(2): as FUTEX_WAIT_BITSET with a point in time of `clock`.
///
/// # Errors
/// `EAGAIN`: the word is another. `EINVAL`: flags, a value, a mask, a clock or an address that are none. `ETIMEDOUT`,
/// `EINTR`: waited. Those of user memory.
pub fn futex_wait(
    current: &Arc<Thread>,
    [address, value, mask, flags, timeout, clock]: [u64; 6],
) -> Result<usize, Errno> {
    let (scope, value, mask) = (scope(flags)?, of_word(value)?, of_word(mask)?);
    let deadline = Deadline::of_clock(current, timeout, clock)?;
    match sleep::wait(current, scope, address, value, mask, deadline) {
        // Made again it ends at the same time: a handler need not keep it from that.
        Err(Errno::RESTART_NO_HANDLER) => Err(Errno::RESTART),
        result => result,
    }
}

/// futex_requeue(2): as FUTEX_CMP_REQUEUE, for the two words listed at `list`, the first with the value that it must have.
///
/// # Errors
/// `EINVAL`: flags, counts or words that are none. `EAGAIN`: the first word is another. Those of user memory.
pub fn futex_requeue(
    current: &Thread,
    list: u64,
    flags: u64,
    wakes: u64,
    moves: u64,
) -> Result<usize, Errno> {
    if flags as u32 != 0 || list == 0 {
        return Err(Errno::EINVAL);
    }
    let words: [FutexWaitv; 2] = uaccess::read_value(list)?;
    if !words.iter().all(is_valid) {
        return Err(Errno::EINVAL);
    }
    let [from, to] = words;
    let request = Requeue {
        from: from.uaddr,
        to: to.uaddr,
        wakes: wakes as u32,
        moves: moves as u32,
    };
    let scopes = [from.flags, to.flags].map(Scope::of_flags);
    wake::requeue_between(current, scopes, request, Some(from.val as u32))
}
