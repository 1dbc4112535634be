//! Who runs programs: processes and their threads, signals, exec and core dumps, futexes, timers, credentials in use. For the crates
//! of terminals, /proc and system calls; it knows files as `vfs` offers them, and is itself the owner of what `sched` runs.
//!
//! Its locks, in order: the table of processes (`process::table`), then those of one process, as `lock::rank` has them.
//!
//! Where to read on: `process`, `thread`, `signal`; kernel/README.md, the story of a fork.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod core_dump;
pub mod exec;
pub mod futex;
pub mod kernel_thread;
pub mod process;
pub mod processor_features;
pub mod rseq;
pub mod signal;
pub mod thread;
pub mod timers;
pub mod uts;
pub mod vdso;
