//! TIME-WAIT of connections whose sockets are gone: for a minute their numbers belong to nobody else, so that a segment that comes late
//! is for nobody (RFC 9293, 3.6.1; `inet_timewait_sock` of Linux). Little is kept of each, and of a bounded number of them.

use super::super::fifo::Fifo;
use super::super::ports::Sharing;
use super::PORTS;
use super::connections::{self, ConnectionKey};
use abi::Errno;
use alloc::sync::Arc;
use memory::fallible;
use memory::fallible::map::Map;
use platform::timer;
use sched::time::{self, Expire, SECOND, TimerPlace};
use spin::Once;

/// Connections that are kept, at most: net.ipv4.tcp_max_tw_buckets of a small machine. Further ones are forgotten at once.
const MOST: usize = 4096;
/// For how long: `TCP_TIMEWAIT_LEN`.
const STAY: u64 = 60 * SECOND;
/// Connections that are forgotten at once. When more are due the timer goes on, so that others run in between.
const MOST_AT_ONCE: usize = 64;
/// How long others have the processor then, in nanoseconds.
const PAUSE: u64 = 50_000;

/// A connection that is over.
#[derive(Clone, Copy)]
pub(crate) struct PastConnection {
    /// Ticks of the timer.
    since: u64,
    /// Whether its port can be bound again.
    pub(super) sharing: Sharing,
    /// `AF_*` of its socket.
    pub(crate) family: u32,
}

impl PastConnection {
    /// One that came into TIME-WAIT at that tick.
    pub(super) fn new(since: u64, sharing: Sharing, family: u32) -> PastConnection {
        PastConnection {
            since,
            sharing,
            family,
        }
    }

    fn end(&self) -> u64 {
        self.since.saturating_add(timer::nanos_to_ticks(STAY))
    }

    /// Nanoseconds that it stays.
    pub(crate) fn rest(&self) -> u64 {
        timer::ticks_to_nanos(self.end().saturating_sub(timer::ticks()))
    }
}

/// All of them.
pub(super) struct PastConnections {
    by_key: Map<ConnectionKey, PastConnection>,
    /// When each was added, in order. Some are gone since, or there again.
    order: Fifo<(ConnectionKey, u64)>,
}

impl PastConnections {
    pub(super) const fn new() -> Self {
        PastConnections {
            by_key: Map::new(),
            order: Fifo::new(),
        }
    }

    /// Keeps it, if there is room; whether it is kept.
    pub(super) fn add(&mut self, key: ConnectionKey, past: PastConnection) -> bool {
        let is_first = self.order.is_empty();
        let end = past.end();
        if end <= timer::ticks() || self.order.len() >= MOST || self.order.push((key, past.since)).is_err() {
            return false;
        }
        // What stands in the order alone is passed over.
        let is_kept = self.by_key.insert(key, past).is_ok();
        if let (true, Some(forgetter)) = (is_first, FORGETTER.get()) {
            time::set(end, forgetter.clone());
        }
        is_kept
    }

    pub(super) fn has(&self, key: &ConnectionKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(super) fn remove(&mut self, key: &ConnectionKey) -> Option<PastConnection> {
        self.by_key.remove(key)
    }

    /// The first behind `from`.
    pub(super) fn next(&self, from: Option<ConnectionKey>) -> Option<(ConnectionKey, PastConnection)> {
        let mut rest = match from {
            Some(key) => self.by_key.range(key..),
            None => self.by_key.iter(),
        };
        let (key, past) = rest.find(|(key, _)| Some(**key) != from)?;
        Some((*key, *past))
    }

    /// What is to be done about the one that was added first.
    fn look(&mut self) -> PastLook {
        let Some((key, since)) = self.order.first().copied() else {
            return PastLook::Nothing;
        };
        let its = self.by_key.get(&key).filter(|past| past.since == since);
        match its.map(PastConnection::end) {
            Some(end) if end > timer::ticks() => return PastLook::Wait(end),
            Some(_) => {}
            None => {
                self.order.pop();
                return PastLook::Passed;
            }
        }
        self.order.pop();
        match self.by_key.remove(&key) {
            Some(past) => PastLook::Over(key, past.sharing),
            None => PastLook::Passed,
        }
    }
}

/// What a look at the first of the order says.
enum PastLook {
    /// There is none.
    Nothing,
    /// It stays until that tick.
    Wait(u64),
    /// It had gone already.
    Passed,
    /// It is forgotten; its port is to be given back.
    Over(ConnectionKey, Sharing),
}

/// Who forgets those whose time is over.
struct Forgetter(TimerPlace);

static FORGETTER: Once<Arc<Forgetter>> = Once::new();

/// From now on there is who forgets them.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn start() -> Result<(), Errno> {
    FORGETTER
        .try_call_once(|| fallible::arc(Forgetter(TimerPlace::new())))
        .map(drop)
}

impl Expire for Forgetter {
    fn place(&self) -> &TimerPlace {
        &self.0
    }

    fn expire(self: Arc<Self>) {
        for _ in 0..MOST_AT_ONCE {
            match connections::with_past(PastConnections::look) {
                PastLook::Nothing => return,
                PastLook::Wait(end) => {
                    time::set(end, self);
                    return;
                }
                PastLook::Passed => {}
                PastLook::Over(key, sharing) => PORTS.disconnect(key.local().port, sharing),
            }
        }
        time::set(time::deadline_after(PAUSE), self);
    }
}
