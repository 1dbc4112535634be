//! Resource limits: getrlimit(2). Inherited by fork, kept by exec, shared until somebody changes them.

use super::Process;
use abi::Errno;
use abi::capability::CAP_IPC_LOCK;
use abi::process::{
    RLIM_NLIMITS, RLIM64_INFINITY, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE,
    RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, RLimit,
};
use alloc::sync::Arc;
use memory::fallible::{self, TryClone};
use mm::StackLimits;

/// One process's limits, indexed by `RLIMIT_*`.
#[derive(Clone, Debug)]
pub struct Limits([RLimit; RLIM_NLIMITS]);

impl TryClone for Limits {
    fn try_clone(&self) -> Result<Self, Errno> {
        Ok(Limits(self.0))
    }
}

impl Limits {
    /// What the first process starts with: Linux's values (`INIT_RLIMITS` in `asm-generic/resource.h`), with `processes`
    /// as the limit of processes and waiting signals.
    pub fn initial(processes: u64) -> Limits {
        let mut limits = [RLimit {
            cur: RLIM64_INFINITY,
            max: RLIM64_INFINITY,
        }; RLIM_NLIMITS];
        limits[RLIMIT_STACK].cur = 8 << 20;
        limits[RLIMIT_CORE].cur = 0;
        limits[RLIMIT_NOFILE] = RLimit { cur: 1024, max: 4096 };
        for which in [RLIMIT_NPROC, RLIMIT_SIGPENDING] {
            limits[which] = RLimit {
                cur: processes,
                max: processes,
            };
        }
        limits[RLIMIT_MEMLOCK] = RLimit {
            cur: 8 << 20,
            max: 8 << 20,
        };
        limits[RLIMIT_MSGQUEUE] = RLimit {
            cur: 819_200,
            max: 819_200,
        };
        for which in [RLIMIT_NICE, RLIMIT_RTPRIO] {
            limits[which] = RLimit { cur: 0, max: 0 };
        }
        Limits(limits)
    }

    /// One limit; `None` (`EINVAL`) for a number that is none.
    pub fn get(&self, which: usize) -> Option<RLimit> {
        self.0.get(which).copied()
    }

    /// Whether there is an end to the processor time.
    pub(super) fn is_processor_time_limited(&self) -> bool {
        self.0[RLIMIT_CPU].cur != RLIM64_INFINITY
    }
}

impl Process {
    /// The limit in force.
    ///
    /// # Panics
    /// If `which` is not one of `RLIMIT_*`.
    pub fn limit(&self, which: usize) -> u64 {
        self.inherited.lock().limits.0[which].cur
    }

    /// Several limits in force, at one moment.
    ///
    /// # Panics
    /// If one of `which` is not one of `RLIMIT_*`.
    #[inline(always)]
    pub fn limits_of<const N: usize>(&self, which: [usize; N]) -> [u64; N] {
        let inherited = self.inherited.lock();
        which.map(|which| inherited.limits.0[which].cur)
    }

    /// How far a stack of the process may grow.
    pub fn stack_limits(&self) -> StackLimits {
        let [stack, space, locked] = self.limits_of([RLIMIT_STACK, RLIMIT_AS, RLIMIT_MEMLOCK]);
        let may_lock_all = self.credentials().can(CAP_IPC_LOCK);
        StackLimits {
            stack,
            space,
            locked: if may_lock_all { u64::MAX } else { locked },
        }
    }

    /// All limits.
    pub fn limits(&self) -> Arc<Limits> {
        self.inherited.lock().limits.clone()
    }

    /// Sets one limit if `check` allows it, which sees the old one; returns that.
    ///
    /// # Errors
    /// `EINVAL` for a number that is none, `ENOMEM`, and those of `check`.
    pub fn change_limit(
        &self,
        which: usize,
        new: RLimit,
        check: impl FnOnce(RLimit) -> Result<(), Errno>,
    ) -> Result<RLimit, Errno> {
        let mut inherited = self.inherited.lock();
        let old = inherited.limits.get(which).ok_or(Errno::EINVAL)?;
        check(old)?;
        fallible::make_mut(&mut inherited.limits)?.0[which] = new;
        Ok(old)
    }
}
