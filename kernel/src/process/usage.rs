//! What a process used: processor time, faults, switches; its own and that of the children it waited for.

use super::Process;
use crate::sync::Mutex;
use abi::process::RUsage;
use abi::time::TimeVal;
use core::sync::atomic::{AtomicU64, Ordering};
use platform::timer;

/// Counters of one process.
#[derive(Default)]
pub struct Usage {
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
    /// Of children that were waited for, and theirs.
    children: Mutex<Totals>,
}

/// Sums, times in ticks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    user: u64,
    system: u64,
    minor_faults: u64,
    major_faults: u64,
}

/// Processor time in ticks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Times {
    /// At EL0.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// At EL0, children that were waited for.
    pub children_user: u64,
    /// In the kernel, children that were waited for.
    pub children_system: u64,
}

impl Usage {
    /// Counts a fault that was served without input: all of them, for every file is in memory. Nothing counts major ones.
    #[inline]
    pub fn count_minor_fault(&self) {
        self.minor_faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Minor and major faults.
    pub fn faults(&self) -> (u64, u64) {
        (
            self.minor_faults.load(Ordering::Relaxed),
            self.major_faults.load(Ordering::Relaxed),
        )
    }

    /// Minor and major faults of children that were waited for.
    pub fn children_faults(&self) -> (u64, u64) {
        let children = self.children.lock();
        (children.minor_faults, children.major_faults)
    }

    /// Adds what a child used that was waited for.
    pub fn add_child(&self, child: &Totals) {
        let mut children = self.children.lock();
        *children = children.plus(child);
    }
}

impl Totals {
    fn plus(&self, other: &Totals) -> Totals {
        Totals {
            user: self.user + other.user,
            system: self.system + other.system,
            minor_faults: self.minor_faults + other.minor_faults,
            major_faults: self.major_faults + other.major_faults,
        }
    }

    /// As getrusage(2) and wait4(2) report them.
    pub fn to_rusage(self) -> RUsage {
        RUsage {
            utime: TimeVal::from_nanoseconds(timer::ticks_to_nanos(self.user)),
            stime: TimeVal::from_nanoseconds(timer::ticks_to_nanos(self.system)),
            minflt: self.minor_faults as i64,
            majflt: self.major_faults as i64,
            ..RUsage::default()
        }
    }

    /// Ticks at EL0 and in the kernel.
    pub fn ticks(&self) -> (u64, u64) {
        (self.user, self.system)
    }
}

impl Process {
    /// What the process itself used so far.
    pub fn own_totals(&self) -> Totals {
        let (minor_faults, major_faults) = self.usage.faults();
        let (user, system) = self.ticks();
        Totals {
            user,
            system,
            minor_faults,
            major_faults,
        }
    }

    /// What the children that were waited for used, and theirs.
    pub fn children_totals(&self) -> Totals {
        *self.usage.children.lock()
    }

    /// What the process and the children that it waited for used.
    pub fn all_totals(&self) -> Totals {
        self.own_totals().plus(&self.children_totals())
    }

    /// Processor times.
    pub fn times(&self) -> Times {
        let (own, children) = (self.own_totals(), self.children_totals());
        Times {
            user: own.user,
            system: own.system,
            children_user: children.user,
            children_system: children.system,
        }
    }
}
