//! Who may do what to a file: path_resolution(7), "Permissions"; capabilities(7).

use alloc::sync::Arc;

use abi::Errno;
use abi::capability::{CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID};
use abi::file::{AccessFlags, S_IFDIR, S_IFLNK, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP};

use super::caller::Caller;
use super::credentials::Credentials;
use super::inode::Inode;

/// The identity that a file access is checked against: the file system ids and groups of these credentials.
#[derive(Clone)]
pub struct Subject(Arc<Credentials>);

impl Subject {
    /// Whoever these credentials belong to.
    pub fn new(credentials: Arc<Credentials>) -> Self {
        Subject(credentials)
    }

    /// Whoever makes that request.
    pub fn of(caller: &Caller<'_>) -> Self {
        Subject(caller.credentials())
    }

    /// The kernel itself.
    pub fn kernel() -> Self {
        Subject(Arc::default())
    }

    /// The same person judged by the real ids: access(2).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn with_real_ids(&self) -> Result<Self, Errno> {
        Arc::try_new(self.0.with_real_ids())
            .map(Subject)
            .map_err(|_| Errno::ENOMEM)
    }

    /// The owner of files made now.
    pub fn owner(&self) -> u32 {
        self.0.fsuid
    }

    /// The group of files made now.
    pub fn group(&self) -> u32 {
        self.0.fsgid
    }

    /// Whether the capability is in force.
    pub fn can(&self, capability: u32) -> bool {
        self.0.can(capability)
    }

    /// Whether it belongs to the group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.0.fsgid == gid || self.0.groups.contains(&gid)
    }

    /// Checks what is `wanted` of the file.
    ///
    /// # Errors
    /// `EACCES`; `EROFS` for writing what lies in a read-only filesystem, which a device does not.
    pub fn check(&self, inode: &Inode, wanted: AccessFlags) -> Result<(), Errno> {
        if wanted.contains(AccessFlags::W_OK) && matches!(inode.kind(), S_IFREG | S_IFDIR | S_IFLNK) {
            inode.filesystem.flags.check_writable()?;
        }
        let attributes = inode.ownership();
        let granted = if attributes.uid == self.owner() {
            attributes.mode >> 6
        } else if self.is_in_group(attributes.gid) {
            attributes.mode >> 3
        } else {
            attributes.mode
        };
        if AccessFlags::from_bits_truncate(granted).contains(wanted)
            || self.overrides(inode.kind(), attributes.mode, wanted)
        {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether a capability allows what the mode does not; `kind`: the `S_IFMT` bits. Executing needs an execute bit in any case, but for directories.
    fn overrides(&self, kind: u32, mode: u32, wanted: AccessFlags) -> bool {
        let is_directory = kind == S_IFDIR;
        let only_looks = if is_directory {
            !wanted.contains(AccessFlags::W_OK)
        } else {
            wanted == AccessFlags::R_OK
        };
        let is_runnable = is_directory || !wanted.contains(AccessFlags::X_OK) || mode & 0o111 != 0;
        (only_looks && self.can(CAP_DAC_READ_SEARCH)) || (is_runnable && self.can(CAP_DAC_OVERRIDE))
    }

    /// The mode of a new file of this subject that is no directory, in a directory of group `gid`: who is not in the group
    /// makes nothing that runs as it.
    pub fn mode_of_new_file(&self, mode: u32, gid: u32) -> u32 {
        let is_set_group = mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        if is_set_group && !self.is_in_group(gid) && !self.can(CAP_FSETID) {
            mode & !S_ISGID
        } else {
            mode
        }
    }

    /// The mode of a file that this subject has written or cut. A set-group-ID bit without the right to execute goes for who is
    /// not in the group only.
    pub fn mode_after_writing(&self, mode: u32, gid: u32) -> u32 {
        let loses_group = mode & S_IXGRP != 0 || !self.is_in_group(gid);
        match (mode & (S_ISUID | S_ISGID), self.can(CAP_FSETID)) {
            (0, _) | (_, true) => mode,
            _ if loses_group => mode & !(S_ISUID | S_ISGID),
            _ => mode & !S_ISUID,
        }
    }

    /// Whether it may change attributes that only the owner may change.
    pub fn is_owner(&self, inode: &Inode) -> bool {
        inode.ownership().uid == self.owner() || self.can(CAP_FOWNER)
    }

    /// Checks that an entry of `directory` that names `inode` may be removed or replaced: write and search permission,
    /// ownership in a sticky directory, and that it is no swap file in use.
    ///
    /// # Errors
    /// `EACCES`, `EPERM`.
    pub fn check_removal(&self, directory: &Inode, inode: &Inode) -> Result<(), Errno> {
        self.check(directory, AccessFlags::W_OK | AccessFlags::X_OK)?;
        let is_sticky = directory.ownership().mode & S_ISVTX != 0;
        if is_sticky && !self.is_owner(inode) && !self.is_owner(directory) {
            return Err(Errno::EPERM);
        }
        if inode.is_swapped_to() {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}

impl Inode {
    /// `subject` changed the contents now: as [`Inode::note_modified`], and set-ID bits go unless it has `CAP_FSETID`
    /// (chmod(2)).
    pub fn note_written_by(&self, subject: &Subject) {
        self.note_written(|mode, group| subject.mode_after_writing(mode, group));
    }
}
