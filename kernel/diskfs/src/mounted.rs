//! A mounted file system, and the inodes of it that are in memory.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::Errno;
use block::Volume;
use block::volume::VolumeClaim;
use core::sync::atomic::{AtomicBool, Ordering};
use ext4::{Moment, Surroundings};
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use memory::fallible::{self, TryVec};
use pagecache::CachedFile;
use sched::{SleepingMutex, SleepingMutexGuard, scheduler, time};
use spin::Once;
use vfs::dentry::Dentry;
use vfs::inode::{Attributes, Inode};
use vfs::super_block::SuperBlock;

use crate::tree::{DiskTree, NameCase, TreeFault};

/// Names that are kept for each page of memory, one for so many, and at least.
const PAGES_PER_NAME: u64 = 32;
const LEAST_NAMES: u64 = 512;
/// Names looked at for each new one when there are too many.
const LOOKED: usize = 4;

/// What ext4 asks of the kernel.
pub struct KernelSurroundings;

impl Surroundings for KernelSurroundings {
    fn now(&self) -> Moment {
        let nanos = time::now_realtime_nanos();
        Moment {
            seconds: (nanos / time::SECOND) as i64,
            nanoseconds: (nanos % time::SECOND) as u32,
        }
    }

    fn random(&self) -> u32 {
        let mut bytes = [0; 4];
        platform::random::fill(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn breathe(&self) {
        scheduler::cond_resched();
    }
}

/// A mounted file system.
pub struct Mounted {
    /// The disk that it is on.
    pub disk: Arc<Volume>,
    /// Nobody else's while it is mounted; who has one of its files in memory may keep this for longer.
    claim: Mutex<Option<VolumeClaim>, { rank::LEAF }>,
    /// The number of its root.
    pub root: u32,
    /// Whether names that differ in case alone are the same.
    pub case: NameCase,
    /// Whether each file has an owner and permissions of its own.
    pub keeps_owners: bool,
    /// Whose turn it is to work on it.
    turn: SleepingMutex,
    /// Taken out by whoever has the turn.
    tree: Mutex<Option<Box<dyn DiskTree>>, { rank::LEAF }>,
    /// Whose turn it is to look for names on the disk, or to change them.
    names: SleepingMutex,
    super_block: Once<Arc<SuperBlock>>,
    /// Damage was told.
    is_damage_told: AtomicBool,
    /// Nothing is written any more after damage: `errors=remount-ro`.
    stops_at_damage: AtomicBool,
    inodes: Mutex<Map<u32, KeptInode>, { rank::LEAF }>,
    /// Names by age.
    kept: Mutex<VecDeque<Weak<Dentry>>, { rank::LEAF }>,
    /// What nobody has any more, and who has its pages.
    dropped: Mutex<Vec<(u32, Option<Arc<CachedFile>>)>, { rank::LEAF }>,
}

/// What is done after damage was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterDamage {
    /// It goes on.
    GoesOn,
    /// Nothing is written any more.
    Stops,
}

/// An inode in memory.
#[derive(Clone)]
pub struct KeptInode {
    /// It.
    pub inode: Weak<Inode>,
    /// Its attributes as they are on the disk.
    pub stored: Attributes,
}

impl Mounted {
    /// A file system on that disk, which has no root yet.
    pub fn new(claim: VolumeClaim, tree: Box<dyn DiskTree>) -> Mounted {
        Mounted {
            disk: claim.volume().clone(),
            claim: Mutex::new(Some(claim)),
            root: tree.root(),
            case: tree.name_case(),
            keeps_owners: tree.keeps_owners(),
            turn: SleepingMutex::new(),
            tree: Mutex::new(Some(tree)),
            names: SleepingMutex::new(),
            super_block: Once::new(),
            is_damage_told: AtomicBool::new(false),
            stops_at_damage: AtomicBool::new(false),
            inodes: Mutex::new(Map::new()),
            kept: Mutex::new(VecDeque::new()),
            dropped: Mutex::new(Vec::new()),
        }
    }

    /// It is not mounted any more: others may have its disk.
    pub fn give_up_disk(&self) {
        let claim = self.claim.lock().take();
        drop(claim);
    }

    /// Works on it, alone. Sleeps; no lock may be held.
    pub fn with<R>(&self, work: impl FnOnce(&mut dyn DiskTree) -> R) -> R {
        let _turn = self.turn.lock_uninterruptible();
        let mut tree = self
            .tree
            .lock()
            .take()
            .expect("whoever has the turn puts it back");
        let answer = work(&mut *tree);
        let fault = tree.fault();
        *self.tree.lock() = Some(tree);
        if let Some(fault) = fault {
            self.tell(fault);
        }
        answer
    }

    /// Says once what went wrong, and lets nothing be changed any more, as Linux does.
    #[cold]
    fn tell(&self, fault: TreeFault) {
        let name = self.disk.name;
        let is_first = fault == TreeFault::Damaged && !self.is_damage_told.swap(true, Ordering::Relaxed);
        if is_first {
            klog::error!("EXT4-fs error (device {name}): what stands there is damaged");
        }
        let stops = fault != TreeFault::Damaged || self.stops_at_damage.load(Ordering::Relaxed);
        let Some(super_block) = self.super_block.get().filter(|_| stops) else {
            return;
        };
        if super_block.flags.break_off() {
            if let TreeFault::Aborted(error) = fault {
                klog::error!(
                    "EXT4-fs error (device {name}): the journal is aborted: {}",
                    error.message()
                );
            }
            klog::error!("EXT4-fs ({name}): Remounting filesystem read-only");
        }
    }

    /// Whether nothing is written any more after damage: `errors=`.
    pub fn set_stops_at_damage(&self, stops: AfterDamage) {
        self.stops_at_damage
            .store(stops == AfterDamage::Stops, Ordering::Relaxed);
    }

    /// Keeps others away from names.
    pub fn names(&self) -> SleepingMutexGuard<'_> {
        self.names.lock_uninterruptible()
    }

    /// What its inodes have in common.
    pub fn super_block(&self) -> &Arc<SuperBlock> {
        self.super_block.get().expect("it is set when the root is made")
    }

    /// Says what its inodes have in common. Once.
    pub fn set_super_block(&self, super_block: Arc<SuperBlock>) {
        self.super_block.call_once(|| super_block);
    }

    /// The inode of that number, if it is in memory.
    pub fn find_inode(&self, number: u32) -> Option<Arc<Inode>> {
        self.inodes.lock().get(&number)?.inode.upgrade()
    }

    /// Notes an inode that is in memory from now on.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn note_inode(&self, number: u32, inode: &Arc<Inode>, stored: Attributes) -> Result<(), Errno> {
        let kept = KeptInode {
            inode: Arc::downgrade(inode),
            stored,
        };
        self.inodes.lock().insert(number, kept).map(drop)
    }

    /// The inode in memory with the lowest number from `from` on.
    pub fn next_inode(&self, from: u32) -> Option<(u32, KeptInode)> {
        let inodes = self.inodes.lock();
        let (number, kept) = inodes.range(from..).next()?;
        Some((*number, kept.clone()))
    }

    /// Notes what attributes are on the disk.
    pub fn set_stored(&self, number: u32, stored: Attributes) {
        if let Some(kept) = self.inodes.lock().get_mut(&number) {
            kept.stored = stored;
        }
    }

    /// Nobody has the inode any more. Called where nobody may sleep.
    pub fn note_dropped(&self, number: u32, file: Option<Arc<CachedFile>>) {
        // Without memory to note it, a file without a name is freed when it is mounted again.
        let _ = self.dropped.lock().try_push((number, file));
    }

    /// Does what is left to do for inodes that nobody has any more: what they had dirty is written, or freed if they have no names.
    pub fn finish_dropped(&self) {
        loop {
            let next = self.dropped.lock().pop();
            let Some((number, file)) = next else {
                return;
            };
            if self.find_inode(number).is_none() {
                self.inodes.lock().remove(&number);
                self.finish(number, file.as_deref());
            }
        }
    }

    fn finish(&self, number: u32, file: Option<&CachedFile>) {
        let links = self.with(|tree| tree.status(number).map(|status| status.links));
        if let (Ok(0), Some(file)) = (links, file) {
            file.discard();
        } else if let Some(file) = file {
            // What goes wrong was told to those who had it open.
            let _ = file.sync(0..u64::MAX);
        }
        if links == Ok(0)
            && let Err(error) = self.with(|tree| tree.release(number))
        {
            klog::error!("{}: inode {number} stays: {}", self.disk.name, error.message());
        }
        self.with(|tree| tree.forget(number));
    }

    /// A name is kept from now on; old ones are not, if there are too many. The caller has the turn on names.
    pub fn keep_name(&self, entry: &Arc<Dentry>) {
        let most = (platform::memory::ram_bytes() / crate::PAGE / PAGES_PER_NAME).max(LEAST_NAMES);
        {
            let mut kept = self.kept.lock();
            // What cannot be noted, for want of memory, is kept until it is removed or the file system is unmounted.
            let _ = fallible::push_back(&mut kept, Arc::downgrade(entry));
            if (kept.len() as u64) < most {
                return;
            }
        }
        for _ in 0..LOOKED {
            let oldest = self.kept.lock().pop_front();
            let Some(entry) = oldest.and_then(|entry| entry.upgrade()) else {
                continue;
            };
            if !self.forget_name(&entry) {
                // It has the room of the one that was taken out.
                let _ = fallible::push_back(&mut self.kept.lock(), Arc::downgrade(&entry));
            }
        }
    }
}
