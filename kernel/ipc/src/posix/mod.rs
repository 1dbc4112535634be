//! POSIX message queues: mq_overview(7). `ipc/mqueue.c` of Linux.
//!
//! A queue is a file of the file system mqueue (`directory`), which counts for its maker (`limits`); `queue` is what it holds, `waiter`
//! who waits, `notice` who is told. A message goes to whoever waits for one, from hand to hand, and only where nobody does into the
//! queue: so a registered process is told of what nobody else got.

mod directory;
mod file;
pub mod limits;
mod notice;
mod queue;
mod waiter;

pub use directory::{open, register, unlink};
pub use notice::{QueueNotice, Registration, Sender, ShownNotice};
pub use queue::{PosixMessage, PosixQueue, QueuePatience};
