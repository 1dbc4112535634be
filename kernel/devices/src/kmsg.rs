//! `/dev/kmsg`: `Documentation/ABI/testing/dev-kmsg`. Each read gives one record, each write makes one.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use memory::fallible;

use klog::{self, Level, LogRecord, Place, TEXT_MAX};
use lock::Mutex;
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Queues};

/// The facility "user" of syslog(3), which lines of programs belong to.
const FACILITY_USER: u8 = 1 << 3;

/// Opens the log at its oldest record.
///
/// # Errors
/// `ENOMEM`.
pub fn open() -> Result<Arc<dyn FileOps>, Errno> {
    Ok(fallible::arc(Kmsg {
        next: Mutex::new(klog::with_ring(klog::Ring::oldest)),
    })?)
}

struct Kmsg {
    /// The record that the next read gives.
    next: Mutex<Place>,
}

impl Kmsg {
    /// The next record in the form `level,sequence,microseconds,-;text`. `EPIPE` if it is gone already: the next read
    /// goes on with the oldest one left.
    fn next_record(&self) -> Option<Result<Vec<u8>, Errno>> {
        klog::with_ring(|ring| {
            let mut next = self.next.lock();
            if *next < ring.oldest() {
                *next = ring.oldest();
                return Some(Err(Errno::EPIPE));
            }
            let record = ring.at(*next)?;
            let mut text = [0; TEXT_MAX];
            let text = ring.text(&record, &mut text);
            let shown = show(&record, text);
            if shown.is_ok() {
                *next = record.behind();
            }
            Some(shown)
        })
    }
}

fn show(record: &LogRecord, text: &[u8]) -> Result<Vec<u8>, Errno> {
    let head = format_args!("{},{},{},-;", record.level, record.sequence, record.time / 1000);
    let head = fallible::text(head)?;
    fallible::joined(&[head.as_bytes(), text, b"\n"])
}

impl FileOps for Kmsg {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let record = match self.next_record() {
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => klog::news().wait_until(|| self.next_record())?,
            Some(record) => record,
        }?;
        if to.room() < record.len() {
            return Err(Errno::EINVAL);
        }
        to.put(&record)
    }

    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let len = from.left();
        let mut text = [0; TEXT_MAX];
        if len > text.len() {
            return Err(Errno::EINVAL);
        }
        let taken = from.take(&mut text[..len])?;
        let line = text[..taken].strip_suffix(b"\n").unwrap_or(&text[..taken]);
        let (priority, line) = split_priority(line);
        klog::keep(priority, line);
        Ok(taken)
    }

    fn poll(&self) -> i16 {
        let is_readable = klog::with_ring(|ring| ring.end() > *self.next.lock());
        POLLOUT | POLLWRNORM | if is_readable { POLLIN | POLLRDNORM } else { 0 }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(klog::news()), None]
    }
}

/// Splits `<priority>` off a line. A program's line never has the kernel's facility.
fn split_priority(line: &[u8]) -> (u8, &[u8]) {
    let usual = FACILITY_USER | Level::Warning as u8;
    let Some(rest) = line.strip_prefix(b"<") else {
        return (usual, line);
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'>') else {
        return (usual, line);
    };
    let number = core::str::from_utf8(&rest[..end])
        .ok()
        .and_then(|digits| digits.parse::<u8>().ok());
    match number {
        Some(number) if number < 8 => (FACILITY_USER | number, &rest[end + 1..]),
        Some(number) => (number, &rest[end + 1..]),
        None => (usual, line),
    }
}
