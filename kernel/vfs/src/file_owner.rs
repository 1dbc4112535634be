//! Signal-driven input and output: who is told by a signal that an open file can be read or written (fcntl(2), `F_SETOWN`,
//! `F_SETSIG`, `O_ASYNC`).

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicUsize, Ordering};

use abi::Errno;
use abi::process::Pid;
use abi::signal::Signal;
use spin::Once;

use super::credentials::Credentials;
use super::record_locks::tree::{Node, Tree, TreeEntry};
use lock::Mutex;

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

/// What an open file can do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It can be read.
    Input,
    /// It can be written.
    Output,
    /// An urgent byte is among what can be read: of those that asked for a signal of their own.
    Priority,
    /// The same, for the owner in any case: SIGURG.
    Urgent,
    /// Something happened in the directory.
    Message,
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

    /// An owner that nobody has named: it is told in the name of `credentials`.
    pub fn usual(whom: Whom, credentials: &Credentials) -> FileOwner {
        FileOwner::default().changed_to(Some(whom), credentials)
    }

    /// Becomes `usual` if nobody was named, with the signal that it has.
    pub fn take_unless_named(&mut self, usual: FileOwner) {
        if self.whom.is_none() {
            (self.whom, self.users) = (usual.whom, usual.users);
        }
    }

    /// Real and effective user of who named the owner.
    pub fn named_by(&self) -> (u32, u32) {
        self.users
    }
}

/// An open file whose owner is told by signals (`F_SETOWN`).
pub trait HasOwner: Send + Sync + 'static {
    /// Who is told by signals.
    fn owner(&self) -> FileOwner;
}

/// Sends the signals. It knows threads, processes and groups, which stand above the file layer.
pub trait Messenger: Sync {
    /// Tells the owner by its signal; whom the one who named it might not send a signal to gets none. No lock may be held.
    fn tell(&self, owner: &FileOwner, descriptor: i32, event: Event);
}

/// Tells the owner of one open file. No lock may be held.
pub fn tell(file: &dyn HasOwner, event: Event) {
    tell_by(file, 0, event);
}

/// As [`tell`], by the name of that descriptor.
pub fn tell_by(file: &dyn HasOwner, descriptor: i32, event: Event) {
    if let Some(messenger) = MESSENGER.get() {
        messenger.tell(&file.owner(), descriptor, event);
    }
}

static MESSENGER: Once<&'static dyn Messenger> = Once::new();

/// Says who sends the signals. Called once, at boot.
pub fn set_messenger(messenger: &'static dyn Messenger) {
    MESSENGER.call_once(|| messenger);
}

/// Open files whose owners are told.
pub struct Listeners {
    files: Mutex<Tree<Listener>>,
    count: AtomicUsize,
}

struct Listener {
    file: Weak<dyn HasOwner>,
    descriptor: i32,
}

impl TreeEntry for Listener {
    type Key = usize;
    type Summary = ();

    fn key(&self) -> usize {
        self.file.as_ptr().addr()
    }

    fn summary(&self) {}

    fn join((): (), (): ()) {}
}

type Heard = (Option<Arc<dyn HasOwner>>, i32, usize);

impl Default for Listeners {
    fn default() -> Self {
        Self::new()
    }
}

impl Listeners {
    /// Nobody.
    pub const fn new() -> Self {
        Listeners {
            files: Mutex::new(Tree::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// From now on the owner of `file` is told, by the name of that descriptor.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn add<F: HasOwner>(&self, file: &Arc<F>, descriptor: i32) -> Result<(), Errno> {
        let key = Arc::as_ptr(file).addr();
        let file: Weak<dyn HasOwner> = Arc::<F>::downgrade(file);
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
            if let (Some(file), Some(messenger)) = (file, MESSENGER.get()) {
                messenger.tell(&file.owner(), descriptor, event);
            }
            rest();
            from = key + 1;
        }
    }

    /// The next listener: its file while that is open, the descriptor, and where it stands.
    fn next(&self, from: usize) -> Option<Heard> {
        let files = self.files.lock();
        let listener = files.first_from(from)?;
        Some((listener.file.upgrade(), listener.descriptor, listener.key()))
    }
}
