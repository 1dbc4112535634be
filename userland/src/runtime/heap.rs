//! The heap: `talc` on memory that `brk(2)` adds, as malloc does for small programs.

use core::alloc::Layout;
use core::sync::atomic::{AtomicBool, Ordering};

use super::memory;
use talc::base::{Talc, binning::Binning};
use talc::source::Source;

/// The least that one `brk` adds. Untouched pages of it cost nothing.
const STEP: usize = 128 * 1024;

#[global_allocator]
static HEAP: talc::TalcLock<SingleThread, ProgramBreak> = talc::TalcLock::new(ProgramBreak);

/// Memory from the program break. Pieces need not be neighbours: a program may move the break itself (`cow q6`).
#[derive(Debug)]
struct ProgramBreak;

// SAFETY: `acquire` allocates nothing and claims only memory that `extend_break` has just obtained for it alone.
unsafe impl Source for ProgramBreak {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let need = layout
            .size()
            .checked_add(layout.align())
            .and_then(|size| size.checked_add(STEP))
            .ok_or(())?;
        let size = need.checked_next_multiple_of(STEP).ok_or(())?;
        let base = memory::extend_break(size).map_err(|_| ())?;
        // SAFETY: these bytes were added to the program break by this call and are never given back.
        unsafe { talc.claim(base as *mut u8, size) }.map(|_| ()).ok_or(())
    }
}

/// The lock of a program with one thread: held or not, never waited for.
struct SingleThread(AtomicBool);

// SAFETY: `try_lock` succeeds only when nobody holds the lock; `lock` returns only after such a success.
unsafe impl lock_api::RawMutex for SingleThread {
    const INIT: Self = SingleThread(AtomicBool::new(false));
    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        assert!(self.try_lock(), "the heap is used from within the heap");
    }

    fn try_lock(&self) -> bool {
        !self.0.swap(true, Ordering::Acquire)
    }

    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}
