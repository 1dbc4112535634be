//! Clocks of processor time: of a process, or of one of its threads.

use crate::process::{self, Pid, Process};
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use alloc::sync::{Arc, Weak};
use platform::timer;

/// Which time is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuClock {
    /// At EL0: `CPUCLOCK_VIRT`, `ITIMER_VIRTUAL`, SIGVTALRM.
    Virtual,
    /// At EL0 and in the kernel: `CPUCLOCK_PROF`, `ITIMER_PROF`, SIGPROF.
    Profile,
}

/// One such clock. It does not keep what it measures.
#[derive(Clone)]
pub struct Meter {
    process: Weak<Process>,
    thread: Option<Weak<Thread>>,
    kind: CpuClock,
}

impl Meter {
    /// The clock of a process.
    pub fn of_process(process: &Arc<Process>, kind: CpuClock) -> Meter {
        Meter {
            process: Arc::downgrade(process),
            thread: None,
            kind,
        }
    }

    /// The clock of a thread.
    pub fn of_thread(thread: &Arc<Thread>, kind: CpuClock) -> Meter {
        Meter {
            process: Arc::downgrade(thread.process()),
            thread: Some(Arc::downgrade(thread)),
            kind,
        }
    }

    /// The clock that a negative id names (clock_getcpuclockid(3), pthread_getcpuclockid(3)): the complement of an id of a process or
    /// thread, 0 for the caller's, above three bits.
    ///
    /// # Errors
    /// `EINVAL` for no such process, and for threads of others.
    pub fn decode(current: &Arc<Thread>, id: i32) -> Result<Meter, Errno> {
        let kind = match id & 3 {
            0 | 2 => CpuClock::Profile,
            1 => CpuClock::Virtual,
            _ => return Err(Errno::EINVAL),
        };
        let target = !(id >> 3) as Pid;
        if id & 4 == 0 {
            let is_own = target == 0 || target == current.tid();
            let process = if is_own {
                Some(current.process().clone())
            } else {
                process::find(target).filter(|process| process.pid == target)
            };
            return Ok(Meter::of_process(&process.ok_or(Errno::EINVAL)?, kind));
        }
        let thread = if target == 0 {
            Some(current.clone())
        } else {
            process::find_thread(target)
        };
        thread
            .filter(|thread| Arc::ptr_eq(thread.process(), current.process()))
            .map(|thread| Meter::of_thread(&thread, kind))
            .ok_or(Errno::EINVAL)
    }

    /// The process, as long as somebody knows it.
    pub fn process(&self) -> Option<Arc<Process>> {
        self.process.upgrade()
    }

    /// Whether it is the clock of one thread, `thread`.
    pub fn is_of(&self, thread: &Arc<Thread>) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|own| core::ptr::eq(own.as_ptr(), Arc::as_ptr(thread)))
    }

    /// Nanoseconds so far; `None` once nobody knows what it measured.
    pub fn read(&self) -> Option<u64> {
        let (user, system) = match &self.thread {
            Some(thread) => thread.upgrade()?.ticks(),
            None => self.process.upgrade()?.own_totals().ticks(),
        };
        let ticks = match self.kind {
            CpuClock::Profile => user + system,
            CpuClock::Virtual => user,
        };
        Some(timer::ticks_to_nanos(ticks))
    }
}
