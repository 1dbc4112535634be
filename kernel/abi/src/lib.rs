//! The interface between kernel and programs: numbers, flags and structures of Linux on arm64, little endian, 64 bit.
//!
//! Floor 0: no code that decides anything, no unsafe, shared by the kernel and by the programs. One module for each
//! theme. Every structure that crosses the border has its size (and where it is easy to get wrong, its offsets)
//! asserted at compile time, has no hidden padding, and turns into bytes and back by `zerocopy`'s `IntoBytes` and
//! `FromBytes`. The numbers are compared with Linux's own headers by `tests/linux_headers.rs`.
//!
//! A name here is the name in the header that the module cites, without the prefix that C needs for want of modules.
#![warn(clippy::missing_errors_doc)]
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod flags;

pub mod block;
pub mod capability;
pub mod diag;
pub mod dirent;
pub mod errno;
pub mod events;
pub mod file;
pub mod inet;
pub mod ipc;
pub mod loop_device;
pub mod memory;
pub mod message;
pub mod mount;
pub mod netlink;
pub mod nr;
pub mod pagemap;
pub mod posix_queue;
pub mod process;
pub mod random;
pub mod reboot;
pub mod rseq;
pub mod semaphore;
pub mod signal;
pub mod socket;
pub mod splice;
pub mod terminal;
pub mod time;
pub mod timex;
pub mod xattr;

pub use bitflags;
pub use errno::Errno;
pub use zerocopy;
