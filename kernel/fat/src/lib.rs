//! The FAT32 file system, with long names: what a Raspberry Pi boots from.
//!
//! A [`Fat`] stands on a [`block::BlockDevice`]. It has no journal: a loss of power between two calls of [`Fat::sync`] leaves what
//! fsck.fat mends. What the disk says is checked before it is used: damage answers `EUCLEAN`, no chain is
//! followed further than there are clusters, every allocation may fail.
//!
//! Files have no inodes there; a number stands for one as long as somebody has it ([`Fat::forget`]). FAT12 and FAT16 are refused.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod chain;
mod directory;
mod entry;
mod file;
mod name;
mod rename;
mod sectors;
mod tree;
mod volume;

pub use entry::{DATE_FIRST, DATE_LAST, FatKind};
pub use file::ClusterPlace;
pub use tree::FileStatus;
pub use volume::{Changes, Fat, Room};

/// The root directory.
pub const ROOT: u64 = 1;
