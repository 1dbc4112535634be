//! What has happened and was not read yet.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use abi::events::{InotifyEvent, InotifyEvents};
use lock::Mutex;
use memory::fallible;
use platform::queue::{Member, Queue};
use sched::wait::WaitQueue;

/// One event.
pub struct QueuedEvent {
    /// The number of the watch.
    pub watch: i32,
    /// What happened.
    pub mask: InotifyEvents,
    /// The same in both halves of a move.
    pub cookie: u32,
    /// The entry of the watched directory.
    pub name: Box<[u8]>,
    place: Member<QueuedEvent>,
}

/// Events, first come first.
pub struct EventQueue {
    waiting: Mutex<UnreadEvents>,
    /// Woken when there is something to read.
    pub readers: WaitQueue,
    most: usize,
    /// Stands in the queue where events were lost. It is there from the beginning, so that the loss can always be told.
    overflow: Arc<QueuedEvent>,
}

#[derive(Default)]
struct UnreadEvents {
    queue: Queue<Arc<QueuedEvent>>,
    last: Option<Arc<QueuedEvent>>,
    bytes: usize,
}

impl QueuedEvent {
    /// One event. `ENOMEM`.
    pub fn new(watch: i32, mask: InotifyEvents, cookie: u32, name: &[u8]) -> Result<Arc<QueuedEvent>, Errno> {
        fallible::arc(QueuedEvent {
            watch,
            mask,
            cookie,
            name: fallible::boxed_bytes(name)?,
            place: Member::new(),
        })
    }

    /// Bytes that a read gets of it.
    pub fn len(&self) -> usize {
        let name_len = match self.name.len() {
            0 => 0,
            len => (len + 1).next_multiple_of(size_of::<InotifyEvent>()),
        };
        size_of::<InotifyEvent>() + name_len
    }

    /// Whether a second one right behind it would tell nothing new.
    fn covers(&self, next: &QueuedEvent) -> bool {
        !self.mask.contains(InotifyEvents::IN_IGNORED)
            && (self.mask, self.watch, &self.name) == (next.mask, next.watch, &next.name)
    }
}

impl UnreadEvents {
    fn append(&mut self, event: Arc<QueuedEvent>) -> Option<Arc<QueuedEvent>> {
        self.bytes += event.len();
        self.queue.enter_member(event.clone(), |event| &event.place);
        self.last.replace(event)
    }
}

impl EventQueue {
    /// A queue of at most so many events. `ENOMEM`.
    pub fn new(most: usize) -> Result<EventQueue, Errno> {
        Ok(EventQueue {
            waiting: Mutex::new(UnreadEvents::default()),
            readers: WaitQueue::new(),
            most,
            overflow: QueuedEvent::new(-1, InotifyEvents::IN_Q_OVERFLOW, 0, b"")?,
        })
    }

    /// Adds an event, unless it is what the last one says; `None`: one that found no memory. What is lost is told once.
    pub fn add(&self, event: Option<Arc<QueuedEvent>>) {
        let mut waiting = self.waiting.lock();
        let event = event.filter(|_| waiting.queue.len() < self.most);
        let is_told = match &event {
            None => waiting.queue.has_member(&self.overflow.place),
            Some(event) => {
                !waiting.queue.is_empty() && waiting.last.as_ref().is_some_and(|last| last.covers(event))
            }
        };
        if is_told {
            return;
        }
        let replaced = waiting.append(event.unwrap_or_else(|| self.overflow.clone()));
        drop(waiting);
        drop(replaced);
        self.readers.wake_all();
    }

    /// Takes the first event if there is room for it; `None` if there is none. `EINVAL`.
    pub fn take(&self, room: usize) -> Option<Result<Arc<QueuedEvent>, Errno>> {
        let mut waiting = self.waiting.lock();
        let len = waiting.queue.iter().next()?.len();
        if len > room {
            return Some(Err(Errno::EINVAL));
        }
        let event = waiting.queue.take_first()?;
        waiting.bytes -= len;
        let last = waiting.last.take_if(|last| Arc::ptr_eq(last, &event));
        drop(waiting);
        drop(last);
        Some(Ok(event))
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many events there are.
    pub fn count(&self) -> usize {
        self.waiting.lock().queue.len()
    }

    /// Bytes that reads would get.
    pub fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }
}
