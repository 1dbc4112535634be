//! An open directory, and a place in the tree that is open without its file (`O_PATH`).

use alloc::sync::Arc;

use abi::Errno;
use abi::file::S_IFDIR;

use super::dentry::Dentry;
use super::directory_notice::{DirectoryNotices, DirectoryWish};
use super::file_ops::{DirectoryEntry, FileOps, Io, Positioning};
use super::open_file::OpenFile;
use uaccess::Sink;

/// An open directory.
pub struct OpenDirectory {
    dentry: Arc<Dentry>,
    notices: DirectoryNotices,
}

impl OpenDirectory {
    /// That directory.
    pub(super) fn new(dentry: Arc<Dentry>) -> OpenDirectory {
        OpenDirectory {
            dentry,
            notices: DirectoryNotices::new(),
        }
    }

    /// `F_NOTIFY`: the owner of `file`, which is this open directory, is told of what happens in it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn notify(&self, file: &Arc<OpenFile>, wish: &DirectoryWish) -> Result<(), Errno> {
        self.notices.add(file, &self.dentry.inode, wish)
    }
}

impl Drop for OpenDirectory {
    fn drop(&mut self) {
        self.notices.remove(None);
    }
}

impl FileOps for OpenDirectory {
    fn flush(&self, table: u64) {
        self.notices.remove(Some(table));
    }

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
        let inode = &self.dentry.inode;
        let dots = [
            (&b"."[..], inode.number),
            (&b".."[..], self.dentry.parent().inode.number),
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
