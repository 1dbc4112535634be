//! UDP (udp(7)), echoes of ICMP for who may ask for them without rights (icmp(7), `SOCK_DGRAM`), and raw sockets (raw(7)): messages that
//! stand for themselves.
//!
//! What comes is queued with its sender, within the socket's receive buffer. What is sent to this machine is delivered at once
//! (`delivery`); what is sent to others leaves the socket at once, too (`station`).

mod arrive;
mod bind;
mod compose;
mod control;
mod errors;
mod groups;
mod ops;
mod options;
mod receive;
mod send;

pub(crate) use arrive::{arrive, give_to_ping, give_to_raw};
pub(crate) use bind::visit;

use super::address::SocketName;
use super::fifo::Fifo;
use super::ports::{PortHolder, Ports, Versions};
use abi::Errno;
use abi::socket::{AF_INET, SOCK_DGRAM, SOCK_RAW};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicBool, Ordering};
use errors::ErrorReport;
use groups::Membership;
use lock::{Mutex, rank};
use memory::fallible;
use net::SocketBase;
use options::DatagramOptions;
use sched::wait::WaitQueue;
use smoltcp::wire::{IpAddress, IpEndpoint, IpProtocol};
use spin::Once;
use vfs::file_owner::Listeners;

/// Who has which port of UDP, and which number of echoes.
static UDP_PORTS: Ports<Datagram> = Ports::new();
static PING_PORTS: Ports<Datagram> = Ports::new();
/// All raw sockets.
static RAW: Mutex<Vec<Arc<Datagram>>, { rank::PORTS }> = Mutex::new(Vec::new());

/// Sockets that one packet for several goes to at most.
const MOST_RECEIVERS: usize = 16;

type Receivers = ArrayVec<Arc<Datagram>, MOST_RECEIVERS>;

/// What a socket's messages are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Datagrams of UDP.
    Udp,
    /// Echoes.
    Ping,
    /// Packets of a protocol, with what a program makes of them.
    Raw,
}

/// A socket of messages.
pub(crate) struct Datagram {
    base: SocketBase,
    kind: Kind,
    /// Of raw sockets and echoes: whose packets.
    protocol: IpProtocol,
    /// `IPV6_V6ONLY`.
    is_v6_only: AtomicBool,
    inner: Mutex<DatagramState, { rank::DATAGRAM }>,
    readers: WaitQueue,
    writers: WaitQueue,
    listeners: [Listeners; 2],
    own: Once<Weak<Datagram>>,
}

/// What a socket's lock guards.
#[derive(Default)]
struct DatagramState {
    bound: Option<SocketName>,
    /// connect(2): to whom it sends, and from whom alone it takes.
    peer: Option<IpEndpoint>,
    /// The address that it sends from since then.
    source: Option<IpAddress>,
    queue: Fifo<QueuedMessage>,
    /// Errors that wait for who asked for them.
    errors: Fifo<ErrorReport>,
    /// What both count against the receive buffer.
    queued: usize,
    options: DatagramOptions,
    /// Groups that it has joined.
    memberships: Vec<Membership>,
    is_receive_shut: bool,
    is_send_shut: bool,
}

/// A message that has come.
pub(super) struct QueuedMessage {
    from: IpEndpoint,
    to: IpAddress,
    hop_limit: u8,
    traffic_class: u8,
    interface: u32,
    /// Nanoseconds since 1970, if the socket wanted to know.
    came_at: Option<u64>,
    bytes: Box<[u8]>,
}

impl Datagram {
    /// A new socket of that family.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(family: u32, kind: Kind, protocol: u8) -> Result<Arc<Datagram>, Errno> {
        let socket_kind = if kind == Kind::Raw { SOCK_RAW } else { SOCK_DGRAM };
        let socket = fallible::arc_with(|| Datagram {
            base: SocketBase::new(family, socket_kind, u32::from(protocol)),
            kind,
            protocol: IpProtocol::from(protocol),
            is_v6_only: AtomicBool::new(false),
            inner: Mutex::new(DatagramState::default()),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            listeners: [Listeners::new(), Listeners::new()],
            own: Once::new(),
        })?;
        socket.own.call_once(|| Arc::downgrade(&socket));
        if kind == Kind::Raw {
            socket.enter_raw()?;
        }
        Ok(socket)
    }

    /// Its packets come with their header of IP: `IPPROTO_RAW`.
    pub(crate) fn bring_header(&self) {
        self.inner.lock().options.brings_header = true;
    }

    fn own(&self) -> Result<Arc<Datagram>, Errno> {
        self.own.get().and_then(Weak::upgrade).ok_or(Errno::EBADF)
    }

    fn versions(&self) -> Versions {
        match self.base.family {
            AF_INET => Versions::Four,
            _ if self.kind == Kind::Udp && !self.is_v6_only.load(Ordering::Relaxed) => Versions::Both,
            _ => Versions::Six,
        }
    }

    /// Who has which port, of those that such sockets have; raw ones have none.
    fn ports(&self) -> Option<&'static Ports<Datagram>> {
        match self.kind {
            Kind::Udp => Some(&UDP_PORTS),
            Kind::Ping => Some(&PING_PORTS),
            Kind::Raw => None,
        }
    }
}

impl PortHolder for Datagram {
    fn base(&self) -> &SocketBase {
        &self.base
    }

    fn is_listening(&self) -> bool {
        false
    }
}
