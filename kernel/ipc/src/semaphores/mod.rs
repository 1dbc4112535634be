//! System V semaphores: sets of values that a call changes together or not at all, and waits until it can.
//!
//! Who waits stands in the queue of the semaphore that hinders it ([`super::turns`]). What is to be taken back when a process ends is kept with
//! the set, by semaphore and process; of which sets and semaphores that is, with all processes (`undo`).

mod operate;
mod undo;

use super::registry::{IpcObject, IpcRegistry};
use super::rights::Owners;
use super::settings::{MOST_OPERATIONS, MOST_SEMAPHORES, MOST_SEMAPHORES_IN_SET, MOST_SETS};
use super::totals;
use super::turns::{Turns, pass};
use abi::Errno;
use abi::ipc::{IpcGetFlags, IpcPerm};
use abi::process::Pid;
use abi::semaphore::{SEMVMX, SemIdDs};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::{Mutex, MutexGuard, rank};
use memory::fallible::map::Map;
use memory::fallible::{self, TryVec};
use sched::scheduler;
use sched::wait::WaitQueue;
use vfs::Credentials;

pub use undo::process_ended;

/// All sets.
pub static SETS: IpcRegistry<SemaphoreSet> = IpcRegistry::new();

/// Semaphores of all sets.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Semaphores that are looked at under one hold of their set.
const AT_ONCE: usize = 256;

/// A set.
pub struct SemaphoreSet {
    id: i32,
    key: i32,
    owners: Mutex<Owners>,
    /// Who waits, by semaphore.
    queues: Vec<WaitQueue>,
    state: Mutex<SetState, { rank::SEMAPHORES }>,
}

struct SetState {
    semaphores: Vec<Semaphore>,
    /// What is added when a process ends, by semaphore and process.
    undo: Map<(u16, Pid), i16>,
    operated_at: i64,
    changed_at: i64,
    is_removed: bool,
}

#[derive(Default)]
struct Semaphore {
    value: u16,
    last_user: Pid,
    turns: Turns,
    /// How many of those who wait do so for zero.
    zero_waiters: u32,
}

type LockedSet<'a> = MutexGuard<'a, SetState, { rank::SEMAPHORES }>;

impl IpcObject for SemaphoreSet {
    fn id(&self) -> i32 {
        self.id
    }

    fn key(&self) -> i32 {
        self.key
    }

    fn owners(&self) -> Owners {
        *self.owners.lock()
    }
}

impl Drop for SemaphoreSet {
    fn drop(&mut self) {
        COUNT.fetch_sub(self.queues.len() as u64, Ordering::Relaxed);
    }
}

/// semget(2): the identifier of the set with that key; if there is none, of a new one of `count` semaphores if `flags` say so.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EINVAL` for the number of semaphores, `EACCES`, `ENOSPC` beyond a limit, `ENOMEM`.
pub fn find_or_make(key: i32, count: i32, flags: IpcGetFlags, maker: &Credentials) -> Result<i32, Errno> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count as u64 > MOST_SEMAPHORES_IN_SET.get() {
        return Err(Errno::EINVAL);
    }
    let check = |known: &SemaphoreSet| {
        let has_enough = count <= known.queues.len();
        has_enough.then_some(()).ok_or(Errno::EINVAL)
    };
    let prepare = || {
        if count == 0 {
            return Err(Errno::EINVAL);
        }
        Ok((queues(count)?, semaphores(count)?))
    };
    SETS.find_or_make(
        (key, flags),
        maker,
        MOST_SETS.get(),
        check,
        prepare,
        |id, parts| {
            let place = fallible::arc_place()?;
            let more = |all: u64| Some(all + count as u64).filter(|all| *all <= MOST_SEMAPHORES.get());
            COUNT
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
                .map_err(|_| Errno::ENOSPC)?;
            let (queues, semaphores) = parts;
            Ok(place.fill(|| SemaphoreSet {
                id,
                key,
                owners: Mutex::new(Owners::new(maker, flags.bits())),
                queues,
                state: Mutex::new(SetState {
                    semaphores,
                    undo: Map::new(),
                    operated_at: 0,
                    changed_at: super::now(),
                    is_removed: false,
                }),
            }))
        },
    )
}

fn queues(count: usize) -> Result<Vec<WaitQueue>, Errno> {
    let mut queues = fallible::with_room(count)?;
    for _ in 0..count {
        queues.try_push(WaitQueue::new())?;
    }
    Ok(queues)
}

fn semaphores(count: usize) -> Result<Vec<Semaphore>, Errno> {
    let mut semaphores = fallible::with_room(count)?;
    for _ in 0..count {
        semaphores.try_push(Semaphore::default())?;
    }
    Ok(semaphores)
}

/// Semaphores of all sets.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// How many operations a call may make.
pub fn most_operations() -> u64 {
    MOST_OPERATIONS.get()
}

impl SemaphoreSet {
    /// How many semaphores it has.
    pub fn size(&self) -> usize {
        self.queues.len()
    }

    /// Whose it is from now on, and with which rights.
    pub fn give(&self, uid: u32, gid: u32, mode: u32) {
        let now = super::now();
        self.owners.lock().give(uid, gid, mode);
        self.state.lock().changed_at = now;
    }

    /// What is known of it.
    pub fn status(&self) -> SemIdDs {
        let owners = self.owners();
        let state = self.state.lock();
        SemIdDs {
            sem_perm: IpcPerm {
                key: self.key,
                seq: (self.id >> totals::INDEX_BITS) as u16,
                ..owners.perm()
            },
            sem_otime: state.operated_at,
            sem_ctime: state.changed_at,
            sem_nsems: self.size() as u64,
            ..SemIdDs::default()
        }
    }

    /// Locks it.
    ///
    /// # Errors
    /// `EIDRM`: it was removed.
    fn lock(&self) -> Result<LockedSet<'_>, Errno> {
        let state = self.state.lock();
        if state.is_removed {
            Err(Errno::EIDRM)
        } else {
            Ok(state)
        }
    }

    /// Looks at one semaphore.
    fn look<R>(&self, number: usize, look: impl FnOnce(&Semaphore) -> R) -> Result<R, Errno> {
        let state = self.lock()?;
        state.semaphores.get(number).map(look).ok_or(Errno::EINVAL)
    }

    /// The value of one.
    ///
    /// # Errors
    /// `EINVAL`: there is no such semaphore. `EIDRM`.
    pub fn value(&self, number: usize) -> Result<usize, Errno> {
        self.look(number, |semaphore| semaphore.value.into())
    }

    /// Which process changed it last.
    ///
    /// # Errors
    /// As [`SemaphoreSet::value`].
    pub fn last_user(&self, number: usize) -> Result<usize, Errno> {
        self.look(number, |semaphore| semaphore.last_user as usize)
    }

    /// How many wait for more, and how many for zero.
    ///
    /// # Errors
    /// As [`SemaphoreSet::value`].
    pub fn waiters(&self, number: usize) -> Result<(usize, usize), Errno> {
        self.look(number, |semaphore| {
            let zero = semaphore.zero_waiters;
            ((semaphore.turns.waiting() - zero) as usize, zero as usize)
        })
    }

    /// All values, which may change while they are read.
    ///
    /// # Errors
    /// `EIDRM`, `ENOMEM`.
    pub fn values(&self) -> Result<Vec<u16>, Errno> {
        let mut values = fallible::with_room(self.size())?;
        let state = self.lock()?;
        for semaphore in &state.semaphores {
            values.try_push(semaphore.value)?;
        }
        Ok(values)
    }

    /// The values from `first` on are others from now on; what was to be taken back of them is not.
    ///
    /// # Errors
    /// `EINVAL`: there is no such semaphore. `ERANGE`: beyond the highest value. `EIDRM`. `EINTR`: the process is to end.
    pub fn set_values(&self, first: usize, values: &[u16], process: Pid) -> Result<(), Errno> {
        if values.iter().any(|&value| u32::from(value) > SEMVMX) {
            return Err(Errno::ERANGE);
        }
        if first
            .checked_add(values.len())
            .is_none_or(|end| end > self.size())
        {
            return Err(Errno::EINVAL);
        }
        for (piece, values) in values.chunks(AT_ONCE).enumerate() {
            let first = first + piece * AT_ONCE;
            self.set_piece(first, values, process)?;
            self.pass_turns(first..first + values.len());
            scheduler::cond_resched_killable()?;
        }
        self.forget_undo(first..first + values.len());
        Ok(())
    }

    fn set_piece(&self, first: usize, values: &[u16], process: Pid) -> Result<(), Errno> {
        let now = super::now();
        let mut state = self.lock()?;
        for (semaphore, &value) in state.semaphores[first..].iter_mut().zip(values) {
            semaphore.value = value;
            semaphore.last_user = process;
            semaphore.turns.note_change();
        }
        state.changed_at = now;
        Ok(())
    }

    /// Wakes the first of those who are to look, of each of these semaphores.
    fn pass_turns(&self, numbers: core::ops::Range<usize>) {
        for number in numbers {
            let owed = self.state.lock().semaphores[number].turns.take_owed();
            pass(&self.queues[number], owed);
        }
    }

    /// Removes it: whoever waits is told.
    pub fn remove(set: &Arc<SemaphoreSet>) {
        if !SETS.remove(set) {
            return;
        }
        let mut first = 0;
        while first < set.size() {
            let end = set.size().min(first + AT_ONCE);
            let mut state = set.state.lock();
            state.is_removed = true;
            for semaphore in &mut state.semaphores[first..end] {
                semaphore.turns.note_change();
            }
            drop(state);
            set.pass_turns(first..end);
            first = end;
            scheduler::cond_resched();
        }
        set.forget_undo(0..set.size());
    }
}
