//! What a process is told to be like, by prctl(2) and its kin.

use super::oom;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Timers of the first process may be so many nanoseconds late (Linux's default).
const TIMER_SLACK: u64 = 50_000;

/// Small attributes without a meaning to other parts of the kernel.
#[derive(Default)]
pub struct ProcessAttributes {
    /// The signal that the process gets when its parent ends; 0 for none. Cleared in a child.
    pub parent_death_signal: AtomicU8,
    /// personality(2).
    pub personality: AtomicU32,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub has_no_new_privileges: AtomicBool,
    /// `PR_SET_CHILD_SUBREAPER`: orphans below the process become its children. Cleared in a child.
    pub is_child_subreaper: AtomicBool,
    /// Whether the process became a user who had too many processes already: exec looks once more (execve(2), `EAGAIN`).
    pub is_beyond_processes: AtomicBool,
    /// How much later than asked for a timer may be, nanoseconds, and what it was at first (`PR_SET_TIMERSLACK`). It is kept and
    /// shown: timers are as exact as they can be.
    pub timer_slack: [AtomicU64; 2],
    /// Who ends when memory runs out.
    pub oom: oom::Preference,
}

impl ProcessAttributes {
    /// Those of the first process.
    pub(super) fn of_first() -> ProcessAttributes {
        ProcessAttributes {
            timer_slack: [AtomicU64::new(TIMER_SLACK), AtomicU64::new(TIMER_SLACK)],
            ..ProcessAttributes::default()
        }
    }

    /// What a child has of them.
    #[inline(always)]
    pub(super) fn for_child(&self) -> ProcessAttributes {
        ProcessAttributes {
            parent_death_signal: AtomicU8::new(0),
            personality: AtomicU32::new(self.personality.load(Ordering::Relaxed)),
            has_no_new_privileges: AtomicBool::new(self.has_no_new_privileges.load(Ordering::Relaxed)),
            is_child_subreaper: AtomicBool::new(false),
            is_beyond_processes: AtomicBool::new(false),
            timer_slack: {
                let slack = self.timer_slack[0].load(Ordering::Relaxed);
                [AtomicU64::new(slack), AtomicU64::new(slack)]
            },
            oom: self.oom.for_child(),
        }
    }
}
