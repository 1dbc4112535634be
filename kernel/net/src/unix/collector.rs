//! The thread that collects ([`collect`]) where one who closed a socket could not: somebody else was at it, or others changed each
//! time what was looked at. As Linux it is queued anew then, so nothing is left until a next socket is closed.
//!
//! There is none until a socket goes into a message.

use abi::Errno;
use core::sync::atomic::{AtomicBool, Ordering};
use sched::time;
use sched::wait::WaitQueue;
use spin::Once;

use super::collect;

/// How long those may go on who disturbed it, nanoseconds.
const PAUSE: u64 = 10_000_000;

/// Starts the thread.
static START: Once<fn() -> Result<(), Errno>> = Once::new();
static IS_STARTED: AtomicBool = AtomicBool::new(false);
/// It has something to do.
static IS_WANTED: AtomicBool = AtomicBool::new(false);
static WORKER: WaitQueue = WaitQueue::new();

/// Says how the thread is started, which calls [`run`]. Once, at boot.
pub fn set_start(start: fn() -> Result<(), Errno>) {
    START.call_once(|| start);
}

/// What the thread does.
pub fn run() -> ! {
    loop {
        WORKER.wait_uninterruptible(None, take_wish);
        if !collect::try_collect() {
            IS_WANTED.store(true, Ordering::SeqCst);
            WORKER.wait_uninterruptible(Some(time::deadline_after(PAUSE)), || None::<()>);
        }
    }
}

/// A socket is about to go into a message: from now on there is somebody to collect it.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn prepare() -> Result<(), Errno> {
    let Some(start) = START.get() else { return Ok(()) };
    if IS_STARTED.load(Ordering::Relaxed) || IS_STARTED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    start().inspect_err(|_| IS_STARTED.store(false, Ordering::Relaxed))
}

/// The thread is to collect.
pub(super) fn want() {
    IS_WANTED.store(true, Ordering::SeqCst);
    WORKER.wake_all();
}

/// Whether it is to; it is not said again.
pub(super) fn take_wish() -> Option<()> {
    IS_WANTED.swap(false, Ordering::SeqCst).then_some(())
}
