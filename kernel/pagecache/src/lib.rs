//! Pages of files that lie on a disk. One cache for all of them: read(2), write(2) and mmap(2) of a file see the same frames.
//!
//! * A page is read by the thread that wants it first, with some that follow ([`read`]); others who want it sleep until it has come.
//!   A fault does not sleep under the lock of its address space: it is deferred (`mm::PageSource`).
//! * A page that was written to is *dirty* until it was written back ([`writeback`]): after a time, when too many are dirty, or when
//!   somebody asks (fsync(2)). What may be stored to through a shared mapping is dirty for as long as it is mapped, and is taken from
//!   whoever maps it before it is written.
//! * Pages that are not dirty are given back when memory runs short ([`reclaim`]): those first that nobody has looked at for a round.
//!
//! What keeps the bytes is a [`PageStore`]: a disk, a file of a file system.
//!
//! Its locks, in order: the pages of a file, then the lists of files (`PAGE_LISTS`). Neither is held across a sleep.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod block_file;
mod cache;
mod cut;
mod direct;
mod errors;
mod loops;
mod mapping;
mod page;
mod read;
pub mod reclaim;
mod store;
mod write;
pub mod writeback;

pub use block_file::{forget_disk, register};
pub use cache::CachedFile;
pub use direct::check_direct;
pub use errors::ErrorSeen;
pub use loops::{LoopStatus, note_mounted, note_unmounted, register_loops, serve as serve_loop};
pub use mapping::CacheMapping;
pub use read::ReadAhead;
pub use store::PageStore;

/// Bytes of a page.
const PAGE: u64 = mm::PAGE_SIZE as u64;
