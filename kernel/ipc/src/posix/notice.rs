//! Who is told that a message has come to an empty queue: mq_notify(3).

use abi::Errno;
use abi::process::Pid;
use alloc::boxed::Box;

/// Who sent the message that somebody is told of.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The process.
    pub pid: Pid,
    /// Its real user.
    pub uid: u32,
}

/// How somebody is told: signals and sockets stand above. No lock is held when a method is called.
pub trait QueueNotice: Send + Sync {
    /// A message has come.
    fn arrived(&self, sender: Sender);

    /// Nobody will be told any more.
    fn withdrawn(&self);
}

/// That somebody asked to be told, once.
pub struct Registration {
    /// Which table of descriptors the process had: it is over when that closes the queue.
    pub table: u64,
    /// The process, and how it is told, as a read of the queue shows them: `SIGEV_*`, and the signal.
    pub shown: ShownNotice,
    /// How it is told.
    pub notice: Box<dyn QueueNotice>,
}

/// A registration as a read of the queue shows it.
#[derive(Clone, Copy, Default, Debug)]
pub struct ShownNotice {
    /// `SIGEV_*`.
    pub notify: i32,
    /// The signal, if that is how.
    pub signal: i32,
    /// The process; 0 for none.
    pub pid: Pid,
}

/// A place for one registration.
#[derive(Default)]
pub(super) struct Registered(Option<Registration>);

impl Registered {
    /// Nobody is to be told.
    pub(super) const fn nobody() -> Registered {
        Registered(None)
    }

    /// Somebody is to be told.
    ///
    /// # Errors
    /// `EBUSY`: somebody else is, and the new one comes back.
    pub(super) fn add(&mut self, new: Registration) -> Result<(), (Errno, Registration)> {
        if self.0.is_some() {
            return Err((Errno::EBUSY, new));
        }
        self.0 = Some(new);
        Ok(())
    }

    /// Takes out whoever is to be told.
    pub(super) fn take(&mut self) -> Option<Registration> {
        self.0.take()
    }

    /// Takes it out if it is that table's.
    pub(super) fn take_of(&mut self, table: u64) -> Option<Registration> {
        self.0.take_if(|registration| registration.table == table)
    }

    /// As a read of the queue shows it.
    pub(super) fn shown(&self) -> ShownNotice {
        self.0
            .as_ref()
            .map(|registration| registration.shown)
            .unwrap_or_default()
    }
}
