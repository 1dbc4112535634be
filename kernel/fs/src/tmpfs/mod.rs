//! Files in memory: tmpfs(5), and what is the same under other names: the root of the tree, ramfs, devtmpfs, and the files without
//! a name of memfd_create(2).
//!
//! A regular file is its page cache (`page_cache`, opened by `regular`), a directory its dentries (`directory`).

pub mod directory;
mod options;
pub mod page_cache;
pub mod regular;
mod seals;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::file::{OpenFlags, S_IFREG, SealFlags};
use spin::Once;

use crate::pipe::Pipe;
use directory::MemoryDirectory;
use memory::fallible;
use options::Options;
use page_cache::PageCache;
use vfs::dentry::Dentry;
use vfs::device_registry::{self, DeviceNumber};
use vfs::file_ops::FileOps;
use vfs::filesystem::{self, FileSystem};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::{InodeOps, NewFile};
use vfs::special::{DeviceFile, SocketFile};
use vfs::super_block::SuperBlock;
use vfs::tree;

const MAGIC: u64 = 0x0102_1994;
/// `st_dev` of the files without a name.
const UNNAMED_DEVICE: u64 = 1;

/// One of the names for files in memory.
struct Memory {
    name: &'static str,
    /// The mode of the root if the options do not say it.
    mode: u32,
    holds: Holds,
}

/// What stands in a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Nothing.
    Nothing,
    /// The nodes of the registered devices: it shows the same wherever it is mounted.
    Devices,
}

const fn memory(name: &'static str, mode: u32, holds: Holds) -> Memory {
    Memory { name, mode, holds }
}

static TMPFS: Memory = memory("tmpfs", 0o1777, Holds::Nothing);
static RAMFS: Memory = memory("ramfs", 0o1777, Holds::Nothing);
static DEVTMPFS: Memory = memory("devtmpfs", 0o755, Holds::Devices);
static ROOTFS: Memory = memory("rootfs", 0o755, Holds::Nothing);

/// What the root of the tree is made of; it cannot be mounted.
pub fn root_kind() -> &'static dyn FileSystem {
    &ROOTFS
}

/// Registers tmpfs.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&TMPFS)
}

/// Registers ramfs.
///
/// # Errors
/// `ENOMEM`.
pub fn register_ramfs() -> Result<(), Errno> {
    filesystem::register(&RAMFS)
}

/// Registers devtmpfs.
///
/// # Errors
/// `ENOMEM`.
pub fn register_devtmpfs() -> Result<(), Errno> {
    filesystem::register(&DEVTMPFS)
}

impl Memory {
    fn has_devices(&self) -> bool {
        self.holds == Holds::Devices
    }
}

impl FileSystem for Memory {
    fn name(&self) -> &'static str {
        self.name
    }

    fn magic(&self) -> u64 {
        MAGIC
    }

    fn mount(&'static self, device: u64, text: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let usual = Options {
            pages: memory_limit(),
            mode: self.mode,
        };
        // What devtmpfs is told it takes no notice of.
        let options = if self.has_devices() {
            usual
        } else {
            parsed(text, usual)?
        };
        let super_block = SuperBlock::new(self, device, options.pages)?;
        let attributes = Attributes::new(options.mode, 0, 0);
        let root = Dentry::detached(b"", make(&super_block, NewFile::Directory, attributes)?)?;
        if self.has_devices() {
            fill_devices(&root).inspect_err(|_| empty(&root))?;
        }
        Ok(root)
    }

    fn remount(&self, root: &Arc<Dentry>, text: &[u8]) -> Result<(), Errno> {
        let super_block = &root.inode.filesystem;
        let usual = Options {
            pages: super_block.page_limit(),
            mode: 0,
        };
        super_block.set_page_limit(parsed(text, usual)?.pages)
    }

    fn is_single(&self) -> bool {
        self.has_devices()
    }

    fn has_extended_attributes(&self) -> bool {
        true
    }
}

/// Pages that the files of one file system may hold: half of the memory, as tmpfs(5) has it.
fn memory_limit() -> u64 {
    ram_pages() / 2
}

fn ram_pages() -> u64 {
    platform::memory::ram_bytes() / mm::PAGE_SIZE as u64
}

fn parsed(text: &[u8], usual: Options) -> Result<Options, Errno> {
    options::parse(text, usual, ram_pages())
}

/// A new file of that file system, which no entry names yet.
///
/// # Errors
/// `ENOMEM`.
pub fn make(
    super_block: &Arc<SuperBlock>,
    file: NewFile<'_>,
    attributes: Attributes,
) -> Result<Arc<Inode>, Errno> {
    let ops: Arc<dyn InodeOps> = match file {
        NewFile::Regular => fallible::arc(PageCache::new(super_block))?,
        NewFile::Directory => fallible::arc(MemoryDirectory::new())?,
        NewFile::Symlink(text) => fallible::arc(Symlink(fallible::boxed_bytes(text)?))?,
        NewFile::Device(class, number) => fallible::arc(DeviceFile(class, number))?,
        NewFile::Fifo => Pipe::new()?,
        NewFile::Socket => fallible::arc(SocketFile)?,
    };
    Inode::new(super_block, file.kind(), ops, attributes)
}

/// A symbolic link.
struct Symlink(Box<[u8]>);

impl InodeOps for Symlink {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn link_text(&self) -> Result<Vec<u8>, Errno> {
        fallible::bytes(&self.0)
    }
}

/// The bytes of a regular file in memory; `None` for any other file.
pub fn page_cache(inode: &Inode) -> Option<&PageCache> {
    let ops: &dyn Any = &*inode.ops;
    ops.downcast_ref()
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
    for range in (0..).map_while(device_registry::nth) {
        for node in range.nodes {
            let number = DeviceNumber {
                major: range.major,
                minor: node.minor,
            };
            let file = NewFile::Device(range.class, number);
            tree::create_initial(dev, node.name.as_bytes(), file, node.mode)?;
        }
    }
    for (name, target) in DEVICE_LINKS {
        tree::create_initial(dev, name, NewFile::Symlink(target), 0o777)?;
    }
    Ok(())
}

/// The entries of a directory hold it; one that is not mounted is let go of.
fn empty(directory: &Dentry) {
    let ops = directory.inode.ops.as_directory();
    while ops.and_then(|ops| ops.take_kept()).is_some() {}
}

static UNNAMED: Once<Arc<SuperBlock>> = Once::new();

/// A file without a place in the tree, shown as `name`, and what an open of it reads and writes: memfd_create(2).
///
/// # Errors
/// `ENOMEM`.
pub fn unnamed_file(
    name: &[u8],
    seals: SealFlags,
    owner: (u32, u32),
) -> Result<(Arc<Dentry>, Arc<dyn FileOps>), Errno> {
    let super_block = UNNAMED.try_call_once(|| SuperBlock::new(&TMPFS, UNNAMED_DEVICE, memory_limit()))?;
    let cache = fallible::arc(PageCache::with_seals(super_block, seals))?;
    let attributes = Attributes::new(0o777, owner.0, owner.1);
    let inode = Inode::new(super_block, S_IFREG, cache.clone(), attributes)?;
    inode.change(|attributes| attributes.links = 0);
    let dentry = Dentry::detached(name, inode)?;
    dentry.mark_removed();
    let ops = cache.open(&dentry, OpenFlags::O_RDWR)?;
    Ok((dentry, ops))
}
