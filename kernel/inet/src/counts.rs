//! How many sockets there are and what has gone over all of them together, counted. What is shown of that: `totals`.

use core::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or one of what there is.
pub(crate) struct NetCount(AtomicU64);

impl NetCount {
    const fn new() -> NetCount {
        NetCount(AtomicU64::new(0))
    }

    /// One more.
    pub(crate) fn note(&self) {
        self.add(1);
    }

    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Connections that programs of this machine have opened.
pub(crate) static ACTIVE_OPENS: NetCount = NetCount::new();
/// Connections that others opened to sockets that listen.
pub(crate) static PASSIVE_OPENS: NetCount = NetCount::new();
/// Connections that came to nothing.
pub(crate) static ATTEMPT_FAILS: NetCount = NetCount::new();
/// Connections that ended by a reset.
pub(crate) static ESTAB_RESETS: NetCount = NetCount::new();
/// Segments for nobody.
pub(crate) static STRAY_SEGMENTS: NetCount = NetCount::new();
/// Those that were answered by a reset.
pub(crate) static STRAY_RESETS: NetCount = NetCount::new();
/// Segments of connections that are over: received, sent, sent again, and the resets among those that were sent.
pub(crate) static PAST: [NetCount; 4] = [const { NetCount::new() }; 4];
/// Sockets of TCP.
pub(crate) static STREAMS: NetCount = NetCount::new();

/// Messages of UDP that programs have received.
pub(crate) static UDP_IN: NetCount = NetCount::new();
/// Those for which there was no socket.
pub(crate) static UDP_NO_PORTS: NetCount = NetCount::new();
/// Those that found no room.
pub(crate) static UDP_NO_ROOM: NetCount = NetCount::new();
/// Those that were sent.
pub(crate) static UDP_OUT: NetCount = NetCount::new();

/// Stands for one socket of TCP.
pub(crate) struct CountedStream(());

impl CountedStream {
    pub(crate) fn new() -> CountedStream {
        STREAMS.note();
        CountedStream(())
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        STREAMS.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection is over: what went over it counts on.
pub(crate) fn keep(segments: [u64; 4]) {
    let pairs = PAST.iter().zip(segments);
    pairs.for_each(|(count, more)| count.add(more));
}
