//! Files that a descriptor alone stands for. All of them are one inode, as in Linux (`fs/anon_inodes.c`); each kind has its
//! name, which /proc/PID/fd shows.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::OpenFlags;
use memory::fallible;
use spin::Once;
use vfs::file_ops::FileOps;
use vfs::filesystem::{self, FileSystem};
use vfs::inode::Attributes;
use vfs::inode_ops::InodeOps;
use vfs::super_block::SuperBlock;
use vfs::{Dentry, Inode, OpenFile};

/// `st_dev` of the inode.
const DEVICE: u64 = 11;

/// Where the inode lives.
struct AnonymousFs;

/// What the inode answers: nothing can be opened by it, and it has no kind (`S_IFMT`).
struct AnonymousInode;

/// One kind of file without a name.
pub struct AnonymousKind {
    name: &'static str,
    dentry: Once<Arc<Dentry>>,
}

static INODE: Once<Arc<Inode>> = Once::new();

impl FileSystem for AnonymousFs {
    fn name(&self) -> &'static str {
        "anon_inodefs"
    }

    fn magic(&self) -> u64 {
        0x0904_1934
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENODEV)
    }
}

impl InodeOps for AnonymousInode {}

/// Registers their file system.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&AnonymousFs)
}

impl AnonymousKind {
    /// The kind that is shown as `anon_inode:` with that name.
    pub const fn new(name: &'static str) -> AnonymousKind {
        AnonymousKind {
            name,
            dentry: Once::new(),
        }
    }

    /// A new open file of this kind. `flags`: access and status.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(&self, ops: Arc<dyn FileOps>, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let dentry = self.dentry.try_call_once(|| self.make_dentry())?;
        OpenFile::new(dentry.clone(), ops, flags)
    }

    fn make_dentry(&self) -> Result<Arc<Dentry>, Errno> {
        let inode = INODE.try_call_once(make_inode)?.clone();
        let name = fallible::text(format_args!("anon_inode:{}", self.name))?;
        Dentry::detached(name.as_bytes(), inode)
    }
}

fn make_inode() -> Result<Arc<Inode>, Errno> {
    let filesystem = SuperBlock::new(&AnonymousFs, DEVICE, 0)?;
    Inode::new(
        &filesystem,
        0,
        fallible::arc(AnonymousInode)?,
        Attributes::new(0o600, 0, 0),
    )
}
