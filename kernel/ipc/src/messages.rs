//! System V messages: queues of messages that have a type, by which they are taken.

use super::registry::{IpcObject, IpcRegistry};
use super::rights::Owners;
use super::settings::{MOST_QUEUE_BYTES, MOST_QUEUES};
use super::totals;
use super::turns::{Turns, pass};
use abi::Errno;
use abi::ipc::{IpcGetFlags, IpcPerm};
use abi::message::MsqIdDs;
use abi::process::Pid;
use alloc::sync::Arc;
use alloc::vec::Vec;
use lock::{Mutex, MutexGuard, rank};
use memory::fallible;
use memory::fallible::map::Map;
use sched::wait::{Interrupted, WaitQueue};
use vfs::Credentials;

/// All queues.
pub static QUEUES: IpcRegistry<MessageQueue> = IpcRegistry::new();

/// A message.
#[derive(Debug)]
pub struct IpcMessage {
    /// Its type, which is positive.
    pub kind: i64,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Which message is taken: the first that was sent of those.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WantedMessage {
    /// Of any type.
    Any,
    /// Of that type.
    Kind(i64),
    /// Of any type but that one.
    Not(i64),
    /// Of the lowest type, which is that one or lower.
    AtMost(i64),
}

/// Whether it is waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfBlocked {
    /// Until it can be done.
    Wait,
    /// It is not.
    Return,
}

/// A queue.
pub struct MessageQueue {
    id: i32,
    key: i32,
    owners: Mutex<Owners>,
    senders: WaitQueue,
    receivers: WaitQueue,
    state: Mutex<QueueState, { rank::SEMAPHORES }>,
}

/// What is in a queue.
struct QueueState {
    /// By number: who was sent first has the lowest.
    messages: Map<u64, IpcMessage>,
    /// By type and number.
    kinds: Map<(i64, u64), ()>,
    next: u64,
    bytes: u64,
    most_bytes: u64,
    sent_at: i64,
    received_at: i64,
    changed_at: i64,
    last_sender: Pid,
    last_receiver: Pid,
    sending: Turns,
    receiving: Turns,
    is_removed: bool,
}

type LockedQueue<'a> = MutexGuard<'a, QueueState, { rank::SEMAPHORES }>;

impl IpcObject for MessageQueue {
    fn id(&self) -> i32 {
        self.id
    }

    fn key(&self) -> i32 {
        self.key
    }

    fn owners(&self) -> Owners {
        *self.owners.lock()
    }
}

/// msgget(2): the identifier of the queue with that key; if there is none, of a new one if `flags` say so.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EACCES`, `ENOSPC` beyond a limit, `ENOMEM`.
pub fn find_or_make(key: i32, flags: IpcGetFlags, maker: &Credentials) -> Result<i32, Errno> {
    let make = |id, ()| {
        fallible::arc_with(|| MessageQueue {
            id,
            key,
            owners: Mutex::new(Owners::new(maker, flags.bits())),
            senders: WaitQueue::new(),
            receivers: WaitQueue::new(),
            state: Mutex::new(QueueState {
                messages: Map::new(),
                kinds: Map::new(),
                next: 0,
                bytes: 0,
                most_bytes: MOST_QUEUE_BYTES.get(),
                sent_at: 0,
                received_at: 0,
                changed_at: super::now(),
                last_sender: 0,
                last_receiver: 0,
                sending: Turns::new(),
                receiving: Turns::new(),
                is_removed: false,
            }),
        })
    };
    QUEUES.find_or_make(
        (key, flags),
        maker,
        MOST_QUEUES.get(),
        |_| Ok(()),
        || Ok(()),
        make,
    )
}

impl MessageQueue {
    /// Locks it.
    ///
    /// # Errors
    /// `EIDRM`: it was removed.
    fn lock(&self) -> Result<LockedQueue<'_>, Errno> {
        let state = self.state.lock();
        if state.is_removed {
            Err(Errno::EIDRM)
        } else {
            Ok(state)
        }
    }

    /// Sends a message for a process; waits until there is room.
    ///
    /// # Errors
    /// `EAGAIN`: there is none, and it does not wait. `EIDRM`, an interrupted wait, `ENOMEM`.
    pub fn send(&self, message: IpcMessage, process: Pid, if_blocked: IfBlocked) -> Result<(), Errno> {
        let now = super::now();
        let mut rest = Some(message);
        let look = || self.put(&mut rest, process, now);
        self.wait(&self.senders, |state| &mut state.sending, if_blocked, look)
            .map_err(|error| {
                if error == Errno::ENOMSG {
                    Errno::EAGAIN
                } else {
                    error
                }
            })
    }

    /// Puts the message there, if there is room.
    fn put(&self, message: &mut Option<IpcMessage>, process: Pid, now: i64) -> Option<Result<(), Errno>> {
        let mut state = match self.lock() {
            Ok(state) => state,
            Err(error) => return Some(Err(error)),
        };
        let sent = message.take()?;
        let len = sent.bytes.len() as u64;
        let has_room =
            state.bytes + len <= state.most_bytes && (state.messages.len() as u64) < state.most_bytes;
        if !has_room {
            *message = Some(sent);
            return None;
        }
        let (number, kind) = (state.next, sent.kind);
        if let Err(error) = state.kinds.insert((kind, number), ()) {
            return Some(Err(error));
        }
        if let Err(error) = state.messages.insert(number, sent) {
            state.kinds.remove(&(kind, number));
            return Some(Err(error));
        }
        state.next += 1;
        state.bytes += len;
        state.last_sender = process;
        state.sent_at = now;
        state.receiving.note_change();
        let owed = state.receiving.take_owed();
        drop(state);
        pass(&self.receivers, owed);
        Some(Ok(()))
    }

    /// Takes a message for a process; waits until one has come. What `check` says of its length leaves it there.
    ///
    /// # Errors
    /// Those of `check`. `ENOMSG`: there is none, and it does not wait. `EIDRM`, an interrupted wait.
    pub fn receive(
        &self,
        wanted: WantedMessage,
        check: impl Fn(usize) -> Result<(), Errno>,
        process: Pid,
        if_blocked: IfBlocked,
    ) -> Result<IpcMessage, Errno> {
        let look = || self.take(wanted, &check, process);
        self.wait(&self.receivers, |state| &mut state.receiving, if_blocked, look)
    }

    fn take(
        &self,
        wanted: WantedMessage,
        check: &impl Fn(usize) -> Result<(), Errno>,
        process: Pid,
    ) -> Option<Result<IpcMessage, Errno>> {
        let now = super::now();
        let mut state = match self.lock() {
            Ok(state) => state,
            Err(error) => return Some(Err(error)),
        };
        let number = state.find(wanted)?;
        let checked = state
            .messages
            .get(&number)
            .map(|message| check(message.bytes.len()));
        if let Some(Err(error)) = checked {
            return Some(Err(error));
        }
        let message = state.messages.remove(&number)?;
        state.kinds.remove(&(message.kind, number));
        state.bytes -= message.bytes.len() as u64;
        state.last_receiver = process;
        state.received_at = now;
        state.sending.note_change();
        let owed = state.sending.take_owed();
        drop(state);
        pass(&self.senders, owed);
        Some(Ok(message))
    }

    /// Looks until that comes to something.
    fn wait<R>(
        &self,
        queue: &WaitQueue,
        turns: impl Fn(&mut QueueState) -> &mut Turns,
        if_blocked: IfBlocked,
        mut look: impl FnMut() -> Option<Result<R, Errno>>,
    ) -> Result<R, Errno> {
        if let Some(found) = look() {
            return found;
        }
        if if_blocked == IfBlocked::Return {
            return Err(Errno::ENOMSG);
        }
        turns(&mut self.state.lock()).enter();
        let found = queue.wait_exclusive(|| {
            let found = look();
            let owed = turns(&mut self.state.lock()).take_owed();
            pass(queue, owed);
            found
        });
        turns(&mut self.state.lock()).leave();
        found.unwrap_or_else(|Interrupted| Err(Errno::RESTART_NO_HANDLER))
    }

    /// Whose it is from now on, with which rights, and how many bytes it may have.
    pub fn give(&self, uid: u32, gid: u32, mode: u32, most_bytes: u64) {
        let now = super::now();
        self.owners.lock().give(uid, gid, mode);
        let mut state = self.state.lock();
        state.changed_at = now;
        state.most_bytes = most_bytes;
        state.sending.note_change();
        let owed = state.sending.take_owed();
        drop(state);
        pass(&self.senders, owed);
    }

    /// What is known of it.
    pub fn status(&self) -> MsqIdDs {
        let owners = self.owners();
        let state = self.state.lock();
        MsqIdDs {
            msg_perm: IpcPerm {
                key: self.key,
                seq: (self.id >> totals::INDEX_BITS) as u16,
                ..owners.perm()
            },
            msg_stime: state.sent_at,
            msg_rtime: state.received_at,
            msg_ctime: state.changed_at,
            msg_cbytes: state.bytes,
            msg_qnum: state.messages.len() as u64,
            msg_qbytes: state.most_bytes,
            msg_lspid: state.last_sender as i32,
            msg_lrpid: state.last_receiver as i32,
            ..MsqIdDs::default()
        }
    }

    /// Removes it with its messages: whoever waits is told.
    pub fn remove(queue: &Arc<MessageQueue>) {
        if !QUEUES.remove(queue) {
            return;
        }
        let mut state = queue.state.lock();
        state.is_removed = true;
        state.sending.note_change();
        state.receiving.note_change();
        let (senders, receivers) = (state.sending.take_owed(), state.receiving.take_owed());
        drop(state);
        pass(&queue.senders, senders);
        pass(&queue.receivers, receivers);
    }
}

impl QueueState {
    /// The number of the message that is wanted.
    fn find(&self, wanted: WantedMessage) -> Option<u64> {
        match wanted {
            WantedMessage::Any => self.messages.iter().next().map(|(number, _)| *number),
            WantedMessage::Kind(kind) => self.first_of(kind, |found| found == kind),
            WantedMessage::AtMost(kind) => self.first_of(i64::MIN, |found| found <= kind),
            WantedMessage::Not(kind) => {
                let mut messages = self.messages.iter();
                let found = messages.find(|(_, message)| message.kind != kind);
                found.map(|(number, _)| *number)
            }
        }
    }

    /// The first message of the lowest type from `kind` on, if that is one of those.
    fn first_of(&self, kind: i64, is_meant: impl Fn(i64) -> bool) -> Option<u64> {
        let (&(found, number), ()) = self.kinds.range((kind, 0)..).next()?;
        is_meant(found).then_some(number)
    }
}
