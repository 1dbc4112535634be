//! futex(2), futex_waitv(2) and its kin: sleeping on a word of user memory. What a word is known by is in `key`, who waits for which in
//! `waiters`; `sleep` and `wake` are the two sides, `inheritance` is about locks
//! whose owners inherit priorities, `robust` is what happens to the words of a thread that ends.
//!
//! No wake-up is lost: a waiter looks at the word and enters the bucket under the bucket's lock, and a waker changes the word
//! before it takes that lock. The waker either finds the waiter there, or the waiter finds the word changed.
//!
//! The word may fault, and a fault is not served with a lock held. So it is loaded by an access that gives up: the lock is
//! released, the fault served, and everything begun anew.

mod deadline;
mod inheritance;
mod key;
mod robust;
mod sized;
mod sleep;
mod waiters;
mod wake;

pub use inheritance::priority_changed;
pub use robust::thread_ended;
pub use sized::{futex_requeue, futex_wait, futex_wake};
pub use sleep::futex_waitv;

use crate::thread::Thread;
use abi::Errno;
use abi::process::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT,
    FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use alloc::sync::Arc;
use deadline::{Deadline, WaitClock};
use inheritance::LockMode;
use key::Scope;
use sleep::is_valid;
use wake::Requeue;

/// futex(2).
///
/// Not supported: `FUTEX_FD` (`ENOSYS`, as on Linux).
///
/// # Errors
/// `EAGAIN`: the word is another. `EINVAL`: an address or a count that is none, no bits, words that do not go together,
/// an owner that is none. `ETIMEDOUT`, `EINTR`: waited. `EDEADLK`: threads would wait for each other. `ESRCH`: no such
/// owner. `EPERM`: the lock is not the caller's. `ENOSYS`: no such operation. `ENOMEM`, those of user memory.
pub fn futex(
    current: &Arc<Thread>,
    [address, operation, value, fourth, address2, value3]: [u64; 6],
) -> Result<usize, Errno> {
    let operation = operation as u32;
    let scope = Scope::of_flags(operation);
    let clock = match operation & FUTEX_CLOCK_REALTIME {
        0 => WaitClock::Monotonic,
        _ => WaitClock::Realtime,
    };
    let (value, value3) = (value as u32, value3 as u32);
    let requeue = Requeue {
        from: address,
        to: address2,
        wakes: value,
        moves: fourth as u32,
    };
    match operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) {
        FUTEX_WAIT_BITSET => {
            let deadline = Deadline::absolute(current, fourth, clock)?;
            sleep::wait(current, scope, address, value, value3, deadline)
        }
        FUTEX_LOCK_PI2 => {
            let deadline = Deadline::absolute(current, fourth, clock)?;
            inheritance::lock(current, scope, address, LockMode::Wait, deadline)
        }
        FUTEX_WAIT_REQUEUE_PI => {
            let deadline = Deadline::absolute(current, fourth, clock)?;
            inheritance::wait(current, scope, (address, value), address2, deadline)
        }
        _ if clock == WaitClock::Realtime => Err(Errno::ENOSYS),
        FUTEX_LOCK_PI => {
            let deadline = Deadline::absolute(current, fourth, WaitClock::Realtime)?;
            inheritance::lock(current, scope, address, LockMode::Wait, deadline)
        }
        FUTEX_TRYLOCK_PI => inheritance::lock(current, scope, address, LockMode::Try, Deadline::Never),
        FUTEX_UNLOCK_PI => inheritance::unlock(current, scope, address),
        FUTEX_CMP_REQUEUE_PI => inheritance::requeue(current, scope, requeue, value3),
        FUTEX_WAIT => {
            let deadline = Deadline::relative(current, fourth)?;
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
