//! Mounting: mount(2), umount2(2). Filesystems in memory and /proc can be mounted; there are no others.

use abi::Errno;
use abi::file::{AT_FDCWD, PATH_MAX};
use abi::mount::{MNT_DETACH, MNT_FORCE, MS_BIND, MS_MOVE, MS_REMOUNT, UMOUNT_NOFOLLOW};

use super::lookup::{Lookup, check_flags};
use crate::fs::{LastLink, mount as mounts};
use crate::memory;
use crate::thread::Thread;
use crate::user_memory::read_string;

/// mount(2): for user 0 alone. `ENODEV` for filesystems that are not there, `EINVAL` for binding, moving and remounting.
pub fn mount(current: &Thread, source: u64, target: u64, kind: u64, flags: u64) -> Result<usize, Errno> {
    if !current.process.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    if flags & u64::from(MS_BIND | MS_MOVE | MS_REMOUNT) != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = read_string(kind, PATH_MAX)?;
    let source = if source == 0 {
        alloc::vec::Vec::new()
    } else {
        read_string(source, PATH_MAX)?
    };
    let found = Lookup::new(current, AT_FDCWD, target)?.find(LastLink::Follow)?;
    if !found.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    memory::has_room()?;
    mounts::mount(&found, &kind, &source)?;
    Ok(0)
}

/// umount2(2): for user 0 alone. `EINVAL` if it is no mount, `EBUSY` for the root and what is below a further mount.
pub fn umount2(current: &Thread, target: u64, flags: u32) -> Result<usize, Errno> {
    check_flags(flags, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)?;
    if !current.process.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let last_link = if flags & UMOUNT_NOFOLLOW != 0 {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let found = Lookup::new(current, AT_FDCWD, target)?.find(last_link)?;
    mounts::unmount(&found)?;
    Ok(0)
}
