//! TCP: tcp(7). What the protocol does is `smoltcp`'s; here is what a socket makes of it.
//!
//! A [`Stream`] is a socket of a program, and lives on behind its last descriptor for as long as its connection has something to do.
//! Its lock guards the protocol's state, and is held while a packet for it is looked at, while bytes are copied to and from its
//! buffers (a fault ends the copy, and is served without the lock), and while it sends. What it sends to this machine is delivered
//! behind the lock (`delivery`).
//!
//! A listening socket has no state of the protocol: for each SYN a socket of its own is made, which waits in the listener's
//! [`Backlog`] from the moment that its connection stands.

mod arrive;
mod backlog;
mod close;
mod connection;
mod connections;
mod info;
mod names;
mod open;
mod ops;
mod options;
mod past;
mod poll;
mod receive;
mod send;
mod urgent;

pub(crate) use connections::{arrive, note_unreachable, visit, visit_past};
pub(crate) use names::visit_listening;
pub(crate) use past::start;

use super::address::SocketName;
use super::counts::CountedStream;
use super::ports::{PortHolder, Ports, Versions};
use abi::Errno;
use abi::socket::{AF_INET, SOCK_STREAM};
use alloc::sync::{Arc, Weak};
use backlog::Backlog;
use connection::Connection;
use core::sync::atomic::{AtomicBool, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use net::SocketBase;
use options::TcpOptions;
use sched::time::{Alarm, TimerPlace};
use sched::wait::WaitQueue;
use smoltcp::time::Duration;
use spin::Once;
use vfs::file_owner::Listeners;

/// Protocol number of TCP.
pub(crate) const IPPROTO_TCP: u32 = 6;

/// What `SO_RCVBUF` and `SO_SNDBUF` say at first: net.ipv4.tcp_rmem and tcp_wmem.
const RECEIVE_BUFFER: u32 = 131_072;
const SEND_BUFFER: u32 = 16_384;

/// Who has which port.
static PORTS: Ports<Stream> = Ports::new();

/// A socket of TCP.
pub(crate) struct Stream {
    base: SocketBase,
    /// `IPV6_V6ONLY`.
    is_v6_only: AtomicBool,
    inner: Mutex<StreamState, { rank::STREAM }>,
    /// While it listens.
    backlog: Mutex<Option<Backlog>, { rank::BACKLOG }>,
    readers: WaitQueue,
    writers: WaitQueue,
    listeners: [Listeners; 2],
    place: TimerPlace,
    own: Once<Weak<Stream>>,
    _counted: CountedStream,
}

/// What a socket's lock guards.
#[derive(Default)]
struct StreamState {
    /// What it is bound to, by bind(2) or because it needed a port.
    bound: Option<SocketName>,
    connection: Option<Connection>,
    options: TcpOptions,
    /// The tick at which its timer rings, and what takes that back.
    alarm: Option<(u64, Alarm)>,
    /// The tick since when its connection is in TIME-WAIT.
    past_since: Option<u64>,
    /// `TCP_DEFER_ACCEPT`: the tick from which on it may be accepted without bytes.
    deferred_until: Option<u64>,
    /// shutdown(2): nothing more is received.
    is_receive_shut: bool,
    /// No descriptor is left.
    is_orphan: bool,
    /// connect(2) is under way, or has failed and nobody was told.
    is_connecting: bool,
    pace: Pace,
}

/// How the program uses the connection: one that answers what it reads soon acknowledges by its answer, and its acknowledgement
/// waits for that; who only reads acknowledges at once, for the other side may wait with the rest of what it has to send (RFC 896). So
/// does Linux (`inet_csk_in_pingpong_mode`).
#[derive(Clone, Copy, Default)]
struct Pace {
    /// Reads since something was sent.
    reads: u8,
    is_conversation: bool,
}

impl Pace {
    /// After so many reads without an answer it is no conversation.
    const MOST_READS: u8 = 8;
    /// How long an answer is waited for (RFC 9293, 3.8.6.3).
    const PATIENCE: Duration = Duration::from_millis(10);

    fn note_sent(&mut self) {
        self.is_conversation |= self.reads > 0;
        self.reads = 0;
    }

    fn note_read(&mut self) {
        self.reads = self.reads.saturating_add(1);
        self.is_conversation &= self.reads <= Pace::MOST_READS;
    }

    fn acknowledgement_delay(self) -> Option<Duration> {
        self.is_conversation.then_some(Pace::PATIENCE)
    }
}

impl Stream {
    /// A new socket of that family.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(family: u32) -> Result<Arc<Stream>, Errno> {
        Stream::with(family, StreamState::default())
    }

    fn with(family: u32, inner: StreamState) -> Result<Arc<Stream>, Errno> {
        let stream = fallible::arc_with(|| Stream {
            base: SocketBase::new(family, SOCK_STREAM, IPPROTO_TCP),
            is_v6_only: AtomicBool::new(false),
            inner: Mutex::new(inner),
            backlog: Mutex::new(None),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            listeners: [Listeners::new(), Listeners::new()],
            place: TimerPlace::new(),
            own: Once::new(),
            _counted: CountedStream::new(),
        })?;
        stream.own.call_once(|| Arc::downgrade(&stream));
        stream.base.set_receive_buffer(RECEIVE_BUFFER);
        stream.base.set_send_buffer(SEND_BUFFER);
        Ok(stream)
    }

    /// The reference that tables and timers keep.
    ///
    /// # Errors
    /// `EBADF`: the last one is being dropped.
    fn own(&self) -> Result<Arc<Stream>, Errno> {
        self.own.get().and_then(Weak::upgrade).ok_or(Errno::EBADF)
    }

    /// Which versions of IP it takes.
    fn versions(&self) -> Versions {
        match self.base.family {
            AF_INET => Versions::Four,
            _ if self.is_v6_only.load(Ordering::Relaxed) => Versions::Six,
            _ => Versions::Both,
        }
    }
}

impl PortHolder for Stream {
    fn base(&self) -> &SocketBase {
        &self.base
    }

    fn is_listening(&self) -> bool {
        self.backlog.lock().is_some()
    }
}
