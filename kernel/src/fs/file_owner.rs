//! Signal-driven input and output: who is told by a signal that an open file can be read or written (fcntl(2), `F_SETOWN`,
//! `F_SETSIG`, `O_ASYNC`).

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicUsize, Ordering};

use abi::Errno;
use abi::signal::info::{POLL_IN, POLL_OUT, SI_KERNEL};
use abi::signal::{SigInfo, Signal};

use super::credentials::Credentials;
use super::open_file::OpenFile;
use super::record_locks::tree::{Entry, Node, Tree};
use crate::process::{self, Pid, Process};
use crate::signal;
use crate::sync::Mutex;

/// Whom the signal goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// One thread.
    Thread(Pid),
    /// A process.
    Process(Pid),
    /// Each process of a group.
    Group(Pid),
}

impl Whom {
    /// Whether there is such a thread, process or group.
    pub fn exists(self) -> bool {
        match self {
            Whom::Thread(id) => process::find_thread(id).is_some(),
            Whom::Process(id) => process::find(id).is_some() || process::find_thread(id).is_some(),
            Whom::Group(id) => process::session_of_group(id).is_some(),
        }
    }
}

/// What an open file can do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It can be read.
    Input,
    /// It can be written.
    Output,
}

/// The owner of an open file, and the signal that it gets.
#[derive(Clone, Copy, Default)]
pub struct FileOwner {
    whom: Option<Whom>,
    /// In place of SIGIO, and then with the descriptor in its `siginfo_t`.
    pub signal: Option<Signal>,
    /// Real and effective user of who named the owner: the signal is sent in that one's name.
    users: (u32, u32),
}

impl FileOwner {
    /// Who it is.
    pub fn whom(&self) -> Option<Whom> {
        self.whom
    }

    /// The same signal for another, named by a process with `credentials`.
    pub fn changed_to(&self, whom: Option<Whom>, credentials: &Credentials) -> FileOwner {
        FileOwner {
            whom,
            users: (credentials.uid, credentials.euid),
            ..*self
        }
    }

    /// Tells the owner. Whom the one who named it might not send a signal to gets none.
    fn tell(&self, descriptor: i32, event: Event) {
        let info = self.info(descriptor, event);
        match self.whom {
            Some(Whom::Thread(id)) => {
                let thread = process::find_thread(id).filter(|thread| self.may_tell(&thread.process));
                thread
                    .iter()
                    .for_each(|thread| signal::send_to_thread(thread, info));
            }
            Some(Whom::Process(id)) => {
                let process = process::find(id).filter(|process| self.may_tell(process));
                process
                    .iter()
                    .for_each(|process| signal::send_to_process(process, info));
            }
            Some(Whom::Group(id)) => {
                let check = |process: &Process| self.may_tell(process).then_some(()).ok_or(Errno::EPERM);
                // Nobody to be told is no error.
                let _sent = signal::send_to_many(signal::Audience::Group(id), Some(info), check);
            }
            None => {}
        }
    }

    fn info(&self, descriptor: i32, event: Event) -> SigInfo {
        let Some(signal) = self.signal else {
            return SigInfo::new(Signal::SIGIO, SI_KERNEL);
        };
        let code = match event {
            Event::Input => POLL_IN,
            Event::Output => POLL_OUT,
        };
        SigInfo::poll(signal, code, descriptor)
    }

    /// `sigio_perm` of Linux.
    fn may_tell(&self, target: &Process) -> bool {
        let (uid, euid) = self.users;
        let target = target.credentials();
        euid == 0
            || [uid, euid]
                .iter()
                .any(|id| *id == target.uid || *id == target.suid)
    }
}

/// Open files whose owners are told.
pub struct Listeners {
    files: Mutex<Tree<Listener>>,
    count: AtomicUsize,
}

struct Listener {
    file: Weak<OpenFile>,
    descriptor: i32,
}

impl Entry for Listener {
    type Key = usize;
    type Summary = ();

    fn key(&self) -> usize {
        self.file.as_ptr().addr()
    }

    fn summary(&self) {}

    fn join((): (), (): ()) {}
}

impl Listeners {
    /// Nobody.
    pub const fn new() -> Self {
        Listeners {
            files: Mutex::new(Tree::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// From now on the owner of `file` is told, by the name of that descriptor. `ENOMEM`.
    pub fn add(&self, file: &Arc<OpenFile>, descriptor: i32) -> Result<(), Errno> {
        let key = Arc::as_ptr(file).addr();
        let file = Arc::downgrade(file);
        let node = Node::new(Listener { file, descriptor }).map_err(|_| Errno::ENOMEM)?;
        let old = {
            let mut files = self.files.lock();
            let old = files.remove(key);
            files.insert(node);
            self.count
                .fetch_add(usize::from(old.is_none()), Ordering::Relaxed);
            old
        };
        drop(old);
        Ok(())
    }

    /// The owner of the open file at that address is told no more.
    pub fn remove(&self, file: usize) {
        let gone = {
            let mut files = self.files.lock();
            let gone = files.remove(file);
            self.count
                .fetch_sub(usize::from(gone.is_some()), Ordering::Relaxed);
            gone
        };
        drop(gone);
    }

    /// Whether there is somebody to tell.
    pub fn exist(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Tells all owners. No lock may be held; `rest` is called between two of them.
    #[inline]
    pub fn tell(&self, event: Event, rest: fn()) {
        if self.exist() {
            self.tell_all(event, rest);
        }
    }

    #[cold]
    fn tell_all(&self, event: Event, rest: fn()) {
        let mut from = 0;
        while let Some((file, descriptor, key)) = self.next(from) {
            if let Some(file) = file {
                file.owner().tell(descriptor, event);
            }
            rest();
            from = key + 1;
        }
    }

    fn next(&self, from: usize) -> Option<(Option<Arc<OpenFile>>, i32, usize)> {
        let files = self.files.lock();
        let listener = files.first_from(from)?;
        Some((listener.file.upgrade(), listener.descriptor, listener.key()))
    }
}
