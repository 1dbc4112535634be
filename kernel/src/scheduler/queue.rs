//! A run queue: the threads that wait for one processor, whoever is due first in front. Putting in and taking out the first cost
//! the logarithm of how many wait.

use crate::thread::Thread;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Later than anybody is due, with room to reckon.
pub(super) const NEVER: i64 = i64::MAX / 2;

/// Threads that wait, ordered by when they are due, and those that are due at one time by when they came.
pub(super) struct Queue {
    /// Who is due first. Mostly nobody else waits: that is quick.
    first: Option<Waiting>,
    /// The others: nobody unless there is a first.
    others: Heap,
}

struct Waiting {
    rank: Rank,
    thread: Arc<Thread>,
}

/// Less is sooner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    due: i64,
    arrival: u64,
}

/// None of its elements is due before the one above it: that is the one at `(at - 1) / 2`.
struct Heap {
    elements: Vec<Waiting>,
    /// How many ever came.
    arrivals: u64,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue {
            first: None,
            others: Heap {
                elements: Vec::new(),
                arrivals: 0,
            },
        }
    }

    /// Makes room for so many, so that none has to be made when they come.
    pub(super) fn make_room(&mut self, count: usize) {
        self.others.elements.reserve(count);
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.elements.len()
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &Arc<Thread>> {
        let all = self.first.iter().chain(&self.others.elements);
        all.map(|waiting| &waiting.thread)
    }

    /// When the first is due; [`NEVER`] if nobody waits.
    #[inline]
    pub(super) fn first_due(&self) -> i64 {
        self.first.as_ref().map_or(NEVER, |first| first.rank.due)
    }

    #[inline]
    pub(super) fn push(&mut self, thread: Arc<Thread>, due: i64) {
        let rank = Rank { due, arrival: 0 };
        let came = Waiting { rank, thread };
        if self.first.is_none() {
            self.first = Some(came);
        } else {
            self.push_behind(came);
        }
    }

    /// Somebody waits already.
    #[inline(never)]
    fn push_behind(&mut self, came: Waiting) {
        match &mut self.first {
            // Who was first stays before all others that are due at the same time.
            Some(first) if came.rank.due < first.rank.due => {
                let second = core::mem::replace(first, came);
                self.others.push(second);
            }
            _ => self.others.push_last(came),
        }
    }

    /// Takes the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Arc<Thread>> {
        let first = self.first.take()?;
        if !self.others.elements.is_empty() {
            self.first = Some(self.others.remove(0));
        }
        Some(first.thread)
    }

    /// Takes the first of those that `is_meant` is true of.
    pub(super) fn take(&mut self, is_meant: impl Fn(&Thread) -> bool) -> Option<Arc<Thread>> {
        if is_meant(&self.first.as_ref()?.thread) {
            return self.pop();
        }
        let others = &self.others.elements;
        let meant = (0..others.len()).filter(|&at| is_meant(&others[at].thread));
        let first = meant.min_by_key(|&at| others[at].rank)?;
        Some(self.others.remove(first).thread)
    }
}

impl Heap {
    /// Puts one in behind those that are due at the same time.
    fn push_last(&mut self, mut came: Waiting) {
        self.arrivals += 1;
        came.rank.arrival = self.arrivals;
        self.push(came);
    }

    fn push(&mut self, came: Waiting) {
        self.elements.push(came);
        self.rise(self.elements.len() - 1);
    }

    #[inline(never)]
    fn remove(&mut self, at: usize) -> Waiting {
        let removed = self.elements.swap_remove(at);
        if at < self.elements.len() {
            self.sink(at);
            self.rise(at);
        }
        removed
    }

    /// Moves an element to the front of those that are due later.
    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let above = (at - 1) / 2;
            if self.elements[above].rank <= self.elements[at].rank {
                return;
            }
            self.elements.swap(above, at);
            at = above;
        }
    }

    /// Moves an element behind those that are due sooner.
    fn sink(&mut self, mut at: usize) {
        loop {
            let below = 2 * at + 1..(2 * at + 3).min(self.elements.len());
            let Some(sooner) = below.min_by_key(|&below| self.elements[below].rank) else {
                return;
            };
            if self.elements[at].rank <= self.elements[sooner].rank {
                return;
            }
            self.elements.swap(at, sooner);
            at = sooner;
        }
    }
}
