//! What stays when programs end, and they find by a number (sysvipc(7)): memory, semaphores, messages; or by a name: POSIX message
//! queues ([`posix`]).
//!
//! A segment is [`SharedZeros`](fs::shared_zeros::SharedZeros) with an owner and an account of who used it; attached, it is an
//! area as any other, whose source is an [`Attachment`](mm::Attachment). How often it is attached is not counted on the way: fork
//! copies no areas, so it is asked of all spaces when somebody wants to know ([`SharedSegment::attachments`]).
//!
//! For the system calls and /proc. Under the lock of the table only the account of one segment is locked.
//!
//! Where to read on: `table`, `segment`; `semaphores`, `messages`, and how their waiters take turns: `turns`.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod messages;
mod places;
pub mod posix;
mod registry;
mod rights;
mod segment;
pub mod semaphores;
pub mod settings;
mod table;
mod totals;
mod turns;

pub use registry::{IpcObject, IpcRegistry};
pub use rights::Owners;
pub use segment::{SharedSegment, Stores};
pub use table::{by_id, by_index, find_or_make, next_from, remove, usage};

/// Seconds since 1970.
fn now() -> i64 {
    (sched::time::now_realtime_nanos() / 1_000_000_000) as i64
}
