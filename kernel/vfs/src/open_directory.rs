//! An open directory, and a place in the tree that is open without its file (`O_PATH`).

use alloc::sync::Arc;

use abi::Errno;
use abi::file::S_IFDIR;

use super::dentry::Dentry;
use super::file_ops::{DirectoryEntry, FileOps, Io, Positioning};
use uaccess::Sink;

/// An open directory.
pub struct OpenDirectory(pub Arc<Dentry>);

impl FileOps for OpenDirectory {
    fn read(&self, _io: &mut Io, _to: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EISDIR)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }

    fn list(
        &self,
        mut position: u64,
        take: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let inode = &self.0.inode;
        let dots = [
            (&b"."[..], inode.number),
            (&b".."[..], self.0.parent().inode.number),
        ];
        for (index, (name, number)) in dots.into_iter().enumerate() {
            let next = index as u64 + 1;
            if position < next {
                if !take(DirectoryEntry {
                    name,
                    inode: number,
                    kind: S_IFDIR,
                    next,
                }) {
                    return Ok(position);
                }
                position = next;
            }
        }
        inode.ops.list(position, take)
    }
}
