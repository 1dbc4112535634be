//! Signals that were sent and not yet delivered. A standard signal waits once, however often it is sent; a real-time
//! signal as often as it is sent, in order (signal(7), "Queueing and delivery semantics").

use crate::timers::Timer;
use abi::Errno;
use abi::signal::info::SI_USER;
use abi::signal::{SigInfo, SigSet, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible::TryVec;
use platform::heap;

/// Pending signals of a process or of a thread.
pub struct Pending {
    /// Which wait, to be read without the lock.
    set: AtomicU64,
    queue: Mutex<SignalQueue>,
}

struct SignalQueue {
    entries: Vec<QueuedSignal>,
    /// Places that are kept free for timers, one for each, whether its signal waits or not.
    kept: usize,
}

struct QueuedSignal {
    info: SigInfo,
    /// The timer that sent it.
    timer: Option<Arc<Timer>>,
}

/// What becomes of the details of a signal that is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Details {
    /// They are kept if there is memory.
    Kept,
    /// They are lost: too many signals wait already.
    Lost,
}

impl QueuedSignal {
    fn is_of(&self, signal: Signal) -> bool {
        self.info.signo == i32::from(signal.number())
    }

    fn is_in(&self, set: SigSet) -> bool {
        Signal::new(self.info.signo as u64).is_some_and(|signal| set.contains(signal))
    }
}

impl SignalQueue {
    /// Whether one more fits in besides those for which places are kept.
    fn reserve(&mut self) -> bool {
        self.entries.try_reserve(1 + self.kept).is_ok()
    }
}

impl Pending {
    /// None.
    pub const fn new() -> Pending {
        Pending {
            set: AtomicU64::new(0),
            queue: Mutex::new(SignalQueue {
                entries: Vec::new(),
                kept: 0,
            }),
        }
    }

    /// Which signals wait.
    #[inline]
    pub fn set(&self) -> SigSet {
        SigSet(self.set.load(Ordering::SeqCst))
    }

    fn publish(&self, set: SigSet) {
        self.set.store(set.0, Ordering::SeqCst);
    }

    /// Adds a signal. Where its details cannot be kept, for want of memory or because `details` says that too many wait
    /// already, it still waits, without them; its sender was told by `EAGAIN` if it asked (sigqueue(3)).
    pub fn add(&self, signal: Signal, info: SigInfo, details: Details) {
        let mut queue = self.queue.lock();
        let is_waiting = self.set().contains(signal);
        if is_waiting && signal < Signal::SIGRTMIN {
            return;
        }
        if details == Details::Kept && queue.reserve() {
            heap::push_within_capacity(&mut queue.entries, QueuedSignal { info, timer: None });
        }
        self.publish(self.set().with(signal));
    }

    /// Keeps a place for the signal of a timer.
    ///
    /// # Errors
    /// `EAGAIN`: for want of memory.
    pub fn keep_place(&self) -> Result<(), Errno> {
        let mut queue = self.queue.lock();
        if !queue.reserve() {
            return Err(Errno::EAGAIN);
        }
        queue.kept += 1;
        Ok(())
    }

    /// The timer is deleted.
    pub fn give_up_place(&self) {
        let mut queue = self.queue.lock();
        queue.kept = queue.kept.saturating_sub(1);
    }

    /// Adds the signal of a timer, for which a place is kept. It waits even if the same signal does already.
    pub fn add_from_timer(&self, signal: Signal, info: SigInfo, timer: &Arc<Timer>) {
        let mut queue = self.queue.lock();
        // What a deleted timer left behind may stand in the place: then there is mostly another.
        let timer = Some(timer.clone());
        let _kept = queue.entries.try_push(QueuedSignal { info, timer });
        self.publish(self.set().with(signal));
    }

    /// Who was adding a signal has added it.
    pub fn let_adding_end(&self) {
        drop(self.queue.lock());
    }

    /// How many wait with their details, besides those of timers.
    pub fn len(&self) -> usize {
        let queue = self.queue.lock();
        queue.entries.iter().filter(|entry| entry.timer.is_none()).count()
    }

    /// Takes one of `wanted`: those that an instruction caused first, then the lowest number, the oldest of that. The signal of a
    /// timer lets that go on. The caller holds no lock.
    pub fn take(&self, wanted: SigSet) -> Option<SigInfo> {
        if self.set().intersection(wanted).is_empty() {
            return None;
        }
        let mut queue = self.queue.lock();
        let ready = self.set().intersection(wanted);
        let urgent = ready.intersection(SigSet::SYNCHRONOUS);
        let signal = urgent.first().or(ready.first())?;
        let at = queue.entries.iter().position(|entry| entry.is_of(signal));
        let taken = at.map(|at| queue.entries.remove(at));
        if !queue.entries.iter().any(|entry| entry.is_of(signal)) {
            self.publish(self.set().without(signal));
        }
        drop(queue);
        // Without details: as if nobody had sent it, as on Linux.
        let Some(QueuedSignal { mut info, timer }) = taken else {
            return Some(SigInfo::new(signal, SI_USER));
        };
        if let Some(timer) = timer {
            timer.deliver(&mut info);
        }
        Some(info)
    }

    /// Drops every signal of `unwanted`; timers that sent one go on.
    pub fn remove(&self, unwanted: SigSet) {
        if self.set().intersection(unwanted).is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        queue
            .entries
            .retain(|entry| entry.timer.is_some() || !entry.is_in(unwanted));
        self.publish(self.set().difference(unwanted));
        drop(queue);
        while let Some(timer) = self.take_timer(|entry| entry.is_in(unwanted)) {
            timer.signal_was_dropped();
        }
    }

    /// Drops the signals of timers, which are deleted.
    pub fn remove_those_of_timers(&self) {
        while let Some(timer) = self.take_timer(|_| true) {
            drop(timer);
        }
    }

    /// Takes out the signal of a timer for which `wanted` holds.
    fn take_timer(&self, wanted: impl Fn(&QueuedSignal) -> bool) -> Option<Arc<Timer>> {
        let mut queue = self.queue.lock();
        let at = queue
            .entries
            .iter()
            .position(|entry| entry.timer.is_some() && wanted(entry))?;
        let entry = queue.entries.remove(at);
        let signal = Signal::new(entry.info.signo as u64)?;
        if !queue.entries.iter().any(|other| other.is_of(signal)) {
            self.publish(self.set().without(signal));
        }
        entry.timer
    }
}
