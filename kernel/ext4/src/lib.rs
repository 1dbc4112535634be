//! The ext4 file system: reading, and writing through its journal (jbd2).
//!
//! An [`Ext4`] stands on a [`block::BlockDevice`]. What the disk says is checked before it is used: damage answers `EUCLEAN`, and no
//! loop is longer than what the disk can hold. Every allocation may fail.
//!
//! | who | has what |
//! |---|---|
//! | `volume`, `mount` | a mounted file system; calls that happen as a whole or not at all |
//! | `cache` | blocks of metadata in memory: clean, changed by the call under way, running, waiting for the checkpoint |
//! | `journal` | replay, commit, checkpoint |
//! | `seal`, `checksum` | checksums of blocks |
//! | `superblock`, `group`, `allocation`, `grow` | geometry, groups, bitmaps, more of them |
//! | `inode`, `extents`, `file`, `shift` | inodes, where their blocks are, bytes of files, ranges that go and come |
//! | `directory`, `names`, `rename`, `orphan` | names, and files without any |
//! | `attributes`, `extended` | stat(2), extended attributes |
//!
//! Not here: access control lists, quotas, encryption, names without case, bytes in inodes, attributes in inodes of their own, clusters
//! (`bigalloc`), fast commits, checking out of a second host (`mmp`). A file system that has them is refused, or only read, as Linux
//! refuses what it does not know. One without extents (ext2, ext3) is only read.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod allocation;
mod attributes;
mod bytes;
mod cache;
mod checksum;
mod directory;
mod extended;
mod extents;
mod file;
mod group;
mod grow;
mod host;
mod inode;
mod journal;
mod mount;
mod names;
mod orphan;
mod rename;
mod seal;
mod shift;
mod superblock;
mod volume;

pub use attributes::{Change, Status};
pub use directory::{LONGEST_NAME, Listed};
pub use extents::{BlockMapping, BlockState};
pub use file::Size;
pub use host::{Moment, Surroundings};
pub use inode::ROOT;
pub use names::New;
pub use rename::{Name, RenameTarget};
pub use volume::{Access, Ext4, Ext4Options, FsUsage};
