//! Files that are the same in every file system: device nodes, and the names of sockets. `init_special_inode` of Linux.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::OpenFlags;

use super::dentry::Dentry;
use super::device_registry::{self, DeviceClass, DeviceNumber};
use super::file_ops::FileOps;
use super::inode_ops::InodeOps;

/// A device node: opening it asks the driver of that number.
pub struct DeviceFile(pub DeviceClass, pub DeviceNumber);

impl InodeOps for DeviceFile {
    fn open(self: Arc<Self>, dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        device_registry::open(self.0, self.1, dentry.clone(), flags)
    }

    fn device_number(&self) -> u64 {
        self.1.encode()
    }
}

/// A socket's name: open(2) of it is `ENXIO`.
pub struct SocketFile;

impl InodeOps for SocketFile {}
