//! The advisory locks of a file: record locks belong to a process, flock(2) locks to an open file.

use alloc::vec::Vec;

use crate::sync::Mutex;
use abi::Errno;

use super::record_locks::{Kind, Record, Records};
use crate::wait::WaitQueue;

/// The locks of one file.
pub struct Locks {
    held: Mutex<Held>,
    released: WaitQueue,
}

struct Held {
    records: Records,
    flocks: Vec<Flock>,
}

struct Flock {
    owner: usize,
    kind: Kind,
}

/// What to do while another's lock stands in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// `EAGAIN`.
    Refuse,
    /// Sleep until it is gone.
    Wait,
}

impl Locks {
    /// No locks.
    pub const fn new() -> Self {
        let held = Mutex::new(Held {
            records: Records::new(),
            flocks: Vec::new(),
        });
        Locks {
            held,
            released: WaitQueue::new(),
        }
    }

    /// The record lock that stands in the way of `wanted`: `F_GETLK`.
    pub fn obstacle(&self, wanted: &Record) -> Option<Record> {
        self.held.lock().records.obstacle(wanted)
    }

    /// `F_SETLK` and `F_SETLKW`. `EAGAIN`, or an interrupted wait.
    pub fn set_record(&self, wanted: Record, patience: Patience) -> Result<(), Errno> {
        self.attempt(patience, |held| {
            let is_free = held.records.obstacle(&wanted).is_none();
            if is_free {
                held.records.set(wanted);
            }
            is_free
        })?;
        // A lock may have become weaker.
        self.released.wake_all();
        Ok(())
    }

    /// `F_SETLK` with `F_UNLCK`.
    pub fn clear_record(&self, range: &Record) {
        self.held.lock().records.clear(range);
        self.released.wake_all();
    }

    /// The process closed a descriptor of the file: all its record locks go.
    pub fn release_records(&self, owner: u32) {
        let is_any = self.held.lock().records.release(owner);
        if is_any {
            self.released.wake_all();
        }
    }

    /// flock(2) by the open file `owner`. `EAGAIN`, or an interrupted wait.
    pub fn set_flock(&self, owner: usize, kind: Kind, patience: Patience) -> Result<(), Errno> {
        // A change of kind gives the old lock up first, as on Linux: others may come between.
        self.release_flock(owner);
        self.attempt(patience, |held| {
            let is_exclusive = |flock: &Flock| kind == Kind::Exclusive || flock.kind == Kind::Exclusive;
            let is_free = !held.flocks.iter().any(is_exclusive);
            if is_free {
                held.flocks.push(Flock { owner, kind });
            }
            is_free
        })
    }

    /// Ends the lock of an open file.
    pub fn release_flock(&self, owner: usize) {
        let is_any = {
            let mut held = self.held.lock();
            let before = held.flocks.len();
            held.flocks.retain(|flock| flock.owner != owner);
            held.flocks.len() != before
        };
        if is_any {
            self.released.wake_all();
        }
    }

    fn attempt(&self, patience: Patience, mut take: impl FnMut(&mut Held) -> bool) -> Result<(), Errno> {
        let mut attempt = || take(&mut self.held.lock()).then_some(());
        match patience {
            Patience::Refuse => attempt().ok_or(Errno::EAGAIN),
            Patience::Wait => Ok(self.released.wait_until(attempt)?),
        }
    }
}
