//! syslog(2): the log as dmesg(1) reads it.

use alloc::boxed::Box;
use core::fmt::Write;

use abi::Errno;
use abi::capability::CAP_SYSLOG;

use klog::{
    self, DEFAULT_CONSOLE_LEVEL, Line, LogRecord, Place, Ring, SIZE, TEXT_MAX, show_below, write_stamp,
};
use lock::Mutex;
use memory::fallible;
use sched::scheduler;
use task::thread::{Thread, ThreadExt};

const ACTION_CLOSE: u64 = 0;
const ACTION_OPEN: u64 = 1;
const ACTION_READ: u64 = 2;
const ACTION_READ_ALL: u64 = 3;
const ACTION_READ_CLEAR: u64 = 4;
const ACTION_CLEAR: u64 = 5;
const ACTION_CONSOLE_OFF: u64 = 6;
const ACTION_CONSOLE_ON: u64 = 7;
const ACTION_CONSOLE_LEVEL: u64 = 8;
const ACTION_SIZE_UNREAD: u64 = 9;
const ACTION_SIZE_BUFFER: u64 = 10;

/// How far the log was read by this call, whoever made it.
struct LogProgress {
    /// The record that is read next.
    read: Place,
    /// Where a read of everything begins.
    cleared: Place,
}

/// Locked behind the log.
static PROGRESS: Mutex<LogProgress> = Mutex::new(LogProgress {
    read: Place::START,
    cleared: Place::START,
});

/// syslog(2).
///
/// # Errors
/// `EPERM`: all but reading everything and the size, without `CAP_SYSLOG`. `EINVAL`: no such action, a negative length,
/// no such level. `EINTR`: a handler ran before a record came. `ENOMEM`. Those of user memory.
#[inline(never)]
pub fn syslog(current: &Thread, action: u64, buffer: u64, len: u64) -> Result<usize, Errno> {
    // Not inlined: every other call would pay for its registers.
    let is_open_to_all = matches!(action, ACTION_READ_ALL | ACTION_SIZE_BUFFER);
    if !is_open_to_all && !current.process().credentials().can(CAP_SYSLOG) {
        return Err(Errno::EPERM);
    }
    let len = i32::try_from(len as i64)
        .ok()
        .and_then(|len| usize::try_from(len).ok())
        .ok_or(Errno::EINVAL);
    match action {
        ACTION_CLOSE | ACTION_OPEN => Ok(0),
        ACTION_READ => read(buffer, len?),
        ACTION_READ_ALL => read_all(buffer, len?),
        ACTION_READ_CLEAR => {
            let done = read_all(buffer, len?)?;
            clear();
            Ok(done)
        }
        ACTION_CLEAR => {
            clear();
            Ok(0)
        }
        ACTION_CONSOLE_OFF => set_level(1),
        ACTION_CONSOLE_ON => set_level(DEFAULT_CONSOLE_LEVEL),
        ACTION_CONSOLE_LEVEL => match len? {
            level @ 1..=8 => set_level(level as u8),
            _ => Err(Errno::EINVAL),
        },
        ACTION_SIZE_UNREAD => unread(),
        ACTION_SIZE_BUFFER => Ok(SIZE),
        _ => Err(Errno::EINVAL),
    }
}

fn set_level(level: u8) -> Result<usize, Errno> {
    show_below(level);
    Ok(0)
}

fn clear() {
    klog::with_ring(|ring| PROGRESS.lock().cleared = ring.end());
}

/// A record, copied out of the ring. It is too long for a kernel stack.
struct Copied {
    record: LogRecord,
    text: [u8; TEXT_MAX],
}

impl Copied {
    /// Room for one, and the first record at or behind a place; `None` if there is none yet. `ENOMEM`.
    fn first(from: Place) -> Result<Option<Box<Copied>>, Errno> {
        let Some(record) = klog::with_ring(|ring| ring.at(from)) else {
            return Ok(None);
        };
        let mut copied = fallible::boxed_with(|| Copied {
            record,
            text: [0; TEXT_MAX],
        })?;
        Ok(copied.take(from).then_some(copied))
    }

    /// Becomes the first record at or behind a place, unless there is none yet.
    fn take(&mut self, from: Place) -> bool {
        klog::with_ring(|ring| self.take_from(ring, from))
    }

    fn take_from(&mut self, ring: &Ring, from: Place) -> bool {
        let Some(record) = ring.at(from) else {
            return false;
        };
        ring.text(&record, &mut self.text);
        self.record = record;
        true
    }

    /// `<level>[    0.000000] `, which stands before each line.
    fn head(&self) -> Line {
        let mut head = Line::new();
        let _cut = write!(head, "<{}>", self.record.level);
        let _cut = write_stamp(&mut head, self.record.time);
        head
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text[..self.record.len].split(|byte| *byte == b'\n')
    }

    /// How long it is as it is shown: each of its lines for itself, with a head.
    fn shown_len(&self) -> usize {
        let head = self.head().bytes().len();
        self.lines().map(|line| head + line.len() + 1).sum()
    }

    /// Writes it as it is shown, up to `most` bytes; how many. `EFAULT`. No lock may be held.
    fn write(&self, to: u64, most: usize) -> Result<usize, Errno> {
        let head = self.head();
        let mut done = 0;
        let parts = self.lines().flat_map(|line| [head.bytes(), line, b"\n"]);
        for part in parts {
            let len = part.len().min(most - done);
            uaccess::write_bytes(to.wrapping_add(done as u64), &part[..len])?;
            done += len;
        }
        Ok(done)
    }
}

/// Waits for a record, then gives whole records as far as they fit; each is given once. One that is longer than the whole
/// buffer is cut.
fn read(buffer: u64, len: usize) -> Result<usize, Errno> {
    let mut done = 0;
    while done == 0 && len > 0 {
        let is_news = || klog::with_ring(|ring| ring.at(PROGRESS.lock().read).map(drop));
        klog::news().wait_until(is_news)?;
        let Some(mut copied) = Copied::first(range(|progress| progress.read).0)? else {
            continue;
        };
        while take_unread(&mut copied, len, done) {
            done += copied.write(buffer.wrapping_add(done as u64), len - done)?;
            scheduler::cond_resched();
        }
    }
    Ok(done)
}

/// The next record that nobody has read, if it fits into `len` bytes behind those that are `done`, or is the first of a read.
fn take_unread(copied: &mut Copied, len: usize, done: usize) -> bool {
    klog::with_ring(|ring| {
        let mut progress = PROGRESS.lock();
        if !copied.take_from(ring, progress.read) || copied.shown_len() > len - done && done != 0 {
            return false;
        }
        progress.read = copied.record.behind();
        true
    })
}

/// Gives the newest records that fit, oldest first.
fn read_all(buffer: u64, len: usize) -> Result<usize, Errno> {
    let (from, end) = range(|progress| progress.cleared);
    let mut left = shown_len(from, end)?;
    let mut done = 0;
    for_each(from, end, |copied| {
        let shown = copied.shown_len();
        if left <= len && shown <= len - done {
            done += copied.write(buffer.wrapping_add(done as u64), shown)?;
        }
        left = left.saturating_sub(shown);
        Ok(())
    })?;
    Ok(done)
}

/// From that place of the log to its end.
fn range(from: impl FnOnce(&LogProgress) -> Place) -> (Place, Place) {
    klog::with_ring(|ring| (from(&PROGRESS.lock()), ring.end()))
}

/// Gives the records from a place up to another to `give`, each copied under a lock of its own. No lock may be held. `ENOMEM`.
fn for_each(
    from: Place,
    end: Place,
    mut give: impl FnMut(&Copied) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let Some(mut copied) = Copied::first(from)? else {
        return Ok(());
    };
    while copied.record.sequence < end.sequence {
        give(&copied)?;
        scheduler::cond_resched();
        if !copied.take(copied.record.behind()) {
            break;
        }
    }
    Ok(())
}

/// How long the records from a place up to another are as they are shown. `ENOMEM`.
fn shown_len(from: Place, end: Place) -> Result<usize, Errno> {
    let mut sum = 0;
    for_each(from, end, |copied| {
        sum += copied.shown_len();
        Ok(())
    })?;
    Ok(sum)
}

fn unread() -> Result<usize, Errno> {
    let (from, end) = range(|progress| progress.read);
    shown_len(from, end)
}
