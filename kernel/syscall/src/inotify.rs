//! inotify(7): inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).

use abi::Errno;
use abi::events::{InotifyEvents, InotifyInitFlags};
use abi::file::{AT_FDCWD, AccessFlags, OpenFlags};
use events::inotify::{self, Inotify};
use task::thread::{Thread, ThreadExt};
use vfs::{LastLink, OpenFile};

use super::flags::decode;
use super::lookup::{Lookup, opened};
use super::open::{install, on_exec};

/// inotify_init1(2).
///
/// # Errors
/// `EINVAL`: unknown flags. `EMFILE`: the user has as many instances as it may, or the process as many descriptors. `ENOMEM`.
#[inline(never)] // else every other call pays for its registers
pub fn inotify_init1(current: &Thread, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, InotifyInitFlags::all())?;
    memory::has_room()?;
    let file = inotify::open(current.process().credentials().uid, flags)?;
    let flags = OpenFlags::from_bits_retain(flags.bits());
    install(current, file, on_exec(flags), 0)
}

/// inotify_add_watch(2). A mapping does not keep a file open: `IN_CLOSE_WRITE` and `IN_CLOSE_NOWRITE` come when its last descriptor is
/// closed.
///
/// # Errors
/// `EINVAL`: no event, unknown ones, `IN_MASK_ADD` with `IN_MASK_CREATE`, or the descriptor is no instance. `EBADF`. Those of paths.
/// `ENOTDIR`: no directory, with `IN_ONLYDIR`. `EACCES`: the file may not be read. `EEXIST`: it is watched, with `IN_MASK_CREATE`.
/// `ENOSPC`: the user watches as much as it may. `ENOMEM`.
#[inline(never)] // else every other call pays for its registers
pub fn inotify_add_watch(current: &Thread, descriptor: i32, path: u64, mask: u32) -> Result<usize, Errno> {
    let mask = decode(mask, InotifyEvents::all())?;
    if mask.is_empty() {
        return Err(Errno::EINVAL);
    }
    let file = opened(current, descriptor)?;
    if mask.contains(InotifyEvents::IN_MASK_ADD | InotifyEvents::IN_MASK_CREATE) {
        return Err(Errno::EINVAL);
    }
    let instance = of(&file)?;
    let last_link = if mask.contains(InotifyEvents::IN_DONT_FOLLOW) {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let lookup = Lookup::new(current, AT_FDCWD, path)?;
    let found = lookup.find(last_link)?;
    if mask.contains(InotifyEvents::IN_ONLYDIR) && !found.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    lookup.subject.check(&found.inode, AccessFlags::R_OK)?;
    instance.add(&found.inode, mask).map(|number| number as usize)
}

/// inotify_rm_watch(2).
///
/// # Errors
/// `EBADF`. `EINVAL`: the descriptor is no instance, or has no such watch.
#[inline(never)] // else every other call pays for its registers
pub fn inotify_rm_watch(current: &Thread, descriptor: i32, number: i32) -> Result<usize, Errno> {
    let file = opened(current, descriptor)?;
    of(&file)?.remove(number)?;
    Ok(0)
}

/// The instance that it is. `EINVAL`.
fn of(file: &OpenFile) -> Result<&Inotify, Errno> {
    file.ops_as().ok_or(Errno::EINVAL)
}
