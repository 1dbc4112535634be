//! /proc/PID/fail-nth, in builds with checks: written N, the N-th allocation in the thread's next system calls is refused; read, how
//! many are left until then, 0 when it was. As on Linux with `CONFIG_FAULT_INJECTION` (fault-injection.rst), but that heap and
//! frames are counted together. Written "N frames", only frames count, and kernel stacks; written "N faults", the heap and frames in
//! its page faults, instead of its system calls. Written "N short", all are counted, and the refused one is missing for the moment only, as
//! where memory is short: the call is to find it the next time. Written "N waits", nothing is refused, but the N-th page of a file or of shared
//! memory that it wants mapped has to be waited for; written "N losses", for very long (`late_pages`).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;

use super::proc_task::ProcTask;
use memory::fallible;
use platform::fault_injection::{FOR_NOW, LATE_PAGE, LOST_PAGE, ONLY_FRAMES};
use sched::fail_nth::IN_FAULTS;
use sched::late_pages;
use sched::scheduler;
use task::thread::{Thread, ThreadExt};
use uaccess::{Sink, Source};
use vfs::caller::Caller;
use vfs::file_ops::{FileOps, Io, Positioning};

/// More characters than a number and a word have.
const MOST_CHARACTERS: usize = 24;

/// What is left of the count, beside what is counted.
const COUNT: u32 = !(ONLY_FRAMES | IN_FAULTS | LATE_PAGE | LOST_PAGE | FOR_NOW);

struct FailNth(Arc<Thread>);

/// Opens the file of a thread.
///
/// # Errors
/// `ESRCH` if it has ended; `EPERM` without `CAP_SYS_RESOURCE`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    if !scheduler::current().process().credentials().can(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    let thread = process.own_thread().ok_or(Errno::ESRCH)?;
    Ok(fallible::arc(FailNth(thread))?)
}

impl FileOps for FailNth {
    /// Allocates nothing: a test reads what is left while it is armed.
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut left = self.0.fail_nth.load(Ordering::Relaxed) & COUNT;
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

    /// `EINVAL` for what is no number, or one too great, or another word behind it.
    fn write(&self, _caller: &Caller<'_>, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = from.left().min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let text = core::str::from_utf8(&bytes[..len]).map_err(|_| Errno::EINVAL)?;
        let count = decode(text.trim())?;
        late_pages::begin();
        self.0.fail_nth.store(count, Ordering::Relaxed);
        Ok(len)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}

fn decode(text: &str) -> Result<u32, Errno> {
    let (number, word) = text.split_once(' ').unwrap_or((text, ""));
    let nth: u32 = number.parse().map_err(|_| Errno::EINVAL)?;
    let meant = match word {
        "" => 0,
        "frames" => ONLY_FRAMES,
        "faults" => IN_FAULTS,
        "short" => FOR_NOW,
        "waits" => LATE_PAGE,
        "losses" => LOST_PAGE,
        _ => return Err(Errno::EINVAL),
    };
    match nth {
        0 => Ok(0),
        1..=COUNT => Ok(nth | meant),
        _ => Err(Errno::EINVAL),
    }
}
