//! /proc/sys/fs/mqueue, and what each user's queues may take: `RLIMIT_MSGQUEUE`.

use abi::Errno;
use abi::posix_queue::{HARD_MSGMAX, HARD_MSGSIZEMAX, MQ_PRIO_MAX, MqAttr};
use core::sync::atomic::{AtomicU64, Ordering};
use lock::Mutex;
use memory::fallible::map::Map;
use spin::Once;

/// Bytes that Linux counts for each message beside what it says, `struct msg_msg`; and for each priority, `struct
/// posix_msg_tree_node`.
const OVERHEAD: u64 = 48;

/// A limit of /proc/sys/fs/mqueue.
pub struct QueueLimit {
    now: AtomicU64,
    least: u64,
    most: u64,
}

const fn limit(now: u64, least: u64, most: u64) -> QueueLimit {
    QueueLimit {
        now: AtomicU64::new(now),
        least,
        most,
    }
}

/// How many queues there may be.
pub static MOST_QUEUES: QueueLimit = limit(256, 0, i32::MAX as u64);
/// How many messages an unprivileged process may give a queue.
pub static MOST_MESSAGES: QueueLimit = limit(10, 1, HARD_MSGMAX as u64);
/// How long messages such a process may give one.
pub static MOST_BYTES: QueueLimit = limit(8192, 128, HARD_MSGSIZEMAX as u64);
/// How many messages a queue gets if nobody says.
pub static USUAL_MESSAGES: QueueLimit = limit(10, 1, HARD_MSGMAX as u64);
/// How long messages it gets then.
pub static USUAL_BYTES: QueueLimit = limit(8192, 128, HARD_MSGSIZEMAX as u64);

/// Queues that there are.
static QUEUES: AtomicU64 = AtomicU64::new(0);

/// Bytes that the queues of each user count for; of users who have some.
static BYTES: Mutex<Map<u32, u64>> = Mutex::new(Map::new());

static MAKER: Once<fn() -> Maker> = Once::new();

/// The process that makes a queue.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// Whose bytes it counts for: the real user.
    pub uid: u32,
    /// `RLIMIT_MSGQUEUE`.
    pub most_bytes: u64,
    /// Whether it goes beyond the limits of /proc/sys/fs/mqueue: `CAP_SYS_RESOURCE`.
    pub is_privileged: bool,
}

/// How many messages a queue holds, and how long each may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// How many.
    pub messages: usize,
    /// How long.
    pub bytes: usize,
}

/// What a queue counts for, until that is dropped.
pub struct QueueCharge {
    uid: u32,
    bytes: u64,
}

impl QueueLimit {
    /// What it is.
    pub fn get(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Changes it.
    ///
    /// # Errors
    /// `EINVAL`: less or more than it may be.
    pub fn set(&self, wanted: i64) -> Result<(), Errno> {
        let wanted = u64::try_from(wanted).map_err(|_| Errno::EINVAL)?;
        if !(self.least..=self.most).contains(&wanted) {
            return Err(Errno::EINVAL);
        }
        self.now.store(wanted, Ordering::Relaxed);
        Ok(())
    }
}

/// Says who asks which process makes a queue: processes stand above. Once, at boot.
pub fn set_maker(current: fn() -> Maker) {
    MAKER.call_once(|| current);
}

impl Maker {
    /// The process of the running thread. Where there are none, as in tests, one that may do everything.
    pub fn current() -> Maker {
        match MAKER.get() {
            Some(current) => current(),
            None => Maker {
                uid: 0,
                most_bytes: u64::MAX,
                is_privileged: true,
            },
        }
    }
}

impl Shape {
    /// The shape that a maker asks for; `None`: the usual one.
    ///
    /// # Errors
    /// `EINVAL`: none, or beyond a limit.
    pub fn of(wanted: Option<&MqAttr>, maker: &Maker) -> Result<Shape, Errno> {
        let Some(wanted) = wanted else {
            return Ok(Shape {
                messages: MOST_MESSAGES.get().min(USUAL_MESSAGES.get()) as usize,
                bytes: MOST_BYTES.get().min(USUAL_BYTES.get()) as usize,
            });
        };
        let [messages, bytes] = match maker.is_privileged {
            true => [HARD_MSGMAX, HARD_MSGSIZEMAX],
            false => [MOST_MESSAGES.get() as i64, MOST_BYTES.get() as i64],
        };
        if !(1..=messages).contains(&wanted.maxmsg) || !(1..=bytes).contains(&wanted.msgsize) {
            return Err(Errno::EINVAL);
        }
        Ok(Shape {
            messages: wanted.maxmsg as usize,
            bytes: wanted.msgsize as usize,
        })
    }

    /// Bytes that a queue of this shape counts for, full or not, as Linux counts.
    fn cost(self) -> u64 {
        let messages = self.messages as u64;
        messages * (self.bytes as u64 + OVERHEAD) + messages.min(MQ_PRIO_MAX.into()) * OVERHEAD
    }
}

impl QueueCharge {
    /// Counts one more queue of that shape.
    ///
    /// # Errors
    /// `ENOSPC`: there are as many as may be. `EMFILE`: its user's would take more than they may. `ENOMEM`.
    pub fn take(shape: Shape, maker: &Maker) -> Result<QueueCharge, Errno> {
        let most = if maker.is_privileged {
            u64::MAX
        } else {
            MOST_QUEUES.get()
        };
        let one_more = |count: u64| (count < most).then_some(count + 1);
        QUEUES
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| Errno::ENOSPC)?;
        charge(maker, shape.cost()).inspect_err(|_| {
            QUEUES.fetch_sub(1, Ordering::Relaxed);
        })
    }
}

fn charge(maker: &Maker, bytes: u64) -> Result<QueueCharge, Errno> {
    let mut users = BYTES.lock();
    let has = users.get(&maker.uid).copied().unwrap_or(0);
    let sum = has.checked_add(bytes).filter(|sum| *sum <= maker.most_bytes);
    let sum = sum.ok_or(Errno::EMFILE)?;
    match users.get_mut(&maker.uid) {
        Some(known) => *known = sum,
        None => users.insert_new(maker.uid, sum)?,
    }
    Ok(QueueCharge {
        uid: maker.uid,
        bytes,
    })
}

impl Drop for QueueCharge {
    fn drop(&mut self) {
        QUEUES.fetch_sub(1, Ordering::Relaxed);
        let mut users = BYTES.lock();
        if let Some(known) = users.get_mut(&self.uid) {
            *known -= self.bytes;
            if *known == 0 {
                users.remove(&self.uid);
            }
        }
    }
}
