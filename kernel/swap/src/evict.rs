//! Taking pages out of tables: the hand, which goes over all address spaces, and what madvise(2) asks of one.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use abi::process::Pid;
use lock::Mutex;
use mm::{Evicted, Others, PageRange, USER_END, VirtAddr};
use sched::scheduler;
use sched::space::{self, Space};
use spin::Once;

use crate::write;

/// Pages evicted under one hold of a space's lock.
const AT_ONCE: usize = 64;

/// Pages that were taken out of a process's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eviction {
    /// Whose they are; `None`: the running thread's own.
    pub owner: Option<Pid>,
    /// Where they lie: from here on,
    pub from: VirtAddr,
    /// up to there.
    pub to: VirtAddr,
    /// How many.
    pub pages: usize,
}

static OBSERVER: Once<fn(Eviction)> = Once::new();

/// Has `act` called with what is taken out, by whoever does it, with no lock held.
pub fn set_observer(act: fn(Eviction)) {
    OBSERVER.call_once(|| act);
}

fn tell(owner: Option<Pid>, from: VirtAddr, evicted: &Evicted) {
    if evicted.pages > 0
        && let Some(observer) = OBSERVER.get()
    {
        observer(Eviction {
            owner,
            from,
            to: evicted.reached,
            pages: evicted.pages,
        });
    }
}

/// Where the hand stands: process, address.
static HAND: Mutex<(Pid, VirtAddr)> = Mutex::new((0, VirtAddr(0)));
/// How often it has come round.
static ROUNDS: AtomicUsize = AtomicUsize::new(0);

/// How often the hand has come round since boot.
pub fn rounds() -> usize {
    ROUNDS.load(Ordering::Relaxed)
}

/// What a walk of the hand came to.
#[derive(Clone, Copy, Default)]
pub struct HandWalk {
    /// Pages that are in line now.
    pub evicted: usize,
    /// Every process was visited.
    pub is_round: bool,
    /// There is no slot.
    pub is_full: bool,
}

/// Lets the hand take out some `wanted` pages, of one process after the other, and no more than one round. No lock is held.
pub fn evict_some(wanted: usize) -> HandWalk {
    let mut walk = HandWalk::default();
    let (mut pid, mut at) = *HAND.lock();
    let begun = pid;
    let mut has_wrapped = false;
    while walk.evicted < wanted && !walk.is_full {
        match space::next_tenant(pid) {
            None if has_wrapped => walk.is_round = true,
            None => {
                (pid, at, has_wrapped) = (0, VirtAddr(0), true);
                ROUNDS.fetch_add(1, Ordering::Relaxed);
            }
            Some((next, _)) if has_wrapped && next > begun => walk.is_round = true,
            Some((next, space)) => {
                if next != pid {
                    at = VirtAddr(0);
                }
                pid = next;
                let reached = match space {
                    Some(space) => visit(pid, &space, at, wanted, &mut walk, space.clone()),
                    None => VirtAddr(USER_END),
                };
                at = reached;
                if reached.0 >= USER_END {
                    (pid, at) = (next + 1, VirtAddr(0));
                }
            }
        }
        *HAND.lock() = (pid, at);
        if walk.is_round {
            break;
        }
        scheduler::cond_resched();
    }
    walk
}

/// Takes pages of one space from `at` on; how far it came. `held` is let go in pieces: the process may have ended meanwhile.
fn visit(
    owner: Pid,
    space: &Arc<Space>,
    from: VirtAddr,
    wanted: usize,
    walk: &mut HandWalk,
    held: Arc<Space>,
) -> VirtAddr {
    let mut at = from;
    while at.0 < USER_END && walk.evicted < wanted && !walk.is_full {
        let begin = at;
        let Some(range) = PageRange::between(at, VirtAddr(USER_END)) else {
            break;
        };
        let evicted = evict(space, range, wanted - walk.evicted);
        walk.evicted += evicted.pages;
        walk.is_full = evicted.is_full;
        at = evicted.reached;
        tell(Some(owner), begin, &evicted);
        scheduler::cond_resched();
    }
    held.let_go();
    at
}

/// Evicts some pages of a range: private tables by the space's lock, shared ones while the others are stopped.
fn evict(space: &Space, range: PageRange, most: usize) -> Evicted {
    let most = most.min(AT_ONCE);
    let evict = |range, others| space.with(|space| space.evict(memory::get(), range, most, others));
    let mut evicted = evict(range, Others::AtWork);
    if !evicted.has_shared {
        return evicted;
    }
    // Once more, for the tables that were passed by.
    let Some(range) = PageRange::between(range.start(), evicted.reached) else {
        return evicted;
    };
    let second = scheduler::while_others_are_stopped(|| evict(range, Others::Stopped));
    evicted.pages += second.pages;
    evicted.is_full |= second.is_full;
    evicted.reached = second.reached;
    evicted
}

/// What a program says of a range of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// It is not needed soon (`MADV_COLD`): its pages stand in line.
    Cold,
    /// It is not needed (`MADV_PAGEOUT`): its pages are written.
    PageOut,
}

/// Does what a program says of a part of its own space, as far as there are slots. No lock is held.
pub fn advise(space: &Space, range: PageRange, advice: Advice) {
    let mut at = range.start();
    while let Some(rest) = PageRange::between(at, range.end())
        && !rest.is_empty()
    {
        // What another process has as well is not this one's to send away.
        let evicted = space.with(|space| space.evict(memory::get(), rest, AT_ONCE, Others::AtWork));
        tell(None, at, &evicted);
        at = evicted.reached;
        if advice == Advice::PageOut {
            // Those that were in line before go first.
            let (_, mut left) = memory::get().swap().cached();
            while left > 0 {
                let written = write::write_some(left);
                if written.tried == written.failed {
                    break;
                }
                left = left.saturating_sub(written.tried);
            }
        }
        if evicted.is_full || scheduler::cond_resched_killable().is_err() {
            return;
        }
    }
}
