//! Which process, by its table of descriptors, waits for a record lock of which other: `F_SETLKW` must not wait in a circle (fcntl(2), `EDEADLK`).

use alloc::sync::Arc;

use abi::Errno;

use super::inode::Inode;
use super::record_locks::LockOwner;
use super::record_locks::tree::{NoNode, Node, Tree, TreeEntry};
use lock::Mutex;

/// How far a chain of waiting processes is followed: Linux's `MAX_DEADLK_ITERATIONS`.
const LONGEST_CHAIN: usize = 10;

static WAITS: Mutex<Tree<Wait>> = Mutex::new(Tree::new());

/// One thread that waits.
struct Wait {
    /// Table and thread.
    who: (u64, u32),
    /// The table whose lock stands in the way.
    blocker: u64,
    file: Arc<Inode>,
    /// How often locks of the file had been given up before that lock was seen.
    seen: u64,
}

impl Wait {
    /// Whether a lock of the file was given up since: the thread looks again and finds by itself whether it goes in a circle.
    fn is_stale(&self) -> bool {
        self.file.locks.releases() != self.seen
    }
}

impl TreeEntry for Wait {
    type Key = (u64, u32);
    type Summary = ();

    fn key(&self) -> (u64, u32) {
        self.who
    }

    fn summary(&self) {}

    fn join((): (), (): ()) {}
}

/// A thread that may have to wait for a lock; what was noted of it goes when this is dropped.
pub struct Waiting<'a> {
    file: &'a Arc<Inode>,
    tid: u32,
    noted: Option<(u64, u32)>,
}

impl<'a> Waiting<'a> {
    /// Of the thread `tid`, for a lock of `file`.
    pub fn new(file: &'a Arc<Inode>, tid: u32) -> Self {
        Waiting {
            file,
            tid,
            noted: None,
        }
    }

    /// Notes that `owner` has to wait for `blocker`. Open files do not count: they have no thread that waits. `seen` is
    /// how often locks had been given up before the blocker's lock was seen.
    ///
    /// # Errors
    /// `EDEADLK`, `ENOLCK`.
    pub fn note(&mut self, owner: LockOwner, blocker: LockOwner, seen: u64) -> Result<(), Errno> {
        self.forget();
        let (LockOwner::Table(waiter), LockOwner::Table(blocker)) = (owner, blocker) else {
            return Ok(());
        };
        let who = (waiter, self.tid);
        let file = self.file.clone();
        let node = Node::new(Wait {
            who,
            blocker,
            file,
            seen,
        })
        .map_err(|NoNode| Errno::ENOLCK)?;
        let refused = {
            let mut waits = WAITS.lock();
            if is_circle(&waits, waiter, blocker) {
                Some(node)
            } else {
                waits.insert(node);
                self.noted = Some(who);
                None
            }
        };
        refused.map_or(Ok(()), |_| Err(Errno::EDEADLK))
    }

    fn forget(&mut self) {
        if let Some(who) = self.noted.take() {
            let gone = WAITS.lock().remove(who);
            drop(gone);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Whether `blocker` waits for `waiter`, perhaps through others.
fn is_circle(waits: &Tree<Wait>, waiter: u64, blocker: u64) -> bool {
    let mut at = blocker;
    for _ in 0..LONGEST_CHAIN {
        if at == waiter {
            return true;
        }
        match blocker_of(waits, at) {
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}

/// Whom the first waiting thread of a table waits for.
fn blocker_of(waits: &Tree<Wait>, table: u64) -> Option<u64> {
    let mut from = (table, 0);
    while let Some(wait) = waits.first_from(from).filter(|wait| wait.who.0 == table) {
        if !wait.is_stale() {
            return Some(wait.blocker);
        }
        from = (table, wait.who.1.checked_add(1)?);
    }
    None
}
