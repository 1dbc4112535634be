//! Pages that come late, in builds with checks. All files are in memory, so no page of theirs has to be waited for; a thread that is
//! told to by /proc/PID/fail-nth finds that one has to, and so does everybody else until it comes. So the way of a fault that waits
//! is gone by programs: the space's lock is released, the thread sleeps, and the fault is looked at anew.
//!
//! Used by whoever gives pages of an object to be mapped.

use crate::scheduler;
use crate::time::{self, SECOND};
use crate::wait::WaitQueue;
use core::sync::atomic::{AtomicBool, Ordering};
use lock::{Mutex, rank};
use mm::{Interrupted, PageError};
use platform::fault_injection::{self, LATE_PAGE, LOST_PAGE};
use platform::timer;

/// How late a page is, in nanoseconds.
const DELAY: u64 = 2_000_000;
/// The same of one that is lost: nobody waits for it to its end.
const LOST: u64 = 20 * SECOND;
/// Pages that can be late at a time. Further ones come at once.
const MOST: usize = 8;

/// One that has not come yet.
#[derive(Clone, Copy)]
struct Late {
    object: usize,
    index: u64,
    /// The tick at which it comes.
    comes: u64,
}

static LATE: Mutex<[Option<Late>; MOST], { rank::LEAF }> = Mutex::new([None; MOST]);

/// Who waits for them.
static ARRIVED: WaitQueue = WaitQueue::new();

/// Whether any thread has been told to find pages late: before that, at boot, there may be no thread at all.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// From now on threads are looked at.
#[cfg(debug_assertions)]
pub fn begin() {
    IS_WANTED.store(true, Ordering::Relaxed);
}

/// The running thread wants page `index` of an object, under whatever locks.
///
/// # Errors
/// [`PageError::NotYet`]: it is late, or begins to be.
#[inline]
pub fn ask(object: usize, index: u64) -> Result<(), PageError> {
    if fault_injection::IS_THERE && IS_WANTED.load(Ordering::Relaxed) && is_late(object, index) {
        Err(PageError::NotYet)
    } else {
        Ok(())
    }
}

/// Those of the pages from `first` on of an object, by the bits of `wanted`, that are not late. Nobody's request is counted.
#[inline]
pub fn present(object: usize, first: u64, wanted: u16) -> u16 {
    if !fault_injection::IS_THERE || !IS_WANTED.load(Ordering::Relaxed) {
        return wanted;
    }
    (first..)
        .zip(0..u16::BITS)
        .filter(|(index, _)| coming(object, *index).is_some())
        .fold(wanted, |wanted, (_, nth)| wanted & !(1 << nth))
}

/// Waits for page `index` of an object, if it is late.
///
/// # Errors
/// [`Interrupted`]: the thread is to end.
pub fn wait_for(object: usize, index: u64) -> Result<(), Interrupted> {
    while let Some(comes) = coming(object, index) {
        let has_come = || coming(object, index).is_none().then_some(());
        ARRIVED
            .wait_for_page(Some(comes), has_come)
            .map_err(|_| Interrupted)?;
    }
    Ok(())
}

/// When a late page comes.
fn coming(object: usize, index: u64) -> Option<u64> {
    let now = timer::ticks();
    let late = LATE.lock();
    let found = late
        .iter()
        .flatten()
        .find(|late| (late.object, late.index) == (object, index));
    found.map(|late| late.comes).filter(|comes| *comes > now)
}

fn is_late(object: usize, index: u64) -> bool {
    coming(object, index).is_some() || count_request().is_some_and(|delay| delay_page(object, index, delay))
}

/// Counts a request of the running thread; how late the page is to be, if this was the one.
fn count_request() -> Option<u64> {
    let current = scheduler::current();
    let nth = current.fail_nth.load(Ordering::Relaxed);
    let (meant, delay) = match nth & (LATE_PAGE | LOST_PAGE) {
        0 => return None,
        LATE_PAGE => (LATE_PAGE, DELAY),
        _ => (LOST_PAGE, LOST),
    };
    let is_this = nth & !meant == 1;
    current
        .fail_nth
        .store(if is_this { 0 } else { nth - 1 }, Ordering::Relaxed);
    is_this.then_some(delay)
}

/// Whether there was a place to note it.
fn delay_page(object: usize, index: u64, delay: u64) -> bool {
    let now = timer::ticks();
    let mut late = LATE.lock();
    let free = late
        .iter_mut()
        .find(|place| place.is_none_or(|late| late.comes <= now));
    let Some(place) = free else {
        return false;
    };
    *place = Some(Late {
        object,
        index,
        comes: time::deadline_after(delay),
    });
    true
}
