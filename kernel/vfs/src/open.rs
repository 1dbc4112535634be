//! Opening a path: open(2).

use alloc::sync::Arc;

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::{AccessFlags, AccessMode, OpenFlags};
use memory::fallible;

use abi::mount::MountFlags;
use sched::shortage;

use super::dentry::Dentry;
use super::file_ops::FileOps;
use super::fs_context::LookupContext;
use super::inode::Hold;
use super::inode_ops::NewFile;
use super::inode_watch::NoteCause;
use super::open_directory::OpenDirectory;
use super::open_file::OpenFile;
use super::path_lookup::{LastComponent, LastLink, LookupResult};
use super::permission::Subject;
use super::tree;

/// The bits that make `O_TMPFILE` more than `O_DIRECTORY`.
const UNNAMED: OpenFlags = OpenFlags::O_TMPFILE.difference(OpenFlags::O_DIRECTORY);

/// open(2) of `path` from where `context` says. `mode` counts if the file is made; the umask is applied here.
///
/// # Errors
/// `EINVAL`: `O_CREAT` with `O_DIRECTORY`, `O_TMPFILE` without writing, no access mode, `O_DIRECT` of a file. `EEXIST`,
/// `EISDIR`, `ENOTDIR`, `ELOOP`: what stands there does not fit the flags. `EACCES`, `EPERM`, `EROFS`: the subject or
/// the mount. `ETXTBSY`: it is executed. `ENOMEM`, those of [`PathLookup::walk`](super::path_lookup::PathLookup::walk),
/// [`tree::create`] and of the file system's own open.
pub fn open(
    context: &LookupContext<'_>,
    path: &[u8],
    flags: OpenFlags,
    mode: u32,
) -> Result<Arc<OpenFile>, Errno> {
    if flags.contains(OpenFlags::O_PATH) {
        return open_path(
            context,
            path,
            flags
                & (OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC),
        );
    }
    if flags.contains(OpenFlags::O_CREAT) && flags.contains(OpenFlags::O_DIRECTORY) {
        return Err(Errno::EINVAL);
    }
    if flags.intersects(UNNAMED) {
        return open_unnamed(context, path, flags, mode);
    }
    if flags.contains(OpenFlags::O_CREAT) && path.ends_with(b"/") {
        check_directory_to_make(context, path)?;
    }
    let is_kept = flags.contains(OpenFlags::O_NOFOLLOW)
        || flags & (OpenFlags::O_CREAT | OpenFlags::O_EXCL) == OpenFlags::O_CREAT | OpenFlags::O_EXCL;
    let last_link = if is_kept { LastLink::Keep } else { LastLink::Follow };
    loop {
        let end = context.lookup().walk(path, last_link)?;
        match &end.entry {
            Some(entry) => {
                check_existing(&end, flags)?;
                check_access(entry, flags, &context.subject)?;
                return open_entry(entry, flags, &context.subject);
            }
            None if !flags.contains(OpenFlags::O_CREAT) => return Err(Errno::ENOENT),
            None if end.has_trailing_slash => return Err(Errno::EISDIR),
            None => {}
        }
        let mode = mode & 0o7777 & !context.fs_context.umask;
        match tree::create(
            &end.directory,
            &end.name,
            NewFile::Regular,
            mode,
            &context.subject,
        ) {
            // The file is there now: the call cannot be made again.
            Ok(entry) => {
                let flags = flags - OpenFlags::O_TRUNC;
                return shortage::with_room(|| open_entry(&entry, flags, &context.subject));
            }
            // Somebody else made it meanwhile: look again.
            Err(Errno::EEXIST) if !flags.contains(OpenFlags::O_EXCL) => {}
            Err(error) => return Err(error),
        }
    }
}

/// No regular file is made by a name that a slash follows, whatever stands there: only the way to it is looked at.
fn check_directory_to_make(context: &LookupContext<'_>, path: &[u8]) -> Result<(), Errno> {
    let last = path.iter().rposition(|byte| *byte != b'/');
    let bare = &path[..last.map_or(0, |last| last + 1)];
    if bare.is_empty() {
        return Ok(());
    }
    let end = context.lookup().walk(bare, LastLink::Name)?;
    match end.last {
        LastComponent::Dot | LastComponent::DotDot => Ok(()),
        _ => Err(Errno::EISDIR),
    }
}

/// Opens a program for execve(2): it must be a regular file with execute permission, and nobody may have it open for
/// writing while it is in use.
///
/// # Errors
/// `EACCES`, `ETXTBSY`, `ELOOP`.
pub fn open_executable(
    context: &LookupContext<'_>,
    path: &[u8],
    last_link: LastLink,
) -> Result<Arc<OpenFile>, Errno> {
    let entry = context.lookup().find(path, last_link)?;
    open_executable_entry(entry, &context.subject)
}

/// As [`open_executable`], for what was found already.
///
/// # Errors
/// `ELOOP`: a symbolic link. `EACCES`: no regular file, not executable, or on a mount without programs. `ETXTBSY`: it
/// is written. `ENOMEM`.
pub fn open_executable_entry(entry: Arc<Dentry>, subject: &Subject) -> Result<Arc<OpenFile>, Errno> {
    if entry.inode.is_symlink() {
        return Err(Errno::ELOOP);
    }
    if entry.inode.regular().is_none() {
        return Err(Errno::EACCES);
    }
    subject.check(&entry.inode, AccessFlags::X_OK)?;
    if entry.inode.filesystem.flags.has(MountFlags::MS_NOEXEC) {
        return Err(Errno::EACCES);
    }
    let file = open_kept(entry)?;
    file.note_opened();
    Ok(file)
}

/// Opens a regular file that nobody may have open for writing for as long as it is open so.
///
/// # Errors
/// `ETXTBSY`: it is written. `ENOMEM`, those of the file system's own open.
pub fn open_kept(entry: Arc<Dentry>) -> Result<Arc<OpenFile>, Errno> {
    let ops = entry.inode.ops.clone().open(&entry, OpenFlags::O_RDONLY)?;
    entry.inode.take_hold(Hold::Execute)?;
    OpenFile::with_hold(entry, ops, OpenFlags::O_RDONLY, Hold::Execute)
}

/// `O_PATH`: the place in the tree, whatever it is.
fn open_path(context: &LookupContext<'_>, path: &[u8], flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let last_link = if flags.contains(OpenFlags::O_NOFOLLOW) {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let entry = context.lookup().find(path, last_link)?;
    if flags.contains(OpenFlags::O_DIRECTORY) && !entry.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let ops = fallible::arc(OpenDirectory::new(entry.clone()))?;
    OpenFile::new(entry, ops, flags)
}

/// `O_TMPFILE`: a file without a name in the directory `path`.
fn open_unnamed(
    context: &LookupContext<'_>,
    path: &[u8],
    flags: OpenFlags,
    mode: u32,
) -> Result<Arc<OpenFile>, Errno> {
    if !flags.contains(OpenFlags::O_TMPFILE) || flags.access() == AccessMode::Read {
        return Err(Errno::EINVAL);
    }
    let directory = context.lookup().find(path, LastLink::Follow)?;
    if !directory.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let mode = mode & 0o7777 & !context.fs_context.umask;
    let entry = tree::create_unnamed(&directory, mode, &context.subject)?;
    open_entry(&entry, flags - UNNAMED - OpenFlags::O_DIRECTORY, &context.subject)
}

/// What stands there already must fit the flags.
fn check_existing(end: &LookupResult, flags: OpenFlags) -> Result<(), Errno> {
    let Some(entry) = &end.entry else {
        return Err(Errno::ENOENT);
    };
    if flags & (OpenFlags::O_CREAT | OpenFlags::O_EXCL) == OpenFlags::O_CREAT | OpenFlags::O_EXCL {
        return Err(Errno::EEXIST);
    }
    let is_directory = entry.inode.is_directory();
    if flags.contains(OpenFlags::O_CREAT)
        && (is_directory
            || end.has_trailing_slash
            || matches!(end.last, LastComponent::Dot | LastComponent::DotDot))
    {
        return Err(Errno::EISDIR);
    }
    if flags.contains(OpenFlags::O_DIRECTORY) && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    if entry.inode.is_symlink() {
        return Err(Errno::ELOOP);
    }
    if is_directory && (flags.access() != AccessMode::Read || flags.contains(OpenFlags::O_TRUNC)) {
        return Err(Errno::EISDIR);
    }
    Ok(())
}

fn check_access(entry: &Dentry, flags: OpenFlags, subject: &Subject) -> Result<(), Errno> {
    let mut wanted = match flags.access() {
        AccessMode::Read => AccessFlags::R_OK,
        AccessMode::Write => AccessFlags::W_OK,
        AccessMode::ReadWrite => AccessFlags::R_OK | AccessFlags::W_OK,
        AccessMode::Neither => return Err(Errno::EINVAL),
    };
    if flags.contains(OpenFlags::O_TRUNC) {
        wanted |= AccessFlags::W_OK;
    }
    if entry.inode.is_device() && entry.inode.filesystem.flags.has(MountFlags::MS_NODEV) {
        return Err(Errno::EACCES);
    }
    if flags.contains(OpenFlags::O_NOATIME) && !subject.is_owner(&entry.inode) {
        return Err(Errno::EPERM);
    }
    subject.check(&entry.inode, wanted)
}

/// Opens what a name stands for; permissions are checked.
fn open_entry(entry: &Arc<Dentry>, flags: OpenFlags, subject: &Subject) -> Result<Arc<OpenFile>, Errno> {
    let is_writing = flags.access() != AccessMode::Read;
    let is_regular = entry.inode.regular().is_some();
    let hold = if is_writing && is_regular {
        Hold::Write
    } else {
        Hold::None
    };
    entry.inode.take_hold(hold)?;
    match open_ops(entry, flags, subject) {
        Ok(ops) => {
            let file = OpenFile::with_hold(entry.clone(), ops, flags, hold)?;
            file.note_opened();
            if is_regular && flags.contains(OpenFlags::O_TRUNC) {
                entry.note(InotifyEvents::IN_MODIFY, NoteCause::Attributes);
            }
            Ok(file)
        }
        Err(error) => {
            entry.inode.release_hold(hold);
            Err(error)
        }
    }
}

fn open_ops(entry: &Arc<Dentry>, flags: OpenFlags, subject: &Subject) -> Result<Arc<dyn FileOps>, Errno> {
    let inode = &entry.inode;
    if inode.is_directory() {
        return Ok(fallible::arc(OpenDirectory::new(entry.clone()))?);
    }
    let ops = inode.ops.clone().open(entry, flags)?;
    if flags.contains(OpenFlags::O_DIRECT) && !ops.takes_direct() {
        return Err(Errno::EINVAL);
    }
    if flags.contains(OpenFlags::O_TRUNC)
        && let Some(regular) = inode.regular()
    {
        // Not only who writes: a program that runs is not cut off, whichever way it is opened.
        inode.take_hold(Hold::Write)?;
        let result = regular.truncate(0);
        inode.release_hold(Hold::Write);
        result?;
        inode.note_written_by(subject);
    }
    Ok(ops)
}
