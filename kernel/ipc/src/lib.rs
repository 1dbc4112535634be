//! System V shared memory (sysvipc(7)): memory that programs find by a number, and that stays when they end.
//!
//! A segment is [`SharedZeros`](fs::shared_zeros::SharedZeros) with an owner and an account of who used it; attached, it is an
//! area as any other, whose source is an [`Attachment`](mm::Attachment). How often it is attached is not counted on the way: fork
//! copies no areas, so it is asked of all spaces when somebody wants to know ([`SharedSegment::attachments`]).
//!
//! For the system calls and /proc. Under the lock of the table only the account of one segment is locked.
//!
//! Where to read on: `table`, `segment`.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod rights;
mod segment;
pub mod settings;
mod table;
mod totals;

pub use segment::{SharedSegment, Stores};
pub use table::{by_id, by_index, find_or_make, next_from, remove, usage};
