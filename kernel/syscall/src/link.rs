//! Names: making, linking, removing, renaming, reading links.

use abi::Errno;
use abi::capability::{CAP_DAC_READ_SEARCH, CAP_MKNOD};
use abi::file::{
    AT_FDCWD, AtFlags, PATH_MAX, RenameFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK,
};

use super::flags::decode;
use super::lookup::Lookup;
use task::thread::Thread;
use vfs::LastLink;
use vfs::device_registry::{DeviceClass, DeviceNumber};
use vfs::inode_ops::NewFile;
use vfs::path_lookup::{LastComponent, LookupResult};
use vfs::permission::Subject;
use vfs::tree::{self, Existing};

/// mknodat(2).
///
/// # Errors
/// Those of paths. `EEXIST`: it is there. `ENOENT`: a slash at the end; the directory is removed. `EPERM`: a device
/// without `CAP_MKNOD`, a directory. `EINVAL`: no such kind. `EACCES`, `EROFS`: the directory may not be written.
/// `ENOMEM`.
pub fn mknodat(current: &Thread, directory: i32, path: u64, mode: u32, device: u32) -> Result<usize, Errno> {
    let lookup = Lookup::new(current, directory, path)?;
    let end = lookup.walk(LastLink::Name)?;
    check_free(&end)?;
    let device = DeviceNumber::decode(device.into());
    let file = new_file(mode & S_IFMT, device, &lookup.subject)?;
    memory::has_room()?;
    tree::create(
        &end.directory,
        &end.name,
        file,
        lookup.masked(mode),
        &lookup.subject,
    )?;
    Ok(0)
}

fn new_file(kind: u32, device: DeviceNumber, subject: &Subject) -> Result<NewFile<'static>, Errno> {
    match kind {
        0 | S_IFREG => Ok(NewFile::Regular),
        S_IFIFO => Ok(NewFile::Fifo),
        S_IFSOCK => Ok(NewFile::Socket),
        S_IFCHR | S_IFBLK if !subject.can(CAP_MKNOD) => Err(Errno::EPERM),
        S_IFCHR => Ok(NewFile::Device(DeviceClass::Character, device)),
        S_IFBLK => Ok(NewFile::Device(DeviceClass::Block, device)),
        S_IFDIR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// Something other than a directory can be made there: nothing stands there, and no slash follows. `EEXIST`, `ENOENT`.
fn check_free(end: &LookupResult) -> Result<(), Errno> {
    if end.entry.is_some() || end.last != LastComponent::Name {
        return Err(Errno::EEXIST);
    }
    if end.has_trailing_slash {
        Err(Errno::ENOENT)
    } else {
        Ok(())
    }
}

/// symlinkat(2).
///
/// # Errors
/// Those of paths. `ENOENT`: an empty target, a slash at the end; the directory is removed. `EEXIST`: it is there.
/// `EACCES`, `EROFS`: the directory may not be written. `ENOMEM`.
pub fn symlinkat(current: &Thread, target: u64, directory: i32, path: u64) -> Result<usize, Errno> {
    let target = uaccess::read_string(target, PATH_MAX)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let lookup = Lookup::new(current, directory, path)?;
    let end = lookup.walk(LastLink::Name)?;
    check_free(&end)?;
    memory::has_room()?;
    tree::create(
        &end.directory,
        &end.name,
        NewFile::Symlink(&target),
        0o777,
        &lookup.subject,
    )?;
    Ok(0)
}

/// linkat(2).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags. `ENOENT`: `AT_EMPTY_PATH` without `CAP_DAC_READ_SEARCH`; the file has no
/// name left; a slash at the end. `EEXIST`: it is there. `EPERM`: a directory. `EXDEV`: another filesystem. `EMLINK`:
/// too many names. `EACCES`, `EROFS`: the directory may not be written. `ENOMEM`.
pub fn linkat(
    current: &Thread,
    old_directory: i32,
    old_path: u64,
    new_directory: i32,
    new_path: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(flags, AtFlags::AT_SYMLINK_FOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let old = Lookup::new(current, old_directory, old_path)?;
    if flags.contains(AtFlags::AT_EMPTY_PATH) && !old.subject.can(CAP_DAC_READ_SEARCH) {
        return Err(Errno::ENOENT);
    }
    let found = if old.path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) {
        old.find_with(flags)?
    } else {
        old.find(if flags.contains(AtFlags::AT_SYMLINK_FOLLOW) {
            LastLink::Follow
        } else {
            LastLink::Keep
        })?
    };
    let new = Lookup::new(current, new_directory, new_path)?;
    let end = new.walk(LastLink::Name)?;
    check_free(&end)?;
    memory::has_room()?;
    tree::link(&end.directory, &end.name, &found.inode, &new.subject)?;
    Ok(0)
}

/// unlinkat(2).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags; `.` as a directory. `EISDIR`: a directory, without `AT_REMOVEDIR`.
/// `ENOTDIR`: none, with it. `ENOTEMPTY`: the directory has entries. `EBUSY`: a mount, or the root. `EPERM`: a sticky
/// directory, or one of /proc. `EACCES`, `EROFS`: the directory may not be written.
pub fn unlinkat(current: &Thread, directory: i32, path: u64, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, AtFlags::AT_REMOVEDIR)?;
    let lookup = Lookup::new(current, directory, path)?;
    let end = lookup.walk(LastLink::Name)?;
    if flags.contains(AtFlags::AT_REMOVEDIR) {
        tree::remove_directory(&end, &lookup.subject)?;
    } else {
        tree::unlink(&end, &lookup.subject)?;
    }
    Ok(0)
}

/// renameat(2).
///
/// # Errors
/// As for [`renameat2`] without flags.
pub fn renameat(
    current: &Thread,
    old_directory: i32,
    old_path: u64,
    new_directory: i32,
    new_path: u64,
) -> Result<usize, Errno> {
    renameat2(current, old_directory, old_path, new_directory, new_path, 0)
}

/// renameat2(2).
///
/// Not supported: `RENAME_WHITEOUT` (`EINVAL`: no filesystem here stacks).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags or several; a directory into itself. `EEXIST`: it is there, with
/// `RENAME_NOREPLACE`. `ENOENT`: no old one; no new one, with `RENAME_EXCHANGE`. `EBUSY`: a mount, the root, `.` or
/// `..`. `EXDEV`: another filesystem. `ENOTDIR`, `EISDIR`: one is a directory, the other is not. `ENOTEMPTY`: the
/// directory to be replaced has entries. `EPERM`: a sticky directory, or one of /proc. `EACCES`, `EROFS`: a directory
/// may not be written. `ENOMEM`.
pub fn renameat2(
    current: &Thread,
    old_directory: i32,
    old_path: u64,
    new_directory: i32,
    new_path: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let existing = match RenameFlags::from_bits_retain(flags) {
        flags if flags.is_empty() => Existing::Replace,
        RenameFlags::RENAME_NOREPLACE => Existing::Refuse,
        RenameFlags::RENAME_EXCHANGE => Existing::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let old = Lookup::new(current, old_directory, old_path)?;
    let new = Lookup::new(current, new_directory, new_path)?;
    let (old_end, new_end) = (old.walk(LastLink::Name)?, new.walk(LastLink::Name)?);
    tree::rename(&old_end, &new_end, existing, &old.subject)?;
    Ok(0)
}

/// readlinkat(2): the text, without a NUL, cut to the buffer.
///
/// # Errors
/// Those of paths. `EINVAL`: no room, or no link. `ENOENT`: an empty path, and the descriptor is of no link. Those of
/// user memory.
pub fn readlinkat(
    current: &Thread,
    directory: i32,
    path: u64,
    buffer: u64,
    len: i32,
) -> Result<usize, Errno> {
    let len = usize::try_from(len)
        .ok()
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let lookup = Lookup::new(current, directory, path)?;
    let is_itself = lookup.path.is_empty() && directory != AT_FDCWD;
    let found = if is_itself {
        lookup.find_with(AtFlags::AT_EMPTY_PATH)?
    } else {
        lookup.find(LastLink::Keep)?
    };
    let text = found
        .inode
        .link_text()
        .map_err(|error| if is_itself { Errno::ENOENT } else { error })?;
    found.inode.note_accessed();
    let text = &text[..text.len().min(len)];
    uaccess::write_bytes(buffer, text)?;
    Ok(text.len())
}
