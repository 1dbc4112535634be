//! Who runs, in which address space, and who waits for what: the scheduler, spaces, wait queues, timers and clocks, the mutex that
//! lets its waiters sleep.
//!
//! May be used by all that stands above memory and locks. Of those for whom it lets threads run it knows what [`Owner`] says:
//! nothing of processes, signals and files; of those who live in its spaces, what [`space::Tenants`] says.
//!
//! Its locks, in order: a space's (`lock::rank::SPACE`; under it a file is asked for a page), a wait queue's, a processor's timers, a run
//! queue's. None is held across a sleep.
//!
//! Where to read on: `scheduler`, whose head tells why no wake-up is lost; `thread`; kernel/README.md, Processors.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod deferred_free;
pub mod fail_nth;
pub mod interrupts;
pub mod late_pages;
pub mod paged;
pub mod scheduler;
pub mod shortage;
mod sleeping_mutex;
pub mod space;
mod thread;
pub mod time;
pub mod wait;

pub use sleeping_mutex::{SleepingMutex, SleepingMutexGuard};
pub use thread::{HasMemory, NextSpace, Owner, Thread, ThreadCore, create};
