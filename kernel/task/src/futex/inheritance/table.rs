//! Who waits for which lock with priority inheritance, and who has it. A lock is known here while somebody waits for it, or while
//! its owner has yet to write its name into the word. Whoever waits gives its priority to the owner, who gives it on to the owner
//! of what it waits for itself.
//!
//! One table for all, under one lock: such waits are rare, and what is done under it costs as many steps as there are such locks.
//! Its memory is taken when somebody comes to wait; to hand a lock over takes none.

use super::super::key::Key;
use super::super::waiters::{Bucket, Waiter};
use crate::process::Pid;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use lock::{Mutex, MutexGuard, rank};
use memory::fallible::map::Map;
use platform::queue::{Node, Queue};
use sched::scheduler::{self, SchedAttributes};

/// So many owners at most wait for each other in a row (Linux's `max_lock_depth`).
const MOST_OWNERS: usize = 1024;

static TABLE: Mutex<InheritanceTable, { rank::INHERITANCE }> = Mutex::new(InheritanceTable {
    locks: Map::new(),
    waits: Map::new(),
});
/// How many locks the table holds, to be read without its lock.
static LOCKS: AtomicUsize = AtomicUsize::new(0);

/// The table, locked.
pub type Guard = MutexGuard<'static, InheritanceTable, { rank::INHERITANCE }>;

/// All locks that somebody waits for.
pub struct InheritanceTable {
    locks: Map<Key, Lock>,
    /// The lock that a thread waits for, by the thread's id.
    waits: Map<Pid, Key>,
}

/// One of them.
pub struct Lock {
    /// Who has it.
    pub owner: Arc<Thread>,
    /// The longest waiting first.
    waiters: Queue<Waiter>,
    /// The highest priority of those who wait.
    top: u8,
    /// Its last owner ended, and the new one has yet to change the word.
    pub is_orphaned: bool,
}

/// The table, locked.
pub fn lock() -> Guard {
    TABLE.lock()
}

/// Whether nobody waits for any such lock.
pub fn is_empty() -> bool {
    LOCKS.load(Ordering::SeqCst) == 0
}

fn priority(thread: &Thread) -> u8 {
    thread.scheduling.attributes().effective_priority()
}

fn inherit(thread: &Arc<Thread>, priority: u8) {
    scheduler::change_attributes(thread, |own| SchedAttributes {
        inherited: priority,
        ..own
    });
}

impl Lock {
    /// Who is to have it next: the longest waiting of those with the highest priority.
    pub fn next(&mut self) -> Option<Arc<Thread>> {
        let mut next: Option<(u8, Arc<Thread>)> = None;
        self.waiters.for_each(|waiter| {
            let own = priority(&waiter.thread);
            if next.as_ref().is_none_or(|(highest, _)| own > *highest) {
                next = Some((own, waiter.thread.clone()));
            }
        });
        next.map(|(_, thread)| thread)
    }

    /// Finds out anew what the highest priority is.
    fn weigh(&mut self) {
        let mut top = 0;
        self.waiters
            .for_each(|waiter| top = top.max(priority(&waiter.thread)));
        self.top = top;
    }
}

impl InheritanceTable {
    /// The lock of a word, if somebody waits for it.
    pub fn get(&mut self, key: Key) -> Option<&mut Lock> {
        self.locks.get_mut(&key)
    }

    /// Whether `thread` may wait for `owner`.
    ///
    /// # Errors
    /// `EDEADLK`: it would wait for itself.
    pub fn check_deadlock(&self, thread: &Arc<Thread>, owner: &Arc<Thread>) -> Result<(), Errno> {
        let mut owner = owner;
        for _ in 0..MOST_OWNERS {
            if Arc::ptr_eq(owner, thread) {
                return Err(Errno::EDEADLK);
            }
            let waits_for = self.waits.get(&owner.tid()).and_then(|key| self.locks.get(key));
            match waits_for {
                Some(lock) => owner = &lock.owner,
                None => return Ok(()),
            }
        }
        Err(Errno::EDEADLK)
    }

    /// Lets a thread wait for a lock that `owner` has.
    ///
    /// # Errors
    /// `ENOMEM`. `ESRCH`: the owner has ended. Nothing has changed then.
    pub fn enter(
        &mut self,
        key: Key,
        owner: &Arc<Thread>,
        thread: &Arc<Thread>,
        node: &Node<Waiter>,
    ) -> Result<(), Errno> {
        self.add_wait(key, owner, thread)?;
        if let Some(lock) = self.locks.get_mut(&key) {
            lock.waiters.enter(node, Waiter::for_lock(thread, key));
        }
        self.note_wait(key, owner, thread);
        Ok(())
    }

    /// As [`InheritanceTable::enter`], for a thread that waits in a bucket.
    ///
    /// # Errors
    /// As [`InheritanceTable::enter`].
    pub fn enter_from(
        &mut self,
        bucket: &mut Bucket,
        key: Key,
        owner: &Arc<Thread>,
        thread: &Arc<Thread>,
    ) -> Result<(), Errno> {
        self.add_wait(key, owner, thread)?;
        if let Some(lock) = self.locks.get_mut(&key) {
            bucket.give(thread, &mut lock.waiters);
        }
        self.note_wait(key, owner, thread);
        Ok(())
    }

    fn add_wait(&mut self, key: Key, owner: &Arc<Thread>, thread: &Thread) -> Result<(), Errno> {
        let is_new = self.add(key, owner)?;
        // It may have ended while nobody was known to wait: then it did not look here.
        let result = if is_new && owner.has_left_futexes() {
            Err(Errno::ESRCH)
        } else {
            self.waits.insert(thread.tid(), key).map(|_| ())
        };
        if is_new && result.is_err() {
            self.remove(key);
        }
        result
    }

    fn note_wait(&mut self, key: Key, owner: &Arc<Thread>, thread: &Thread) {
        let own = priority(thread);
        if let Some(lock) = self.locks.get_mut(&key) {
            lock.top = lock.top.max(own);
        }
        self.raise(owner.clone(), own);
    }

    /// Makes sure that the lock is here; whether it was not.
    fn add(&mut self, key: Key, owner: &Arc<Thread>) -> Result<bool, Errno> {
        if self.locks.contains_key(&key) {
            return Ok(false);
        }
        let lock = Lock {
            owner: owner.clone(),
            waiters: Queue::new(),
            top: 0,
            is_orphaned: false,
        };
        self.locks.insert(key, lock)?;
        LOCKS.fetch_add(1, Ordering::SeqCst);
        Ok(true)
    }

    fn remove(&mut self, key: Key) {
        if self.locks.remove(&key).is_some() {
            LOCKS.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Takes out a thread that does not wait any longer; false if it has the lock by now.
    pub fn leave(&mut self, key: Key, thread: &Arc<Thread>, node: &Node<Waiter>) -> bool {
        let Some(lock) = self.locks.get_mut(&key) else {
            return false;
        };
        if lock.waiters.leave(node).is_none() {
            return false;
        }
        lock.weigh();
        let owner = lock.owner.clone();
        self.waits.remove(&thread.tid());
        self.forget_if_free(key);
        self.settle(owner);
        true
    }

    /// A lock that nobody waits for, and whose word tells who has it, is none of this table.
    fn forget_if_free(&mut self, key: Key) {
        let is_free = |lock: &Lock| lock.waiters.is_empty() && !lock.is_orphaned;
        if self.locks.get(&key).is_some_and(is_free) {
            self.remove(key);
        }
    }

    /// Gives the lock to `next`, who waits for it.
    pub fn hand_over(&mut self, key: Key, next: &Arc<Thread>) {
        let Some(lock) = self.locks.get_mut(&key) else {
            return;
        };
        let old = core::mem::replace(&mut lock.owner, next.clone());
        lock.waiters
            .take_those(|waiter| Arc::ptr_eq(&waiter.thread, next), |_| false);
        lock.weigh();
        let top = lock.top;
        self.waits.remove(&next.tid());
        self.forget_if_free(key);
        self.settle(old);
        self.raise(next.clone(), top);
        scheduler::wake(next);
    }

    /// The word of an orphaned lock tells its owner now; or nobody is to have it any more.
    pub fn adopt(&mut self, key: Key) {
        if let Some(lock) = self.locks.get_mut(&key) {
            lock.is_orphaned = false;
        }
        self.forget_if_free(key);
    }

    /// A lock that `thread` has.
    pub fn owned_by(&self, thread: &Thread) -> Option<Key> {
        let mut all = self.locks.iter();
        let owned = all.find(|(_, lock)| core::ptr::eq(&*lock.owner, thread));
        owned.map(|(key, _)| *key)
    }

    /// Raises the priority of an owner, and of those whom it waits for.
    fn raise(&mut self, mut owner: Arc<Thread>, priority: u8) {
        for _ in 0..MOST_OWNERS {
            if owner.scheduling.attributes().inherited >= priority {
                return;
            }
            inherit(&owner, priority);
            let waits_for = self.waits.get(&owner.tid()).copied();
            let Some(lock) = waits_for.and_then(|key| self.locks.get_mut(&key)) else {
                return;
            };
            lock.top = lock.top.max(priority);
            owner = lock.owner.clone();
        }
    }

    /// What a thread inherits may have become less: it, and those whom it waits for, get what is due to them now.
    fn settle(&mut self, mut owner: Arc<Thread>) {
        for _ in 0..MOST_OWNERS {
            let owned = self
                .locks
                .values()
                .filter(|lock| Arc::ptr_eq(&lock.owner, &owner));
            let due = owned.map(|lock| lock.top).max().unwrap_or(0);
            if owner.scheduling.attributes().inherited == due {
                return;
            }
            inherit(&owner, due);
            match self.weigh_wait_of(&owner) {
                Some(next) => owner = next,
                None => return,
            }
        }
    }

    /// Weighs the lock anew that a thread waits for; who has it.
    fn weigh_wait_of(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        let key = *self.waits.get(&thread.tid())?;
        let lock = self.locks.get_mut(&key)?;
        lock.weigh();
        Some(lock.owner.clone())
    }

    /// The priority of a thread was changed from outside.
    pub fn priority_changed(&mut self, thread: &Thread) {
        if let Some(owner) = self.weigh_wait_of(thread) {
            self.settle(owner);
        }
    }
}
