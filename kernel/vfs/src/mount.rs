//! The table of mounts: what is mounted where, for mount(2) and /proc/mounts.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::mount::MountFlags;
use lock::{Mutex, rank};
use memory::fallible::{self, TryVec};
use sched::scheduler;

use super::dentry::Dentry;
use super::device_registry::DeviceNumber;
use super::filesystem::{self, FileSystem};
use super::inode_ops::DirectoryOps;
use super::mount_state::MountState;
use super::super_block::SuperBlock;

static MOUNTS: Mutex<Vec<Mount>, { rank::MOUNTS }> = Mutex::new(Vec::new());
/// `st_dev` of the next filesystem: unnamed devices, major 0.
static NEXT_DEVICE: AtomicU64 = AtomicU64::new(32);

/// The number of the next mount.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One mount.
#[derive(Clone)]
pub struct Mount {
    /// Its number in /proc/PID/mountinfo.
    pub id: u64,
    /// That of the mount which holds what this one covers; its own for the root of the tree.
    pub parent: u64,
    /// What the caller named as the device.
    pub source: Arc<Box<[u8]>>,
    /// What serves it.
    pub kind: &'static dyn FileSystem,
    /// The root of what is mounted.
    pub root: Arc<Dentry>,
    /// What it covers; none for the root of the tree.
    covered: Option<Arc<Dentry>>,
    /// Mounted by the kernel, and nobody has asked for it yet.
    is_initial: bool,
}

impl Mount {
    /// What is forbidden there.
    pub fn flags(&self) -> &MountState {
        &self.root.inode.filesystem.flags
    }
}

/// The mount with the lowest number from `id` on.
pub fn next_from(id: u64) -> Option<Mount> {
    let mounts = MOUNTS.lock();
    let later = mounts.iter().filter(|mount| mount.id >= id);
    later.min_by_key(|mount| mount.id).cloned()
}

/// Notes the root of the tree.
///
/// # Errors
/// `ENOMEM`.
pub fn add_root(root: &Arc<Dentry>) -> Result<(), Errno> {
    let source = named(b"rootfs")?;
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    root.inode.filesystem.set_mount_id(id);
    MOUNTS.lock().try_push(Mount {
        id,
        parent: id,
        source,
        kind: root.inode.filesystem.kind,
        root: root.clone(),
        covered: None,
        is_initial: false,
    })
}

/// Mounts what lies on a device in the place of the root of the tree. Once, at boot, before anybody has it as his.
///
/// # Errors
/// As of [`FileSystem::mount_device`].
pub fn replace_root(
    kind: &'static dyn FileSystem,
    device: DeviceNumber,
    source: &[u8],
    flags: MountFlags,
) -> Result<(), Errno> {
    let source = named(source)?;
    let root = kind.mount_device(device, flags, b"")?;
    root.inode.filesystem.flags.set(flags)?;
    super::dentry::replace_root(&root);
    let mut mounts = MOUNTS.lock();
    if let Some(first) = mounts.first_mut() {
        root.inode.filesystem.set_mount_id(first.id);
        first.source = source;
        first.kind = kind;
        first.root = root;
    }
    Ok(())
}

fn named(source: &[u8]) -> Result<Arc<Box<[u8]>>, Errno> {
    fallible::arc(fallible::boxed_bytes(source)?)
}

/// Mounts a file system of that root on a directory. One that finds no place there is taken apart.
fn add(covered: &Arc<Dentry>, source: &[u8], root: &Arc<Dentry>) -> Result<(), Errno> {
    let placed = named(source).and_then(|source| place(covered, source, root));
    placed.inspect_err(|_| dissolve(root))
}

fn place(covered: &Arc<Dentry>, source: Arc<Box<[u8]>>, root: &Arc<Dentry>) -> Result<(), Errno> {
    covered.mount(root)?;
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let filesystem = &root.inode.filesystem;
    filesystem.set_mount_id(id);
    let mut mounts = MOUNTS.lock();
    let added = mounts.try_push(Mount {
        id,
        parent: covered.inode.filesystem.mount_id(),
        source,
        kind: filesystem.kind,
        root: root.clone(),
        covered: Some(covered.clone()),
        is_initial: false,
    });
    drop(mounts);
    added.inspect_err(|_| covered.uncover())
}

/// Mounts a file system of that kind before the first process runs, for programs that do not mount it themselves.
/// `device`: the `st_dev` of its inodes.
///
/// # Errors
/// `ENODEV` for a kind that is not known; `EBUSY`, `ENOENT`, `ENOMEM` as of [`Dentry::mount`].
pub fn mount_initial(covered: &Arc<Dentry>, kind: &[u8], device: u64) -> Result<(), Errno> {
    let root = filesystem::find(kind)?.mount(device, b"")?;
    add(covered, kind, &root)?;
    MOUNTS
        .lock()
        .iter_mut()
        .filter(|mount| Arc::ptr_eq(&mount.root, &root))
        .for_each(|mount| mount.is_initial = true);
    Ok(())
}

/// mount(2) of a new filesystem, with those flags. The first that is mounted over the kernel's own of the same kind
/// takes that one over. `device`: where one lies that needs a device.
///
/// # Errors
/// `ENODEV` for a kind that is not known, `EINVAL` for options that are not, `EBUSY` where one of these stands already,
/// `ENOENT` for a directory that was removed, `ENOMEM`.
pub fn mount(
    covered: &Arc<Dentry>,
    kind: &[u8],
    source: &[u8],
    device: Option<Result<DeviceNumber, Errno>>,
    options: &[u8],
    flags: MountFlags,
) -> Result<(), Errno> {
    let root = if take_over(covered, kind, source)? {
        covered.clone()
    } else {
        mount_new(covered, kind, source, device, options, flags)?
    };
    root.inode.filesystem.flags.set(flags)
}

/// mount(2), `MS_REMOUNT`, of the mount with that root: other flags, and other `options` where the file system has
/// some.
///
/// # Errors
/// `EINVAL` for no root of a mount, for options that are not known, and where the files hold more already; `EBUSY` if
/// it is to become read-only and a file is open for writing.
pub fn remount(root: &Arc<Dentry>, options: &[u8], flags: MountFlags) -> Result<(), Errno> {
    if !is_root(root) {
        return Err(Errno::EINVAL);
    }
    let filesystem = &root.inode.filesystem;
    filesystem.kind.remount(root, options)?;
    if !flags.contains(MountFlags::MS_RDONLY) {
        filesystem.kind.change_access(root, flags)?;
        return filesystem.flags.change(flags);
    }
    filesystem.flags.change(flags)?;
    filesystem.kind.change_access(root, flags)
}

fn mount_new(
    covered: &Arc<Dentry>,
    kind: &[u8],
    source: &[u8],
    device: Option<Result<DeviceNumber, Errno>>,
    options: &[u8],
    flags: MountFlags,
) -> Result<Arc<Dentry>, Errno> {
    let kind = filesystem::find(kind)?;
    let root = match device {
        Some(device) => kind.mount_device(device?, flags, options)?,
        None => kind.mount(NEXT_DEVICE.fetch_add(1, Ordering::Relaxed), options)?,
    };
    add(covered, source, &root).inspect_err(|_| kind.unmounted(&root))?;
    Ok(root)
}

/// Whether there is such a filesystem on that place since boot, which now is the caller's. `EBUSY` if it is somebody's, for
/// those filesystems of which there is only one.
fn take_over(covered: &Arc<Dentry>, kind: &[u8], source: &[u8]) -> Result<bool, Errno> {
    let source = named(source)?;
    let mut mounts = MOUNTS.lock();
    let same = |mount: &&mut Mount| Arc::ptr_eq(&mount.root, covered) && mount.kind.name().as_bytes() == kind;
    match mounts.iter_mut().find(same) {
        Some(mount) if mount.is_initial => {
            mount.source = source;
            mount.is_initial = false;
            Ok(true)
        }
        Some(mount) if mount.kind.is_single() => Err(Errno::EBUSY),
        _ => Ok(false),
    }
}

/// The mount with the highest number below `id`.
fn last_below(id: u64) -> Option<Mount> {
    let mounts = MOUNTS.lock();
    let earlier = mounts.iter().filter(|mount| mount.id < id);
    earlier.max_by_key(|mount| mount.id).cloned()
}

/// Writes back everything of all that is mounted: the last first, for it may lie in a file of one before it.
pub fn sync_all() {
    let mut next = last_below(u64::MAX);
    while let Some(mount) = next {
        // Told by fsync(2).
        let _ = mount.kind.sync(&mount.root);
        next = last_below(mount.id);
    }
}

/// Makes changes of names and attributes stay, in all that is mounted.
pub fn commit_all() {
    let mut next = next_from(0);
    while let Some(mount) = next {
        // Told by fsync(2).
        let _ = mount.kind.commit(&mount.root);
        next = next_from(mount.id + 1);
    }
}

/// The machine is about to end: everything is written back, and what lies on devices is only read from now on. The last first, as of
/// [`sync_all`].
pub fn end_all() {
    let mut next = last_below(u64::MAX);
    while let Some(mount) = next {
        if mount.kind.needs_device()
            && let Err(error) = mount.kind.change_access(&mount.root, MountFlags::MS_RDONLY)
        {
            klog::error!("{} is not left clean: {}", mount.kind.name(), error.message());
        }
        next = last_below(mount.id);
    }
}

/// Makes changes of names and attributes of that file system stay, if it is mounted: fsync(2) of a directory.
///
/// # Errors
/// `EIO`, `ENOSPC`.
pub fn commit(filesystem: &Arc<SuperBlock>) -> Result<(), Errno> {
    let id = filesystem.mount_id();
    let mount = next_from(id).filter(|mount| mount.id == id);
    mount.map_or(Ok(()), |mount| mount.kind.commit(&mount.root))
}

/// Writes back everything of that file system, if it is mounted.
///
/// # Errors
/// `EIO`, `ENOSPC`.
pub fn sync(filesystem: &Arc<SuperBlock>) -> Result<(), Errno> {
    let id = filesystem.mount_id();
    let mount = next_from(id).filter(|mount| mount.id == id);
    mount.map_or(Ok(()), |mount| mount.kind.sync(&mount.root))
}

/// Whether something is mounted whose root that is.
pub fn is_root(entry: &Arc<Dentry>) -> bool {
    MOUNTS.lock().iter().any(|mount| Arc::ptr_eq(&mount.root, entry))
}

/// umount2(2) of the mount with that root. The caller holds one reference to `root`.
///
/// # Errors
/// `EINVAL` if it is none; `EBUSY` for the root of the tree, below a further mount, and while a file of it is open or
/// somebody's directory; `ENOMEM`.
pub fn unmount(root: &Arc<Dentry>) -> Result<(), Errno> {
    let removed = {
        let mut mounts = MOUNTS.lock();
        let index = mounts
            .iter()
            .position(|mount| Arc::ptr_eq(&mount.root, root))
            .ok_or(Errno::EINVAL)?;
        let Some(covered) = mounts[index].covered.clone() else {
            return Err(Errno::EBUSY);
        };
        let has_mount_below =
            |mount: &Mount| mount.covered.as_ref().is_some_and(|below| below.is_below(root));
        if root.is_mount_point() || mounts.iter().any(has_mount_below) || is_in_use(root)? {
            return Err(Errno::EBUSY);
        }
        covered.uncover();
        mounts.remove(index)
    };
    // While the inodes are there: what is noted of them is stored.
    let _ = removed.kind.sync(&removed.root);
    dissolve(&removed.root);
    removed.kind.unmounted(&removed.root);
    Ok(())
}

/// References to the root of a mount when nobody uses it: the table of mounts, what it covers, the caller of [`unmount`].
const IDLE_ROOT_REFERENCES: usize = 3;

/// Whether anybody holds an entry of the filesystem: more references than those of its directory and its own entries.
fn is_in_use(root: &Arc<Dentry>) -> Result<bool, Errno> {
    let mut pending = fallible::collect([(root.clone(), IDLE_ROOT_REFERENCES)])?;
    while let Some((entry, idle)) = pending.pop() {
        let mut children = 0;
        if let Some(directory) = entry.inode.ops.as_directory() {
            directory.visit_kept(&mut |child| {
                children += 1;
                // The reference in `pending` and the one in the directory.
                pending.try_push((child.clone(), 1))
            })?;
        }
        if Arc::strong_count(&entry) > idle + children + 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the tree apart: directories and their entries hold each other. Goes down to what has no entries and up again, so
/// that it needs no memory.
fn dissolve(root: &Arc<Dentry>) {
    let mut at = root.clone();
    loop {
        let directory = at.inode.ops.as_directory();
        let child = directory.and_then(DirectoryOps::take_kept);
        if child.is_none() {
            at.inode.note_unmounted();
        }
        at = match child {
            Some(child) => child,
            None if Arc::ptr_eq(&at, root) => return,
            None => at.parent(),
        };
        scheduler::cond_resched();
    }
}
