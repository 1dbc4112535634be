//! Where paths begin for a process: its root, its current directory; and its umask.

use alloc::sync::Arc;

use abi::Errno;
use memory::fallible::TryClone;

use super::dentry::Dentry;
use super::path_lookup::PathLookup;
use super::permission::Subject;

/// Root, current directory and umask of a process. Fork shares them (`Arc`); the first change copies them.
pub struct FsContext {
    /// What `/` means: chroot(2).
    pub root: Arc<Dentry>,
    /// Where relative paths begin: chdir(2).
    pub current: Arc<Dentry>,
    /// Permission bits that new files do not get: umask(2).
    pub umask: u32,
}

impl TryClone for FsContext {
    fn try_clone(&self) -> Result<Self, Errno> {
        Ok(FsContext {
            root: self.root.clone(),
            current: self.current.clone(),
            umask: self.umask,
        })
    }
}

impl FsContext {
    /// Those of the first process.
    pub fn initial() -> Self {
        FsContext {
            root: super::root(),
            current: super::root(),
            umask: 0o022,
        }
    }
}

impl Default for FsContext {
    fn default() -> Self {
        FsContext::initial()
    }
}

/// Where a path of one call begins, and who makes the call.
pub struct LookupContext<'a> {
    /// Where the process stands in the tree.
    pub fs_context: &'a FsContext,
    /// Where a relative path begins.
    pub start: Arc<Dentry>,
    /// Whose rights count.
    pub subject: Subject,
}

impl<'a> LookupContext<'a> {
    /// Relative paths begin at the current directory.
    pub fn current(fs_context: &'a FsContext, subject: Subject) -> Self {
        LookupContext {
            fs_context,
            start: fs_context.current.clone(),
            subject,
        }
    }

    /// The lookup from here.
    pub fn lookup(&self) -> PathLookup<'_> {
        PathLookup {
            root: &self.fs_context.root,
            start: &self.start,
            subject: &self.subject,
        }
    }
}
