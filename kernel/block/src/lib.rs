//! Disks. What keeps blocks of bytes is a [`BlockDevice`]: a disk, a partition of one, what a test puts in its place. File systems
//! and the page cache stand above and know nothing else of it.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod device;

pub use device::{BlockDevice, SECTOR_SIZE};
