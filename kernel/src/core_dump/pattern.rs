//! The name of core files: `/proc/sys/kernel/core_pattern`, core(5), "Naming of core dump files". Programs that take cores from
//! a pipe are not run.

use super::Bytes;
use crate::sync::Mutex;
use crate::thread::Thread;
use crate::{time, uts};
use abi::Errno;
use abi::signal::Signal;
use alloc::vec::Vec;
use core::fmt::Write;

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

/// Sets the pattern; what does not fit is cut. `EINVAL` for a pipe.
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

/// The name for the core of a process. `ENOENT` if there is to be none.
pub(super) fn expand(thread: &Thread, signal: Signal) -> Result<Vec<u8>, Errno> {
    let (pattern, len) = get();
    let mut name = Bytes::default();
    let mut letters = pattern[..len].iter();
    while let Some(&letter) = letters.next() {
        if letter != b'%' {
            name.put(&[letter])?;
        } else if let Some(&what) = letters.next() {
            expand_one(what, thread, signal, &mut name)?;
        }
    }
    if name.0.is_empty() {
        return Err(Errno::ENOENT);
    }
    Ok(name.0)
}

/// One `%` and its letter. Names must not lead anywhere: their slashes become exclamation marks. Unknown ones are nothing.
fn expand_one(what: u8, thread: &Thread, signal: Signal, name: &mut Bytes) -> Result<(), Errno> {
    let process = &thread.process;
    let ids = process.credentials();
    let number = match what {
        b'%' => return name.put(b"%"),
        b'e' => return put_name(name, thread.name().bytes()),
        b'h' => return uts::HOST.with_bytes(|host| put_name(name, host)),
        b'p' | b'P' => process.pid.into(),
        b'i' | b'I' => thread.tid().into(),
        b'u' => ids.uid.into(),
        b'g' => ids.gid.into(),
        b'd' => 1,
        b's' => signal.number().into(),
        b't' => time::now_realtime_nanos() / time::SECOND,
        b'c' => process.limit(abi::process::RLIMIT_CORE),
        _ => return Ok(()),
    };
    write!(name, "{number}").map_err(|_| Errno::ENOMEM)
}

fn put_name(to: &mut Bytes, name: &[u8]) -> Result<(), Errno> {
    let safe = |&letter: &u8| if letter == b'/' { b'!' } else { letter };
    name.iter().map(safe).try_for_each(|letter| to.put(&[letter]))
}

impl Write for Bytes {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.put(text.as_bytes()).map_err(|_| core::fmt::Error)
    }
}
