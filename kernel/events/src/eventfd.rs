//! Counters that are written and read: eventfd(2).
//!
//! Of many blocked readers one is woken by a write, and of many writers one by a read; who leaves something for the next wakes
//! it. Whoever only looks (poll(2), epoll(7)) is told by the transfer itself.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::events::EventFdFlags;
use abi::file::{OpenFlags, POLLERR, POLLIN, POLLOUT};
use lock::Mutex;
use memory::fallible;
use sched::wait::WaitQueue;
use uaccess::{Sink, Source};
use vfs::OpenFile;
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning, Queues, ShowInfo};

use super::anonymous::AnonymousKind;

static KIND: AnonymousKind = AnonymousKind::new("[eventfd]");

/// The most that a counter holds: one more says that it has overflown, which only the kernel itself could make it.
const MOST: u64 = u64::MAX - 1;

/// A number and its parts, as read(2) and write(2) move them.
const WORD: usize = size_of::<u64>();

/// What a read takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Portion {
    /// All.
    All,
    /// One (`EFD_SEMAPHORE`).
    One,
}

/// A counter.
struct EventFd {
    /// As /proc/PID/fdinfo calls it.
    number: u64,
    count: Mutex<u64>,
    portion: Portion,
    /// Woken when there is something to read.
    readable: WaitQueue,
    /// Woken when there is room.
    writable: WaitQueue,
}

/// A new counter.
///
/// # Errors
/// `ENOMEM`.
pub fn open(count: u32, flags: EventFdFlags) -> Result<Arc<OpenFile>, Errno> {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let portion = if flags.contains(EventFdFlags::EFD_SEMAPHORE) {
        Portion::One
    } else {
        Portion::All
    };
    let ops = fallible::arc(EventFd {
        number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        count: Mutex::new(count.into()),
        portion,
        readable: WaitQueue::new(),
        writable: WaitQueue::new(),
    })?;
    let status = OpenFlags::from_bits_retain(flags.bits()) & OpenFlags::O_NONBLOCK;
    KIND.open(ops, OpenFlags::O_RDWR | status)
}

impl EventFd {
    /// Takes what a read gets, and how much that leaves; `None` if there is nothing.
    fn take(&self) -> Option<(u64, u64)> {
        let mut count = self.count.lock();
        let taken = match self.portion {
            Portion::All => *count,
            Portion::One => (*count).min(1),
        };
        *count -= taken;
        (taken != 0).then_some((taken, *count))
    }

    /// Adds to it, and how much that makes; `None` if there is no room.
    fn add(&self, more: u64) -> Option<u64> {
        let mut count = self.count.lock();
        if more > MOST - *count {
            return None;
        }
        *count += more;
        Some(*count)
    }
}

impl FileOps for EventFd {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if to.room() < WORD {
            return Err(Errno::EINVAL);
        }
        let (taken, left) = match self.take() {
            Some(taken) => taken,
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.readable.wait_exclusive(|| self.take())?,
        };
        self.writable.wake_one();
        if left != 0 {
            self.readable.wake_next();
        }
        match to.put(&taken.to_ne_bytes())? {
            WORD => Ok(WORD),
            _ => Err(Errno::EFAULT),
        }
    }

    fn write(&self, _caller: &Caller<'_>, io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        if from.left() != WORD {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; WORD];
        if from.take(&mut bytes)? != WORD {
            return Err(Errno::EFAULT);
        }
        let more = u64::from_ne_bytes(bytes);
        if more > MOST {
            return Err(Errno::EINVAL);
        }
        let count = match self.add(more) {
            Some(count) => count,
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.writable.wait_exclusive(|| self.add(more))?,
        };
        self.readable.wake_one();
        if count < MOST {
            self.writable.wake_next();
        }
        Ok(WORD)
    }

    fn positioning(&self) -> Positioning {
        Positioning::SeekOnly
    }

    fn poll(&self) -> i16 {
        let count = *self.count.lock();
        let readable = if count > 0 { POLLIN } else { 0 };
        let writable = if count < MOST { POLLOUT } else { 0 };
        let overflown = if count > MOST { POLLERR } else { 0 };
        readable | writable | overflown
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.readable), Some(&self.writable)]
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        show(format_args!(
            "eventfd-count: {:16x}\neventfd-id: {}\neventfd-semaphore: {}\n",
            *self.count.lock(),
            self.number,
            u8::from(self.portion == Portion::One)
        ));
    }
}
