//! Frames where none are left: pages of files that can be read again, and pages of programs that are paged out. A thread of the kernel's
//! own begins when little is left, so that few have to do it themselves; and only when neither finds anything is a process ended
//! (`memory::reclaim`).

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mm::PAGE_SIZE;
use pagecache::reclaim as cache;
use pagecache::writeback;
use sched::SleepingMutex;
use sched::scheduler;
use sched::time;
use sched::wait::WaitQueue;

use crate::evict::{self, HandWalk};
use crate::write;

/// How willingly pages of programs are paged out while there are pages of files: 0 to 200 (/proc/sys/vm/swappiness).
pub static SWAPPINESS: AtomicU64 = AtomicU64::new(60);
/// The most that it can be.
pub const MOST_SWAPPINESS: u64 = 200;

/// The part of memory below which the thread begins, one of so many, and where it ends.
const LOW_PART: u64 = 64;
const HIGH_PART: u64 = 40;
/// Pages that stand in line to be written before any is: those that are needed come back from there.
const LINE_PART: u64 = 32;
/// Walks of the hand over everything that found nothing, before it is said that there is nothing.
const EMPTY_WALKS: usize = 2;
/// Rounds of the hand without a frame gained, before the same is said: others may bring pages back as fast as they are taken out.
/// (`MAX_RECLAIM_RETRIES` of Linux.)
const IDLE_ROUNDS: usize = 16;
/// Frames that the thread asks for at a time.
const PORTION: usize = 64;
/// How often it looks, in nanoseconds: while memory is short, and while it is not.
const SHORT_NAP: u64 = 10_000_000;
const LONG_NAP: u64 = 200_000_000;

/// How often one who finds nothing looks again, before memory is said to be out.
const TRIES: usize = 16;

/// Nobody is woken here but by time.
static RETRY: WaitQueue = WaitQueue::new();
/// Whoever pages out: one at a time, so that nobody takes pages for lost that another is about to write.
static PAGING_OUT: SleepingMutex = SleepingMutex::new();
/// The thread sleeps here.
static NAP: WaitQueue = WaitQueue::new();
/// Somebody had to look for frames himself.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Frames that programs could have: what is left of them when the kernel's reserve is not counted.
fn free() -> usize {
    memory::get().frames().free_count()
}

fn part_of_memory(part: u64) -> usize {
    (platform::memory::ram_bytes() / PAGE_SIZE as u64 / part) as usize
}

/// Gives about `wanted` frames back; how many, at least 1 if another has given some back meanwhile. No lock is held; it may sleep.
pub fn shrink(wanted: usize) -> usize {
    let mut gained = shrink_once(wanted);
    for _ in 0..TRIES {
        if gained > 0 || !may_come_back() {
            break;
        }
        writeback::wake();
        let deadline = time::deadline_after(SHORT_NAP);
        RETRY.wait_uninterruptible(Some(deadline), || None::<()>);
        gained = shrink_once(wanted);
    }
    gained
}

fn shrink_once(wanted: usize) -> usize {
    if !has_areas() {
        return cache::shrink(wanted);
    }
    wake();
    shrink_both(wanted)
}

/// Whether there are pages that a moment later may be given back: they are being written, or who maps them was busy.
fn may_come_back() -> bool {
    writeback::dirty_pages() + writeback::written_pages() > 0
        || cache::cached_pages() > 0
        || memory::get().swap().cached().0 > 0
}

fn has_areas() -> bool {
    memory::get().swap().usage().slots > 0
}

/// The thread looks at once.
pub(crate) fn wake() {
    IS_WANTED.store(true, Ordering::Relaxed);
    NAP.wake_one();
}

/// The shares are those of [`SWAPPINESS`]; what one does not give is asked of the other.
fn shrink_both(wanted: usize) -> usize {
    let swappiness = SWAPPINESS.load(Ordering::Relaxed).min(MOST_SWAPPINESS);
    let of_programs = (wanted as u64 * swappiness / MOST_SWAPPINESS) as usize;
    let mut gained = cache::shrink(wanted - of_programs);
    if gained < wanted {
        gained += page_out(wanted - gained);
    }
    if gained < wanted && of_programs > 0 {
        gained += cache::shrink(wanted - gained);
    }
    gained
}

/// Pages programs' pages out until about `wanted` frames are free; how many are.
fn page_out(wanted: usize) -> usize {
    let before = free();
    let _turn = PAGING_OUT.lock_uninterruptible();
    if free() > before + wanted {
        // Whoever had the turn before has freed enough for all.
        return wanted;
    }
    let mut gained = 0;
    let mut hope = Hope::new();
    while gained < wanted && hope.is_left() {
        let gain = page_out_some(wanted - gained, &mut hope);
        hope.note_gain(gain);
        gained += gain;
    }
    gained
}

/// Whether there is anything left to be had by one who pages out.
struct Hope {
    /// Walks of the hand in a row that found nothing.
    empty_walks: usize,
    /// Nothing was written, nor was anything there that had been.
    is_stuck: bool,
    /// The last that were to be written could not be.
    has_failed: bool,
    /// How often the hand had come round when a frame was gained last.
    gained_at: usize,
}

impl Hope {
    fn new() -> Hope {
        Hope {
            empty_walks: 0,
            is_stuck: false,
            has_failed: false,
            gained_at: evict::rounds(),
        }
    }

    fn may_evict(&self) -> bool {
        self.empty_walks < EMPTY_WALKS
    }

    /// Not by how often one has tried: a page that four processes map is free when the hand has been with each of them.
    fn is_left(&self) -> bool {
        let idle_rounds = evict::rounds().wrapping_sub(self.gained_at);
        idle_rounds <= IDLE_ROUNDS && (self.may_evict() || !self.is_stuck)
    }

    fn note_walk(&mut self, walk: HandWalk) {
        self.empty_walks = match walk {
            HandWalk { is_full: true, .. } => EMPTY_WALKS,
            HandWalk { evicted: 0, .. } => self.empty_walks + 1,
            _ => 0,
        };
    }

    fn note_gain(&mut self, gain: usize) {
        if gain > 0 {
            self.gained_at = evict::rounds();
        }
    }
}

/// One step: takes what is unused, takes more out of tables if few stand in line, and writes some of those; frames that are free by it.
fn page_out_some(wanted: usize, hope: &mut Hope) -> usize {
    let dropped = drop_unused(wanted);
    if dropped >= wanted {
        return dropped;
    }
    let missing = wanted - dropped;
    let (_, in_line) = memory::get().swap().cached();
    let target = part_of_memory(LINE_PART) + missing;
    // Where nothing can be written, for want of a frame to compress it to, pages that are written already may still go.
    if (in_line < target || hope.has_failed) && hope.may_evict() {
        hope.note_walk(evict::evict_some(target.saturating_sub(in_line).max(PORTION)));
    }
    let written = write::write_some(missing);
    hope.has_failed = written.failed > 0;
    hope.is_stuck = written.failed == written.tried && dropped == 0;
    dropped + written.freed
}

/// Gives about `wanted` frames back of pages that stand in their slots and that nobody maps; how many. It looks at all slots before it says
/// that there are none: pages that were read again and taken out once more are written already, and stand in no line.
fn drop_unused(wanted: usize) -> usize {
    let (swap, frames, mmu) = (memory::get().swap(), memory::get().frames(), memory::get().mmu());
    let (mut gained, mut rounds) = (0, 0);
    // The first one begins in the middle.
    while gained < wanted && rounds < 2 {
        let (dropped, is_round) = swap.drop_unused(frames, mmu, wanted - gained);
        gained += dropped;
        rounds += usize::from(is_round);
        scheduler::cond_resched();
    }
    gained
}

/// The life of the thread.
pub fn run() -> ! {
    loop {
        let is_short = free() < part_of_memory(HIGH_PART);
        let nap = if is_short { SHORT_NAP } else { LONG_NAP };
        let deadline = has_areas().then(|| time::deadline_after(nap));
        let is_wanted = || IS_WANTED.swap(false, Ordering::Relaxed).then_some(());
        NAP.wait_uninterruptible(deadline, is_wanted);
        if !has_areas() || free() >= part_of_memory(LOW_PART) {
            continue;
        }
        while free() < part_of_memory(HIGH_PART) && shrink_both(PORTION) > 0 {
            scheduler::cond_resched();
        }
    }
}
