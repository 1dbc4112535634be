//! Pages that come back.

use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU64, Ordering};

use memory::FrameHandle;
use mm::{Frame, Interrupted, PageError, Reading, Slot};
use sched::scheduler;

use crate::area::Area;

/// Pages that are read at once, at most (2 to the power of Linux's vm.page-cluster).
pub const WINDOW: usize = 8;
/// Pages that were read since boot.
static READ: AtomicU64 = AtomicU64::new(0);

/// Pages that were read since boot: `pswpin`.
pub fn pages_read() -> u64 {
    READ.load(Ordering::Relaxed)
}

/// How the reading of a slot's page went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// It is worthwhile to ask for it again.
    Done,
    /// There is no frame for it.
    NoMemory,
}

/// Reads the page of a slot, or waits until somebody else has. No lock is held.
pub fn read(area: &Area, slot: Slot) -> Read {
    let swap = memory::get().swap();
    match swap.begin_read(slot) {
        Reading::NotNeeded => Read::Done,
        Reading::UnderWay => {
            let is_over = || (!swap.is_being_read(slot)).then_some(());
            area.has_read.wait_uninterruptible(None, is_over);
            Read::Done
        }
        Reading::Begun => read_run(area, slot),
    }
}

/// Reads the page of a slot whose reading has begun, and those that follow it there, if nobody reads them and there is room: programs went out
/// page after page, and are likely to come back so.
fn read_run(area: &Area, slot: Slot) -> Read {
    let swap = memory::get().swap();
    let Ok(first) = FrameHandle::allocate() else {
        finish(area, slot, Err(PageError::NoMemory));
        return Read::NoMemory;
    };
    let mut pages = ArrayVec::<FrameHandle, WINDOW>::new();
    pages.push(first);
    let slot_at = |nth: usize| Slot::of_area(slot.area(), slot.offset() + nth as u32);
    while pages.len() < area.window()
        && slot.offset() + (pages.len() as u32) < Slot::MOST
        && let Ok(frame) = FrameHandle::allocate()
    {
        if swap.begin_read(slot_at(pages.len())) != Reading::Begun {
            break;
        }
        pages.push(frame);
    }
    let together = area.read(slot, &pages);
    for (nth, frame) in pages.into_iter().enumerate() {
        let slot = slot_at(nth);
        // Of several that failed together, some may be fit to be read.
        let is_read = together.is_ok() || area.read(slot, core::slice::from_ref(&frame)).is_ok();
        if !is_read {
            let (major, minor) = area.volume().number;
            klog::error!("Read-error on swap-device ({major}:{minor}:{})", slot.offset());
        }
        let outcome = if is_read {
            Ok(frame.into_reference())
        } else {
            Err(PageError::BeyondEnd)
        };
        READ.fetch_add(u64::from(is_read), Ordering::Relaxed);
        finish(area, slot, outcome);
    }
    Read::Done
}

fn finish(area: &Area, slot: Slot, outcome: Result<Frame, PageError>) {
    let (frames, mmu) = (memory::get().frames(), memory::get().mmu());
    memory::get().swap().finish_read(frames, mmu, slot, outcome);
    area.has_read.wake_all();
}

/// The same for a fault, which makes room where there is no frame.
pub fn for_fault(area: &Area, slot: Slot) -> Result<(), Interrupted> {
    while read(area, slot) == Read::NoMemory {
        if scheduler::current().is_ending() || !memory::reclaim() {
            return Err(Interrupted);
        }
    }
    Ok(())
}
