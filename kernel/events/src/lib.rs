//! Files without a name that tell of events: counters (eventfd(2)), timers (timerfd_create(2)), what happens to files (inotify(7)), and waiting for many files (epoll(7)). For the system calls that make them, and for who shows them
//! (/proc/PID/fdinfo); the file layer (`vfs`) knows them as open files of their kind.
//!
//! Its locks are leaves: queues are woken behind them.
//!
//! Where to read on: `anonymous`, `eventfd`, `epoll`; kernel/README.md, Story 4.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod anonymous;
pub mod epoll;
pub mod eventfd;
pub mod inotify;
pub mod timerfd;
mod users;
