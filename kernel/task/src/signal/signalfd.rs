//! Signals as something to read: signalfd(2). Who reads or polls such a file sees the signals of its own thread and process, whoever
//! made the file.
//!
//! The file's queue is woken at each signal that is sent to the process that made it, to those that this one has forked since and to
//! theirs: they may have the file too. Who gets it by other ways sees the signals that wait, but no later one wakes it.

use super::{ProcessSignals, take_pending};
use crate::process::Process;
use crate::thread::ThreadExt;
use abi::Errno;
use abi::events::SignalFdInfo;
use abi::file::{OpenFlags, POLLIN};
use abi::signal::SigSet;
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use events::anonymous::AnonymousKind;
use memory::fallible;
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
            events.queue.wake_all();
        }
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
            None => Some(self.events.queue.wait_until(|| self.take())?),
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

    fn show_info(&self, show: ShowInfo<'_>) {
        show(format_args!("sigmask:\t{:016x}\n", self.wanted().0));
    }
}
