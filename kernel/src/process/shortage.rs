//! When there is no frame for a page that a program may well use, somebody has to end: the process that maps most memory,
//! whoever asked. Never the first process while there is another one: the machine would not outlive it.

use super::{INIT, Process, all};
use crate::{memory, scheduler};
use abi::process::WaitStatus;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI16, Ordering};

/// The adjustment of who is never chosen (`OOM_SCORE_ADJ_MIN`).
pub const NEVER: i16 = -1000;

/// The adjustment that counts like all memory (`OOM_SCORE_ADJ_MAX`).
pub const FIRST: i16 = 1000;

/// What a process says of its being chosen: /proc/PID/oom_score_adj.
#[derive(Default)]
pub struct Preference {
    /// Thousandths of all memory that are added to what it maps.
    pub adjustment: AtomicI16,
    /// The least adjustment that it may have unless it is privileged: what a privileged process set last.
    pub least: AtomicI16,
}

/// Lets another process end, so that the caller may try again; false if the caller is to make do without. `process` is the
/// running one. No lock may be held: others run meanwhile.
#[cold]
pub fn make_room(process: &Process) -> bool {
    if process.is_ending() {
        return false;
    }
    let others = all().into_iter().filter(|other| !other.is_zombie());
    let weighed = others.filter_map(|other| Some((weight(&other)?, other)));
    let Some((_, victim)) = weighed.max_by_key(|(weight, _)| *weight) else {
        return false;
    };
    if victim.pid == process.pid {
        return false;
    }
    if !victim.is_ending() {
        end(&victim);
    }
    // It may need this very processor, or an interrupt that only this one serves.
    let current = scheduler::current();
    scheduler::serve_interrupts(&current);
    scheduler::yield_now(&current);
    true
}

/// Ends a process by a signal that it cannot catch, and says why, unless it ends already.
#[cold]
pub fn end(process: &Arc<Process>) {
    let is_news = process.end(WaitStatus::Signaled {
        signal: Signal::SIGKILL.number(),
        core: false,
    });
    if is_news {
        crate::error!(
            "Out of memory: killed process {} ({})",
            process.pid,
            process.name()
        );
    }
}

/// What its end gives back, roughly, and as its adjustment shifts it; `None` for who is never chosen. One that ends already
/// comes first: nobody else has to while it does.
fn weight(process: &Process) -> Option<i64> {
    let adjustment = process.attributes.shortage.adjustment.load(Ordering::Relaxed);
    if process.pid == INIT || process.is_zombie() {
        return None;
    }
    if process.is_ending() {
        return Some(i64::MAX);
    }
    if adjustment == NEVER {
        return None;
    }
    let mapped = process.with_space(|space| space.resident_pages(memory::get()));
    Some(mapped.unwrap_or(0) as i64 + i64::from(adjustment) * all_pages() / 1000)
}

/// /proc/PID/oom_score: the weight, as Linux scales it (`proc_oom_score`). 0 for who is never chosen.
pub fn score(process: &Process) -> i64 {
    let scaled = |weight: i64| (1000 + weight.saturating_mul(1000) / all_pages()) * 2 / 3;
    weight(process).map_or(0, scaled).max(0)
}

fn all_pages() -> i64 {
    (platform::memory::ram_bytes() / mm::PAGE_SIZE as u64).max(1) as i64
}

impl Preference {
    /// A child's is that of its parent.
    pub(super) fn for_child(&self) -> Preference {
        Preference {
            adjustment: AtomicI16::new(self.adjustment.load(Ordering::Relaxed)),
            least: AtomicI16::new(self.least.load(Ordering::Relaxed)),
        }
    }
}
