//! temporary
use super::filesystem::Filesystem;
use super::inode::Inode;
use alloc::sync::Arc;
/// root
pub fn root(filesystem: &Arc<Filesystem>) -> Arc<Inode> {
    super::directory_inode(filesystem, 0o555)
}
