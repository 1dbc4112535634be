//! Swap: where pages go that are paged out, and who pages them out. Which page has which slot, and what is cached, is decided in the heart
//! (`mm::Swap`); the bytes are moved here.
//!
//! * An [`area`] is a disk, a partition, /dev/zram0 or a file ([`place`]) with a header that mkswap(8) wrote; [`switch`] begins and ends its use.
//! * [`evict`] has the hand that goes over all address spaces and takes pages out of their tables; they stand in line to be
//!   written ([`write`](mod@write)), and are free when they are written and nobody maps them.
//! * A fault on a page that is not cached any more reads it ([`read`]).
//! * [`reclaim`] gives frames back where they are missing: pages of files first or pages of programs, as /proc/sys/vm/swappiness says; a
//!   thread of the kernel's own does it before anybody has to wait for it.
//!
//! Its locks: a sleeping mutex for whoever pages out ([`reclaim`]), and one for swapon(2) and swapoff(2). The list of areas is a leaf.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod area;
mod evict;
mod header;
pub mod place;
mod read;
pub mod reclaim;
pub mod switch;
mod write;

pub use area::{AreaReport, areas, is_used};
pub use evict::{Advice, Eviction, advise, set_observer};
pub use read::pages_read;
pub use write::pages_written;
