//! Files: the tree of names, what stands behind the names, and what a process has open.
//!
//! A path is walked (`path_lookup`, with the text in `path`) over dentries (`dentry`) to an inode (`inode`), of which the file system
//! that it lives in (`super_block`, of a registered kind: `filesystem`) answers what it knows (`inode_ops`). Opening it (`open`)
//! gives an open file (`open_file`) with the operations of its kind (`file_ops`): a regular file's are its file system's, a device's
//! its driver's (`device_registry`). Descriptors refer to open files (`file_table`). Changes of the tree stand in `tree`.
//!
//! One rule above all: no lock of this crate is held while user memory is touched. A fault there takes the lock of the
//! address space and may ask a file for a page. Transfers take frames out under the lock and copy behind it; where others
//! must wait for the end of a copy they sleep ([`sched::SleepingMutex`]).
//!
//! For file systems and drivers, which register, and for all above. It knows no file system, no process and no signal: who asks travels
//! along ([`caller::Caller`]), and a failure that brings a signal goes back to the call.
//!
//! Its locks, in order: the shape of the tree (`lock::rank::RESHAPING`), mounts, then a file system's of a directory, a dentry's, an
//! inode's attributes; then leaves.
//!
//! Where to read on: `open`, `path_lookup`, `inode_ops`; kernel/README.md, Where is it served? and Seams.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod caller;
mod capabilities;
mod credentials;
pub mod dentry;
pub mod device_registry;
pub mod directory_notice;
pub mod file_ops;
pub mod file_owner;
pub mod file_table;
pub mod file_watch;
pub mod filesystem;
pub mod fs_context;
pub mod inode;
pub mod inode_ops;
pub mod inode_watch;
pub mod lock_list;
pub mod lock_waits;
pub mod locks;
pub mod mount;
pub mod mount_state;
mod noting;
pub mod open;
pub mod open_directory;
pub mod open_file;
mod ownership;
pub mod path;
pub mod path_lookup;
pub mod permission;
pub mod record_locks;
pub mod special;
pub mod stored_attributes;
pub mod super_block;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod xattr;

use alloc::sync::Arc;

use abi::Errno;

pub use capabilities::{KeepCapabilities, Restraint, SetIds, valid as valid_capability};
pub use credentials::{Credentials, Groups, NGROUPS_MAX};
pub use dentry::{Dentry, root};
pub use file_table::OnExec;
pub use fs_context::{FsContext, LookupContext};
pub use inode::Inode;
pub use open::{open, open_executable, open_executable_entry, open_kept};
pub use open_file::OpenFile;
pub use path_lookup::LastLink;
pub use permission::Subject;

use filesystem::FileSystem;
use inode_ops::NewFile;

/// The descriptors of a process.
pub type FileTable = file_table::Table<OpenFile>;

/// Makes the root directory, in a file system of that kind. Called once, at boot, before `initramfs::unpack`.
///
/// # Errors
/// What the file system's own mount says; `ENOMEM`.
pub fn mount_root(kind: &'static dyn FileSystem, device: u64) -> Result<(), Errno> {
    mount::add_root(dentry::set_root(|| kind.mount(device, b""))?)
}

/// Lets go of the descriptors of a table that nobody holds any more, `owner`, and its record locks end (fcntl(2)): of one that never
/// had any nobody knows the name, and need not look for them at each descriptor. `rest` is called between pieces of the work.
pub fn close_all(files: Arc<FileTable>, owner: Option<u64>, rest: fn()) {
    if let Some(owner) = owner {
        release_all_records(&files, owner, rest);
    }
    if files.has_far() {
        close_far(files, rest);
    }
}

#[cold]
fn release_all_records(files: &FileTable, owner: u64, rest: fn()) {
    release_records(files.near(), owner, rest);
    for piece in files.far() {
        release_records(piece, owner, rest);
        rest();
    }
}

#[cold]
fn close_far(files: Arc<FileTable>, rest: fn()) {
    if let Some(mut files) = Arc::into_inner(files) {
        while files.drop_some() {
            rest();
        }
    }
}

fn release_records(files: &[Option<Arc<OpenFile>>], owner: u64, rest: fn()) {
    for file in files.iter().flatten() {
        release_claims(file, owner, rest);
    }
}

/// Who holds the table of descriptors `owner` closed one of that file: what the table has of the file by being open ends, as its
/// record locks (fcntl(2)). `rest` is called between pieces of the work.
pub fn release_claims(file: &OpenFile, owner: u64, rest: fn()) {
    file.inode().locks.release_records(owner, rest);
    file.ops().flush(owner);
}

/// The directory of that name, made if it is missing.
///
/// # Errors
/// `ENOTDIR`.
pub fn directory(parent: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
    match parent.child(name) {
        Ok(found) if found.inode.is_directory() => Ok(found),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(Errno::ENOENT) => tree::create_initial(parent, name, NewFile::Directory, 0o755),
        Err(error) => Err(error),
    }
}
