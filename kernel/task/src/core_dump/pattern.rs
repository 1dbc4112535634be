//! The name of core files: `/proc/sys/kernel/core_pattern`, core(5), "Naming of core dump files". Programs that take cores from
//! a pipe are not run. The pattern is read by `formats::core_name`.

use super::Bytes;
use crate::thread::{Thread, ThreadExt};
use crate::uts;
use abi::Errno;
use abi::signal::Signal;
use alloc::vec::Vec;
use core::fmt::Write;
use formats::core_name::{Field, Piece, Pieces, without_slashes};
use lock::Mutex;
use sched::time;

/// The longest pattern, NUL included (`CORENAME_MAX_SIZE`).
const MOST: usize = 128;

#[derive(Clone, Copy)]
struct Pattern {
    bytes: [u8; MOST],
    len: usize,
}

static PATTERN: Mutex<Pattern> = Mutex::new(Pattern {
    bytes: {
        let mut bytes = [0; MOST];
        bytes.split_at_mut(4).0.copy_from_slice(b"core");
        bytes
    },
    len: 4,
});

/// The pattern, and its length.
pub fn get() -> ([u8; MOST], usize) {
    let pattern = PATTERN.cloned();
    (pattern.bytes, pattern.len)
}

/// Sets the pattern; what does not fit is cut.
///
/// # Errors
/// `EINVAL` for a pipe.
pub fn set(new: &[u8]) -> Result<(), Errno> {
    if new.first() == Some(&b'|') {
        return Err(Errno::EINVAL);
    }
    let len = new.len().min(MOST - 1);
    let mut bytes = [0; MOST];
    bytes[..len].copy_from_slice(&new[..len]);
    *PATTERN.lock() = Pattern { bytes, len };
    Ok(())
}

/// The name for the core of a process.
///
/// # Errors
/// `ENOENT` if there is to be none.
#[inline(never)]
pub(super) fn expand(thread: &Thread, signal: Signal) -> Result<Vec<u8>, Errno> {
    let (pattern, len) = get();
    let mut name = Bytes::default();
    for piece in Pieces::new(&pattern[..len]) {
        match piece {
            Piece::Text(text) => name.put(text)?,
            Piece::Field(field) => put_field(field, thread, signal, &mut name)?,
        }
    }
    if name.0.is_empty() {
        return Err(Errno::ENOENT);
    }
    Ok(name.0)
}

/// What a `%` and its letter stand for.
fn put_field(field: Field, thread: &Thread, signal: Signal, name: &mut Bytes) -> Result<(), Errno> {
    let process = thread.process();
    let ids = process.credentials();
    let number = match field {
        Field::ThreadName => return put_name(name, thread.name().bytes()),
        Field::HostName => return uts::HOST.with_bytes(|host| put_name(name, host)),
        Field::ProcessId => process.pid.into(),
        Field::ThreadId => thread.tid().into(),
        Field::UserId => ids.uid.into(),
        Field::GroupId => ids.gid.into(),
        Field::Dumpable => 1,
        Field::Signal => signal.number().into(),
        Field::Time => time::now_realtime_nanos() / time::SECOND,
        Field::SizeLimit => process.limit(abi::process::RLIMIT_CORE),
    };
    write!(name, "{number}").map_err(|_| Errno::ENOMEM)
}

fn put_name(to: &mut Bytes, name: &[u8]) -> Result<(), Errno> {
    without_slashes(name).try_for_each(|letter| to.put(&[letter]))
}

impl Write for Bytes {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.put(text.as_bytes()).map_err(|_| core::fmt::Error)
    }
}
