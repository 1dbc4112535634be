//! One file system of some kind: what its inodes have in common, and how much memory its files may take.

use super::filesystem::FileSystem;
use super::mount_state::MountState;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible::{self, TryVec};

use super::dentry::Dentry;

/// One file system.
pub struct SuperBlock {
    /// What serves it.
    pub kind: &'static dyn FileSystem,
    /// `st_dev` of its inodes.
    pub device: u64,
    next_inode: AtomicU64,
    inodes: AtomicU64,
    pages: AtomicU64,
    page_limit: AtomicU64,
    /// What is forbidden.
    pub flags: MountState,
    mount: AtomicU64,
    /// Directories on which something is mounted, of a file system that makes its dentries anew each time.
    covered: Mutex<Vec<Arc<Dentry>>>,
    is_any_covered: AtomicBool,
}

impl SuperBlock {
    /// An empty file system whose files may hold `page_limit` pages together.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(kind: &'static dyn FileSystem, device: u64, page_limit: u64) -> Result<Arc<Self>, Errno> {
        fallible::arc(SuperBlock {
            kind,
            device,
            next_inode: AtomicU64::new(1),
            inodes: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            page_limit: AtomicU64::new(page_limit),
            flags: MountState::new(),
            mount: AtomicU64::new(0),
            covered: Mutex::new(Vec::new()),
            is_any_covered: AtomicBool::new(false),
        })
    }

    /// A number for a new inode; it is never used again.
    pub fn number_inode(&self) -> u64 {
        self.inodes.fetch_add(1, Ordering::Relaxed);
        self.next_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// An inode is gone.
    pub fn forget_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Inodes that exist.
    pub fn inode_count(&self) -> u64 {
        self.inodes.load(Ordering::Relaxed)
    }

    /// Counts one more page, if the limit allows it.
    pub fn charge_page(&self) -> bool {
        let limit = self.page_limit.load(Ordering::Relaxed);
        let one_more = |pages: u64| (pages < limit).then_some(pages + 1);
        self.pages
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// Counts `count` pages less.
    pub fn discharge_pages(&self, count: u64) {
        self.pages.fetch_sub(count, Ordering::Relaxed);
    }

    /// Pages that its files hold.
    pub fn page_count(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Changes how many pages its files may hold.
    ///
    /// # Errors
    /// `EINVAL` if they hold more.
    pub fn set_page_limit(&self, limit: u64) -> Result<(), Errno> {
        if self.page_count() > limit {
            return Err(Errno::EINVAL);
        }
        self.page_limit.store(limit, Ordering::Relaxed);
        Ok(())
    }

    /// The number of its mount; 0 if it has no place in the tree.
    pub fn mount_id(&self) -> u64 {
        self.mount.load(Ordering::Relaxed)
    }

    /// It has a place in the tree.
    pub fn set_mount_id(&self, id: u64) {
        self.mount.store(id, Ordering::Relaxed);
    }

    /// Something is mounted on that directory: whoever looks it up from now on finds this dentry.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn keep_covered(&self, directory: &Arc<Dentry>) -> Result<(), Errno> {
        let mut covered = self.covered.lock();
        covered.try_push(directory.clone())?;
        self.is_any_covered.store(true, Ordering::Release);
        Ok(())
    }

    /// Nothing is mounted there any more.
    pub(super) fn forget_covered(&self, directory: &Dentry) {
        let mut covered = self.covered.lock();
        let at = covered
            .iter()
            .position(|kept| core::ptr::eq(&raw const **kept, directory));
        let gone = at.map(|at| covered.swap_remove(at));
        self.is_any_covered.store(!covered.is_empty(), Ordering::Release);
        drop(covered);
        drop(gone);
    }

    /// The dentry of the directory with that inode number, if something is mounted on it.
    pub fn covered(&self, inode: u64) -> Option<Arc<Dentry>> {
        if !self.is_any_covered.load(Ordering::Acquire) {
            return None;
        }
        let covered = self.covered.lock();
        covered.iter().find(|kept| kept.inode.number == inode).cloned()
    }

    /// Pages that its files may hold.
    pub fn page_limit(&self) -> u64 {
        self.page_limit.load(Ordering::Relaxed)
    }
}
