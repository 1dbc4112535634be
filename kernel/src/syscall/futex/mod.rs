//! futex(2), futex_waitv(2): sleeping on a word of user memory. What a word is known by is in `key`, who waits for which in
//! `waiters`; `sleep` and `wake` are the two sides, `robust` is what happens to the words of a thread that ends.
//!
//! No wake-up is lost: a waiter looks at the word and enters the bucket under the bucket's lock, and a waker changes the word
//! before it takes that lock. The waker either finds the waiter there, or the waiter finds the word changed.
//!
//! The word may fault, and a fault is not served with a lock held. So it is loaded by an access that gives up: the lock is
//! released, the fault served, and everything begun anew.

mod key;
mod robust;
mod sleep;
mod waiters;
mod wake;

pub use robust::thread_ended;
pub use sleep::futex_waitv;

use crate::thread::Thread;
use crate::{time, user_memory};
use abi::Errno;
use abi::process::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use abi::time::TimeSpec;
use alloc::sync::Arc;
use key::Scope;
use platform::timer;
use wake::Requeue;

/// futex(2).
pub fn futex(
    current: &Arc<Thread>,
    [address, operation, value, fourth, address2, value3]: [u64; 6],
) -> Result<usize, Errno> {
    let operation = operation as u32;
    let scope = Scope::of_flags(operation);
    let is_realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let (value, value3) = (value as u32, value3 as u32);
    let requeue = Requeue {
        from: address,
        to: address2,
        wakes: value,
        moves: fourth as u32,
    };
    match operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) {
        FUTEX_WAIT_BITSET => {
            let deadline = absolute_deadline(current, fourth, is_realtime)?;
            sleep::wait(current, scope, address, value, value3, deadline)
        }
        _ if is_realtime => Err(Errno::ENOSYS),
        FUTEX_WAIT => {
            let deadline = relative_deadline(current, fourth)?;
            sleep::wait(current, scope, address, value, FUTEX_BITSET_MATCH_ANY, deadline)
        }
        FUTEX_WAKE => wake::wake(current, scope, address, value, FUTEX_BITSET_MATCH_ANY),
        FUTEX_WAKE_BITSET => wake::wake(current, scope, address, value, value3),
        FUTEX_REQUEUE => wake::requeue(current, scope, requeue, None),
        FUTEX_CMP_REQUEUE => wake::requeue(current, scope, requeue, Some(value3)),
        FUTEX_WAKE_OP => wake::wake_and_change(current, scope, requeue, value3),
        _ => Err(Errno::ENOSYS),
    }
}

/// The end of a wait of the length at `at`; `None` for 0, no limit. A call that is made again keeps the end it had.
fn relative_deadline(current: &Thread, at: u64) -> Result<Option<u64>, Errno> {
    deadline(current, at, time::deadline_after)
}

/// The end of a wait until the point in time at `at`; `None` for 0, no limit.
fn absolute_deadline(current: &Thread, at: u64, is_realtime: bool) -> Result<Option<u64>, Errno> {
    deadline(
        current,
        at,
        if is_realtime {
            time::realtime_to_ticks
        } else {
            timer::nanos_to_ticks
        },
    )
}

fn deadline(current: &Thread, at: u64, to_ticks: impl Fn(u64) -> u64) -> Result<Option<u64>, Errno> {
    // Taken whether or not it is of use, so that it does not outlive the call that left it.
    let kept = current.resume_deadline(0);
    if at == 0 {
        return Ok(None);
    }
    let given: TimeSpec = user_memory::read_value(at)?;
    let nanos = given.to_nanoseconds().ok_or(Errno::EINVAL)?;
    Ok(Some(if kept != 0 { kept } else { to_ticks(nanos) }))
}
