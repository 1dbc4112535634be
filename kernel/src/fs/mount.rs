//! The table of mounts: what is mounted where, for mount(2) and /proc/mounts.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use spin::Mutex;

use super::dentry::Dentry;
use super::filesystem::{Filesystem, Kind};
use super::inode::{Body, Inode};
use super::{directory_inode, memory_limit, proc};

static MOUNTS: Mutex<Vec<Mount>> = Mutex::new(Vec::new());
/// `st_dev` of the next filesystem: unnamed devices, major 0.
static NEXT_DEVICE: AtomicU64 = AtomicU64::new(32);

/// One mount.
#[derive(Clone)]
pub struct Mount {
    /// What the caller named as the device.
    pub source: Vec<u8>,
    /// The kind, as mount(2) names it.
    pub kind: &'static str,
    /// The root of what is mounted.
    pub root: Arc<Dentry>,
    /// What it covers; none for the root of the tree.
    covered: Option<Arc<Dentry>>,
}

/// All mounts, oldest first.
pub fn all() -> Vec<Mount> {
    MOUNTS.lock().clone()
}

/// Notes the root of the tree.
pub fn add_root(root: &Arc<Dentry>) {
    MOUNTS.lock().push(Mount {
        source: b"rootfs".to_vec(),
        kind: "rootfs",
        root: root.clone(),
        covered: None,
    });
}

/// Mounts a filesystem of that root on a directory.
pub fn add(
    covered: &Arc<Dentry>,
    kind: &'static str,
    source: &[u8],
    root: Arc<Inode>,
) -> Result<Arc<Dentry>, Errno> {
    let root = covered.mount(root)?;
    let covered = Some(covered.clone());
    MOUNTS.lock().push(Mount {
        source: source.to_vec(),
        kind,
        root: root.clone(),
        covered,
    });
    Ok(root)
}

/// mount(2) of a new filesystem. `ENODEV` for a kind that is not known, `EBUSY` where one of these stands already.
pub fn mount(covered: &Arc<Dentry>, kind: &[u8], source: &[u8]) -> Result<(), Errno> {
    let device = NEXT_DEVICE.fetch_add(1, Ordering::Relaxed);
    let (kind, root) = match kind {
        b"proc" => ("proc", proc::root(&Filesystem::new(Kind::Proc, device, 0))),
        b"tmpfs" => ("tmpfs", memory_root(device)),
        b"ramfs" => ("ramfs", memory_root(device)),
        _ => return Err(Errno::ENODEV),
    };
    let is_there = MOUNTS
        .lock()
        .iter()
        .any(|mount| Arc::ptr_eq(&mount.root, covered) && mount.kind == kind);
    if is_there && kind == "proc" {
        return Err(Errno::EBUSY);
    }
    add(covered, kind, source, root).map(|_| ())
}

fn memory_root(device: u64) -> Arc<Inode> {
    directory_inode(&Filesystem::new(Kind::Tmpfs, device, memory_limit()), 0o1777)
}

/// umount2(2) of the mount with that root. `EINVAL` if it is none; `EBUSY` for the root of the tree, below a further mount,
/// and while a file of it is open or somebody's directory. The caller holds one reference to `root`.
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
        if root.is_mount_point() || mounts.iter().any(has_mount_below) || is_in_use(root) {
            return Err(Errno::EBUSY);
        }
        covered.uncover();
        mounts.remove(index)
    };
    dissolve(&removed.root);
    Ok(())
}

/// References to the root of a mount when nobody uses it: the table of mounts, what it covers, the caller of [`unmount`].
const IDLE_ROOT_REFERENCES: usize = 3;

/// Whether anybody holds an entry of the filesystem: more references than those of its directory and its own entries.
fn is_in_use(root: &Arc<Dentry>) -> bool {
    let mut pending = alloc::vec![(root.clone(), IDLE_ROOT_REFERENCES)];
    while let Some((entry, idle)) = pending.pop() {
        let mut children = 0;
        if let Body::Directory(entries) = &entry.inode.body {
            let entries = entries.lock();
            // The reference in `pending` and the one in the directory.
            pending.extend(entries.iter().map(|child| (child.clone(), 1)));
            children = entries.iter().count();
        }
        if Arc::strong_count(&entry) > idle + children + 1 {
            return true;
        }
    }
    false
}

/// Takes the tree apart: directories and their entries hold each other.
fn dissolve(root: &Arc<Dentry>) {
    let mut pending = alloc::vec![root.clone()];
    while let Some(entry) = pending.pop() {
        if let Body::Directory(entries) = &entry.inode.body {
            let children = entries.lock().dissolve();
            pending.extend(children.into_values());
        }
    }
}
