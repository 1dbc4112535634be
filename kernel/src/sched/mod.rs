//! Who runs, and who waits for what: the scheduler, wait queues, timers and clocks, the mutex that lets its waiters sleep.
//!
//! May be used by all that stands above memory and locks; what those are for whom it lets threads run (processes, signals,
//! files) it does not know.

pub mod deferred_free;
pub mod interrupts;
pub mod paged;
pub mod scheduler;
mod sleeping_mutex;
pub mod time;
pub mod wait;

pub use sleeping_mutex::{SleepingMutex, SleepingMutexGuard};
