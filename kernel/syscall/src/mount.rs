//! Mounting: mount(2), umount2(2). Filesystems in memory, /proc, /sys and /dev can be mounted, and ext4 on disks.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AT_FDCWD, PATH_MAX, S_IFBLK};
use abi::mount::{MountFlags, UmountFlags};

use super::flags::decode;
use super::lookup::Lookup;
use task::thread::{Thread, ThreadExt};
use uaccess::read_string;
use vfs::device_registry::DeviceNumber;
use vfs::{Dentry, LastLink, filesystem, mount as mounts};

/// The magic number that old programs have in the upper half of the flags.
const MAGIC: u32 = 0xc0ed_0000;
/// What becomes of changes in copies of a mount.
const PROPAGATION: MountFlags = MountFlags::MS_PRIVATE
    .union(MountFlags::MS_SHARED)
    .union(MountFlags::MS_SLAVE)
    .union(MountFlags::MS_UNBINDABLE);

/// mount(2). With `MS_BIND` a remount leaves the filesystem's options alone.
///
/// Not supported: `MS_BIND`, `MS_MOVE` (`EINVAL`); filesystems other than tmpfs, proc, sysfs, tracefs, devtmpfs, devpts, ext4, vfat (`ENODEV`).
///
/// # Errors
/// Those of paths. `EPERM`: without `CAP_SYS_ADMIN`. `ENODEV`: no such filesystem. `EINVAL`: binding, moving, unknown
/// options, no mount to change. `ENOTDIR`: no directory. `EBUSY`: it is mounted there already; a file is open for
/// writing that would be on a read-only mount. `ENOTBLK`, `ENXIO`: the device. `EROFS`, `EUCLEAN`, `EIO`: what is on it. `ENOMEM`, those of
/// user memory.
pub fn mount(current: &Thread, [source, target, kind, flags, options, _]: [u64; 6]) -> Result<usize, Errno> {
    let flags = flags as u32;
    let flags = if flags & 0xffff_0000 == MAGIC {
        flags & 0xffff
    } else {
        flags
    };
    let flags = MountFlags::from_bits_retain(flags);
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let found = Lookup::new(current, AT_FDCWD, target)?.find(LastLink::Follow)?;
    let options = wanted_string(options)?;
    if flags.contains(MountFlags::MS_REMOUNT) {
        let is_bind = flags.contains(MountFlags::MS_BIND);
        let options = if is_bind { &[][..] } else { &options };
        return mounts::remount(&found, options, flags).map(|()| 0);
    }
    if flags.intersects(MountFlags::MS_BIND | MountFlags::MS_MOVE) {
        return Err(Errno::EINVAL);
    }
    if flags.intersects(PROPAGATION) {
        return check_propagation(&found, flags).map(|()| 0);
    }
    let kind = wanted_string(kind)?;
    let device = device_of(current, &kind, source);
    let source = wanted_string(source)?;
    if !found.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    memory::has_room()?;
    mounts::mount(&found, &kind, &source, device, &options, flags)?;
    Ok(0)
}

/// The number of the device that the path at `source` names, for a file system that lies on one.
fn device_of(current: &Thread, kind: &[u8], source: u64) -> Option<Result<DeviceNumber, Errno>> {
    let needs_device = filesystem::find(kind).is_ok_and(|kind| kind.needs_device());
    needs_device.then(|| {
        let found = Lookup::new(current, AT_FDCWD, source)?.find(LastLink::Follow)?;
        match found.inode.kind() {
            S_IFBLK => Ok(DeviceNumber::decode(found.inode.device_number())),
            _ => Err(Errno::ENOTBLK),
        }
    })
}

/// There are no copies of the tree that could learn of changes, so all that is asked for is so already.
fn check_propagation(root: &Arc<Dentry>, flags: MountFlags) -> Result<(), Errno> {
    let is_one = (flags & PROPAGATION).bits().is_power_of_two();
    let known = PROPAGATION | MountFlags::MS_REC | MountFlags::MS_SILENT;
    let is_known = known.contains(flags);
    if is_one && is_known && mounts::is_root(root) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// The string at that address; an empty one if there is none.
fn wanted_string(address: u64) -> Result<Vec<u8>, Errno> {
    if address == 0 {
        Ok(Vec::new())
    } else {
        read_string(address, PATH_MAX)
    }
}

/// umount2(2).
///
/// Not supported: `MNT_EXPIRE` (`EINVAL`); `MNT_DETACH` and `MNT_FORCE` as if they were not there.
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags, or no mount. `EPERM`: without `CAP_SYS_ADMIN`. `EBUSY`: the root, what is
/// below a further mount, and what is in use. `ENOMEM`.
pub fn umount2(current: &Thread, target: u64, flags: u32) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        UmountFlags::MNT_FORCE | UmountFlags::MNT_DETACH | UmountFlags::UMOUNT_NOFOLLOW,
    )?;
    current.process().credentials().require(CAP_SYS_ADMIN)?;
    let last_link = if flags.contains(UmountFlags::UMOUNT_NOFOLLOW) {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let found = Lookup::new(current, AT_FDCWD, target)?.find(last_link)?;
    mounts::unmount(&found)?;
    Ok(0)
}
