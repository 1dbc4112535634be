//! Files: the tree of names, what stands behind the names, and what a process has open.
//!
//! A path is walked (`walk`, with the text in `path`) over dentries (`dentry`) to an inode (`inode`). Opening it (`open`)
//! gives an open file (`open_file`) with an object (`object`) that answers the calls: a regular file or directory
//! (`regular`), a device (`device_registry`), a pipe (`pipe`), a file of /proc (`proc`), a terminal (`crate::tty`). Descriptors
//! refer to open files (`file_table`). Changes of the tree stand in `tree`.
//!
//! Everything lives in memory: a regular file is its page cache (`contents`), a directory its entries (`directory`).
//!
//! One rule above all: no lock of this module is held while user memory is touched. A fault there takes the lock of the
//! address space and may ask a file for a page. Transfers take frames out under the lock and copy behind it; where others
//! must wait for the end of a copy they sleep ([`crate::sched::SleepingMutex`]).

pub mod caller;
mod capabilities;
pub mod contents;
mod credentials;
pub mod dentry;
pub mod device_registry;
pub mod directories;
pub mod directory;
pub mod file_owner;
pub mod file_table;
pub mod filesystem;
pub mod inode;
pub mod lock_list;
pub mod lock_waits;
pub mod locks;
pub mod mappings;
pub mod mount;
pub mod mount_flags;
pub mod mount_options;
pub mod object;
pub mod open;
pub mod open_file;
pub mod path;
pub mod permission;
pub mod pipe;
pub mod proc;
pub mod record_locks;
pub mod regular;
pub mod seals;
pub mod tree;
pub mod walk;
pub mod xattr;

use alloc::sync::Arc;

use crate::fallible;
use abi::Errno;
use spin::Once;

pub use capabilities::{Restraint, SetIds, valid as valid_capability};
pub use credentials::{Credentials, Groups, NGROUPS_MAX};
pub use dentry::Dentry;
pub use directories::{Directories, Place};
pub use file_table::OnExec;
pub use inode::Inode;
pub use open::{open, open_executable, open_executable_entry};
pub use open_file::OpenFile;
pub use permission::Subject;
pub use walk::LastLink;

use device_registry::{DeviceClass, DeviceNumber};
use directory::Children;
use filesystem::{Filesystem, Kind};
use inode::{Attributes, Body};

use crate::process::Pid;

/// The descriptors of a process.
pub type FileTable = file_table::Table<OpenFile>;

static ROOT: Once<Arc<Dentry>> = Once::new();
static PIPES: Once<Arc<Filesystem>> = Once::new();
static UNNAMED: Once<Arc<Filesystem>> = Once::new();

/// `st_dev` of the filesystems: unnamed devices, major 0.
const UNNAMED_DEVICE: u64 = 1;
const ROOT_DEVICE: u64 = 2;
const PROC_DEVICE: u64 = 4;
const DEV_DEVICE: u64 = 5;
const SYS_DEVICE: u64 = 6;
const PIPE_DEVICE: u64 = 10;

/// The root of the file tree.
pub fn root() -> Arc<Dentry> {
    ROOT.get()
        .expect("fs::mount_initial() runs before anything asks for a file")
        .clone()
}

/// Where unnamed pipes live. `ENOMEM`.
pub fn pipe_filesystem() -> Result<&'static Arc<Filesystem>, Errno> {
    PIPES.try_call_once(|| Filesystem::new(Kind::Pipefs, PIPE_DEVICE, 0))
}

/// Where files without a name live: memfd_create(2). `ENOMEM`.
pub fn unnamed_filesystem() -> Result<&'static Arc<Filesystem>, Errno> {
    UNNAMED.try_call_once(|| Filesystem::new(Kind::Tmpfs, UNNAMED_DEVICE, memory_limit()))
}

/// Pages that the files of one filesystem may hold: half of the memory, as tmpfs(5) has it.
fn memory_limit() -> u64 {
    platform::memory::ram_bytes() / mm::PAGE_SIZE as u64 / 2
}

/// Makes the root directory. Called once, at boot, before `initramfs::unpack`.
pub fn mount_root() -> Result<(), Errno> {
    let filesystem = Filesystem::new(Kind::Tmpfs, ROOT_DEVICE, memory_limit())?;
    let root = ROOT.try_call_once(|| Dentry::new(None, b"", directory_inode(&filesystem, 0o755)?))?;
    mount::add_root(root)
}

/// Mounts /dev, /proc and /sys; the directories are made if the initramfs has none. Called once, at boot, behind
/// `initramfs::unpack`: /dev then hides what the archive had there.
pub fn mount_initial() -> Result<(), Errno> {
    let devices = Filesystem::new(Kind::Tmpfs, DEV_DEVICE, memory_limit())?;
    let root = root();
    let dev = mount::add_initial(
        &directory(&root, b"dev")?,
        "devtmpfs",
        directory_inode(&devices, 0o755)?,
    )?;
    fill_devices(&dev)?;
    let processes = Filesystem::new(Kind::Proc, PROC_DEVICE, 0)?;
    mount::add_initial(&directory(&root, b"proc")?, "proc", proc::root(&processes)?)?;
    let system = Filesystem::new(Kind::Sysfs, SYS_DEVICE, 0)?;
    mount::add_initial(&directory(&root, b"sys")?, "sysfs", proc::sysfs::root(&system)?)?;
    Ok(())
}

/// The symbolic links that /dev begins with: name, target.
const DEVICE_LINKS: [(&[u8], &[u8]); 4] = [
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// Gives the root of a devtmpfs its nodes and links.
fn fill_devices(dev: &Arc<Dentry>) -> Result<(), Errno> {
    let devices = &dev.inode.filesystem;
    for range in (0..).map_while(device_registry::nth) {
        for node in range.nodes {
            let number = DeviceNumber {
                major: range.major,
                minor: node.minor,
            };
            let body = match range.class {
                DeviceClass::Character => Body::Character(number),
                DeviceClass::Block => Body::Block(number),
            };
            let inode = Inode::new(devices, body, Attributes::new(node.mode, 0, 0))?;
            tree::attach(dev, node.name.as_bytes(), inode)?;
        }
    }
    for (name, target) in DEVICE_LINKS {
        let inode = Inode::new(
            devices,
            Body::Symlink(fallible::boxed_bytes(target)?),
            Attributes::new(0o777, 0, 0),
        )?;
        tree::attach(dev, name, inode)?;
    }
    Ok(())
}

/// Lets go of the descriptors of a process that ends; its record locks end too (fcntl(2)).
/// `rest` is called between pieces of the work.
pub fn close_all(files: Arc<FileTable>, owner: Pid, rest: fn()) {
    release_records(files.near(), owner, rest);
    if files.has_far() {
        close_far(files, owner, rest);
    }
}

#[cold]
fn close_far(files: Arc<FileTable>, owner: Pid, rest: fn()) {
    for piece in files.far() {
        release_records(piece, owner, rest);
        rest();
    }
    if let Some(mut files) = Arc::into_inner(files) {
        while files.drop_some() {
            rest();
        }
    }
}

fn release_records(files: &[Option<Arc<OpenFile>>], owner: Pid, rest: fn()) {
    for file in files.iter().flatten() {
        file.inode().locks.release_records(owner, rest);
    }
}

fn directory_inode(filesystem: &Arc<Filesystem>, mode: u32) -> Result<Arc<Inode>, Errno> {
    Inode::new(
        filesystem,
        Body::Directory(Children::new()),
        Attributes::new(mode, 0, 0),
    )
}

/// The directory of that name, made if it is missing. `ENOTDIR`.
pub fn directory(parent: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>, Errno> {
    match parent.child(name) {
        Ok(found) if found.inode.is_directory() => Ok(found),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(Errno::ENOENT) => tree::attach(parent, name, directory_inode(&parent.inode.filesystem, 0o755)?),
        Err(error) => Err(error),
    }
}
