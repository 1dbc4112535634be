//! File systems that store nothing: /proc and /sys.

use alloc::sync::Arc;

use abi::Errno;

use vfs::dentry::Dentry;
use vfs::filesystem::FileSystem;
use vfs::inode::Inode;
use vfs::super_block::SuperBlock;

/// A kind of file system whose files are made when they are asked for. Options of mount(2) say nothing to it, and all its mounts show
/// the same.
pub struct PseudoFileSystem {
    /// As mount(2) calls it.
    pub name: &'static str,
    /// `f_type` of statfs(2).
    pub magic: u64,
    /// Makes the root directory. `ENOMEM`.
    pub make_root: fn(&Arc<SuperBlock>) -> Result<Arc<Inode>, Errno>,
}

impl FileSystem for PseudoFileSystem {
    fn name(&self) -> &'static str {
        self.name
    }

    fn magic(&self) -> u64 {
        self.magic
    }

    fn mount(&'static self, device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        let super_block = SuperBlock::new(self, device, 0)?;
        Dentry::detached(b"", (self.make_root)(&super_block)?)
    }

    fn is_single(&self) -> bool {
        true
    }

    fn is_made_up(&self) -> bool {
        true
    }
}
