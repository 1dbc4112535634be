//! Signals that were sent and not yet delivered. A standard signal waits once, however often it is sent; a real-time
//! signal as often as it is sent, in order (signal(7), "Queueing and delivery semantics").

use crate::sync::Mutex;
use abi::signal::info::SI_USER;
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

    /// Adds a signal. Where its details cannot be kept, for want of memory or because `may_queue` says that too many wait
    /// already, it still waits, without them; its sender was told by `EAGAIN` if it asked (sigqueue(3)).
    pub fn add(&self, signal: Signal, info: SigInfo, may_queue: bool) {
        let mut queue = self.queue.lock();
        let is_waiting = self.set().contains(signal);
        if is_waiting && signal < Signal::SIGRTMIN {
            return;
        }
        if may_queue && queue.try_reserve(1).is_ok() {
            queue.push(info);
        }
        self.publish(self.set().with(signal));
    }

    /// How many wait with their details.
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
        let at = queue.iter().position(is_meant);
        let info = at.map(|at| queue.remove(at));
        if !queue.iter().any(is_meant) {
            self.publish(self.set().without(signal));
        }
        // Without details: as if nobody had sent it, as on Linux.
        Some(info.unwrap_or(SigInfo::new(signal, SI_USER)))
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
