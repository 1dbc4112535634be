//! Who runs, and who waits for what: the scheduler, wait queues, timers and clocks, the mutex that lets its waiters sleep.
//!
//! May be used by all that stands above memory and locks. Of those for whom it lets threads run it knows what [`Owner`] says:
//! nothing of processes, signals and files.

pub mod deferred_free;
pub mod interrupts;
pub mod late_pages;
pub mod paged;
pub mod scheduler;
mod sleeping_mutex;
mod thread;
pub mod time;
pub mod wait;

pub use sleeping_mutex::{SleepingMutex, SleepingMutexGuard};
pub use thread::{Owner, ThreadCore};
