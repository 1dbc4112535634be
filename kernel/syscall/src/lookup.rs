//! Descriptors and paths among a call's arguments: what `dirfd` and `pathname` mean in open(2) and all calls like it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{AT_FDCWD, AtFlags, PATH_MAX};

use task::thread::{Thread, ThreadExt};
use vfs::path_lookup::LookupResult;
use vfs::{Dentry, FsContext, LastLink, LookupContext, OpenFile, Subject};

/// The open file of a descriptor.
///
/// # Errors
/// `EBADF`.
pub fn file(current: &Thread, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    file_of_transfer(current, descriptor)
}

/// As [`file()`], of one that is not only a place in the tree.
///
/// # Errors
/// `EBADF`.
pub fn opened(current: &Thread, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        Err(Errno::EBADF)
    } else {
        Ok(file)
    }
}

/// As [`file()`], for read(2) and write(2): a part of them, not a call.
///
/// # Errors
/// `EBADF`.
#[inline(always)]
pub fn file_of_transfer(current: &Thread, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    let descriptor = index(descriptor)?;
    match current
        .files()
        .read(|files| files.near().get(descriptor)?.clone())
    {
        Some(file) => Ok(file),
        None => far_file(current, descriptor),
    }
}

/// As [`file()`], for one of many. Apart, so that the path of all others needs few registers.
#[cold]
fn far_file(current: &Thread, descriptor: usize) -> Result<Arc<OpenFile>, Errno> {
    current.files().read(|files| files.get(descriptor).cloned())
}

/// The descriptor as an index.
///
/// # Errors
/// `EBADF`: it is negative.
pub fn index(descriptor: i32) -> Result<usize, Errno> {
    usize::try_from(descriptor).map_err(|_| Errno::EBADF)
}

/// The path at that address.
///
/// # Errors
/// `EFAULT`, `ENAMETOOLONG`.
pub fn path(address: u64) -> Result<Vec<u8>, Errno> {
    uaccess::read_string(address, PATH_MAX)
}

/// Whether a link at the end of the path is followed, for calls with `AT_SYMLINK_NOFOLLOW`.
pub fn last_link(flags: AtFlags) -> LastLink {
    if flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW) {
        LastLink::Keep
    } else {
        LastLink::Follow
    }
}

/// Whether the call knows all flags.
///
/// # Errors
/// `EINVAL`: it does not.
pub fn check_flags(flags: u32, known: u32) -> Result<(), Errno> {
    if flags & !known == 0 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// A path and where it begins.
pub struct Lookup {
    fs_context: Arc<FsContext>,
    start: Arc<Dentry>,
    /// Whose rights count.
    pub subject: Subject,
    /// The path.
    pub path: Vec<u8>,
}

impl Lookup {
    /// The path at `address`, relative to the directory of a descriptor or, with `AT_FDCWD`, to the current one.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`, `EBADF`, `ENOTDIR`.
    pub fn new(current: &Thread, descriptor: i32, address: u64) -> Result<Self, Errno> {
        let path = path(address)?;
        let fs_context = current.fs_context().snapshot()?;
        let is_free = descriptor == AT_FDCWD || path.first() == Some(&b'/');
        let start = if is_free {
            fs_context.current.clone()
        } else {
            file(current, descriptor)?.dentry.clone()
        };
        if !path.is_empty() && !start.inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Lookup {
            fs_context,
            start,
            subject: Subject::new(current.process().credentials()),
            path,
        })
    }

    /// Where walks begin.
    pub fn context(&self) -> LookupContext<'_> {
        LookupContext {
            fs_context: &self.fs_context,
            start: self.start.clone(),
            subject: self.subject.clone(),
        }
    }

    /// Walks the path; the last component may be missing.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`, `ENOMEM`.
    pub fn walk(&self, last_link: LastLink) -> Result<LookupResult, Errno> {
        self.context().lookup().walk(&self.path, last_link)
    }

    /// Walks the path, which must lead to something.
    ///
    /// # Errors
    /// As [`Lookup::walk`]; `ENOENT`: nothing is there.
    pub fn find(&self, last_link: LastLink) -> Result<Arc<Dentry>, Errno> {
        self.context().lookup().find(&self.path, last_link)
    }

    /// As [`Lookup::find`]; with `AT_EMPTY_PATH` in `flags` an empty path means the descriptor itself.
    ///
    /// # Errors
    /// As [`Lookup::find`].
    pub fn find_with(&self, flags: AtFlags) -> Result<Arc<Dentry>, Errno> {
        if self.path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) {
            return Ok(self.start.clone());
        }
        self.find(last_link(flags))
    }

    /// The mode of a file to be made: without the bits of the umask.
    pub fn masked(&self, mode: u32) -> u32 {
        mode & 0o7777 & !self.fs_context.umask
    }
}
