//! Record locks of one file: fcntl(2), "Advisory record locking". Ranges of bytes and who holds them; no waiting here.
//!
//! Each lock stands in two trees: by its place in the file, where a search for what stands in the way passes over whole
//! subtrees by their summaries; and by its owner, whose locks never overlap. What a call has to remove it removes in pieces of
//! [`BATCH`] locks, so that the caller can let others run: see [`LockProgress`].

mod nodes;
pub mod tree;

use nodes::{Owned, Pair, Placed, Reach, Spare};
use tree::{NoNode, Node, Tree, TreeStep};

/// Locks that one hold of the file's lock removes.
const BATCH: usize = 32;

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LockOwner {
    /// A table of descriptors, by which one it is: `F_SETLK`. Threads share one, and processes may (`CLONE_FILES`).
    Table(u64),
    /// An open file description, by its address: `F_OFD_SETLK`.
    OpenFile(usize),
}

/// What a lock keeps out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Exclusive locks.
    Shared,
    /// All locks.
    Exclusive,
}

/// One lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Who holds it.
    pub owner: LockOwner,
    /// What it keeps out.
    pub kind: LockKind,
    /// First byte.
    pub first: u64,
    /// Last byte; `u64::MAX` is the end of the file, wherever that is.
    pub last: u64,
    /// The process that set it, for /proc/locks.
    pub pid: u32,
}

/// Where a listing of the locks of a file stands: from the lock with that first byte and owner on.
pub type ListPlace = (u64, LockOwner, u64);

/// The start of such a listing.
pub const LIST_START: ListPlace = (0, LockOwner::Table(0), 0);

impl Record {
    fn meets(&self, other: &Record) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn touches(&self, other: &Record) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }

    fn lies_in(&self, other: &Record) -> bool {
        self.first >= other.first && self.last <= other.last
    }

    fn excludes(&self, other: &Record) -> bool {
        self.owner != other.owner
            && self.meets(other)
            && (self.kind == LockKind::Exclusive || other.kind == LockKind::Exclusive)
    }

    /// What of `self` lies before and behind `other`.
    fn without(&self, other: &Record) -> [Option<Record>; 2] {
        let before = (self.first < other.first).then(|| Record {
            last: other.first - 1,
            ..*self
        });
        let behind = (self.last > other.last).then(|| Record {
            first: other.last + 1,
            ..*self
        });
        [before, behind]
    }
}

/// How far a change has come. Between two calls the file's lock may be given up: what others then see is a state that calls
/// made before this one could have led to.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockProgress {
    /// It is done.
    Done,
    /// It must be called again.
    More,
}

/// What a change of many locks keeps between its steps.
#[derive(Default)]
pub struct LockChange {
    /// The wanted lock stands among the others under that tag already, so that nobody takes what is being cleared for it.
    claim: Option<u64>,
    spare: Spare,
}

/// The record locks of a file.
pub struct Records {
    by_place: Tree<Placed>,
    by_owner: Tree<Owned>,
    claims: u64,
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl Records {
    /// No locks.
    pub const fn new() -> Self {
        Records {
            by_place: Tree::new(),
            by_owner: Tree::new(),
            claims: 0,
        }
    }

    /// The first lock in the file that stands in the way of `wanted`.
    pub fn obstacle(&self, wanted: &Record) -> Option<Record> {
        let which = usize::from(wanted.kind == LockKind::Shared);
        let may_hold = |summary: &[Reach; 2]| summary[which].may_exclude(wanted);
        let test = |entry: &Placed| {
            if entry.record.first > wanted.last {
                TreeStep::Over
            } else if entry.record.excludes(wanted) {
                TreeStep::Found
            } else {
                TreeStep::Later
            }
        };
        self.by_place.find(&may_hold, &test).map(|entry| entry.record)
    }

    /// The first lock from a place of the listing on, and the place behind it. What is still being set is not shown.
    pub fn next_from(&self, mut place: ListPlace) -> Option<(Record, ListPlace)> {
        loop {
            let entry = self.by_place.first_from(place)?;
            let Record { first, owner, .. } = entry.record;
            place = (first, owner, entry.tag + 1);
            if entry.tag == 0 {
                return Some((entry.record, place));
            }
        }
    }

    /// The first lock of an owner that ends at `from` or behind.
    fn next_of(&self, owner: LockOwner, from: u64) -> Option<Record> {
        let is_own = |entry: &&Owned| entry.0.owner == owner;
        let before = self.by_owner.last_below((owner, from)).filter(is_own);
        before
            .filter(|entry| entry.0.last >= from)
            .or_else(|| self.by_owner.first_from((owner, from)).filter(is_own))
            .map(|entry| entry.0)
    }

    /// The locks of an owner from `from` to `last`, in their order.
    fn of_owner(&self, owner: LockOwner, from: u64, last: u64) -> impl Iterator<Item = Record> {
        let mut next = Some(from);
        core::iter::from_fn(move || {
            let found = self.next_of(owner, next?).filter(|found| found.first <= last)?;
            next = found.last.checked_add(1);
            Some(found)
        })
    }

    /// Sets `wanted`, in place of what its owner holds there, and lets it grow together with its owner's locks of its
    /// kind. Before the first call with one `change` the caller has asked for obstacles.
    ///
    /// # Errors
    /// [`NoNode`] if there was no memory; only the first call with one `change` can fail.
    pub fn set(&mut self, wanted: &Record, change: &mut LockChange) -> Result<LockProgress, NoNode> {
        let (from, last) = (wanted.first.saturating_sub(1), wanted.last.saturating_add(1));
        let touched = || self.of_owner(wanted.owner, from, last);
        if touched().take(BATCH + 1).count() > BATCH {
            self.claim(wanted, change)?;
            self.remove_covered(wanted);
            return Ok(LockProgress::More);
        }
        let is_split = touched().any(|held| held.first < wanted.first && held.last > wanted.last);
        change.spare.fill(1 + usize::from(is_split), wanted)?;
        if let Some(tag) = change.claim.take() {
            self.by_place.remove((wanted.first, wanted.owner, tag));
        }
        self.replace(wanted, &mut change.spare);
        Ok(LockProgress::Done)
    }

    /// Puts a claim in, for the time in which the owner's old locks are removed.
    fn claim(&mut self, wanted: &Record, change: &mut LockChange) -> Result<(), NoNode> {
        if change.claim.is_none() {
            change.spare.fill(2, wanted)?;
            let tag = self.claims + 1;
            let record = *wanted;
            self.by_place.insert(Node::new(Placed { record, tag })?);
            self.claims = tag;
            change.claim = Some(tag);
        }
        Ok(())
    }

    /// Removes locks of the owner that lie in the claimed range.
    fn remove_covered(&mut self, wanted: &Record) {
        let mut from = wanted.first;
        for _ in 0..BATCH {
            let Some(held) = self.next_of(wanted.owner, from).filter(|held| held.meets(wanted)) else {
                return;
            };
            if held.lies_in(wanted) {
                drop(self.remove(&held));
            }
            let Some(next) = held.last.checked_add(1) else {
                return;
            };
            from = next;
        }
    }

    /// Puts `wanted` in the place of what it touches: there are nodes for it and for a lock that it cuts in two.
    fn replace(&mut self, wanted: &Record, spare: &mut Spare) {
        let (from, last) = (wanted.first.saturating_sub(1), wanted.last.saturating_add(1));
        let (mut whole, mut rest) = (*wanted, [None, None]);
        let mut at = Some(from);
        while let Some(held) = at
            .and_then(|at| self.next_of(wanted.owner, at))
            .filter(|held| held.first <= last)
        {
            at = held.last.checked_add(1);
            if held.kind == wanted.kind && held.touches(wanted) {
                whole.first = whole.first.min(held.first);
                whole.last = whole.last.max(held.last);
            } else if held.meets(wanted) {
                let [before, behind] = held.without(wanted);
                rest = [before.or(rest[0]), behind.or(rest[1])];
            } else {
                continue;
            }
            if let Some(pair) = self.remove(&held) {
                spare.keep(pair);
            }
        }
        for record in rest.into_iter().flatten().chain([whole]) {
            self.insert(record, spare);
        }
    }

    /// Gives up what the owner of `range` holds there.
    ///
    /// # Errors
    /// [`NoNode`] if there was no memory: only at the first call, where one lock becomes two.
    pub fn clear(&mut self, range: &Record) -> Result<LockProgress, NoNode> {
        let mut spare = Spare::default();
        for _ in 0..BATCH {
            let Some(held) = self
                .next_of(range.owner, range.first)
                .filter(|held| held.meets(range))
            else {
                return Ok(LockProgress::Done);
            };
            let rest = held.without(range);
            if rest.iter().all(Option::is_some) {
                spare.fill(1, &held)?;
            }
            if let Some(pair) = self.remove(&held) {
                spare.keep(pair);
            }
            for record in rest.into_iter().flatten() {
                self.insert(record, &mut spare);
            }
        }
        Ok(LockProgress::More)
    }

    /// Gives up what an owner holds, a piece of it at each call.
    pub fn release(&mut self, owner: LockOwner) -> LockProgress {
        for _ in 0..BATCH {
            let Some(held) = self.next_of(owner, 0) else {
                return LockProgress::Done;
            };
            drop(self.remove(&held));
        }
        LockProgress::More
    }

    /// Whether an owner holds anything.
    pub fn is_held_by(&self, owner: LockOwner) -> bool {
        self.next_of(owner, 0).is_some()
    }

    fn remove(&mut self, held: &Record) -> Option<Pair> {
        let placed = self.by_place.remove((held.first, held.owner, 0))?;
        let owned = self.by_owner.remove((held.owner, held.first))?;
        Some(Pair(placed, owned))
    }

    /// # Panics
    /// If there is no pair: the caller has filled `spare`.
    fn insert(&mut self, record: Record, spare: &mut Spare) {
        let Pair(placed, owned) = spare.take().expect("the caller has filled the spare nodes");
        self.by_place.insert(placed.with(Placed { record, tag: 0 }));
        self.by_owner.insert(owned.with(Owned(record)));
    }
}

#[cfg(test)]
mod tests;
