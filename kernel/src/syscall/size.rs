//! The size of files: truncate(2), fallocate(2); files without a name: memfd_create(2).

use crate::fallible;
use abi::Errno;
use abi::file::{
    AT_FDCWD, F_SEAL_SEAL, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MFD_ALLOW_SEALING, MFD_CLOEXEC,
    O_CLOEXEC, O_RDWR, S_IFDIR, W_OK,
};

use super::lookup::{Lookup, check_flags, file};
use super::open::{install, on_exec};
use crate::fs::contents::{Contents, MAX_SIZE};
use crate::fs::inode::{Attributes, Body};
use crate::fs::open_file::Hold;
use crate::fs::regular::{RegularFile, write_room};
use crate::fs::{self, Dentry, Inode, LastLink, OpenFile, Subject};
use crate::memory;
use crate::thread::Thread;
use crate::user_memory;

/// Longest name of a memory file.
const MEMORY_NAME_MAX: usize = 249;

/// truncate(2).
pub fn truncate(current: &Thread, path: u64, size: i64) -> Result<usize, Errno> {
    let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
    let lookup = Lookup::new(current, AT_FDCWD, path)?;
    let found = lookup.find(LastLink::Follow)?;
    if found.inode.kind() == S_IFDIR {
        return Err(Errno::EISDIR);
    }
    let Body::Regular(contents) = &found.inode.body else {
        return Err(Errno::EINVAL);
    };
    lookup.subject.check(&found.inode, W_OK)?;
    found.inode.take_hold(Hold::Write)?;
    let result = set_size(&found.inode, contents, size, &lookup.subject);
    found.inode.release_hold(Hold::Write);
    result
}

/// ftruncate(2).
pub fn ftruncate(current: &Thread, descriptor: i32, size: i64) -> Result<usize, Errno> {
    let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
    let file = file(current, descriptor)?;
    let Body::Regular(contents) = &file.inode().body else {
        return Err(Errno::EINVAL);
    };
    if !file.is_writable() {
        return Err(Errno::EINVAL);
    }
    set_size(
        file.inode(),
        contents,
        size,
        &Subject::new(current.process.credentials()),
    )
}

fn set_size(inode: &Inode, contents: &Contents, size: u64, subject: &Subject) -> Result<usize, Errno> {
    if size > contents.size() {
        // The last byte must be one that may be written.
        write_room(size - 1)?;
    }
    contents.truncate(size)?;
    inode.note_written_by(subject);
    Ok(0)
}

/// fallocate(2): giving pages, with or without moving the end, and punching holes. `EOPNOTSUPP` for other modes.
pub fn fallocate(
    current: &Thread,
    descriptor: i32,
    mode: u32,
    offset: i64,
    len: i64,
) -> Result<usize, Errno> {
    let file = file(current, descriptor)?;
    if !file.is_writable() {
        return Err(Errno::EBADF);
    }
    let start = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let len = u64::try_from(len)
        .ok()
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let contents = match &file.inode().body {
        Body::Regular(contents) => contents,
        Body::Fifo(_) => return Err(Errno::ESPIPE),
        _ => return Err(Errno::ENODEV),
    };
    let end = start
        .checked_add(len)
        .filter(|end| *end <= MAX_SIZE)
        .ok_or(Errno::EFBIG)?;
    match mode {
        0 => {
            write_room(end - 1)?;
            contents.allocate(start, end, false)?;
        }
        FALLOC_FL_KEEP_SIZE => contents.allocate(start, end, true)?,
        _ if mode == FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE => contents.punch(start, end)?,
        _ => return Err(Errno::EOPNOTSUPP),
    }
    file.inode()
        .note_written_by(&Subject::new(current.process.credentials()));
    Ok(0)
}

/// memfd_create(2).
pub fn memfd_create(current: &Thread, name: u64, flags: u32) -> Result<usize, Errno> {
    check_flags(flags, MFD_CLOEXEC | MFD_ALLOW_SEALING)?;
    let name = user_memory::read_string(name, MEMORY_NAME_MAX + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        error => error,
    })?;
    memory::has_room()?;
    let name = fallible::joined(&[b"/memfd:", &name])?;
    let seals = if flags & MFD_ALLOW_SEALING != 0 {
        0
    } else {
        F_SEAL_SEAL
    };
    let filesystem = fs::unnamed_filesystem()?;
    let subject = Subject::new(current.process.credentials());
    let body = Body::Regular(Contents::with_seals(filesystem, seals));
    let inode = Inode::new(
        filesystem,
        body,
        Attributes::new(0o777, subject.owner(), subject.group()),
    )?;
    inode.change(|attributes| attributes.links = 0);
    let dentry = Dentry::detached(&name, inode)?;
    dentry.mark_removed();
    let object = RegularFile::open(dentry.clone(), O_RDWR)?;
    dentry.inode.take_hold(Hold::Write)?;
    let file = OpenFile::with_hold(dentry, object, O_RDWR, Hold::Write)?;
    let wanted = if flags & MFD_CLOEXEC != 0 { O_CLOEXEC } else { 0 };
    install(current, file, on_exec(wanted), 0)
}
