//! Directories: listing and making them, and where paths begin.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::capability::CAP_SYS_CHROOT;
use abi::dirent::Dirent;
use abi::events::InotifyEvents;
use abi::file::{AT_FDCWD, AccessFlags, directory_entry_kind};
use memory::fallible::{self, TryVec};

use super::lookup::{Lookup, file};
use task::thread::{Thread, ThreadExt};
use vfs::inode_ops::NewFile;
use vfs::inode_watch::NoteCause;
use vfs::path_lookup::LastComponent;
use vfs::{Dentry, FsContext, LastLink, Subject, tree};

/// Most bytes of entries that one call gives.
const MOST_ENTRIES: usize = 32 * 1024;

/// getdents64(2).
///
/// # Errors
/// `EBADF`. `ENOTDIR`: no directory. `EINVAL`: no room for one entry. `ENOMEM`, those of user memory.
pub fn getdents64(current: &Thread, descriptor: i32, buffer: u64, len: u32) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    let room = (len as usize).min(MOST_ENTRIES);
    let mut entries: Vec<u8> = memory::try_with_capacity(room)?;
    let mut is_full = false;
    let listed = file.list(&mut |entry| {
        let kind = directory_entry_kind(entry.kind);
        let next_offset = entry.next as i64;
        let record = Dirent {
            ino: entry.inode,
            next_offset,
            kind,
            name: entry.name,
        };
        is_full = !append(&mut entries, &record, room);
        !is_full
    })?;
    if is_full && entries.is_empty() {
        return Err(Errno::EINVAL);
    }
    file.inode().note_accessed();
    file.dentry.note(InotifyEvents::IN_ACCESS, NoteCause::OpenFile);
    uaccess::write_bytes(buffer, &entries)?;
    listed.accept();
    Ok(entries.len())
}

/// Adds a record to others for which, with it, there is `room`: whether it fits.
fn append(records: &mut Vec<u8>, record: &Dirent<'_>, room: usize) -> bool {
    let Some(header) = record.header() else {
        return false;
    };
    let parts = [&header, record.name, record.end()];
    records.len() + record.record_len() <= room && parts.iter().all(|part| records.try_extend(part).is_ok())
}

/// mkdirat(2).
///
/// # Errors
/// Those of paths. `EEXIST`: it is there. `EACCES`, `EROFS`: the directory may not be written. `ENOENT`: the directory
/// is removed. `ENOMEM`.
pub fn mkdirat(current: &Thread, directory: i32, path: u64, mode: u32) -> Result<usize, Errno> {
    let lookup = Lookup::new(current, directory, path)?;
    let end = lookup.walk(LastLink::Name)?;
    if end.entry.is_some() || end.last != LastComponent::Name {
        return Err(Errno::EEXIST);
    }
    memory::has_room()?;
    let mode = lookup.masked(mode) & 0o1777;
    tree::create(
        &end.directory,
        &end.name,
        NewFile::Directory,
        mode,
        &lookup.subject,
    )?;
    Ok(0)
}

/// chdir(2).
///
/// # Errors
/// Those of paths. `ENOTDIR`, `EACCES`: no directory, or one that may not be searched. `ENOMEM`.
pub fn chdir(current: &Thread, path: u64) -> Result<usize, Errno> {
    let lookup = Lookup::new(current, AT_FDCWD, path)?;
    let found = lookup.find(LastLink::Follow)?;
    enter(current, found, &lookup.subject)
}

/// fchdir(2).
///
/// # Errors
/// `EBADF`. `ENOTDIR`, `EACCES`: no directory, or one that may not be searched. `ENOMEM`.
pub fn fchdir(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    let found = file(current, descriptor)?.dentry.clone();
    enter(current, found, &Subject::new(current.process().credentials()))
}

fn enter(current: &Thread, directory: Arc<Dentry>, subject: &Subject) -> Result<usize, Errno> {
    check_directory(&directory, subject)?;
    let old = current
        .fs_context()
        .change(|fs_context| core::mem::replace(&mut fs_context.current, directory))?;
    drop(old);
    Ok(0)
}

fn check_directory(directory: &Dentry, subject: &Subject) -> Result<(), Errno> {
    if !directory.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    subject.check(&directory.inode, AccessFlags::X_OK)
}

/// chroot(2).
///
/// # Errors
/// Those of paths. `ENOTDIR`, `EACCES`: no directory, or one that may not be searched. `EPERM`: without
/// `CAP_SYS_CHROOT`. `ENOMEM`.
pub fn chroot(current: &Thread, path: u64) -> Result<usize, Errno> {
    let lookup = Lookup::new(current, AT_FDCWD, path)?;
    let found = lookup.find(LastLink::Follow)?;
    check_directory(&found, &lookup.subject)?;
    current.process().credentials().require(CAP_SYS_CHROOT)?;
    let old = current
        .fs_context()
        .change(|fs_context| core::mem::replace(&mut fs_context.root, found))?;
    drop(old);
    Ok(0)
}

/// getcwd(2): the length with the NUL.
///
/// # Errors
/// `ENOENT`: the directory is removed. `ENAMETOOLONG`: beyond `PATH_MAX`. `ERANGE`: beyond the buffer. `ENOMEM`, those
/// of user memory.
pub fn getcwd(current: &Thread, buffer: u64, len: u64) -> Result<usize, Errno> {
    let fs_context = current.fs_context().snapshot()?;
    if fs_context.current.is_removed() {
        return Err(Errno::ENOENT);
    }
    let mut path = match fs_context.current.climb_to(&fs_context.root) {
        Ok(path) => path,
        Err(error) if error != Errno::EXDEV => return Err(error),
        Err(_) => fallible::joined(&[b"(unreachable)", &fs_context.current.shown_path()?])?,
    };
    path.try_push(0)?;
    if path.len() as u64 > len {
        return Err(Errno::ERANGE);
    }
    uaccess::write_bytes(buffer, &path)?;
    Ok(path.len())
}

/// umask(2).
///
/// # Errors
/// `ENOMEM`: the mask is shared with a child since fork, and there is no memory for a copy.
pub fn umask(current: &Thread, mask: u32) -> Result<usize, Errno> {
    let set = |fs_context: &mut FsContext| core::mem::replace(&mut fs_context.umask, mask & 0o777);
    Ok(current.fs_context().change(set)? as usize)
}
