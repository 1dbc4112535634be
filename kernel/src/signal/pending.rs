//! Signals that were sent and not yet delivered. A standard signal waits once, however often it is sent; a real-time
//! signal as often as it is sent, in order (signal(7), "Queueing and delivery semantics").

use crate::sync::Mutex;
use abi::signal::{SigInfo, SigSet, Signal};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Pending signals of a process or of a thread.
#[derive(Default)]
pub struct Pending {
    /// Which wait, to be read without the lock.
    set: AtomicU64,
    queue: Mutex<Vec<SigInfo>>,
}

impl Pending {
    /// Which signals wait.
    #[inline]
    pub fn set(&self) -> SigSet {
        SigSet(self.set.load(Ordering::SeqCst))
    }

    fn publish(&self, set: SigSet) {
        self.set.store(set.0, Ordering::SeqCst);
    }

    /// Adds a signal. `most`: how many may wait in all; a real-time signal beyond that is lost (its sender was told by
    /// `EAGAIN` if it asked), a standard one still waits, without its details.
    pub fn add(&self, signal: Signal, info: SigInfo, most: usize) {
        let mut queue = self.queue.lock();
        let is_waiting = self.set().contains(signal);
        if (is_waiting && signal < Signal::SIGRTMIN) || (queue.len() >= most && signal >= Signal::SIGRTMIN) {
            return;
        }
        queue.push(info);
        self.publish(self.set().with(signal));
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Takes one of `wanted`: those that an instruction caused first, then the lowest number, the oldest of that.
    pub fn take(&self, wanted: SigSet) -> Option<SigInfo> {
        if self.set().intersection(wanted).is_empty() {
            return None;
        }
        let mut queue = self.queue.lock();
        let ready = self.set().intersection(wanted);
        let urgent = ready.intersection(SigSet::SYNCHRONOUS);
        let signal = urgent.first().or(ready.first())?;
        let is_meant = |info: &SigInfo| info.signo == i32::from(signal.number());
        let at = queue.iter().position(is_meant)?;
        let info = queue.remove(at);
        if !queue.iter().any(is_meant) {
            self.publish(self.set().without(signal));
        }
        Some(info)
    }

    /// Drops every signal of `unwanted`.
    pub fn remove(&self, unwanted: SigSet) {
        if self.set().intersection(unwanted).is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        queue.retain(|info| !Signal::new(info.signo as u64).is_some_and(|signal| unwanted.contains(signal)));
        self.publish(self.set().difference(unwanted));
    }
}
