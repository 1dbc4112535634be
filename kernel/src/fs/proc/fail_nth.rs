//! /proc/PID/fail-nth, in builds with checks: written N, the N-th allocation in the thread's next system calls is refused; read, how
//! many are left until then, 0 when it was. As on Linux with `CONFIG_FAULT_INJECTION` (fault-injection.rst), but that heap and
//! frames are counted together, and pages of programs are not counted.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;

use super::process::Subject;
use crate::fallible;
use crate::fs::object::{Io, Object, Positioning};
use crate::scheduler;
use crate::thread::Thread;
use crate::user_memory::{Sink, Source};

/// More characters than the number has.
const MOST_CHARACTERS: usize = 12;

struct FailNth(Arc<Thread>);

/// Opens the file of a thread. `ESRCH` if it has ended; `EPERM` without `CAP_SYS_RESOURCE`.
pub fn open(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    if !scheduler::current().process.credentials().can(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    let thread = process.own_thread().ok_or(Errno::ESRCH)?;
    Ok(fallible::arc(FailNth(thread))?)
}

impl Object for FailNth {
    /// Allocates nothing: a test reads what is left while it is armed.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut left = self.0.fail_nth.load(Ordering::Relaxed);
        let mut text = [b'\n'; MOST_CHARACTERS];
        let mut start = MOST_CHARACTERS - 1;
        loop {
            start -= 1;
            text[start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        let text = &text[start..];
        let rest = usize::try_from(io.position).ok().and_then(|at| text.get(at..));
        let done = to.put(rest.unwrap_or_default())?;
        io.position += done as u64;
        Ok(done)
    }

    /// `EINVAL` for what is no number.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = from.left().min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let text = core::str::from_utf8(&bytes[..len]).map_err(|_| Errno::EINVAL)?;
        let nth = text.trim().parse().map_err(|_| Errno::EINVAL)?;
        self.0.fail_nth.store(nth, Ordering::Relaxed);
        Ok(len)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
