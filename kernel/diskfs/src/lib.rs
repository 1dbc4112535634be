//! File systems on disks, as the tree of files sees them: crates `ext4` and `fat` below `vfs`, each a [`DiskTree`](tree::DiskTree).
//!
//! * Names and inodes that were looked at are kept (`directory`, `mounted`) until there are too many. All changes of names of one file
//!   system are made one after the other; each is one call of the file system, which happens as a whole or not at all.
//! * Bytes of files are the page cache's (`file`): the file system says where they are.
//! * Attributes change in memory, and are stored when somebody syncs, or when an inode is kept no longer.
//! * A file that lost its last name is freed when nobody has it open any more, by whoever works on the file system next: the last reference
//!   may be dropped where nobody can sleep.
//!
//! Registers itself with `vfs`. Its locks: the turn on names, then that on the file system, both sleeping; below them leaves.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod attributes;
mod directory;
mod fat_pages;
mod fat_tree;
mod file;
mod filesystem;
mod identity;
mod inode;
mod mounted;
mod names;
mod open;
mod options;
mod tree;

pub use filesystem::{find_root, grow, register};

/// Bytes of a page.
const PAGE: u64 = mm::PAGE_SIZE as u64;
