//! Pages that go out: those that have been waiting in line for longest, neighbours in one request.

use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use memory::FrameHandle;
use mm::{NextInLine, Outgoing, Slot, WriteBackError};
use sched::scheduler;
use sched::time;

use crate::area::{self, Area};

/// Pages that are written together, at most.
pub const CLUSTER: usize = 32;

/// Pages that were written since boot.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Pages that were written since boot: `pswpout`.
pub fn pages_written() -> u64 {
    WRITTEN.load(Ordering::Relaxed)
}

/// What became of some pages.
#[derive(Clone, Copy, Default)]
pub struct Written {
    /// Pages that were in line.
    pub tried: usize,
    /// Frames that are free now.
    pub freed: usize,
    /// Pages that could not be written.
    pub failed: usize,
}

/// Writes up to `most` pages, and [`CLUSTER`]. No lock is held; sleeps.
pub fn write_some(most: usize) -> Written {
    let (swap, frames) = (memory::get().swap(), memory::get().frames());
    let mut all = ArrayVec::<Outgoing, CLUSTER>::new();
    while all.len() < most.min(CLUSTER) {
        match swap.begin_write(frames) {
            NextInLine::Page(outgoing) => all.push(outgoing),
            NextInLine::Later => scheduler::cond_resched(),
            NextInLine::Nobody => break,
        }
    }
    // By descending slot: they are taken from the end.
    all.sort_unstable_by_key(|outgoing| core::cmp::Reverse(outgoing.slot));
    let mut written = Written {
        tried: all.len(),
        freed: 0,
        failed: 0,
    };
    while let Some(first) = all.pop() {
        let mut run = ArrayVec::<Outgoing, CLUSTER>::new();
        run.push(first);
        while let (Some(last), Some(next)) = (run.last(), all.last())
            && follows(last.slot, next.slot)
        {
            run.extend(all.pop());
        }
        write_run(run, &mut written);
    }
    written
}

fn follows(slot: Slot, next: Slot) -> bool {
    slot.area() == next.area() && slot.offset() + 1 == next.offset()
}

/// Writes pages whose slots follow each other.
fn write_run(run: ArrayVec<Outgoing, CLUSTER>, written: &mut Written) {
    let area = run.first().and_then(|first| area::get(first.slot.area()));
    let together = write(area.as_deref(), &run);
    let is_one = run.len() == 1;
    for outgoing in run {
        // Of several that failed together, some may be fit to be written.
        let outcome = match together {
            Err(_) if !is_one => write(area.as_deref(), core::slice::from_ref(&outgoing)),
            outcome => outcome,
        };
        let outcome = outcome.map_err(|error| match error {
            Errno::ENOMEM | Errno::ENOSPC => WriteBackError::NoSpace,
            _ => {
                say_error(outgoing.slot);
                WriteBackError::Device
            }
        });
        WRITTEN.fetch_add(u64::from(outcome.is_ok()), Ordering::Relaxed);
        written.failed += usize::from(outcome.is_err());
        let (frames, mmu) = (memory::get().frames(), memory::get().mmu());
        let gone = memory::get().swap().finish_write(frames, mmu, outgoing, outcome);
        // Before anybody else can have the frame: those who wait for one take all that there are.
        let free = match (gone.map(FrameHandle::from_reference), &area) {
            (Some(frame), Some(area)) => area.take_for_reserve(frame),
            (gone, _) => gone,
        };
        written.freed += usize::from(free.is_some());
    }
    if let Some(area) = area {
        area.note_freed();
    }
}

fn write(area: Option<&Area>, run: &[Outgoing]) -> Result<(), Errno> {
    let first = run.first().ok_or(Errno::EINVAL)?.slot;
    let area = area.ok_or(Errno::ENXIO)?;
    // Dropped before it is said that they are written: who holds a frame keeps it from being free.
    let pages: ArrayVec<FrameHandle, CLUSTER> = run
        .iter()
        .map(|outgoing| FrameHandle::one_more(outgoing.frame))
        .collect();
    area.write(first, &pages)
}

/// Once a second: there may be very many.
#[cold]
fn say_error(slot: Slot) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = time::now_monotonic_nanos();
    let last = LAST.load(Ordering::Relaxed);
    if last != 0 && now < last + time::SECOND {
        return;
    }
    LAST.store(now, Ordering::Relaxed);
    let number = area::get(slot.area()).map_or((0, 0), |area| area.volume().number);
    klog::error!(
        "Write-error on swap-device ({}:{}:{})",
        number.0,
        number.1,
        slot.offset()
    );
}
