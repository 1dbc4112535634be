//! A POSIX message queue: what it holds, who waits, who is told.
//!
//! Under its lock only what is in a waiter's hand is locked; wake-ups and notices come behind it.

use abi::Errno;
use abi::posix_queue::MqAttr;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use sched::deferred_free::{self, Pages};
use sched::wait::{Interrupted, WaitQueue};

use super::limits::{QueueCharge, Shape};
use super::notice::{Registered, Registration, Sender, ShownNotice};
use super::waiter::{QueueWaiter, Turn, Waiters, sleep};

/// A message.
pub struct PosixMessage {
    /// Higher ones are received first: below [`MQ_PRIO_MAX`](abi::posix_queue::MQ_PRIO_MAX).
    pub priority: u32,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// How long somebody waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueuePatience {
    /// Not at all: `O_NONBLOCK`.
    None,
    /// Until it can be done.
    Endless,
    /// Until `CLOCK_REALTIME` says so many nanoseconds.
    Until(u64),
}

/// The messages that wait, by priority and number: the first is received next.
#[derive(Default)]
struct Messages(Map<(Reverse<u32>, u64), Vec<u8>>);

/// A queue.
pub struct PosixQueue {
    shape: Shape,
    state: Mutex<HeldMessages, { rank::SEMAPHORES }>,
    /// Told of a message, and of room: for those who only look, as poll(2).
    pub(super) readable: WaitQueue,
    pub(super) writable: WaitQueue,
    _charge: QueueCharge,
}

struct HeldMessages {
    messages: Messages,
    /// The number of the next message.
    next: u64,
    /// Bytes of all messages.
    bytes: usize,
    receivers: Waiters,
    senders: Waiters,
    registered: Registered,
}

/// What a message that was sent came to.
enum Sent {
    /// Somebody waited for it.
    Handed(Arc<QueueWaiter>),
    /// It waits, and perhaps somebody is to be told.
    Queued(Option<Registration>),
}

impl PosixQueue {
    /// An empty queue.
    pub(super) fn new(shape: Shape, charge: QueueCharge) -> PosixQueue {
        PosixQueue {
            shape,
            state: Mutex::new(HeldMessages {
                messages: Messages::default(),
                next: 0,
                bytes: 0,
                receivers: Waiters::new(),
                senders: Waiters::new(),
                registered: Registered::nobody(),
            }),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
            _charge: charge,
        }
    }

    /// How long a message may be.
    pub fn most_bytes(&self) -> usize {
        self.shape.bytes
    }

    /// What mq_getattr(3) says, but for the flags, which are the open file's.
    pub fn attributes(&self) -> MqAttr {
        MqAttr {
            maxmsg: self.shape.messages as i64,
            msgsize: self.shape.bytes as i64,
            curmsgs: self.count() as i64,
            ..MqAttr::default()
        }
    }

    /// How many messages wait.
    pub(super) fn count(&self) -> usize {
        self.state.lock().messages.0.len()
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.count() < self.shape.messages
    }

    /// Bytes of all messages, and who is to be told: what a read of the file shows.
    pub(super) fn shown(&self) -> (usize, ShownNotice) {
        let state = self.state.lock();
        (state.bytes, state.registered.shown())
    }

    /// mq_timedsend(2). The message fits.
    ///
    /// # Errors
    /// `EAGAIN`, `ETIMEDOUT`: there is no room. `ENOMEM`, or an interrupted wait.
    pub fn send(&self, message: PosixMessage, patience: QueuePatience, sender: Sender) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if state.messages.0.len() < self.shape.messages {
            let sent = state.put(message)?;
            drop(state);
            self.tell(sent, sender);
            return Ok(());
        }
        drop(state);
        let until = patience.end()?;
        let waiter = QueueWaiter::new(Some(message))?;
        let mut state = self.state.lock();
        if state.messages.0.len() < self.shape.messages {
            // Somebody made room meanwhile.
            let message = waiter.take().ok_or(Errno::EAGAIN)?;
            let sent = state.put(message)?;
            drop(state);
            self.tell(sent, sender);
            return Ok(());
        }
        let turn = state.senders.add(&waiter)?;
        drop(state);
        let outcome = sleep(until, || waiter.is_empty_handed().then_some(()));
        let is_left = |state: &mut HeldMessages| state.senders.remove(turn).is_some();
        self.end_of_wait(outcome, is_left).map(|_| ())
    }

    /// mq_timedreceive(2).
    ///
    /// # Errors
    /// `EAGAIN`, `ETIMEDOUT`: there is no message. `ENOMEM`, or an interrupted wait.
    pub fn receive(&self, patience: QueuePatience) -> Result<PosixMessage, Errno> {
        if let Some(message) = self.take() {
            return Ok(message);
        }
        let until = patience.end()?;
        let waiter = QueueWaiter::new(None)?;
        let mut state = self.state.lock();
        if !state.messages.0.is_empty() {
            drop(state);
            // Somebody sent one meanwhile; if it is gone again, whoever took it was first.
            return self.take().map_or_else(|| self.receive(patience), Ok);
        }
        let turn = state.receivers.add(&waiter)?;
        drop(state);
        let outcome = sleep(until, || waiter.take());
        let is_left = |state: &mut HeldMessages| state.receivers.remove(turn).is_some();
        match self.end_of_wait(outcome, is_left)? {
            Some(message) => Ok(message),
            // It came between the end of the wait and the look.
            None => waiter.take().ok_or(Errno::EAGAIN),
        }
    }

    /// What a wait came to. Who was served after it had ended is served all the same: `None`.
    fn end_of_wait<T>(
        &self,
        outcome: Result<Option<T>, Interrupted>,
        is_left: impl FnOnce(&mut HeldMessages) -> bool,
    ) -> Result<Option<T>, Errno> {
        let error = match outcome {
            Ok(Some(served)) => return Ok(Some(served)),
            Ok(None) => Errno::ETIMEDOUT,
            Err(interrupted) => interrupted.into(),
        };
        match is_left(&mut self.state.lock()) {
            true => Err(error),
            false => Ok(None),
        }
    }

    /// Takes the first message, and lets the first who waits for room send his.
    fn take(&self) -> Option<PosixMessage> {
        let mut state = self.state.lock();
        let message = state.take()?;
        let admitted = state.admit();
        drop(state);
        match admitted {
            Some(waiter) => waiter.wake(),
            None => self.writable.wake_all(),
        }
        Some(message)
    }

    /// Wakes whoever is to learn of a message.
    fn tell(&self, sent: Sent, sender: Sender) {
        match sent {
            Sent::Handed(waiter) => waiter.wake(),
            Sent::Queued(registration) => {
                if let Some(registration) = registration {
                    registration.notice.arrived(sender);
                }
                self.readable.wake_all();
            }
        }
    }

    /// mq_notify(2): somebody is to be told when a message comes to the empty queue, once.
    ///
    /// # Errors
    /// `EBUSY`: somebody is already.
    pub fn register(&self, registration: Registration) -> Result<(), Errno> {
        let outcome = self.state.lock().registered.add(registration);
        outcome.map_err(|(error, refused)| {
            refused.notice.withdrawn();
            error
        })
    }

    /// Nobody of that table of descriptors is to be told any more.
    pub fn unregister(&self, table: u64) {
        let gone = self.state.lock().registered.take_of(table);
        if let Some(gone) = gone {
            gone.notice.withdrawn();
        }
    }
}

impl QueuePatience {
    /// When it ends; `None`: never.
    ///
    /// # Errors
    /// `EAGAIN`: at once.
    fn end(self) -> Result<Option<u64>, Errno> {
        match self {
            QueuePatience::None => Err(Errno::EAGAIN),
            QueuePatience::Endless => Ok(None),
            QueuePatience::Until(nanos) => Ok(Some(nanos)),
        }
    }
}

impl HeldMessages {
    /// Puts a message where it belongs, where there is room.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn put(&mut self, message: PosixMessage) -> Result<Sent, Errno> {
        if let Some((turn, waiter)) = self.receivers.first() {
            self.receivers.remove(turn);
            waiter.give(message);
            return Ok(Sent::Handed(waiter));
        }
        let was_empty = self.messages.0.is_empty();
        self.insert(message)?;
        let told = if was_empty { self.registered.take() } else { None };
        Ok(Sent::Queued(told))
    }

    fn insert(&mut self, message: PosixMessage) -> Result<(), Errno> {
        let len = message.bytes.len();
        self.messages
            .0
            .insert_new((Reverse(message.priority), self.next), message.bytes)?;
        self.next += 1;
        self.bytes += len;
        Ok(())
    }

    fn take(&mut self) -> Option<PosixMessage> {
        let ((Reverse(priority), _), bytes) = self.messages.0.pop_first()?;
        self.bytes -= bytes.len();
        Some(PosixMessage { priority, bytes })
    }

    /// Takes the message of the first who waits for room. Without memory for it that one goes on waiting, as on Linux.
    fn admit(&mut self) -> Option<Arc<QueueWaiter>> {
        let (turn, waiter): (Turn, Arc<QueueWaiter>) = self.senders.first()?;
        // What could fail comes before the hand is emptied.
        let place = (Reverse(waiter.priority()?), self.next);
        self.messages.0.insert_new(place, Vec::new()).ok()?;
        let message = waiter.take()?;
        self.bytes += message.bytes.len();
        *self.messages.0.get_mut(&place)? = message.bytes;
        self.next += 1;
        self.senders.remove(turn);
        Some(waiter)
    }
}

impl Pages for Messages {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn release_one(&mut self) {
        drop(self.0.pop_first());
    }
}

impl Drop for PosixQueue {
    fn drop(&mut self) {
        let messages = core::mem::take(&mut self.state.lock().messages);
        deferred_free::lay_aside(messages);
    }
}
