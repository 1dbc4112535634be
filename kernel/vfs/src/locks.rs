//! The advisory locks of a file: record locks belong to a process or an open file, flock(2) locks to an open file.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use lock::Mutex;
use sched::scheduler;

use super::inode::Inode;
use super::lock_list;
use super::lock_waits::Waiting;
use super::record_locks::tree::NoNode;
use super::record_locks::{
    LIST_START, ListPlace, LockChange, LockKind, LockOwner, LockProgress, Record, Records,
};
use sched::wait::WaitQueue;

/// The locks of one file.
pub struct Locks {
    held: Mutex<Held>,
    released: WaitQueue,
    /// How often a lock was given up or became weaker. Changed while `held` is locked.
    releases: AtomicU64,
    /// The number under which [`lock_list`] knows the file; 0 if it never had a lock.
    listed: AtomicU64,
}

/// Where a listing of all locks of a file stands.
#[derive(Clone, Copy)]
pub struct Listing {
    is_flock: bool,
    place: ListPlace,
}

impl Listing {
    /// The start: locks of flock(2) come first.
    pub const START: Listing = Listing {
        is_flock: true,
        place: LIST_START,
    };
}

/// A lock in a listing.
pub struct Shown {
    /// Whether it is one of flock(2).
    pub is_flock: bool,
    /// The lock.
    pub record: Record,
}

struct Held {
    records: Records,
    /// Locks of flock(2), each as a record of the whole file.
    flocks: Records,
}

/// What to do while another's lock stands in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// `EAGAIN`.
    Refuse,
    /// Sleep until it is gone.
    Wait,
}

impl From<NoNode> for Errno {
    fn from(_: NoNode) -> Errno {
        Errno::ENOLCK
    }
}

impl Default for Locks {
    fn default() -> Self {
        Self::new()
    }
}

impl Locks {
    /// No locks.
    pub const fn new() -> Self {
        let held = Mutex::new(Held {
            records: Records::new(),
            flocks: Records::new(),
        });
        Locks {
            held,
            released: WaitQueue::new(),
            releases: AtomicU64::new(0),
            listed: AtomicU64::new(0),
        }
    }

    /// How often a lock was given up or became weaker.
    pub fn releases(&self) -> u64 {
        self.releases.load(Ordering::Acquire)
    }

    /// The next lock of a listing, which moves on.
    pub fn next(&self, listing: &mut Listing) -> Option<Shown> {
        let held = self.held.lock();
        if listing.is_flock {
            if let Some((record, place)) = held.flocks.next_from(listing.place) {
                listing.place = place;
                let is_flock = true;
                return Some(Shown { is_flock, record });
            }
            *listing = Listing {
                is_flock: false,
                place: LIST_START,
            };
        }
        let (record, place) = held.records.next_from(listing.place)?;
        listing.place = place;
        let is_flock = false;
        Some(Shown { is_flock, record })
    }

    /// The number under which [`lock_list`] knows the file, to be written once, under its lock.
    pub fn listed(&self) -> &AtomicU64 {
        &self.listed
    }

    /// The first record lock that stands in the way of `wanted`: `F_GETLK`.
    pub fn obstacle(&self, wanted: &Record) -> Option<Record> {
        self.held.lock().records.obstacle(wanted)
    }

    /// `F_SETLK` and `F_SETLKW` on `file` by the thread `tid`.
    ///
    /// # Errors
    /// `EAGAIN`, `EDEADLK`, `ENOLCK`, or an interrupted wait.
    pub fn set_record(file: &Arc<Inode>, tid: u32, wanted: Record, patience: Patience) -> Result<(), Errno> {
        let locks = &file.locks;
        lock_list::add(file)?;
        let mut change = LockChange::default();
        let attempt = || locks.attempt(|held| &mut held.records, &wanted, &mut change);
        let mut progress = match patience {
            Patience::Refuse => locks.refuse(attempt)?,
            Patience::Wait => locks.wait(Waiting::new(file, tid), wanted.owner, attempt)?,
        };
        while progress == LockProgress::More {
            scheduler::cond_resched();
            progress = locks.held.lock().records.set(&wanted, &mut change)?;
        }
        locks.note_release();
        Ok(())
    }

    /// `F_SETLK` with `F_UNLCK`.
    ///
    /// # Errors
    /// `ENOLCK` where one lock becomes two.
    pub fn clear_record(&self, range: &Record) -> Result<(), Errno> {
        while self.held.lock().records.clear(range)? == LockProgress::More {
            scheduler::cond_resched();
        }
        self.note_release();
        Ok(())
    }

    /// Who holds the table of descriptors `owner` closed one of the file: all its record locks go. `rest` is called between pieces of
    /// the work.
    #[inline]
    pub fn release_records(&self, owner: u64, rest: impl Fn()) {
        self.release(|held| &mut held.records, LockOwner::Table(owner), rest);
    }

    /// An open file is gone, and with it its locks.
    pub fn release_open_file(&self, file: usize) {
        self.release(
            |held| &mut held.records,
            LockOwner::OpenFile(file),
            scheduler::cond_resched,
        );
        self.release_flock(file);
    }

    /// flock(2) of `file` by the open file `owner` for the process `pid`.
    ///
    /// # Errors
    /// `EAGAIN`, `ENOLCK`, or an interrupted wait.
    pub fn set_flock(
        file: &Arc<Inode>,
        owner: usize,
        pid: u32,
        kind: LockKind,
        patience: Patience,
    ) -> Result<(), Errno> {
        let locks = &file.locks;
        lock_list::add(file)?;
        // A change of kind gives the old lock up first, as on Linux: others may come between.
        locks.release_flock(owner);
        let wanted = Record {
            owner: LockOwner::OpenFile(owner),
            kind,
            first: 0,
            last: u64::MAX,
            pid,
        };
        let mut change = LockChange::default();
        let attempt = || locks.attempt(|held| &mut held.flocks, &wanted, &mut change);
        // One lock of the whole file is set in one step.
        let _done = match patience {
            Patience::Refuse => locks.refuse(attempt)?,
            Patience::Wait => locks.wait_without_owner(attempt)?,
        };
        Ok(())
    }

    /// Ends the flock(2) lock of an open file.
    pub fn release_flock(&self, owner: usize) {
        self.release(|held| &mut held.flocks, LockOwner::OpenFile(owner), || ());
    }

    #[inline]
    fn release(&self, which: impl Fn(&mut Held) -> &mut Records, owner: LockOwner, rest: impl Fn()) {
        if self.listed.load(Ordering::Acquire) != 0 {
            self.release_listed(which, owner, rest);
        }
    }

    /// [`Locks::release`] of a file that had a lock once.
    #[cold]
    fn release_listed(&self, which: impl Fn(&mut Held) -> &mut Records, owner: LockOwner, rest: impl Fn()) {
        let is_held = which(&mut self.held.lock()).is_held_by(owner);
        if !is_held {
            return;
        }
        while which(&mut self.held.lock()).release(owner) == LockProgress::More {
            rest();
        }
        self.note_release();
    }

    /// Something was given up: whoever waits looks again.
    fn note_release(&self) {
        self.releases.fetch_add(1, Ordering::Release);
        self.released.wake_all();
    }

    /// Sets the lock, or says what stands in the way.
    fn attempt(
        &self,
        which: impl Fn(&mut Held) -> &mut Records,
        wanted: &Record,
        change: &mut LockChange,
    ) -> Attempt {
        let seen = self.releases();
        let mut held = self.held.lock();
        let records = which(&mut held);
        match records.obstacle(wanted) {
            Some(obstacle) => Attempt::Blocked {
                by: obstacle.owner,
                seen,
            },
            None => Attempt::Made(records.set(wanted, change)),
        }
    }

    fn refuse(&self, attempt: impl FnOnce() -> Attempt) -> Result<LockProgress, Errno> {
        match attempt() {
            Attempt::Made(result) => Ok(result?),
            Attempt::Blocked { .. } => Err(Errno::EAGAIN),
        }
    }

    /// Sleeps until nothing stands in the way. `EDEADLK` if what does waits, perhaps through others, for `owner`.
    fn wait(
        &self,
        mut waiting: Waiting<'_>,
        owner: LockOwner,
        mut attempt: impl FnMut() -> Attempt,
    ) -> Result<LockProgress, Errno> {
        self.released.wait_until(|| match attempt() {
            Attempt::Made(result) => Some(result.map_err(Errno::from)),
            Attempt::Blocked { by, seen } => waiting.note(owner, by, seen).err().map(Err),
        })?
    }

    fn wait_without_owner(&self, mut attempt: impl FnMut() -> Attempt) -> Result<LockProgress, Errno> {
        self.released.wait_until(|| match attempt() {
            Attempt::Made(result) => Some(result.map_err(Errno::from)),
            Attempt::Blocked { .. } => None,
        })?
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        match *self.listed.get_mut() {
            0 => {}
            number => lock_list::remove(number),
        }
    }
}

/// How an attempt to set a lock ended.
enum Attempt {
    Made(Result<LockProgress, NoNode>),
    Blocked {
        by: LockOwner,
        /// [`Locks::releases`] before that was seen.
        seen: u64,
    },
}
