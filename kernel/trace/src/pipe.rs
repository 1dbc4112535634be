//! Reading records while they are made, each once: `trace_pipe`. A reader is woken by any record; who polls, when a ring has filled to
//! `buffer_percent`, so that it disturbs those whom it watches seldom.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use abi::Errno;
use sched::wait::WaitQueue;

use crate::record::TraceRecord;
use crate::ring;

/// As much of a ring is filled when who polls is told, in percent.
static PERCENT: AtomicU32 = AtomicU32::new(50);
/// Threads in read(2), and those in poll(2).
static READERS: WaitQueue = WaitQueue::new();
static POLLERS: WaitQueue = WaitQueue::new();
/// There is a [`TracePipe`].
static IS_OPEN: AtomicBool = AtomicBool::new(false);

/// The one who reads.
pub struct TracePipe(());

/// A record, and what gave way before it.
pub struct Consumed {
    /// The record.
    pub record: TraceRecord,
    /// So many of its processor were overwritten since the one before.
    pub lost: u64,
}

impl TracePipe {
    /// From now on records are read here.
    ///
    /// # Errors
    /// `EBUSY`: somebody else does.
    pub fn open() -> Result<TracePipe, Errno> {
        match IS_OPEN.swap(true, Ordering::Acquire) {
            true => Err(Errno::EBUSY),
            false => Ok(TracePipe(())),
        }
    }

    /// Takes the oldest record.
    pub fn consume(&self) -> Option<Consumed> {
        ring::take_first()
    }

    /// Waits until there is a record, or something is so that is told to readers by [`tell_all`].
    ///
    /// # Errors
    /// `RESTART`: a signal is to be delivered.
    pub fn wait_or(&self, is_so: impl Fn() -> bool) -> Result<(), Errno> {
        let is_ready = || ring::is_any() || is_so();
        Ok(READERS.wait_until(|| is_ready().then_some(()))?)
    }

    /// Whether a ring has filled that far.
    pub fn is_worth_reading(&self) -> bool {
        ring::is_filled(percent())
    }

    /// Who polls waits here.
    pub fn pollers(&self) -> &'static WaitQueue {
        &POLLERS
    }
}

impl Drop for TracePipe {
    fn drop(&mut self) {
        IS_OPEN.store(false, Ordering::Release);
    }
}

/// How full a ring is when who polls is told, in percent.
pub fn percent() -> u32 {
    PERCENT.load(Ordering::Relaxed)
}

/// [`percent`], for who shows it as a limit.
pub fn shown_percent() -> u64 {
    u64::from(percent())
}

/// Changes [`percent`].
///
/// # Errors
/// `EINVAL`: it is no part of a hundred.
pub fn set_percent(percent: i64) -> Result<(), Errno> {
    let percent = u32::try_from(percent).ok().filter(|percent| *percent <= 100);
    PERCENT.store(percent.ok_or(Errno::EINVAL)?, Ordering::Relaxed);
    tell_all();
    Ok(())
}

/// A ring has a record more, and is that full now, in percent. No lock is held.
pub(crate) fn tell(fill: usize) {
    READERS.wake_all();
    if fill >= percent() as usize {
        POLLERS.wake_all();
    }
}

/// Something else has changed than that.
pub(crate) fn tell_all() {
    READERS.wake_all();
    POLLERS.wake_all();
}
