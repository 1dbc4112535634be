//! Signals as something to read: signalfd(2). Who reads or polls such a file sees the signals of its own thread and process, whoever
//! made the file.
//!
//! The file's queue is woken at each signal that is sent to the process that made it, to those that this one has forked since and to
//! theirs: they may have the file too. Who got it by other ways, by a message or out of a table of descriptors that it shares, says so
//! before it waits ([`FileOps::note_waiting`]), and its signals wake that queue from then on.

use super::{ProcessSignals, take_pending};
use crate::process::Process;
use crate::thread::ThreadExt;
use abi::Errno;
use abi::events::SignalFdInfo;
use abi::file::{OpenFlags, POLLIN};
use abi::signal::SigSet;
use abi::zerocopy::IntoBytes;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use events::anonymous::AnonymousKind;
use lock::Mutex;
use memory::fallible::{self, TryVec};
use sched::scheduler;
use sched::wait::WaitQueue;
use uaccess::Sink;
use vfs::OpenFile;
use vfs::file_ops::{FileOps, Io, Positioning, Queues, ShowInfo};

static KIND: AnonymousKind = AnonymousKind::new("[signalfd]");

/// What a signal takes in a read.
const LEN: usize = size_of::<SignalFdInfo>();

/// Woken at each signal to the processes that have it.
pub struct SignalEvents {
    queue: WaitQueue,
    /// Those of others in whose files these processes wait.
    foreign: Mutex<Vec<Weak<SignalEvents>>>,
}

/// An open file that gives signals.
pub struct SignalFd {
    wanted: AtomicU64,
    events: Arc<SignalEvents>,
}

impl ProcessSignals {
    /// The process has a file that gives its signals: from now on it tells of them.
    fn make_events(&self) -> Result<&Arc<SignalEvents>, Errno> {
        self.events.try_call_once(|| {
            fallible::arc(SignalEvents {
                queue: WaitQueue::new(),
                foreign: Mutex::new(Vec::new()),
            })
        })
    }

    /// A child tells those of its parent, whose files it has.
    #[inline]
    pub fn inherit_events(&self, parent: &ProcessSignals) {
        if let Some(events) = parent.events.get() {
            self.events.call_once(|| events.clone());
        }
    }

    /// A signal was sent.
    #[inline]
    pub(super) fn tell_readers(&self) {
        if let Some(events) = self.events.get() {
            events.tell();
        }
    }
}

impl SignalEvents {
    fn tell(&self) {
        self.queue.wake_all();
        let mut index = 0;
        while let Some(foreign) = self.foreign_at(index) {
            if let Some(events) = foreign.upgrade() {
                events.queue.wake_all();
            }
            index += 1;
        }
    }

    fn foreign_at(&self, index: usize) -> Option<Weak<SignalEvents>> {
        self.foreign.lock().get(index).cloned()
    }

    /// Tells those, too, from now on. There are never more than processes that made such files.
    fn tell_too(&self, other: &Arc<SignalEvents>) -> Result<(), Errno> {
        let mut foreign = self.foreign.lock();
        if foreign
            .iter()
            .any(|known| ptr::eq(known.as_ptr(), &raw const **other))
        {
            return Ok(());
        }
        foreign.retain(|known| known.strong_count() > 0);
        foreign.try_push(Arc::downgrade(other))
    }
}

impl SignalFd {
    /// A new file for those signals, made by a thread of `process`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn open(process: &Process, wanted: SigSet, status: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
        let events = process.signals.make_events()?.clone();
        let ops = fallible::arc(SignalFd {
            wanted: AtomicU64::new(wanted.0),
            events,
        })?;
        KIND.open(ops, OpenFlags::O_RDWR | status)
    }

    /// Gives those signals from now on.
    pub fn set_wanted(&self, wanted: SigSet) {
        self.wanted.store(wanted.0, Ordering::SeqCst);
        self.events.queue.wake_all();
    }

    fn wanted(&self) -> SigSet {
        SigSet(self.wanted.load(Ordering::SeqCst))
    }

    /// From now on signals to the calling process wake who waits for this file. Who sends one adds it first, and tells of it then: where
    /// it was not told of here, the adding is over behind the lock, and the caller, who looks next, finds the signal.
    fn make_heard(&self) -> Result<(), Errno> {
        let current = scheduler::current();
        let signals = &current.process().signals;
        let own = signals.make_events()?;
        if !Arc::ptr_eq(own, &self.events) {
            own.tell_too(&self.events)?;
            signals.pending.let_adding_end();
            current.signals().pending.let_adding_end();
        }
        Ok(())
    }

    fn take(&self) -> Option<SignalFdInfo> {
        let info = take_pending(&scheduler::current(), self.wanted())?;
        Some(SignalFdInfo::from(&info))
    }
}

impl FileOps for SignalFd {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if to.room() < LEN {
            return Err(Errno::EINVAL);
        }
        let mut next = match self.take() {
            Some(info) => Some(info),
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => {
                self.make_heard()?;
                Some(self.events.queue.wait_until(|| self.take())?)
            }
        };
        let mut done = 0;
        while let Some(info) = next {
            match to.put(info.as_bytes()) {
                Ok(LEN) => done += LEN,
                Ok(_) if done == 0 => return Err(Errno::EFAULT),
                Err(error) if done == 0 => return Err(error),
                _ => break,
            }
            next = if to.room() < LEN { None } else { self.take() };
        }
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::SeekOnly
    }

    fn poll(&self) -> i16 {
        let current = scheduler::current();
        let waiting = current
            .signals()
            .pending()
            .union(current.process().signals.pending());
        if waiting.intersection(self.wanted()).is_empty() {
            0
        } else {
            POLLIN
        }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.events.queue), None]
    }

    fn note_waiting(&self) -> Result<(), Errno> {
        self.make_heard()
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        show(format_args!("sigmask:\t{:016x}\n", self.wanted().0));
    }
}
