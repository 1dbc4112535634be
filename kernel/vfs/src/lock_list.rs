//! The files that have, or had, advisory locks: for /proc/locks.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;

use super::inode::Inode;
use super::record_locks::tree::{NoNode, Node, Tree, TreeEntry};
use lock::Mutex;

static FILES: Mutex<Tree<ListedLock>> = Mutex::new(Tree::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// One file. It is taken out when it is dropped.
struct ListedLock {
    number: u64,
    file: Weak<Inode>,
}

impl TreeEntry for ListedLock {
    type Key = u64;
    type Summary = ();

    fn key(&self) -> u64 {
        self.number
    }

    fn summary(&self) {}

    fn join((): (), (): ()) {}
}

/// Lists a file that is about to get a lock, if it is not listed.
///
/// # Errors
/// `ENOLCK`.
pub fn add(file: &Arc<Inode>) -> Result<(), Errno> {
    let listed = file.locks.listed();
    if listed.load(Ordering::Acquire) != 0 {
        return Ok(());
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let entry = ListedLock {
        number,
        file: Arc::downgrade(file),
    };
    let node = Node::new(entry).map_err(|NoNode| Errno::ENOLCK)?;
    let mut files = FILES.lock();
    // Another thread may have come first.
    if listed.load(Ordering::Relaxed) == 0 {
        files.insert(node);
        listed.store(number, Ordering::Release);
    }
    Ok(())
}

/// Takes a file out that is being dropped.
pub fn remove(number: u64) {
    let gone = FILES.lock().remove(number);
    drop(gone);
}

/// The first file with that number or a higher one, and its number.
pub fn next_from(mut number: u64) -> Option<(u64, Arc<Inode>)> {
    let files = FILES.lock();
    loop {
        let listed = files.first_from(number)?;
        match listed.file.upgrade() {
            Some(file) => return Some((listed.number, file)),
            None => number = listed.number + 1,
        }
    }
}
