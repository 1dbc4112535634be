//! The kinds of file systems that there are. Each registers itself at boot; mount(2) finds it here by its name.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::dentry::Dentry;
use super::device_registry::DeviceNumber;
use super::stored_attributes::StoredAttributes;
use super::super_block::SuperBlock;
use abi::Errno;
use abi::mount::MountFlags;
use lock::Mutex;
use memory::fallible::TryVec;

/// One kind of file system: what serves its mounts (`file_system_type` and `super_operations` of Linux).
pub trait FileSystem: Send + Sync {
    /// As mount(2) and /proc/filesystems call it.
    fn name(&self) -> &'static str;

    /// What statfs(2) calls `f_type`: `include/uapi/linux/magic.h`.
    fn magic(&self) -> u64;

    /// Makes a file system whose inodes have the `st_dev` `device`, by the last argument of mount(2); its root.
    ///
    /// # Errors
    /// `EINVAL` for options that are not known, `ENODEV` if programs cannot mount it, `ENOMEM`.
    fn mount(&'static self, device: u64, options: &[u8]) -> Result<Arc<Dentry>, Errno>;

    /// Whether it lies on a device, which mount(2) names.
    fn needs_device(&self) -> bool {
        false
    }

    /// As [`FileSystem::mount`], of what lies on the device of that number. Sleeps.
    ///
    /// # Errors
    /// As of [`FileSystem::mount`]; `ENXIO` if there is no such device, `EROFS`, `EUCLEAN`, `EIO`.
    fn mount_device(
        &'static self,
        _device: DeviceNumber,
        _flags: MountFlags,
        _options: &[u8],
    ) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENODEV)
    }

    /// The one with that root is to be written from now on, or only read; before mount(2) says so. Sleeps.
    ///
    /// # Errors
    /// `EROFS`, `EIO`.
    fn change_access(&self, _root: &Arc<Dentry>, _flags: MountFlags) -> Result<(), Errno> {
        Ok(())
    }

    /// umount(2): the one with that root is mounted no more, and nobody has a file of it. Sleeps.
    fn unmounted(&self, _root: &Arc<Dentry>) {}

    /// How full the one with that root is, if it lies on a device. Sleeps.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    fn usage(&self, _filesystem: &SuperBlock) -> Result<Option<FilesystemUsage>, Errno> {
        Ok(None)
    }

    /// mount(2), `MS_REMOUNT`: other options for the one with that root.
    ///
    /// # Errors
    /// `EINVAL`.
    fn remount(&self, _root: &Arc<Dentry>, _options: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    /// Writes back everything of the one with that root; nothing to do for what lies in memory alone. Sleeps.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    fn sync(&self, _root: &Arc<Dentry>) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes what was changed of names and attributes stay, from time to time. Sleeps.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    fn commit(&self, _root: &Arc<Dentry>) -> Result<(), Errno> {
        Ok(())
    }

    /// Whether a second one on the same place is refused (`EBUSY`): it would show the same.
    fn is_single(&self) -> bool {
        false
    }

    /// Whether its files are not stored but made when they are asked for.
    fn is_made_up(&self) -> bool {
        false
    }

    /// Whether its files have extended attributes.
    fn has_extended_attributes(&self) -> bool {
        false
    }

    /// Where those of that file system lie, if it is not with the inodes in memory.
    fn stored_attributes(&self, _filesystem: &SuperBlock) -> Option<Arc<dyn StoredAttributes>> {
        None
    }
}

/// How full a file system is, in blocks of `block_size` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilesystemUsage {
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks.
    pub blocks: u64,
    /// Free ones.
    pub free_blocks: u64,
    /// Those that anybody may use.
    pub available_blocks: u64,
    /// Inodes.
    pub inodes: u64,
    /// Free ones.
    pub free_inodes: u64,
}

static KINDS: Mutex<Vec<&'static dyn FileSystem>> = Mutex::new(Vec::new());

/// There is such a kind from now on.
///
/// # Errors
/// `EBUSY` if there is one of that name, `ENOMEM`.
pub fn register(kind: &'static dyn FileSystem) -> Result<(), Errno> {
    let mut kinds = KINDS.lock();
    if kinds.iter().any(|other| other.name() == kind.name()) {
        return Err(Errno::EBUSY);
    }
    kinds.try_push(kind)
}

/// The kind of that name.
///
/// # Errors
/// `ENODEV`.
pub fn find(name: &[u8]) -> Result<&'static dyn FileSystem, Errno> {
    let kinds = KINDS.lock();
    let found = kinds.iter().find(|kind| kind.name().as_bytes() == name);
    found.copied().ok_or(Errno::ENODEV)
}

/// The kind that registered as number `index`; `None` behind the last.
pub fn nth(index: usize) -> Option<&'static dyn FileSystem> {
    KINDS.lock().get(index).copied()
}
