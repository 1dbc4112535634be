//! Pipes as files: with a name in any file system in memory, and without one in pipefs, where pipe(2) puts them.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::{AccessMode, OpenFlags, S_IFIFO};
use spin::Once;

use super::{Direction, Pipe};
use vfs::Dentry;
use vfs::file_ops::FileOps;
use vfs::filesystem::{self, FileSystem};
use vfs::inode::{Attributes, Inode};
use vfs::inode_ops::InodeOps;
use vfs::super_block::SuperBlock;

/// `st_dev` of pipes without a name.
const DEVICE: u64 = 10;

static PIPES: Once<Arc<SuperBlock>> = Once::new();

/// Where pipes without a name live.
struct PipeFs;

impl FileSystem for PipeFs {
    fn name(&self) -> &'static str {
        "pipefs"
    }

    fn magic(&self) -> u64 {
        0x5049_5045
    }

    fn mount(&'static self, _device: u64, _options: &[u8]) -> Result<Arc<Dentry>, Errno> {
        Err(Errno::ENODEV)
    }
}

/// Registers pipefs.
///
/// # Errors
/// `ENOMEM`.
pub fn register() -> Result<(), Errno> {
    filesystem::register(&PipeFs)
}

/// The inode of a pipe without a name.
///
/// # Errors
/// `ENOMEM`.
pub fn unnamed(pipe: &Arc<Pipe>, attributes: Attributes) -> Result<Arc<Inode>, Errno> {
    let super_block = PIPES.try_call_once(|| SuperBlock::new(&PipeFs, DEVICE, 0))?;
    Inode::new(super_block, S_IFIFO, pipe.clone(), attributes)
}

/// The pipe that an inode is, if it is one.
pub fn of(inode: &Inode) -> Option<&Pipe> {
    let ops: &dyn Any = &*inode.ops;
    ops.downcast_ref()
}

impl InodeOps for Pipe {
    fn open(self: Arc<Self>, dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        let direction = match flags.access() {
            AccessMode::Read => Direction::Read,
            AccessMode::Write => Direction::Write,
            _ => Direction::Both,
        };
        // By /proc/PID/fd: a pipe without a name waits for nobody.
        if dentry.inode.filesystem.kind.name() == PipeFs.name() {
            return self.open_end(direction);
        }
        self.open_named(direction, flags)
    }
}
