//! Extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2) and those that do not follow a link or take a
//! descriptor. What the attributes are is in `vfs::xattr`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::events::InotifyEvents;
use abi::file::AT_FDCWD;
use abi::xattr::{XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX, XattrFlags};

use super::flags::decode;
use super::lookup::{Lookup, file};
use task::thread::{Thread, ThreadExt};
use vfs::inode_watch::NoteCause;
use vfs::{Dentry, LastLink, Subject, xattr};

/// Which file a call means.
#[derive(Clone, Copy)]
pub enum File {
    /// By path.
    Path(u64, LastLink),
    /// By descriptor.
    Descriptor(i32),
}

impl File {
    /// The file, and whose rights count. What a path walk says, `EBADF`.
    fn find(self, current: &Thread) -> Result<(Arc<Dentry>, Subject), Errno> {
        match self {
            File::Path(path, last_link) => {
                let lookup = Lookup::new(current, AT_FDCWD, path)?;
                let found = lookup.find(last_link)?;
                Ok((found, lookup.subject))
            }
            File::Descriptor(descriptor) => {
                let file = file(current, descriptor)?;
                if file.is_path() {
                    return Err(Errno::EBADF);
                }
                let subject = Subject::new(current.process().credentials());
                Ok((file.dentry.clone(), subject))
            }
        }
    }

    /// As [`File::find`], to be changed: `EROFS`.
    fn find_writable(self, current: &Thread) -> Result<(Arc<Dentry>, Subject), Errno> {
        let found = self.find(current)?;
        found.0.inode.filesystem.flags.check_writable()?;
        Ok(found)
    }
}

/// The name at an address: `ERANGE` for one that is empty or too long.
fn name_at(address: u64) -> Result<Vec<u8>, Errno> {
    let name = uaccess::read_string(address, XATTR_NAME_MAX + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::ERANGE,
        other => other,
    })?;
    if name.is_empty() {
        return Err(Errno::ERANGE);
    }
    Ok(name)
}

/// setxattr(2), lsetxattr(2), fsetxattr(2).
///
/// Not supported: names but `user.`, `trusted.` and `security.`; `security.capability`; filesystems but tmpfs and ext4
/// (`EOPNOTSUPP`).
///
/// # Errors
/// Those of paths, and `EBADF`. `EINVAL`: unknown flags, or a name that is only a prefix. `ERANGE`: an empty or too
/// long name. `E2BIG`: beyond `XATTR_SIZE_MAX`. `EOPNOTSUPP`: such a name, or such a filesystem, has none. `EPERM`,
/// `EACCES`: not allowed. `EROFS`: a read-only mount. `EEXIST`, `ENODATA`: it is there, or is not. `ENOSPC`: the file
/// or the filesystem is full. `ENOMEM`, those of user memory.
pub fn set(current: &Thread, file: File, [name, value, size, flags]: [u64; 4]) -> Result<usize, Errno> {
    let (found, subject) = file.find_writable(current)?;
    let flags = decode(flags as u32, XattrFlags::all())?;
    let name = name_at(name)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= XATTR_SIZE_MAX);
    let mut bytes: Vec<u8> = memory::try_list(size.ok_or(Errno::E2BIG)?)?;
    if !bytes.is_empty() {
        uaccess::read_bytes(value, &mut bytes)?;
    }
    xattr::set(&found.inode, &subject, &name, bytes, flags)?;
    found.note(InotifyEvents::IN_ATTRIB, NoteCause::Attributes);
    Ok(0)
}

/// getxattr(2), lgetxattr(2), fgetxattr(2): the length of the value.
///
/// # Errors
/// Those of paths, and `EBADF`. `ERANGE`: an empty or too long name, or no room for the value. `EOPNOTSUPP`, `EINVAL`:
/// as for [`set`]. `EACCES`, `EPERM`: not allowed. `ENODATA`: there is none, or it is not to be seen. `ENOMEM`, those
/// of user memory.
pub fn get(current: &Thread, file: File, name: u64, value: u64, size: u64) -> Result<usize, Errno> {
    let (file, subject) = file.find(current)?;
    let found = xattr::get(&file.inode, &subject, &name_at(name)?)?;
    put(&found, value, size)
}

/// listxattr(2), llistxattr(2), flistxattr(2): the length of the list.
///
/// # Errors
/// Those of paths, and `EBADF`. `ERANGE`: no room for it. `E2BIG`: beyond `XATTR_LIST_MAX`. `ENOMEM`, those of user
/// memory.
pub fn list(current: &Thread, file: File, list: u64, size: u64) -> Result<usize, Errno> {
    let (file, subject) = file.find(current)?;
    let names = xattr::list(&file.inode, &subject)?;
    if names.len() > XATTR_LIST_MAX {
        return Err(Errno::E2BIG);
    }
    put(&names, list, size)
}

/// removexattr(2), lremovexattr(2), fremovexattr(2).
///
/// # Errors
/// Those of paths, and `EBADF`. `ERANGE`: an empty or too long name. `EOPNOTSUPP`, `EINVAL`, `EPERM`, `EACCES`,
/// `EROFS`: as for [`set`]. `ENODATA`: there is none. `ENOMEM`, those of user memory.
pub fn remove(current: &Thread, file: File, name: u64) -> Result<usize, Errno> {
    let (found, subject) = file.find_writable(current)?;
    xattr::remove(&found.inode, &subject, &name_at(name)?)?;
    found.note(InotifyEvents::IN_ATTRIB, NoteCause::Attributes);
    Ok(0)
}

/// Gives the bytes to a program that has room for `size`; 0 asks for their number alone.
fn put(bytes: &[u8], to: u64, size: u64) -> Result<usize, Errno> {
    if size == 0 {
        return Ok(bytes.len());
    }
    if (bytes.len() as u64) > size {
        return Err(Errno::ERANGE);
    }
    uaccess::write_bytes(to, bytes)?;
    Ok(bytes.len())
}
