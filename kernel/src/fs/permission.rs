//! Who may do what to a file: path_resolution(7), "Permissions"; capabilities(7) with the one capability set that user
//! 0 has.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{R_OK, S_IFDIR, S_ISVTX, W_OK, X_OK};

use super::inode::Inode;
use crate::process::Credentials;
use crate::scheduler;

/// The identity that a file access is checked against: the file system ids and groups of these credentials.
#[derive(Clone)]
pub struct Subject(Arc<Credentials>);

impl Subject {
    /// Whoever these credentials belong to.
    pub fn new(credentials: Arc<Credentials>) -> Self {
        Subject(credentials)
    }

    /// The process that runs.
    pub fn current() -> Self {
        Subject(scheduler::current().process.credentials())
    }

    /// The kernel itself.
    pub fn kernel() -> Self {
        Subject(Arc::default())
    }

    /// The same person judged by the real ids: access(2).
    pub fn with_real_ids(&self) -> Self {
        let mut credentials = Credentials::clone(&self.0);
        credentials.fsuid = credentials.uid;
        credentials.fsgid = credentials.gid;
        Subject(Arc::new(credentials))
    }

    /// The owner of files made now.
    pub fn owner(&self) -> u32 {
        self.0.fsuid
    }

    /// The group of files made now.
    pub fn group(&self) -> u32 {
        self.0.fsgid
    }

    /// Whether every check passes.
    pub fn is_superuser(&self) -> bool {
        self.0.fsuid == 0
    }

    /// Whether it belongs to the group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.0.fsgid == gid || self.0.groups.contains(&gid)
    }

    /// Checks `wanted`, a sum of `R_OK`, `W_OK`, `X_OK`. `EACCES`.
    pub fn check(&self, inode: &Inode, wanted: u32) -> Result<(), Errno> {
        let attributes = inode.attributes();
        if self.is_superuser() {
            // Executing needs an execute bit even for user 0, but for directories.
            let is_runnable = inode.kind() == S_IFDIR || attributes.mode & 0o111 != 0;
            return if wanted & X_OK == 0 || is_runnable {
                Ok(())
            } else {
                Err(Errno::EACCES)
            };
        }
        let granted = if attributes.uid == self.owner() {
            attributes.mode >> 6
        } else if self.is_in_group(attributes.gid) {
            attributes.mode >> 3
        } else {
            attributes.mode
        };
        if wanted & !granted & (R_OK | W_OK | X_OK) == 0 {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether it may change attributes that only the owner may change.
    pub fn is_owner(&self, inode: &Inode) -> bool {
        self.is_superuser() || inode.attributes().uid == self.owner()
    }

    /// Checks that an entry of `directory` that names `inode` may be removed or replaced: write and search permission,
    /// and ownership in a sticky directory. `EACCES`, `EPERM`.
    pub fn check_removal(&self, directory: &Inode, inode: &Inode) -> Result<(), Errno> {
        self.check(directory, W_OK | X_OK)?;
        let is_sticky = directory.attributes().mode & S_ISVTX != 0;
        if is_sticky && !self.is_owner(inode) && !self.is_owner(directory) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}
