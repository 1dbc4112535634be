//! futex(2): sleeping on a word of user memory. A word is known by the frame it lies in where memory is shared between
//! spaces, by space and address where it is not. The waiters of all words stand in a few buckets; a waker wakes those of its
//! bucket that wait for its word.
//!
//! No wake-up is lost: a waiter stands in the bucket before it reads the word, and a waker changes the word before it
//! looks into the bucket.

use crate::memory;
use crate::process::Space;
use crate::sync::{Mutex, rank};
use crate::thread::Thread;
use crate::{time, user_memory, wait};
use abi::Errno;
use abi::process::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET,
};
use abi::time::TimeSpec;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use mm::{Access, PAGE_SIZE, Sharing, VirtAddr};
use platform::timer;

const BUCKETS: usize = 64;

static WAITERS: [Mutex<Vec<Arc<Waiter>>, { rank::FUTEX }>; BUCKETS] = [const { Mutex::new(Vec::new()) }; BUCKETS];

/// What a word is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    /// Private memory: the space's address in the kernel, and the word's.
    Private(usize, u64),
    /// Shared memory: frame and offset.
    Shared(u32, usize),
}

impl Key {
    fn bucket(self) -> &'static Mutex<Vec<Arc<Waiter>>, { rank::FUTEX }> {
        let hash = match self {
            Key::Private(space, address) => (space >> 6) ^ (address as usize >> 2),
            Key::Shared(frame, offset) => frame as usize ^ (offset >> 2),
        };
        &WAITERS[hash % BUCKETS]
    }
}

/// Somebody who waits.
struct Waiter {
    key: Mutex<Key>,
    mask: u32,
    is_woken: AtomicBool,
    queue: wait::WaitQueue,
}

/// futex(2).
pub fn futex(
    current: &Thread,
    [address, operation, value, timeout, address2, value3]: [u64; 6],
) -> Result<usize, Errno> {
    let operation = operation as u32;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let (value, value3) = (value as u32, value3 as u32);
    match command {
        FUTEX_WAIT => wait(
            current,
            address,
            value,
            relative(current, timeout)?,
            FUTEX_BITSET_MATCH_ANY,
        ),
        FUTEX_WAIT_BITSET => wait(current, address, value, absolute(operation, timeout)?, value3),
        FUTEX_WAKE => wake(current, address, value, FUTEX_BITSET_MATCH_ANY),
        FUTEX_WAKE_BITSET => wake(current, address, value, value3),
        FUTEX_REQUEUE => requeue(current, address, value, timeout as u32, address2),
        FUTEX_CMP_REQUEUE => {
            if user_memory::load_u32(address)? != value3 {
                return Err(Errno::EAGAIN);
            }
            requeue(current, address, value, timeout as u32, address2)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// Wakes up to `most` threads that wait for the word at `address` of the current space.
pub fn wake_at(current: &Thread, address: u64, most: u32) {
    // Without an address that can be used there is nobody to wake.
    let _ = wake(current, address, most, FUTEX_BITSET_MATCH_ANY);
}

fn relative(current: &Thread, at: u64) -> Result<Option<u64>, Errno> {
    if at == 0 {
        return Ok(None);
    }
    let timeout: TimeSpec = user_memory::read_value(at)?;
    let deadline = time::deadline_after(timeout.to_nanoseconds().ok_or(Errno::EINVAL)?);
    Ok(Some(current.resume_deadline(deadline)))
}

fn absolute(operation: u32, at: u64) -> Result<Option<u64>, Errno> {
    if at == 0 {
        return Ok(None);
    }
    let nanos = user_memory::read_value::<TimeSpec>(at)?
        .to_nanoseconds()
        .ok_or(Errno::EINVAL)?;
    let is_realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    Ok(Some(if is_realtime {
        time::realtime_to_ticks(nanos)
    } else {
        timer::nanos_to_ticks(nanos)
    }))
}

/// How the word at `address` is known. A shared page is made present first, for its frame is its name.
fn key(current: &Thread, address: u64) -> Result<Key, Errno> {
    let space = current.process.space().ok_or(Errno::EFAULT)?;
    let at = VirtAddr(address);
    user_memory::load_u32(address)?;
    space.with(|memory| {
        let area = memory.areas().find(at).ok_or(Errno::EFAULT)?;
        if area.sharing == Sharing::Private {
            return Ok(Key::Private(Space::identity(&space), address));
        }
        let frame = memory
            .privatise(memory::get(), at, Access::Read)
            .map_err(|_| Errno::EFAULT)?;
        Ok(Key::Shared(frame.0, address as usize % PAGE_SIZE))
    })
}

fn wait(
    current: &Thread,
    address: u64,
    value: u32,
    deadline: Option<u64>,
    mask: u32,
) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(current, address)?;
    let waiter = Arc::new(Waiter {
        key: Mutex::new(key),
        mask,
        is_woken: AtomicBool::new(false),
        queue: wait::WaitQueue::new(),
    });
    key.bucket().lock().push(waiter.clone());
    let outcome = sleep(current, &waiter, address, value, deadline);
    remove(&waiter);
    outcome
}

fn sleep(
    current: &Thread,
    waiter: &Waiter,
    address: u64,
    value: u32,
    deadline: Option<u64>,
) -> Result<usize, Errno> {
    if user_memory::load_u32(address)? != value {
        return Err(Errno::EAGAIN);
    }
    let is_woken = || waiter.is_woken.load(Ordering::Acquire).then_some(());
    match waiter.queue.wait_until_deadline(deadline, is_woken) {
        Ok(Some(())) => Ok(0),
        Ok(None) => Err(Errno::ETIMEDOUT),
        Err(_) => {
            deadline
                .into_iter()
                .for_each(|deadline| current.keep_deadline(deadline));
            Err(if deadline.is_some() {
                Errno::RESTART_NO_HANDLER
            } else {
                Errno::RESTART
            })
        }
    }
}

/// Takes a waiter out of its bucket; a requeue may move it meanwhile, so the key is read again.
fn remove(waiter: &Arc<Waiter>) {
    loop {
        let key = *waiter.key.lock();
        let mut bucket = key.bucket().lock();
        if *waiter.key.lock() == key {
            bucket.retain(|other| !Arc::ptr_eq(other, waiter));
            return;
        }
    }
}

fn wake(current: &Thread, address: u64, most: u32, mask: u32) -> Result<usize, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(current, address)?;
    let woken = take(key, most, mask);
    woken.iter().for_each(|waiter| rouse(waiter));
    Ok(woken.len())
}

fn rouse(waiter: &Waiter) {
    waiter.is_woken.store(true, Ordering::Release);
    waiter.queue.wake_all();
}

/// Takes up to `most` waiters for a word out of its bucket, the longest waiting first.
fn take(key: Key, most: u32, mask: u32) -> Vec<Arc<Waiter>> {
    let mut taken = Vec::new();
    key.bucket().lock().retain(|waiter| {
        let is_meant = taken.len() < most as usize && waiter.mask & mask != 0 && *waiter.key.lock() == key;
        if is_meant {
            taken.push(waiter.clone());
        }
        !is_meant
    });
    taken
}

/// Wakes some who wait for one word and lets others wait for a second one instead.
fn requeue(current: &Thread, address: u64, wakes: u32, moves: u32, address2: u64) -> Result<usize, Errno> {
    if !address2.is_multiple_of(4) || wakes > i32::MAX as u32 || moves > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (key(current, address)?, key(current, address2)?);
    let woken = take(from, wakes, FUTEX_BITSET_MATCH_ANY);
    woken.iter().for_each(|waiter| rouse(waiter));
    let moved = take(from, moves, FUTEX_BITSET_MATCH_ANY);
    for waiter in &moved {
        *waiter.key.lock() = to;
    }
    to.bucket().lock().extend(moved.iter().cloned());
    Ok(woken.len() + moved.len())
}
