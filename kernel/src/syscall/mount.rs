//! Mounting: mount(2), umount2(2). Filesystems in memory, /proc, /sys and /dev can be mounted; there are no others.

use alloc::vec::Vec;

use abi::Errno;
use abi::capability::CAP_SYS_ADMIN;
use abi::file::{AT_FDCWD, PATH_MAX};
use abi::mount::{
    MNT_DETACH, MNT_FORCE, MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REMOUNT, MS_SHARED, UMOUNT_NOFOLLOW,
};

use super::lookup::{Lookup, check_flags};
use crate::fs::{LastLink, mount as mounts};
use crate::memory;
use crate::thread::Thread;
use crate::user_memory::read_string;

/// mount(2): wants `CAP_SYS_ADMIN`. `ENODEV` for filesystems that are not there, `EINVAL` for read-only ones, binding and moving.
/// Flags that forbid programs, devices and set-user-ID bits are taken and have no effect; /proc/mounts shows none of them.
pub fn mount(current: &Thread, [source, target, kind, flags, options, _]: [u64; 6]) -> Result<usize, Errno> {
    let flags = flags as u32;
    current.process.credentials().require(CAP_SYS_ADMIN)?;
    if flags & (MS_BIND | MS_MOVE | MS_RDONLY) != 0 {
        return Err(Errno::EINVAL);
    }
    let found = Lookup::new(current, AT_FDCWD, target)?.find(LastLink::Follow)?;
    if flags & (MS_REMOUNT | MS_PRIVATE | MS_SHARED) != 0 {
        // Writable it is already, and there are no copies of the tree that could learn of changes.
        return if mounts::is_root(&found) {
            Ok(0)
        } else {
            Err(Errno::EINVAL)
        };
    }
    let kind = wanted_string(kind)?;
    let source = wanted_string(source)?;
    let options = wanted_string(options)?;
    if !found.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    memory::has_room()?;
    mounts::mount(&found, &kind, &source, &options)?;
    Ok(0)
}

/// The string at that address; an empty one if there is none.
fn wanted_string(address: u64) -> Result<Vec<u8>, Errno> {
    if address == 0 {
        Ok(Vec::new())
    } else {
        read_string(address, PATH_MAX)
    }
}

/// umount2(2): wants `CAP_SYS_ADMIN`. `EINVAL` if it is no mount, `EBUSY` for the root and what is below a further mount.
pub fn umount2(current: &Thread, target: u64, flags: u32) -> Result<usize, Errno> {
    check_flags(flags, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)?;
    current.process.credentials().require(CAP_SYS_ADMIN)?;
    let last_link = if flags & UMOUNT_NOFOLLOW != 0 {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let found = Lookup::new(current, AT_FDCWD, target)?.find(last_link)?;
    mounts::unmount(&found)?;
    Ok(0)
}
