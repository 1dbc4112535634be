//! What was used: processor time, faults, switches; by a thread, a process, and the children that it waited for.

use super::{Process, TransferTotals};
use abi::process::RUsage;
use abi::time::TimeVal;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use lock::Mutex;
use platform::timer;
use sched::scheduler;

/// A process's account beside those of its threads.
pub struct Usage {
    /// Of children that were waited for, and theirs.
    children: Mutex<Totals>,
    /// The most pages that were found resident when somebody looked, or when the process ended.
    peak: AtomicU64,
    /// The part that the first thread was given, once it has ended.
    part: AtomicI64,
    /// What those used beyond their parts, or left, who have ended without being waited for.
    left_over: AtomicI64,
}

impl Default for Usage {
    fn default() -> Self {
        Self::new()
    }
}

impl Usage {
    /// Nothing was used.
    pub const fn new() -> Usage {
        Usage {
            children: Mutex::new(Totals::NONE),
            peak: AtomicU64::new(0),
            part: AtomicI64::new(0),
            left_over: AtomicI64::new(0),
        }
    }

    /// The first thread ends, which was given that.
    pub(super) fn note_part(&self, part: i64) {
        self.part.store(part, Ordering::Relaxed);
    }

    /// One ended whom nobody will wait for.
    pub(super) fn add_left_over(&self, ticks: i64) {
        self.left_over.fetch_add(ticks, Ordering::Relaxed);
    }

    /// So many pages were resident at once.
    pub(super) fn note_peak(&self, pages: u64) {
        self.peak.fetch_max(pages, Ordering::Relaxed);
    }
}

/// Sums, times in ticks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// At EL0.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// Faults that were served at once.
    pub minor_faults: u64,
    /// Faults that had to wait for their page.
    pub major_faults: u64,
    /// Switches to sleep.
    pub voluntary_switches: u64,
    /// Switches because others wanted the processor.
    pub involuntary_switches: u64,
    /// Resident pages of the largest.
    pub peak: u64,
    /// What was read and written.
    pub moved: TransferTotals,
}

impl Totals {
    /// Nothing.
    pub const NONE: Totals = Totals {
        user: 0,
        system: 0,
        minor_faults: 0,
        major_faults: 0,
        voluntary_switches: 0,
        involuntary_switches: 0,
        peak: 0,
        moved: TransferTotals::NONE,
    };

    /// The sum of both.
    pub fn plus(&self, other: &Totals) -> Totals {
        Totals {
            user: self.user + other.user,
            system: self.system + other.system,
            minor_faults: self.minor_faults + other.minor_faults,
            major_faults: self.major_faults + other.major_faults,
            voluntary_switches: self.voluntary_switches + other.voluntary_switches,
            involuntary_switches: self.involuntary_switches + other.involuntary_switches,
            peak: self.peak.max(other.peak),
            moved: self.moved.plus(&other.moved),
        }
    }

    /// As getrusage(2) and wait4(2) report them.
    pub fn to_rusage(self) -> RUsage {
        RUsage {
            utime: TimeVal::from_nanoseconds(timer::ticks_to_nanos(self.user)),
            stime: TimeVal::from_nanoseconds(timer::ticks_to_nanos(self.system)),
            minflt: self.minor_faults as i64,
            majflt: self.major_faults as i64,
            nvcsw: self.voluntary_switches as i64,
            nivcsw: self.involuntary_switches as i64,
            maxrss: (self.peak * (mm::PAGE_SIZE as u64 / 1024)) as i64,
            ..RUsage::default()
        }
    }

    /// Ticks at EL0 and in the kernel.
    pub fn ticks(&self) -> (u64, u64) {
        (self.user, self.system)
    }
}

impl Process {
    /// What the process itself used so far, with threads that have ended.
    pub fn own_totals(&self) -> Totals {
        Totals {
            peak: self.usage.peak.load(Ordering::Relaxed),
            ..self.thread_totals()
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

    /// Adds what a child used that was waited for.
    pub fn add_child_totals(&self, child: &Totals) {
        let mut children = self.usage.children.lock();
        *children = children.plus(child);
    }

    /// The part that its first thread was given, which has ended.
    #[inline]
    pub(super) fn part(&self) -> i64 {
        self.usage.part.load(Ordering::Relaxed)
    }

    /// The process has ended, and its parent will not wait for it: it is told when it makes another.
    pub(super) fn leave_to(&self, parent: &Process) {
        let used = self.all_totals();
        let left = scheduler::beyond_part(used.user + used.system, self.part());
        parent.usage.add_left_over(left);
    }

    /// The running thread, which is of this process and makes another, takes over what those left who have ended unnoticed.
    #[inline]
    pub fn take_over_left(&self) {
        if self.usage.left_over.load(Ordering::Relaxed) != 0 {
            scheduler::take_over(self.usage.left_over.swap(0, Ordering::Relaxed));
        }
    }
}
