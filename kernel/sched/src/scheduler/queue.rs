//! A run queue: the threads that wait for one processor, whoever is due first in front. Putting in and taking out cost the
//! logarithm of how many wait, and no memory: the threads hold their links themselves.
//!
//! Threads with a real-time priority are due before `REAL_TIME_END`, the higher the sooner; all others later.

use crate::Thread;
use alloc::sync::Arc;
use platform::ordered::{Set, Side};

/// Later than anybody is due, with room to reckon.
pub(super) const NEVER: i64 = i64::MAX / 2;

/// Threads that wait, ordered by when they are due, and those that are due at one time by when they came.
pub(super) struct Queue {
    /// Who is due first. Mostly nobody else waits: that is quick.
    first: Option<QueuedThread>,
    /// The others: nobody unless there is a first.
    others: Set<Thread>,
}

struct QueuedThread {
    due: i64,
    thread: Arc<Thread>,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue {
            first: None,
            others: Set::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Whether somebody waits of whom `is_meant` is true.
    pub(super) fn any(&self, mut is_meant: impl FnMut(&Thread) -> bool) -> bool {
        let Some(first) = &self.first else {
            return false;
        };
        is_meant(&first.thread) || self.others.find(i64::MIN, is_meant).is_some()
    }

    /// When the first is due; [`NEVER`] if nobody waits.
    #[inline]
    pub(super) fn first_due(&self) -> i64 {
        self.first.as_ref().map_or(NEVER, |first| first.due)
    }

    #[inline]
    pub(super) fn push(&mut self, thread: Arc<Thread>, due: i64, side: Side) {
        let came = QueuedThread { due, thread };
        if self.first.is_none() {
            self.first = Some(came);
        } else {
            self.push_behind(came, side);
        }
    }

    /// Somebody waits already.
    #[inline(never)]
    fn push_behind(&mut self, came: QueuedThread, side: Side) {
        match &mut self.first {
            // Who was first stays before all others that are due at the same time.
            Some(first) if came.due < first.due || came.due == first.due && side == Side::Front => {
                let second = core::mem::replace(first, came);
                self.others.insert(second.thread, second.due, Side::Front);
            }
            _ => self.others.insert(came.thread, came.due, side),
        }
    }

    /// Takes the first; whether nobody else waits.
    #[inline]
    pub(super) fn pop(&mut self) -> (Option<Arc<Thread>>, bool) {
        let first = self.first.take().map(|first| first.thread);
        let is_empty = self.others.is_empty();
        if !is_empty {
            self.refill();
        }
        (first, is_empty)
    }

    #[inline(never)]
    fn refill(&mut self) {
        let due = self.others.first_due();
        let next = due.and_then(|due| Some((due, self.others.take_first()?)));
        self.first = next.map(|(due, thread)| QueuedThread { due, thread });
    }

    /// Takes the first of those that are due at `least` or later and that `is_meant` is true of.
    pub(super) fn take(&mut self, least: i64, is_meant: impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        let first = self.first.as_ref()?;
        if first.due >= least && is_meant(&first.thread) {
            return self.pop().0;
        }
        self.others.take_first_of(least, is_meant)
    }

    /// Takes this thread out if it waits here.
    pub(super) fn remove(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        if core::ptr::eq(&*self.first.as_ref()?.thread, thread) {
            return self.pop().0;
        }
        self.others.remove(thread)
    }
}
