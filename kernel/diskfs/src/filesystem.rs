//! What mount(2) finds under the names ext4 and vfat.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::mount::MountFlags;
use block::{BlockDevice, Volume, volume};
use ext4::{Access, Ext4, Ext4Options};
use fat::Fat;
use lock::Mutex;
use memory::fallible::{self, TryVec};
use sched::scheduler;
use vfs::dentry::Dentry;
use vfs::device_registry::DeviceNumber;
use vfs::filesystem::{self, FileSystem, FilesystemUsage};
use vfs::inode::Inode;
use vfs::stored_attributes::StoredAttributes;
use vfs::super_block::SuperBlock;

use crate::fat_tree::FatTree;
use crate::identity::identity;
use crate::inode::{StoredInode, stored};
use crate::mounted::{KernelSurroundings, Mounted};
use crate::options;
use crate::tree::DiskTree;

const EXT4_MAGIC: u64 = 0xef53;
const FAT_MAGIC: u64 = 0x4d44;
/// Blocks of metadata that are kept: one for so many pages of memory, and at least.
const PAGES_PER_BLOCK: u64 = 64;
const LEAST_BLOCKS: u64 = 256;

/// ext4, and what it reads of those before it; FAT32 with long names.
struct DiskKind(&'static str);

static EXT4: DiskKind = DiskKind("ext4");
static EXT3: DiskKind = DiskKind("ext3");
static EXT2: DiskKind = DiskKind("ext2");
static VFAT: DiskKind = DiskKind("vfat");

/// What is mounted, by the device.
static MOUNTED: Mutex<Vec<(u64, Arc<Mounted>)>> = Mutex::new(Vec::new());

/// Registers ext4 and FAT.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    [&EXT4, &EXT3, &EXT2, &VFAT]
        .into_iter()
        .try_for_each(|kind| filesystem::register(kind))
}

/// The disk or partition that `root=` means: a name in /dev, `UUID=`, `PARTUUID=`, `LABEL=`.
pub fn find_root(wanted: &str) -> Option<Arc<Volume>> {
    let is_meant = |volume: &Arc<Volume>| match wanted.split_once('=') {
        Some(("PARTUUID", uuid)) => volume.partition_uuid.eq_ignore_ascii_case(uuid),
        Some(("UUID", uuid)) => identity(volume).is_some_and(|found| found.has_uuid(uuid)),
        Some(("LABEL", label)) => identity(volume).is_some_and(|found| found.has_label(label)),
        Some(_) => false,
        None => wanted.strip_prefix("/dev/").unwrap_or(wanted) == volume.name,
    };
    volume::all().find(is_meant)
}

/// Makes the file system that is mounted from that device as large as the device; how many bytes it has then.
///
/// # Errors
/// `EINVAL`: none is mounted from there. `EOPNOTSUPP`: it cannot grow. `EROFS`, `EIO`, `EUCLEAN`, `ENOMEM`.
pub fn grow((major, minor): (u32, u32)) -> Result<u64, Errno> {
    let number = DeviceNumber { major, minor }.encode();
    mounted_from(number)
        .ok_or(Errno::EINVAL)?
        .with(|tree| tree.grow())
}

/// What is mounted from the device of that number.
fn mounted_from(number: u64) -> Option<Arc<Mounted>> {
    let all = MOUNTED.lock();
    let found = all.iter().find(|(device, _)| *device == number);
    found.map(|(_, mounted)| mounted.clone())
}

fn mounted_of(root: &Dentry) -> Option<Arc<Mounted>> {
    stored(&root.inode).map(|inode| inode.mounted.clone())
}

impl DiskKind {
    fn is_fat(&self) -> bool {
        self.0 == VFAT.0
    }

    /// Whether the options are known.
    fn check_options(&self, options: &[u8]) -> Result<(), Errno> {
        match self.is_fat() {
            true => options::of_fat(options).map(drop),
            false => options::check_ext4(options),
        }
    }

    /// Mounts what is on the disk.
    fn open(&self, disk: &Arc<Volume>, access: Access, options: &[u8]) -> Result<Box<dyn DiskTree>, Errno> {
        if self.is_fat() {
            let fat = Fat::mount(disk.clone(), 0)?;
            let tree = FatTree::new(fat, options::of_fat(options)?, access)?;
            return Ok(fallible::boxed(tree)?);
        }
        let blocks = (platform::memory::ram_bytes() / crate::PAGE / PAGES_PER_BLOCK).max(LEAST_BLOCKS);
        let wanted = Ext4Options {
            access,
            cached_blocks: blocks as usize,
        };
        let ext4 = Ext4::mount(disk.clone(), fallible::arc(KernelSurroundings)?, wanted)?;
        Ok(fallible::boxed(ext4)?)
    }
}

impl FileSystem for DiskKind {
    fn name(&self) -> &'static str {
        self.0
    }

    fn magic(&self) -> u64 {
        if self.is_fat() { FAT_MAGIC } else { EXT4_MAGIC }
    }

    fn needs_device(&self) -> bool {
        true
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENOTBLK)
    }

    fn mount_device(
        &'static self,
        device: DeviceNumber,
        flags: MountFlags,
        options: &[u8],
    ) -> Result<Arc<Dentry>, Errno> {
        self.check_options(options)?;
        let number = device.encode();
        let is_meant = |volume: &Arc<Volume>| volume.number == (device.major, device.minor);
        let disk = volume::all().find(is_meant).ok_or(Errno::ENXIO)?;
        if MOUNTED.lock().iter().any(|(other, _)| *other == number) {
            return Err(Errno::EBUSY);
        }
        let access = access(flags);
        if access == Access::ReadWrite && disk.is_read_only() {
            return Err(Errno::EROFS);
        }
        let claim = disk.claim()?;
        // What was written to the disk itself is there before, and what is kept of it is of yesterday behind.
        pagecache::forget_disk(disk.number)?;
        let tree = self.open(&disk, access, options)?;
        let mounted = fallible::arc(Mounted::new(claim, tree))?;
        mounted.set_stops_at_damage(options::after_damage(options));
        mounted.set_super_block(SuperBlock::new(self, number, 0)?);
        let root = Dentry::detached(b"", mounted.inode(mounted.root)?)?;
        MOUNTED.lock().try_push((number, mounted))?;
        pagecache::note_mounted((device.major, device.minor));
        Ok(root)
    }

    fn remount(&self, _root: &Arc<Dentry>, options: &[u8]) -> Result<(), Errno> {
        self.check_options(options)
    }

    fn change_access(&self, root: &Arc<Dentry>, flags: MountFlags) -> Result<(), Errno> {
        let mounted = mounted_of(root).ok_or(Errno::EINVAL)?;
        let access = access(flags);
        match access {
            Access::ReadOnly => self.sync(root)?,
            // What was written to the disk itself, by e2fsck perhaps, is there before it is read again.
            Access::ReadWrite => pagecache::forget_disk(mounted.disk.number)?,
        }
        mounted.with(|tree| tree.set_access(access))?;
        if access == Access::ReadOnly {
            pagecache::forget_disk(mounted.disk.number)?;
        }
        Ok(())
    }

    fn sync(&self, root: &Arc<Dentry>) -> Result<(), Errno> {
        store(root, |inode| match stored(inode).and_then(StoredInode::file) {
            Some(file) => file.sync(0..u64::MAX),
            None => Ok(()),
        })
    }

    fn commit(&self, root: &Arc<Dentry>) -> Result<(), Errno> {
        store(root, |_| Ok(()))
    }

    fn unmounted(&self, root: &Arc<Dentry>) {
        let Some(mounted) = mounted_of(root) else {
            return;
        };
        mounted.finish_dropped();
        if let Err(error) = mounted.with(|tree| tree.unmount()) {
            klog::error!(
                "{}: not unmounted cleanly: {}",
                mounted.disk.name,
                error.message()
            );
        }
        let mut all = MOUNTED.lock();
        let place = all.iter().position(|(_, other)| Arc::ptr_eq(other, &mounted));
        let gone = place.map(|place| all.swap_remove(place));
        drop(all);
        drop(gone);
        pagecache::note_unmounted(mounted.disk.number);
        mounted.give_up_disk();
    }

    fn usage(&self, filesystem: &SuperBlock) -> Result<Option<FilesystemUsage>, Errno> {
        match mounted_from(filesystem.device) {
            Some(mounted) => mounted.with(|tree| tree.usage()).map(Some),
            None => Ok(None),
        }
    }

    fn has_extended_attributes(&self) -> bool {
        !self.is_fat()
    }

    fn stored_attributes(&self, filesystem: &SuperBlock) -> Option<Arc<dyn StoredAttributes>> {
        Some(mounted_from(filesystem.device)?)
    }
}

/// Stores the attributes of all inodes in memory, of each behind `first`, and makes everything stay.
fn store(root: &Dentry, first: impl Fn(&Inode) -> Result<(), Errno>) -> Result<(), Errno> {
    let mounted = mounted_of(root).ok_or(Errno::EINVAL)?;
    if mounted.with(|tree| tree.access()) == Access::ReadOnly {
        return Ok(());
    }
    let mut result = Ok(());
    let mut next = mounted.next_inode(0);
    while let Some((number, kept)) = next {
        if let Some(inode) = kept.inode.upgrade() {
            result = result.and(first(&inode));
            result = result.and(mounted.store_attributes(&inode));
        }
        next = number.checked_add(1).and_then(|from| mounted.next_inode(from));
        scheduler::cond_resched();
    }
    mounted.finish_dropped();
    result.and(mounted.with(|tree| tree.commit()))
}

fn access(flags: MountFlags) -> Access {
    if flags.contains(MountFlags::MS_RDONLY) {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}
