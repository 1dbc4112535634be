//! File systems whose files are in memory alone, and pipes: tmpfs (with devtmpfs), what the kernel unpacks into it at boot
//! (initramfs), anonymous shared memory, pipes. For boot, /proc and the system calls that name a kind (pipe(2), memfd_create(2)); the virtual file
//! system (`vfs`) knows them as registered.
//!
//! Its locks are told in each file; all of them are taken after those of `vfs`.
//!
//! Where to read on: `tmpfs`, then `pipe`; kernel/README.md, Seams.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod initramfs;
pub mod pipe;
pub mod shared_zeros;
pub mod tmpfs;
