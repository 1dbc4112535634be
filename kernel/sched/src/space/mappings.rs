//! From an object to its mappings: pages that it has lost are taken from all spaces ([`mm::Revocation`]), by a walk over the
//! processes' spaces ([`super::Tenants`]). One walk at a time.
//!
//! A walk must not be overtaken. Who copies a space or moves a mapping looks at the count of walks, which costs a load: fork
//! before it copies and again under the lock of the table of processes, where a walk would have to find the child; mremap(2)
//! under the lock of the space. If a walk is under way they keep walks away and begin anew. exec(2) needs none of that: what it
//! maps is denied to writers until the program is the process's.

use super::{Space, tenants};
use crate::scheduler;
use crate::{SleepingMutex, SleepingMutexGuard};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::fallible::TryVec;
use mm::{AddressSpace, Backing, NoMemory, Revocation, Revoked, VirtAddr};

/// Areas looked at under one hold of a space's lock.
const AREAS: usize = 256;

/// Held by a walk, or by whoever keeps walks away.
static WALK: SleepingMutex = SleepingMutex::new();

/// Walks begun and ended: odd while one is under way.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Walks begun and ended so far, at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Walks(u64);

/// The count of now.
#[inline]
pub fn walks() -> Walks {
    Walks(COUNT.load(Ordering::Acquire))
}

impl Walks {
    /// Whether a walk is under way.
    #[inline]
    pub fn is_one_under_way(self) -> bool {
        !self.0.is_multiple_of(2)
    }
}

/// Waits for the end of a walk; none begins before the result is dropped. No lock is held; the holder does not wait for other
/// processes.
///
/// # Errors
/// The process is to end.
pub fn keep_walks_away() -> Result<SleepingMutexGuard<'static>, Errno> {
    WALK.lock()
}

/// Takes the pages from every space; whoever faults on one meanwhile may get it again. No lock is held.
///
/// # Errors
/// `ENOMEM`: a table could not be copied. Any other: the process is to end. Some spaces may still map some of the pages then.
pub fn revoke(what: &Revocation) -> Result<(), Errno> {
    while_nobody_forks(|| walk(what))?
}

/// As [`revoke`], unless somebody walks already or keeps walks away: who needs memory may be the one. Whether it was done.
pub fn try_revoke(what: &Revocation) -> bool {
    let Some(_alone) = WALK.try_lock() else {
        return false;
    };
    COUNT.fetch_add(1, Ordering::AcqRel);
    let result = walk(what);
    COUNT.fetch_add(1, Ordering::AcqRel);
    result.is_ok()
}

/// Does `walk` over the processes, alone: who forks meanwhile waits, so that nobody is missed who should be found. No lock is held.
///
/// # Errors
/// The process is to end, and `walk` has not begun.
pub fn while_nobody_forks<R>(walk: impl FnOnce() -> R) -> Result<R, Errno> {
    let _alone = WALK.lock()?;
    COUNT.fetch_add(1, Ordering::AcqRel);
    let result = walk();
    COUNT.fetch_add(1, Ordering::AcqRel);
    Ok(result)
}

/// How many areas of all spaces show the object. No lock is held.
///
/// # Errors
/// `ENOMEM`. Any other: the process is to end.
pub fn count(object: usize) -> Result<u64, Errno> {
    while_nobody_forks(|| count_in_all(object))?
}

fn count_in_all(object: usize) -> Result<u64, Errno> {
    let mut sum = 0;
    let mut next = 0;
    // Several processes may live in one space.
    let mut counted = Vec::new();
    while let Some((process, space)) = tenants::next_from(next) {
        next = process + 1;
        if let Some(space) = space {
            let identity = Space::identity(&space);
            let count = match counted.contains(&identity) {
                true => Ok(0),
                false => count_in(&space, object),
            };
            space.let_go();
            let count = count?;
            if count > 0 {
                counted.try_push(identity)?;
            }
            sum += count;
        }
        scheduler::cond_resched_killable()?;
    }
    Ok(sum)
}

fn count_in(space: &Space, object: usize) -> Result<u64, Errno> {
    let (mut at, mut sum) = (VirtAddr(0), 0);
    loop {
        let (count, next) = space.with(|space| count_some(space, object, at));
        sum += count;
        match next {
            Some(next) => at = next,
            None => return Ok(sum),
        }
        scheduler::cond_resched_killable()?;
    }
}

/// How many of the next areas show the object, and where to go on.
fn count_some(space: &AddressSpace, object: usize, from: VirtAddr) -> (u64, Option<VirtAddr>) {
    let (mut count, mut next) = (0, None);
    for area in space.areas().iter_from(from).take(AREAS) {
        let shows_it = matches!(&area.backing, Backing::Source { source, .. } if source.object() == object);
        count += u64::from(shows_it);
        next = Some(area.range().end());
    }
    (count, next)
}

fn walk(what: &Revocation) -> Result<(), Errno> {
    let mut next = 0;
    while let Some((process, space)) = tenants::next_from(next) {
        next = process + 1;
        if let Some(space) = space {
            let result = revoke_in(&space, what);
            // The process may have ended meanwhile.
            space.let_go();
            result?;
        }
        // Even a process that is to end brings this to its end: the file is not to be left in between.
        scheduler::cond_resched();
    }
    Ok(())
}

fn revoke_in(space: &Arc<Space>, what: &Revocation) -> Result<(), Errno> {
    let mut at = VirtAddr(0);
    loop {
        match space.edit(|space| space.revoke(memory::get(), what, at, AREAS)) {
            Ok(Revoked::All) => return Ok(()),
            Ok(Revoked::UpTo(next)) => at = next,
            Err(NoMemory) if memory::reclaim() => {}
            Err(NoMemory) => return Err(Errno::ENOMEM),
        }
        scheduler::cond_resched();
    }
}
