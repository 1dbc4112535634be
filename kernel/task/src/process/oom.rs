//! The OOM killer. When there is no frame for a page that a program may well use, a process has to end: the one that
//! holds most memory, whichever asked. Never the first process while there is another one: the machine would not outlive it.
//!
//! All processes are weighed once, by one thread at a time. A thread that wants memory then sleeps until the victim has given
//! back what it had, and tries again; no other process is chosen before. A victim that does not come to its end is passed over
//! after a while.

use super::{INIT, Process, table};
use crate::thread::ThreadExt;
use abi::process::WaitStatus;
use abi::signal::Signal;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI16, AtomicU32, Ordering};
use sched::SleepingMutex;
use sched::scheduler;
use sched::time;
use sched::wait::WaitQueue;

/// The adjustment of a process that is never chosen (`OOM_SCORE_ADJ_MIN`).
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
    /// Nothing more is to be had from its end.
    is_spent: AtomicBool,
}

/// Held by the thread that chooses a victim.
static CHOOSING: SleepingMutex = SleepingMutex::new();

/// The id of the process that was chosen last, 0 at first. It may be another's by now: if that one is ending, it gives back
/// memory just as well.
static VICTIM: AtomicU32 = AtomicU32::new(0);

/// Woken when a process has given back its memory.
static GIVEN_BACK: WaitQueue = WaitQueue::new();

/// So many nanoseconds a victim has for its end before another is chosen.
const VICTIM_TIMEOUT: u64 = time::SECOND;

/// Is asked from now on wherever memory is missing.
pub fn register() {
    memory::register_oom_killer(|| out_of_memory(scheduler::current().process()));
}

/// Lets another process end, so that the caller may try again; false if the caller is to make do without. `process` is the
/// running one. No lock may be held: the caller sleeps.
#[cold]
fn out_of_memory(process: &Process) -> bool {
    if process.is_ending() {
        return false;
    }
    let Some(victim) = victim().filter(|victim| victim.pid != process.pid) else {
        return false;
    };
    let deadline = time::deadline_after(VICTIM_TIMEOUT);
    let is_spent = || victim.attributes.oom.is_spent().then_some(());
    if let Ok(None) = GIVEN_BACK.wait_killable_deadline(Some(deadline), is_spent) {
        victim.attributes.oom.is_spent.store(true, Ordering::Release);
    }
    !process.is_ending()
}

/// The victim that ends already, or the heaviest process, which is told to end, be it the caller's.
fn victim() -> Option<Arc<Process>> {
    let _guard = CHOOSING.lock().ok()?;
    let chosen = table::find(VICTIM.load(Ordering::Relaxed));
    if let Some(victim) = chosen.filter(|victim| victim.is_ending() && !victim.attributes.oom.is_spent()) {
        return Some(victim);
    }
    let victim = heaviest()?;
    kill(&victim);
    Some(victim)
}

/// Of equals the youngest.
fn heaviest() -> Option<Arc<Process>> {
    let (mut heaviest, mut next) = (None, 0);
    while let Some(process) = table::next_from(next) {
        next = process.pid + 1;
        let weight = weight(&process);
        if weight.is_some() && weight >= heaviest.as_ref().and_then(|(weight, _)| *weight) {
            heaviest = Some((weight, process));
        }
        scheduler::cond_resched();
    }
    heaviest.map(|(_, process)| process)
}

/// The process has given back its memory: the threads that wait for that try again.
pub(super) fn note_freed(process: &Process) {
    process.attributes.oom.is_spent.store(true, Ordering::Release);
    GIVEN_BACK.wake_all();
}

/// Ends a process by a signal that it cannot catch, and says why, unless it ends already.
#[cold]
pub fn kill(process: &Arc<Process>) {
    VICTIM.store(process.pid, Ordering::Relaxed);
    let is_news = process.end(WaitStatus::Signaled {
        signal: Signal::SIGKILL.number(),
        core: false,
    });
    if is_news {
        klog::error!(
            "Out of memory: killed process {} ({})",
            process.pid,
            process.name()
        );
    }
}

/// What its end gives back, roughly, and as its adjustment shifts it; `None` for a process that is never chosen. One that
/// ends already comes first: no other has to meanwhile.
fn weight(process: &Process) -> Option<i64> {
    let oom = &process.attributes.oom;
    let adjustment = oom.adjustment.load(Ordering::Relaxed);
    if process.pid == INIT || process.is_zombie() || oom.is_spent() {
        return None;
    }
    if process.is_ending() {
        return Some(i64::MAX);
    }
    if adjustment == NEVER {
        return None;
    }
    let held = process.with_space(|space| space.footprint(memory::get()));
    let held = held.map_or(0, |held| held.pages + held.tables) as i64;
    Some(held + i64::from(adjustment) * all_pages() / 1000)
}

/// /proc/PID/oom_score: the weight, as Linux scales it (`proc_oom_score`). 0 for a process that is never chosen.
pub fn score(process: &Process) -> i64 {
    let scaled = |weight: i64| (1000 + weight.saturating_mul(1000) / all_pages()) * 2 / 3;
    weight(process).map_or(0, scaled).max(0)
}

fn all_pages() -> i64 {
    (platform::memory::ram_bytes() / mm::PAGE_SIZE as u64).max(1) as i64
}

impl Preference {
    fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Acquire)
    }

    /// A child's is that of its parent.
    pub(super) fn for_child(&self) -> Preference {
        Preference {
            adjustment: AtomicI16::new(self.adjustment.load(Ordering::Relaxed)),
            least: AtomicI16::new(self.least.load(Ordering::Relaxed)),
            is_spent: AtomicBool::new(false),
        }
    }
}
