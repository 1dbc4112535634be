//! The kernel's log: [`debug!`], [`info!`], [`warn!`] and [`error!`] keep a line, and write it to the console if it is
//! urgent enough (`loglevel=`, `quiet`). Programs read it with syslog(2) and /dev/kmsg.
//!
//! For every crate above `sched`, whose wait queues it uses; with it stand `power` (the machine's end and restart) and
//! `boot_arguments` (the command line that boot read).
//!
//! Its lock is `lock::rank::LOG`: a line may be kept with any lock held that comes before it in that list.
//!
//! Where to read on: `ring`, how records are kept.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod boot_arguments;
mod macros;
pub mod power;
mod ring;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering};

use lock::{Mutex, rank};

pub use macros::warn;
pub use ring::{LogRecord, Place, TEXT_MAX};
use sched::time;
use sched::wait::WaitQueue;

/// The records that are kept.
pub type Ring = ring::Ring<SIZE>;

/// Bytes that the log holds: Linux's `CONFIG_LOG_BUF_SHIFT` of 17.
pub const SIZE: usize = 128 * 1024;
/// Lines less urgent than this are not written to the console: `loglevel=` of Linux.
pub const DEFAULT_CONSOLE_LEVEL: u8 = 7;

static LOG: Mutex<Ring, { rank::LOG }> = Mutex::new(Ring::new());
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(DEFAULT_CONSOLE_LEVEL);
/// Woken by each new record.
static NEWS: WaitQueue = WaitQueue::new();

/// How urgent a line is: syslog(2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// The system ends.
    Emergency = 0,
    /// Something failed.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// Something worth knowing.
    Info = 6,
    /// Something for whoever looks for a fault: the log keeps it, the console does not show it.
    Debug = 7,
}

/// Keeps a line; see the macros. May be called with any lock held but the log's own and the scheduler's. Not inlined: the kilobyte of
/// the line is not to lie on the stack of whoever might log something, below all that it calls.
#[cold]
#[inline(never)]
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    let mut text = Line::new();
    // A line that is too long is cut.
    let _cut = text.write_fmt(line);
    keep(level as u8, text.bytes());
}

/// Looks at the records. No lock of a rank below the log's may be held.
pub fn with_ring<R>(look: impl FnOnce(&Ring) -> R) -> R {
    look(&LOG.lock())
}

/// Woken by each new record.
pub fn news() -> &'static WaitQueue {
    &NEWS
}

/// Keeps a record with that priority: level and facility, as syslog(3) has them.
pub fn keep(level: u8, text: &[u8]) {
    let time = time::now_monotonic_nanos();
    LOG.lock().push(level, time, text);
    if level < CONSOLE_LEVEL.load(Ordering::Relaxed) {
        write_to_console(time, text);
    }
    NEWS.wake_all();
}

/// Writes the line as `[    0.000000] text`, in one piece: other processors write to the console, too.
fn write_to_console(time: u64, text: &[u8]) {
    let mut whole = ConsoleLine::new();
    // It never fails.
    let _ = write_stamp(&mut whole, time);
    for (index, part) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            whole.push(b"\r\n");
        }
        whole.push(part);
    }
    whole.push(b"\r\n");
    whole.send();
}

/// A line for the console. One with so many line ends in it that there is no room is sent in several pieces.
struct ConsoleLine {
    bytes: [u8; TEXT_MAX + 64],
    len: usize,
}

impl ConsoleLine {
    const fn new() -> Self {
        ConsoleLine {
            bytes: [0; TEXT_MAX + 64],
            len: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.bytes.len() - self.len {
            self.send();
        }
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn send(&mut self) {
        platform::console::write(&self.bytes[..self.len]);
        self.len = 0;
    }
}

impl Write for ConsoleLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Writes the time of a record, in nanoseconds, as it stands before its line.
///
/// # Errors
/// Those of `to`.
pub fn write_stamp(to: &mut impl Write, time: u64) -> fmt::Result {
    write!(
        to,
        "[{:5}.{:06}] ",
        time / time::SECOND,
        time % time::SECOND / 1000
    )
}

/// From now on the console shows lines of levels below that, of which 15 is the highest.
pub fn show_below(level: u8) {
    CONSOLE_LEVEL.store(level.min(15), Ordering::Relaxed);
}

/// A line of text being written; what is behind [`TEXT_MAX`] bytes is cut.
pub struct Line {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// Nothing yet.
    pub const fn new() -> Self {
        Line {
            bytes: [0; TEXT_MAX],
            len: 0,
        }
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(TEXT_MAX - self.len);
        self.bytes[self.len..self.len + len].copy_from_slice(&bytes[..len]);
        self.len += len;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
