//! The entries of a directory in memory.
//!
//! Each entry has a position that it keeps for life, so that getdents64(2) neither skips nor repeats an entry while
//! others come and go.

use alloc::boxed::Box;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::borrow::Borrow;

use abi::Errno;
use lock::{RwLock, rank};
use memory::fallible;
use memory::fallible::map::Map;

use crate::tmpfs;
use sched::scheduler;
use vfs::dentry::Dentry;
use vfs::file_ops::DirectoryEntry;
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::{DirectoryOps, Edit, Entries, InodeOps, Nesting, NewFile};

/// The position of the first entry behind `.` and `..`.
const FIRST_POSITION: u64 = 2;

/// Entries of a listing that one hold of the directory's lock gives.
const BATCH: usize = 16;

/// Bytes that an entry counts for: `BOGO_DIRENT_SIZE` of Linux.
const ENTRY_SIZE: u64 = 20;

/// A directory in memory.
pub struct MemoryDirectory {
    entries: RwLock<KeptEntries, { rank::DIRECTORY }>,
}

struct KeptEntries {
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

impl Default for MemoryDirectory {
    fn default() -> Self {
        MemoryDirectory::new()
    }
}

impl MemoryDirectory {
    /// [`InodeOps::size`] of one without entries.
    pub const EMPTY_SIZE: u64 = 2 * ENTRY_SIZE;

    /// No entries.
    pub const fn new() -> Self {
        MemoryDirectory {
            entries: RwLock::new(KeptEntries {
                by_name: Map::new(),
                by_position: Map::new(),
                next_position: FIRST_POSITION,
                is_closed: false,
            }),
        }
    }

    /// The first entries at position `from` or later, with their positions; none if there are no more.
    fn next(&self, from: u64) -> ArrayVec<(u64, Arc<Dentry>), BATCH> {
        let entries = self.entries.read();
        let all = entries.by_position.range(from.max(FIRST_POSITION)..);
        let some = all.take(BATCH);
        some.map(|(position, entry)| (*position, entry.clone())).collect()
    }
}

impl InodeOps for MemoryDirectory {
    fn size(&self) -> u64 {
        self.entries.read().by_name.len() as u64 * ENTRY_SIZE + MemoryDirectory::EMPTY_SIZE
    }

    fn lookup(&self, _directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.entries.read().get(name)
    }

    fn list(&self, start: u64, take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool) -> Result<u64, Errno> {
        let mut position = start;
        loop {
            let some = self.next(position);
            if some.is_empty() {
                return Ok(position);
            }
            for (at, entry) in some {
                let entry = entry.covering();
                let next = at + 1;
                let is_taken = entry.with_name(|name| {
                    take(DirectoryEntry {
                        name,
                        inode: entry.inode.number,
                        kind: entry.inode.kind(),
                        next,
                    })
                });
                if !is_taken {
                    return Ok(position);
                }
                position = next;
            }
            scheduler::cond_resched();
        }
    }

    fn as_directory(&self) -> Option<&dyn DirectoryOps> {
        Some(self)
    }
}

impl DirectoryOps for MemoryDirectory {
    fn make(
        &self,
        directory: &Inode,
        file: NewFile<'_>,
        attributes: Attributes,
    ) -> Result<Arc<Inode>, Errno> {
        tmpfs::make(&directory.filesystem, file, attributes)
    }

    fn edit(&self, nesting: Nesting, change: &mut Edit<'_>) -> Result<(), Errno> {
        let mut entries = match nesting {
            Nesting::First => self.entries.write(),
            Nesting::Further => self.entries.write_second(),
        };
        change(&mut *entries)
    }

    fn visit_kept(&self, visit: &mut dyn FnMut(&Arc<Dentry>) -> Result<(), Errno>) -> Result<(), Errno> {
        self.entries.read().by_position.values().try_for_each(visit)
    }

    fn take_kept(&self) -> Option<Arc<Dentry>> {
        let mut entries = self.entries.write();
        entries.is_closed = true;
        // Any name: all of them go, one at a time.
        drop(entries.by_name.pop_first());
        Some(entries.by_position.pop_first()?.1)
    }
}

impl Entries for KeptEntries {
    fn get(&self, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let position = self.by_name.get(name).ok_or(Errno::ENOENT)?;
        self.by_position.get(position).cloned().ok_or(Errno::ENOENT)
    }

    fn insert(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::ENOENT);
        }
        let key = Name(fallible::arc(fallible::boxed_bytes(name)?)?);
        self.by_name.insert_new(key, self.next_position)?;
        if let Err(error) = self.by_position.insert(self.next_position, entry) {
            self.by_name.remove(name);
            return Err(error);
        }
        self.next_position += 1;
        Ok(())
    }

    /// Allocates nothing.
    fn replace(&mut self, name: &[u8], entry: Arc<Dentry>) -> Result<Arc<Dentry>, Errno> {
        let position = self.by_name.get(name).ok_or(Errno::ENOENT)?;
        let place = self.by_position.get_mut(position).ok_or(Errno::ENOENT)?;
        Ok(core::mem::replace(place, entry))
    }

    fn remove(&mut self, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let position = self.by_name.remove(name).ok_or(Errno::ENOENT)?;
        self.by_position.remove(&position).ok_or(Errno::ENOENT)
    }

    fn close(&mut self) -> Result<(), Errno> {
        if !self.by_name.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.is_closed = true;
        Ok(())
    }
}
