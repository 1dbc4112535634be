//! The entries of a directory in memory.
//!
//! Each entry has a position that it keeps for life, so that getdents64(2) neither skips nor repeats an entry while
//! others come and go.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::borrow::Borrow;

use crate::fallible;
use crate::fallible::map::Map;
use crate::sync::{Mutex, MutexGuard, rank};
use abi::Errno;

use super::dentry::Dentry;

/// The position of the first entry behind `.` and `..`.
const FIRST_POSITION: u64 = 2;

/// The entries of a directory.
pub struct Children {
    entries: Mutex<Entries, { rank::DIRECTORY }>,
}

/// The entries of a directory while nobody else reads or changes them.
pub type LockedEntries<'a> = MutexGuard<'a, Entries, { rank::DIRECTORY }>;

/// The entries, locked.
pub struct Entries {
    by_name: Map<Name, u64>,
    by_position: Map<u64, Arc<Dentry>>,
    next_position: u64,
    is_closed: bool,
}

/// A name as a key: cloning it allocates nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Arc<Box<[u8]>>);

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Children {
    /// No entries.
    pub const fn new() -> Self {
        Children {
            entries: Mutex::new(Entries {
                by_name: Map::new(),
                by_position: Map::new(),
                next_position: FIRST_POSITION,
                is_closed: false,
            }),
        }
    }

    /// Locks the entries.
    pub fn lock(&self) -> LockedEntries<'_> {
        self.entries.lock()
    }

    /// Locks the entries of a further directory. The caller holds the lock on reshaping the tree: nobody else locks two.
    pub fn lock_further(&self) -> LockedEntries<'_> {
        self.entries.lock_second()
    }

    /// The entry of that name.
    pub fn get(&self, name: &[u8]) -> Option<Arc<Dentry>> {
        self.entries.lock().get(name)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.lock().by_name.len()
    }

    /// The first entry at position `from` or later, with its position.
    pub fn next(&self, from: u64) -> Option<(u64, Arc<Dentry>)> {
        let entries = self.entries.lock();
        let (position, entry) = entries.by_position.range(from.max(FIRST_POSITION)..).next()?;
        Some((*position, entry.clone()))
    }
}

impl Entries {
    /// The entry of that name.
    pub fn get(&self, name: &[u8]) -> Option<Arc<Dentry>> {
        let position = self.by_name.get(name)?;
        self.by_position.get(position).cloned()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds an entry. `EEXIST`; `ENOENT` in a directory that was removed; `ENOMEM`.
    pub fn insert(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::ENOENT);
        }
        if self.by_name.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let key = Name(fallible::arc(fallible::boxed_bytes(name)?)?);
        self.by_name.insert(key, self.next_position)?;
        if let Err(error) = self.by_position.insert(self.next_position, entry) {
            self.by_name.remove(name);
            return Err(error);
        }
        self.next_position += 1;
        Ok(())
    }

    /// Puts another entry in the place of one; the old one comes back. `ENOENT` if there is none of that name. Allocates
    /// nothing.
    pub fn replace(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<Arc<Dentry>, Errno> {
        let position = self.by_name.get(name).ok_or(Errno::ENOENT)?;
        let place = self.by_position.get_mut(position).ok_or(Errno::ENOENT)?;
        Ok(core::mem::replace(place, entry))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<Dentry>> {
        let position = self.by_name.remove(name)?;
        self.by_position.remove(&position)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dentry>> {
        self.by_position.values()
    }

    /// Takes an entry out and lets no further one in: the filesystem goes away. `None` when there is none left.
    pub fn dissolve(&mut self) -> Option<Arc<Dentry>> {
        self.is_closed = true;
        // Any name: all of them go, one at a time.
        drop(self.by_name.pop_first());
        Some(self.by_position.pop_first()?.1)
    }

    /// Lets no further entry in: the directory is being removed. `ENOTEMPTY`.
    pub fn close(&mut self) -> Result<(), Errno> {
        if !self.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.is_closed = true;
        Ok(())
    }
}
