//! Opening a path: open(2).

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{
    O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW, O_PATH, O_RDONLY,
    O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, R_OK, W_OK, X_OK,
};
use memory::fallible;

use abi::mount::MountFlags;

use super::dentry::Dentry;
use super::file_ops::FileOps;
use super::fs_context::LookupContext;
use super::inode::Hold;
use super::inode_ops::NewFile;
use super::open_directory::OpenDirectory;
use super::open_file::OpenFile;
use super::path_lookup::{LastComponent, LastLink, LookupResult};
use super::permission::Subject;
use super::tree;

/// The bits that make `O_TMPFILE` more than `O_DIRECTORY`.
const UNNAMED: u32 = O_TMPFILE & !O_DIRECTORY;

/// open(2) of `path` from where `context` says. `mode` counts if the file is made; the umask is applied here.
pub fn open(context: &LookupContext<'_>, path: &[u8], flags: u32, mode: u32) -> Result<Arc<OpenFile>, Errno> {
    if flags & O_PATH != 0 {
        return open_path(
            context,
            path,
            flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
        );
    }
    if flags & O_CREAT != 0 && flags & O_DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & UNNAMED != 0 {
        return open_unnamed(context, path, flags, mode);
    }
    let is_kept = flags & O_NOFOLLOW != 0 || flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
    let last_link = if is_kept { LastLink::Keep } else { LastLink::Follow };
    loop {
        let end = context.lookup().walk(path, last_link)?;
        match &end.entry {
            Some(entry) => {
                check_existing(&end, flags)?;
                check_access(entry, flags, &context.subject)?;
                return open_entry(entry, flags, &context.subject);
            }
            None if flags & O_CREAT == 0 => return Err(Errno::ENOENT),
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
            Ok(entry) => return open_entry(&entry, flags & !O_TRUNC, &context.subject),
            // Somebody else made it meanwhile: look again.
            Err(Errno::EEXIST) if flags & O_EXCL == 0 => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens a program for execve(2): it must be a regular file with execute permission, and nobody may have it open for
/// writing while it is in use. `EACCES`, `ETXTBSY`, `ELOOP`.
pub fn open_executable(
    context: &LookupContext<'_>,
    path: &[u8],
    last_link: LastLink,
) -> Result<Arc<OpenFile>, Errno> {
    let entry = context.lookup().find(path, last_link)?;
    open_executable_entry(entry, &context.subject)
}

/// As [`open_executable`], for what was found already.
pub fn open_executable_entry(entry: Arc<Dentry>, subject: &Subject) -> Result<Arc<OpenFile>, Errno> {
    if entry.inode.is_symlink() {
        return Err(Errno::ELOOP);
    }
    if entry.inode.regular().is_none() {
        return Err(Errno::EACCES);
    }
    subject.check(&entry.inode, X_OK)?;
    if entry.inode.filesystem.flags.has(MountFlags::MS_NOEXEC) {
        return Err(Errno::EACCES);
    }
    let ops = entry.inode.ops.clone().open(&entry, O_RDONLY)?;
    entry.inode.take_hold(Hold::Execute)?;
    OpenFile::with_hold(entry, ops, O_RDONLY, Hold::Execute)
}

/// `O_PATH`: the place in the tree, whatever it is.
fn open_path(context: &LookupContext<'_>, path: &[u8], flags: u32) -> Result<Arc<OpenFile>, Errno> {
    let last_link = if flags & O_NOFOLLOW != 0 {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    let entry = context.lookup().find(path, last_link)?;
    if flags & O_DIRECTORY != 0 && !entry.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let ops = fallible::arc(OpenDirectory(entry.clone()))?;
    OpenFile::new(entry, ops, flags)
}

/// `O_TMPFILE`: a file without a name in the directory `path`.
fn open_unnamed(
    context: &LookupContext<'_>,
    path: &[u8],
    flags: u32,
    mode: u32,
) -> Result<Arc<OpenFile>, Errno> {
    if flags & O_TMPFILE != O_TMPFILE || flags & O_ACCMODE == O_RDONLY {
        return Err(Errno::EINVAL);
    }
    let directory = context.lookup().find(path, LastLink::Follow)?;
    if !directory.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let mode = mode & 0o7777 & !context.fs_context.umask;
    let entry = tree::create_unnamed(&directory, mode, &context.subject)?;
    open_entry(&entry, flags & !(UNNAMED | O_DIRECTORY), &context.subject)
}

/// What stands there already must fit the flags.
fn check_existing(end: &LookupResult, flags: u32) -> Result<(), Errno> {
    let Some(entry) = &end.entry else {
        return Err(Errno::ENOENT);
    };
    if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
        return Err(Errno::EEXIST);
    }
    let is_directory = entry.inode.is_directory();
    if flags & O_CREAT != 0
        && (is_directory
            || end.has_trailing_slash
            || matches!(end.last, LastComponent::Dot | LastComponent::DotDot))
    {
        return Err(Errno::EISDIR);
    }
    if flags & O_DIRECTORY != 0 && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    if entry.inode.is_symlink() {
        return Err(Errno::ELOOP);
    }
    if is_directory && (flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0) {
        return Err(Errno::EISDIR);
    }
    Ok(())
}

fn check_access(entry: &Dentry, flags: u32, subject: &Subject) -> Result<(), Errno> {
    let mut wanted = match flags & O_ACCMODE {
        O_RDONLY => R_OK,
        O_WRONLY => W_OK,
        O_RDWR => R_OK | W_OK,
        _ => return Err(Errno::EINVAL),
    };
    if flags & O_TRUNC != 0 {
        wanted |= W_OK;
    }
    if entry.inode.is_device() && entry.inode.filesystem.flags.has(MountFlags::MS_NODEV) {
        return Err(Errno::EACCES);
    }
    if flags & O_NOATIME != 0 && !subject.is_owner(&entry.inode) {
        return Err(Errno::EPERM);
    }
    subject.check(&entry.inode, wanted)
}

/// Opens what a name stands for; permissions are checked.
fn open_entry(entry: &Arc<Dentry>, flags: u32, subject: &Subject) -> Result<Arc<OpenFile>, Errno> {
    if flags & O_DIRECT != 0 {
        return Err(Errno::EINVAL);
    }
    let is_writing = flags & O_ACCMODE != O_RDONLY;
    let is_regular = entry.inode.regular().is_some();
    let hold = if is_writing && is_regular {
        Hold::Write
    } else {
        Hold::None
    };
    entry.inode.take_hold(hold)?;
    match open_ops(entry, flags, subject) {
        Ok(ops) => OpenFile::with_hold(entry.clone(), ops, flags, hold),
        Err(error) => {
            entry.inode.release_hold(hold);
            Err(error)
        }
    }
}

fn open_ops(entry: &Arc<Dentry>, flags: u32, subject: &Subject) -> Result<Arc<dyn FileOps>, Errno> {
    let inode = &entry.inode;
    if inode.is_directory() {
        return Ok(fallible::arc(OpenDirectory(entry.clone()))?);
    }
    if flags & O_TRUNC != 0
        && let Some(regular) = inode.regular()
    {
        // Not only who writes: a program that runs is not cut off, whichever way it is opened.
        inode.take_hold(Hold::Write)?;
        let result = regular.truncate(0);
        inode.release_hold(Hold::Write);
        result?;
        inode.note_written_by(subject);
    }
    inode.ops.clone().open(entry, flags)
}
