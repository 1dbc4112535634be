//! File systems: mount(2), umount2(2), statfs(2).

use super::Result;
use super::path::c_string;
use super::raw::syscall;
use abi::file::StatFs;
use abi::mount::{MountFlags, UmountFlags};
use abi::nr;

/// mount(2).
pub fn mount(source: &str, place: &str, kind: &str, flags: MountFlags, data: &str) -> Result<()> {
    let words = [
        c_string(source)?,
        c_string(place)?,
        c_string(kind)?,
        c_string(data)?,
    ];
    let [source, place, kind, data] = words.each_ref().map(|word| word.as_ptr() as usize);
    // SAFETY: NUL-terminated strings that live through the call.
    unsafe { syscall(nr::MOUNT, [source, place, kind, flags.bits() as usize, data]) }.map(drop)
}

/// umount2(2).
pub fn unmount(place: &str, flags: UmountFlags) -> Result<()> {
    let place = c_string(place)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    unsafe { syscall(nr::UMOUNT2, [place.as_ptr() as usize, flags.bits() as usize]) }.map(drop)
}

/// statfs(2).
pub fn space(path: &str) -> Result<StatFs> {
    let path = c_string(path)?;
    let mut space = StatFs::default();
    // SAFETY: a NUL-terminated string that lives through the call; the kernel writes one `struct statfs`.
    unsafe { syscall(nr::STATFS, [path.as_ptr() as usize, &raw mut space as usize]) }?;
    Ok(space)
}
