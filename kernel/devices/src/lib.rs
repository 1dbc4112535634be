//! Drivers that need no hardware: the devices that are memory alone (`memory_devices`) and the kernel's log (`kmsg`).
//!
//! For boot alone, which registers them (`vfs::device_registry`). Its locks are leaves.
//!
//! Where to read on: `vfs::device_registry`; kernel/README.md, Seams.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod kmsg;
mod memory_devices;

pub use memory_devices::register;
