//! Directories: names that were looked at are kept.

use alloc::boxed::Box;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::borrow::Borrow;

use abi::Errno;
use abi::file::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
use lock::{RwLock, rank};
use memory::fallible;
use memory::fallible::map::Map;
use vfs::dentry::Dentry;
use vfs::file_ops::DirectoryEntry;
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::{DirectoryOps, Edit, Nesting, NewFile};

use crate::inode::{StoredInode, stored};
use crate::mounted::Mounted;
use crate::tree::NameCase;

/// Kinds of files by the number that an entry has of them.
const KINDS: [u32; 8] = [0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK];

/// Names of one directory that are in memory.
pub struct KeptNames {
    names: RwLock<Map<NameKey, Arc<Dentry>>, { rank::DIRECTORY }>,
    /// They are kept under what all names that are the same have in common.
    case: NameCase,
}

/// A name as a key: cloning it allocates nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct NameKey(Arc<Box<[u8]>>);

impl Borrow<[u8]> for NameKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl KeptNames {
    /// None.
    pub const fn new(case: NameCase) -> KeptNames {
        KeptNames {
            names: RwLock::new(Map::new()),
            case,
        }
    }

    /// Calls with what the name is kept under.
    fn keyed<R>(&self, name: &[u8], work: impl FnOnce(&[u8]) -> R) -> R {
        match self.case {
            NameCase::Ignored => work(&folded(name)),
            NameCase::Counts => work(name),
        }
    }

    /// The entry of that name, if it is kept.
    pub fn get(&self, name: &[u8]) -> Option<Arc<Dentry>> {
        self.keyed(name, |key| self.names.read().get(key).cloned())
    }

    /// Keeps an entry, in the place of one that has the name.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn put(&self, name: &[u8], entry: Arc<Dentry>) -> Result<(), Errno> {
        let key = self.keyed(name, fallible::boxed_bytes)?;
        let old = self.names.write().insert(NameKey(fallible::arc(key)?), entry)?;
        drop(old);
        Ok(())
    }

    /// Keeps the entry of that name no longer.
    pub fn take(&self, name: &[u8]) -> Option<Arc<Dentry>> {
        self.keyed(name, |key| self.names.write().remove(key))
    }

    fn is_empty(&self) -> bool {
        self.names.read().is_empty()
    }

    /// Keeps none of the names of an inode, which another name may find too: the short one of FAT.
    pub fn take_aliases(&self, inode: &Arc<Inode>) {
        if self.case == NameCase::Counts {
            return;
        }
        loop {
            let is_alias = |entry: &&Arc<Dentry>| Arc::ptr_eq(&entry.inode, inode);
            let found = self.names.read().values().find(is_alias).cloned();
            let Some(name) = found.and_then(|entry| entry.name().ok()) else {
                return;
            };
            drop(self.take(&name));
        }
    }
}

/// The longest name, with room for letters that are longer in lower case.
const LONGEST_FOLDED: usize = 512;

/// A name without the dots at its end, in lower case: what names of FAT have in common that are the same.
fn folded(name: &[u8]) -> ArrayVec<u8, LONGEST_FOLDED> {
    let dots = name.iter().rev().take_while(|byte| **byte == b'.').count();
    let mut folded = ArrayVec::new();
    for chunk in name[..name.len() - dots].utf8_chunks() {
        let mut buffer = [0; 4];
        for letter in chunk.valid().chars().flat_map(char::to_lowercase) {
            folded.extend(letter.encode_utf8(&mut buffer).bytes());
        }
        folded.extend(chunk.invalid().iter().copied());
    }
    folded
}

impl StoredInode {
    /// The entry of that name: the one that is kept, or what the disk has.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn look_up(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        if let Some(kept) = self.kept_names()?.get(name) {
            return Ok(kept);
        }
        let _alone = self.mounted.names();
        self.look_up_alone(directory, name)
    }

    /// The same for who has the turn on names.
    ///
    /// # Errors
    /// As of [`StoredInode::look_up`].
    pub fn look_up_alone(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let names = self.kept_names()?;
        if let Some(kept) = names.get(name) {
            return Ok(kept);
        }
        let number = self.mounted.with(|tree| tree.lookup(self.number, name))?;
        let entry = Dentry::new(Some(directory), name, self.mounted.inode(number)?)?;
        names.put(name, entry.clone())?;
        self.mounted.keep_name(&entry);
        Ok(entry)
    }

    /// Gives the entries from `position` on to `take`.
    ///
    /// # Errors
    /// `ENOTDIR`, `EUCLEAN`, `EIO`, `ENOMEM`.
    pub fn list_names(
        &self,
        position: u64,
        take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
    ) -> Result<u64, Errno> {
        self.mounted.with(|tree| {
            tree.list(self.number, position, &mut |listed| {
                take(DirectoryEntry {
                    name: listed.name,
                    inode: listed.inode.into(),
                    kind: KINDS.get(usize::from(listed.kind)).copied().unwrap_or(0),
                    next: listed.next,
                })
            })
        })
    }
}

impl Mounted {
    /// Keeps a name no longer if nobody uses it and nothing is lost by that; whether that was so.
    pub fn forget_name(&self, entry: &Arc<Dentry>) -> bool {
        if entry.is_removed() {
            return true;
        }
        let is_busy = || Arc::strong_count(entry) > 2 || entry.is_mount_point();
        if is_busy() {
            return false;
        }
        if let Some(inode) = stored(&entry.inode) {
            let is_above = inode.kept_names().is_ok_and(|names| !names.is_empty());
            let is_dirty = inode.file().is_some_and(|file| file.has_dirty_pages());
            if is_above || is_dirty {
                return false;
            }
        }
        if self.store_attributes(&entry.inode).is_err() || is_busy() {
            return false;
        }
        let parent = entry.parent();
        let Ok(names) = stored(&parent.inode)
            .ok_or(Errno::ENOTDIR)
            .and_then(StoredInode::kept_names)
        else {
            return false;
        };
        let Ok(name) = entry.name() else {
            return false;
        };
        let taken = names.take(&name);
        // Who found it since has it: the inode stays in memory, and whoever looks next gets a new name for it.
        drop(taken);
        true
    }
}

/// What it keeps in memory; its names change by [`StoredDirectory`](vfs::inode_ops::StoredDirectory).
impl DirectoryOps for StoredInode {
    fn make(&self, _: &Inode, _: NewFile<'_>, _: Attributes) -> Result<Arc<Inode>, Errno> {
        Err(Errno::EPERM)
    }

    fn edit(&self, _: Nesting, _: &mut Edit<'_>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    fn visit_kept(&self, visit: &mut dyn FnMut(&Arc<Dentry>) -> Result<(), Errno>) -> Result<(), Errno> {
        self.kept_names()?.names.read().values().try_for_each(visit)
    }

    fn take_kept(&self) -> Option<Arc<Dentry>> {
        let names = self.kept_names().ok()?;
        names.names.write().pop_first().map(|(_, entry)| entry)
    }
}
