//! What programs need to tell the time without a call: the words of one page, which the code of the vDSO reads
//! (`platform/src/arch/vdso.s` knows their places). The line that the clock runs along (`clock_line`) is written here too whenever it
//! changes, within the same change.

use core::sync::atomic::{AtomicBool, Ordering};

use memory::FrameHandle;
use mm::NoMemory;
use platform::{frame, timer};
use spin::Once;

use super::SECOND;
use super::clock_line::ClockLine;

/// Where the words are: the number of changes, odd while there is one; nanoseconds per tick, times 2^32; nanoseconds that a tick takes;
/// the line.
const CHANGES: usize = 0;
const FACTOR: usize = 8;
const RESOLUTION: usize = 16;
const START: usize = 24;
const CLOCK: usize = 32;
const RATE: usize = 40;

static PAGE: Once<FrameHandle> = Once::new();

/// Whether there is a page: at boot the clock is set before.
static IS_THERE: AtomicBool = AtomicBool::new(false);

/// Makes the page. Called once, at boot.
///
/// # Errors
/// There is no frame for it.
pub(super) fn make(line: &ClockLine, changes: u64) -> Result<(), NoMemory> {
    let page = FrameHandle::allocate()?;
    memory::get().frames().note_object(page.frame());
    frame::store_word(page.frame(), FACTOR, timer::nanos_per_tick());
    frame::store_word(page.frame(), RESOLUTION, resolution());
    PAGE.call_once(|| page);
    IS_THERE.store(true, Ordering::Release);
    end_change(line, changes);
    Ok(())
}

/// The page.
///
/// # Panics
/// Before it was made.
pub fn page() -> &'static FrameHandle {
    PAGE.get().expect("the clock page is made at boot")
}

/// What clock_getres(2) says: nanoseconds that a tick takes.
pub fn resolution() -> u64 {
    SECOND.div_ceil(timer::frequency())
}

/// From now on the line is being changed: programs wait. The number of changes is odd.
pub(super) fn begin_change(changes: u64) {
    store(CHANGES, changes);
}

/// The line was changed. The number of changes is even.
pub(super) fn end_change(line: &ClockLine, changes: u64) {
    store(START, line.start);
    store(CLOCK, line.clock);
    store(RATE, line.rate as u64);
    store(CHANGES, changes);
}

/// Stores are seen in the order in which they are made.
fn store(at: usize, word: u64) {
    if IS_THERE.load(Ordering::Acquire) {
        frame::store_word(page().frame(), at, word);
    }
}
