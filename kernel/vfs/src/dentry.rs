//! A name in the file tree: which inode it names and below which directory it hangs.
//!
//! A directory holds the dentries of its entries, a dentry holds its parent. The cycle is opened when the entry is
//! removed from the directory. The root of a mounted filesystem takes over parent and name of the dentry it covers,
//! so that `..` and getcwd(2) need no case of their own.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use abi::Errno;
use abi::file::PATH_MAX;
use lock::{Mutex, MutexGuard, rank};
use memory::fallible::{self, TryVec};
use spin::Once;

use super::inode::Inode;
use super::inode_watch::{generation, is_nobody_watching};

/// Held while directories move or vanish.
static RESHAPING: Mutex<(), { rank::RESHAPING }> = Mutex::new(());

/// While this lives no entry moves and no directory vanishes.
pub type Shape = MutexGuard<'static, (), { rank::RESHAPING }>;

/// Keeps the shape of the tree as it is until the answer is dropped. No lock may be held.
pub fn keep_shape() -> Shape {
    RESHAPING.lock()
}

static ROOT: Once<Arc<Dentry>> = Once::new();
/// What stands in its place since boot.
static REPLACED_ROOT: Once<Arc<Dentry>> = Once::new();

/// Whoever asks for the root from now on gets this one.
pub fn replace_root(root: &Arc<Dentry>) {
    REPLACED_ROOT.call_once(|| root.clone());
}

/// The root of the file tree.
pub fn root() -> Arc<Dentry> {
    REPLACED_ROOT
        .get()
        .or_else(|| ROOT.get())
        .expect("vfs::mount_root() runs before anything asks for a file")
        .clone()
}

/// Makes the root of the file tree by `make`. Called once, at boot.
///
/// # Errors
/// What `make` says.
pub fn set_root(make: impl FnOnce() -> Result<Arc<Dentry>, Errno>) -> Result<&'static Arc<Dentry>, Errno> {
    ROOT.try_call_once(make)
}

/// A name in the file tree.
pub struct Dentry {
    /// What is named.
    pub inode: Arc<Inode>,
    location: Mutex<Location, { rank::DENTRY }>,
    mounted: Mutex<Option<Arc<Dentry>>, { rank::DENTRY }>,
    /// Whether something is mounted, to be read without the lock: a walk asks it of each name.
    is_mount_point: AtomicBool,
    /// In which generation of watches nobody watched its inode or its directory. Changed under the lock of its location.
    unwatched_in: AtomicU64,
}

/// No generation.
const NEVER: u64 = u64::MAX;

struct Location {
    parent: Option<Arc<Dentry>>,
    name: Box<[u8]>,
    is_removed: bool,
}

impl Dentry {
    /// A dentry below `parent`; the parent does not know of it yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(parent: Option<&Arc<Dentry>>, name: &[u8], inode: Arc<Inode>) -> Result<Arc<Self>, Errno> {
        let location = Location {
            parent: parent.cloned(),
            name: fallible::boxed_bytes(name)?,
            is_removed: false,
        };
        fallible::arc_with(|| Dentry {
            inode,
            location: Mutex::new(location),
            mounted: Mutex::new(None),
            is_mount_point: AtomicBool::new(false),
            unwatched_in: AtomicU64::new(0),
        })
    }

    /// A dentry without a place in the tree (a pipe, a memory file), shown as `name`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn detached(name: &[u8], inode: Arc<Inode>) -> Result<Arc<Self>, Errno> {
        Self::new(None, name, inode)
    }

    /// The directory that holds it; itself for the root.
    pub fn parent(self: &Arc<Self>) -> Arc<Dentry> {
        self.location
            .lock()
            .parent
            .clone()
            .unwrap_or_else(|| self.clone())
    }

    /// Its last path component.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn name(&self) -> Result<Box<[u8]>, Errno> {
        fallible::boxed_bytes(&self.location.lock().name)
    }

    /// Looks at its last path component, under its lock: for a moment only, and without taking another lock.
    pub fn with_name<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.location.lock().name)
    }

    /// Whether it was unlinked.
    pub fn is_removed(&self) -> bool {
        self.location.lock().is_removed
    }

    /// Marks it unlinked. The caller holds the directory's entries locked.
    pub fn mark_removed(&self) {
        self.location.lock().is_removed = true;
    }

    /// Hangs it elsewhere (rename). The caller keeps the shape of the tree for itself.
    pub fn move_to(&self, parent: &Arc<Dentry>, name: Box<[u8]>) {
        let old = {
            let mut location = self.location.lock();
            self.unwatched_in.store(NEVER, Ordering::Relaxed);
            (
                core::mem::replace(&mut location.name, name),
                location.parent.replace(parent.clone()),
            )
        };
        drop(old);
    }

    /// Whether it is known that nobody watches its file, nor its directory ([`inode_watch`](super::inode_watch)).
    #[inline]
    pub fn is_unwatched(&self) -> bool {
        is_nobody_watching() || self.unwatched_in.load(Ordering::Relaxed) == generation()
    }

    /// The directory above if somebody watches that; `with_name` sees the name in it, under the lock of this dentry. If nobody watches
    /// the file either, that is known from now on.
    pub(super) fn watched_directory(&self, with_name: impl FnOnce(&[u8])) -> Option<Arc<Dentry>> {
        // Before the watches are looked at: one that comes meanwhile begins another generation.
        let generation = generation();
        let location = self.location.lock();
        let is_watched = |above: &&Arc<Dentry>| {
            // The root of a file system is no entry of what it covers.
            Arc::ptr_eq(&above.inode.filesystem, &self.inode.filesystem)
                && !above.inode.watches.wanted().is_empty()
        };
        let above = location.parent.as_ref().filter(is_watched);
        if above.is_some() {
            with_name(&location.name);
        } else if self.inode.watches.wanted().is_empty() {
            self.unwatched_in.store(generation, Ordering::Relaxed);
        }
        above.cloned()
    }

    /// The entry of that name, mounts taken into account.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn child(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
        self.inode.ops.lookup(self, name).map(Dentry::covering)
    }

    /// What is mounted on it, or itself.
    pub fn covering(self: Arc<Self>) -> Arc<Dentry> {
        if !self.is_mount_point() {
            return self;
        }
        let mounted = self.mounted.lock().clone();
        mounted.unwrap_or(self)
    }

    /// Whether something is mounted on it.
    #[inline]
    pub fn is_mount_point(&self) -> bool {
        self.is_mount_point.load(Ordering::Acquire)
    }

    /// Mounts a file system of that root on this directory.
    ///
    /// # Errors
    /// `EBUSY` if something is mounted there, which then is the directory to mount on; `ENOENT` if it was removed;
    /// `ENOMEM`.
    pub fn mount(self: &Arc<Self>, root: &Arc<Dentry>) -> Result<(), Errno> {
        let _shape = keep_shape();
        if self.is_removed() {
            return Err(Errno::ENOENT);
        }
        root.move_to(&self.parent(), self.name()?);
        let filesystem = &self.inode.filesystem;
        // It is made anew each time, unless another mount came first.
        if self.inode.is_made_up() && self.location.lock().parent.is_some() {
            if filesystem.covered(self.inode.number).is_some() {
                return Err(Errno::EBUSY);
            }
            filesystem.keep_covered(self)?;
        }
        let mut mounted = self.mounted.lock();
        if mounted.is_some() {
            return Err(Errno::EBUSY);
        }
        *mounted = Some(root.clone());
        self.is_mount_point.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes away what is mounted on this directory.
    pub fn uncover(&self) {
        let mut mounted = self.mounted.lock();
        self.is_mount_point.store(false, Ordering::Release);
        let gone = mounted.take();
        drop(mounted);
        drop(gone);
        if self.inode.is_made_up() {
            self.inode.filesystem.forget_covered(self);
        }
    }

    /// Whether `self` is `ancestor` or lies below it. The answer stays true while the shape of the tree is kept.
    pub fn is_below(self: &Arc<Self>, ancestor: &Arc<Dentry>) -> bool {
        let mut at = self.clone();
        loop {
            if Arc::ptr_eq(&at, ancestor) {
                return true;
            }
            let parent = at.parent();
            if Arc::ptr_eq(&parent, &at) {
                return false;
            }
            at = parent;
        }
    }

    /// The absolute path as seen from `root`; `None` if it does not lie below `root`, or so deep that no path says it.
    /// No lock may be held.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn path_below(self: &Arc<Self>, root: &Arc<Dentry>) -> Result<Option<Vec<u8>>, Errno> {
        match self.climb_to(root) {
            Ok(path) => Ok(Some(path)),
            Err(Errno::EXDEV | Errno::ENAMETOOLONG) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`Dentry::path_below`].
    ///
    /// # Errors
    /// `EXDEV` if it does not lie below `root`, `ENAMETOOLONG` if the path is longer than [`PATH_MAX`] (so that the
    /// climb is bounded), `ENOMEM`.
    pub fn climb_to(self: &Arc<Self>, root: &Arc<Dentry>) -> Result<Vec<u8>, Errno> {
        let mut backwards = memory::try_with_capacity(PATH_MAX)?;
        // A path is read upwards: a rename amid it would give one that never was.
        let shape = keep_shape();
        let mut at = self.clone();
        while !Arc::ptr_eq(&at, root) {
            let parent = at.prepend_to(&mut backwards)?;
            at = parent.ok_or(Errno::EXDEV)?;
        }
        drop(shape);
        if backwards.is_empty() {
            backwards.try_push(b'/')?;
        }
        backwards.reverse();
        Ok(backwards)
    }

    /// Adds its name to a path that is written backwards; its parent. `ENAMETOOLONG`, `ENOMEM`.
    fn prepend_to(&self, backwards: &mut Vec<u8>) -> Result<Option<Arc<Dentry>>, Errno> {
        let location = self.location.lock();
        if backwards.len() + location.name.len() + 1 >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let behind = backwards.len();
        backwards.try_extend(&location.name)?;
        backwards[behind..].reverse();
        backwards.try_push(b'/')?;
        Ok(location.parent.clone())
    }

    /// The path as /proc shows it: absolute, `(deleted)` behind the name of an unlinked file; a detached file's name
    /// alone.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn shown_path(self: &Arc<Self>) -> Result<Vec<u8>, Errno> {
        let root = root();
        let mut path = match self.path_below(&root)? {
            Some(path) => path,
            None => self.name()?.into_vec(),
        };
        if self.is_removed() {
            path.try_extend(b" (deleted)")?;
        }
        Ok(path)
    }
}

impl Drop for Dentry {
    /// Who watches the file is told if this was its last name. Lets go of the chain of parents in a loop: a chain of removed
    /// directories may be deeper than a kernel stack.
    fn drop(&mut self) {
        self.inode.note_name_gone();
        let mut next = self.location.get_mut().parent.take();
        while let Some(parent) = next.and_then(Arc::into_inner) {
            let mut parent = parent;
            next = parent.location.get_mut().parent.take();
        }
    }
}
