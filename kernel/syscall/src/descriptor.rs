//! Descriptors: duplicating them; pipes.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::OpenFlags;
use memory::fallible;

use super::flags::decode;
use super::lookup::{file, index};
use super::open::{descriptor_limit, install, on_exec, release};
use fs::pipe::{self, Direction, Pipe};
use task::thread::{Thread, ThreadExt};
use uaccess::write_value;
use vfs::inode::Attributes;
use vfs::{Dentry, OnExec, OpenFile};

/// dup(2).
///
/// # Errors
/// `EBADF`: no such descriptor. `EMFILE`: none is free. `ENOMEM`.
pub fn dup(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    install(current, file(current, descriptor)?, OnExec::Keep, 0)
}

/// dup3(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or both are one. `EBADF`: no such descriptor, or a new one beyond the limit. `ENOMEM`.
pub fn dup3(current: &Thread, old: i32, new: i32, flags: u32) -> Result<usize, Errno> {
    let flags = decode(flags, OpenFlags::O_CLOEXEC)?;
    if old == new {
        return Err(Errno::EINVAL);
    }
    let file = file(current, old)?;
    let new = index(new)?;
    let limit = descriptor_limit(current);
    // Kept until the table's lock is released, as in `open::install`.
    let kept = file.clone();
    let replaced = current
        .files()
        .change(|files| files.replace(new, file, on_exec(flags), limit));
    drop(kept);
    let replaced = replaced??;
    if let Some(replaced) = replaced {
        release(current, replaced);
    }
    Ok(new)
}

/// pipe2(2).
///
/// Not supported: `O_NOTIFICATION_PIPE` (`EINVAL`).
///
/// # Errors
/// `EINVAL`: unknown flags. `EMFILE`: fewer than two descriptors are free. `ENOMEM`, those of user memory.
pub fn pipe2(current: &Thread, address: u64, flags: u32) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT,
    )?;
    memory::has_room()?;
    let (reader, writer) = open_pipe(current, flags & (OpenFlags::O_NONBLOCK | OpenFlags::O_DIRECT))?;
    let reader = install(current, reader, on_exec(flags), 0)?;
    let writer = install(current, writer, on_exec(flags), 0).inspect_err(|_| withdraw(current, &[reader]))?;
    let descriptors = [reader as i32, writer as i32];
    write_value(address, &descriptors).inspect_err(|_| withdraw(current, &[reader, writer]))?;
    Ok(0)
}

/// Both ends of a new pipe. `ENOMEM`.
fn open_pipe(current: &Thread, flags: OpenFlags) -> Result<(Arc<OpenFile>, Arc<OpenFile>), Errno> {
    let pipe = Pipe::new()?;
    let credentials = current.process().credentials();
    let attributes = Attributes::new(0o600, credentials.fsuid, credentials.fsgid);
    let inode = pipe::unnamed(&pipe, attributes)?;
    let name = fallible::text(format_args!("pipe:[{}]", inode.number))?;
    let dentry = Dentry::detached(name.as_bytes(), inode)?;
    let reader = OpenFile::new(
        dentry.clone(),
        pipe.open_end(Direction::Read)?,
        flags - OpenFlags::O_DIRECT,
    )?;
    let writer = OpenFile::new(
        dentry,
        pipe.open_end(Direction::Write)?,
        flags | OpenFlags::O_WRONLY,
    )?;
    Ok((reader, writer))
}

/// Takes back descriptors of a call that failed.
pub(super) fn withdraw(current: &Thread, descriptors: &[usize]) {
    for descriptor in descriptors {
        // The table is the caller's own since it was put in: this allocates nothing.
        let removed = current.files().change(|files| files.remove(*descriptor));
        drop(removed);
    }
}
