//! Disks. What keeps blocks of bytes is a [`BlockDevice`]: a disk, a partition of one, what a test puts in its place. File systems
//! and the page cache stand above and know nothing else of it.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod backing;
mod bytes;
mod device;
mod discovery;
mod disk;
pub mod driver;
mod growth;
pub mod partitions;
pub mod statistics;
pub mod volume;
pub mod zram;

pub use backing::Backing;
pub use device::{BlockDevice, SECTOR_SIZE};
pub use discovery::{VIRTIO_MAJOR, find_disks, may_find_card, scan_disks, sleep};
pub use disk::{Disk, DiskInterrupt, DiskProperties};
pub use growth::grow_partition;
pub use volume::Volume;
