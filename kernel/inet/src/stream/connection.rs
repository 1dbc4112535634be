//! The state of the protocol for one connection: a socket of `smoltcp`, in a set of its own.

use super::super::buffer;
use super::super::clock;
use super::super::counts;
use super::super::netif::{self, Netif};
use super::super::ports::Sharing;
use super::super::single;
use super::super::tally::Tally;
use super::Stream;
use super::connections::ConnectionKey;
use super::options::TcpOptions;
use super::urgent::UrgentMark;
use abi::Errno;
use alloc::sync::Arc;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::wire::IpListenEndpoint;

/// A connection, or what is to become one.
pub(super) struct Connection {
    pub(super) set: SocketSet<'static>,
    handle: SocketHandle,
    /// The interface that leads to the peer.
    pub(super) netif: &'static Netif,
    pub(super) key: ConnectionKey,
    pub(super) sharing: Sharing,
    /// The listening socket that made it, until it stands.
    pub(super) parent: Option<Arc<Stream>>,
    /// What has gone over it.
    pub(super) tally: Tally,
    /// The urgent byte of the peer.
    pub(super) urgent: UrgentMark,
    /// Bytes of both buffers, which are counted.
    bytes: usize,
}

/// What of a connection others see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) state: State,
    /// Bytes that can be read.
    pub(super) received: usize,
    /// Bytes that are not acknowledged, and how many there may be.
    pub(super) queued: usize,
    pub(super) capacity: usize,
}

impl View {
    /// Whether a connection stands, or stood.
    pub(super) fn is_past_opening(&self) -> bool {
        !matches!(self.state, State::SynSent | State::SynReceived)
    }

    /// Whether nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        matches!(
            self.state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait | State::Closed
        )
    }

    /// Whether bytes can be queued.
    pub(super) fn may_send(&self) -> bool {
        matches!(self.state, State::Established | State::CloseWait)
    }

    /// Whether there is room enough for a sender to be woken: a third (`sk_stream_is_writeable` of Linux).
    pub(super) fn has_room(&self) -> bool {
        (self.capacity - self.queued) * 2 >= self.queued
    }
}

impl Connection {
    /// One that does nothing yet.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOBUFS`.
    pub(super) fn new(
        netif: &'static Netif,
        key: ConnectionKey,
        sharing: Sharing,
        receive_buffer: usize,
        send_buffer: usize,
        options: &TcpOptions,
    ) -> Result<Connection, Errno> {
        let (received, sent) = buffer::take_pair(receive_buffer, send_buffer)?;
        let bytes = received.len() + sent.len();
        let mut socket = Socket::new(SocketBuffer::new(received), SocketBuffer::new(sent));
        socket.set_congestion_control(CongestionControl::Reno);
        socket.set_ack_delay(None);
        options.apply(&mut socket);
        let (set, handle) = match single::set_of(socket) {
            Ok(made) => made,
            Err(error) => {
                buffer::note_freed(bytes);
                return Err(error);
            }
        };
        Ok(Connection {
            set,
            handle,
            netif,
            key,
            sharing,
            parent: None,
            tally: Tally::default(),
            urgent: UrgentMark::default(),
            bytes,
        })
    }

    pub(super) fn socket(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    pub(super) fn view(&self) -> View {
        let socket = self.socket();
        View {
            state: socket.state(),
            received: socket.recv_queue(),
            queued: socket.send_queue(),
            capacity: socket.send_capacity(),
        }
    }

    /// The most bytes of one segment: what the interface lets through.
    pub(super) fn longest_segment(&self) -> usize {
        const HEADERS: usize = 40;
        self.netif.longest_packet() - HEADERS
    }

    /// Whether what was not sent yet is less than a segment, and there is room for more.
    #[cold]
    pub(super) fn may_hold_back(&self) -> bool {
        let view = self.view();
        let unsent = view.queued.saturating_sub(self.tally.in_flight());
        unsent < self.longest_segment() && view.queued < view.capacity
    }

    /// So many bytes at most are waited for before some are taken: half of the buffer, as on Linux (`tcp_set_rcvlowat`). It may never be
    /// full, for a window is told in units of its scale.
    pub(super) fn receive_mark(&self) -> usize {
        self.socket().recv_capacity() / 2
    }

    /// Whether nothing of it is left, not even a reset to be sent.
    pub(super) fn is_over(&self) -> bool {
        let socket = self.socket();
        socket.state() == State::Closed && socket.remote_endpoint().is_none()
    }

    /// Whether it waits for its end with bytes that nobody has read.
    pub(super) fn has_unread_past(&self) -> bool {
        let view = self.view();
        view.state == State::TimeWait && view.received > 0
    }

    /// Whether its buffers need not wait for the end of TIME-WAIT, of which the numbers alone are kept then ([`past`](super::past)): on the
    /// loopback interface, where no segment is lost, so that none is to be answered; on others when buffers are scarce.
    pub(super) fn is_forgettable(&self) -> bool {
        self.socket().state() == State::TimeWait && (self.netif.is_loopback() || buffer::is_scarce())
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: no connection can be between these addresses.
    pub(super) fn connect(&mut self) -> Result<(), Errno> {
        let (remote, local) = (self.key.remote(), self.key.local());
        let socket = self.set.get_mut::<Socket<'static>>(self.handle);
        netif::with_dice(None, |dice, _| socket.connect(dice.context(), remote, local))
            .map_err(|_| Errno::EADDRNOTAVAIL)
    }

    /// Answers a SYN, the IP packet `syn`; whether it was one.
    pub(super) fn answer(&mut self, syn: &[u8]) -> bool {
        let local = self.key.local();
        let listening = IpListenEndpoint {
            addr: Some(local.addr),
            port: local.port,
        };
        if self.socket_mut().listen(listening).is_err() {
            return false;
        }
        self.tally.note_received(syn);
        let set = &mut self.set;
        netif::with_dice(Some(syn), |dice, port| {
            dice.poll_ingress_single(clock::now(), port, set)
        });
        self.socket().state() == State::SynReceived
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        counts::keep(self.tally.segments());
        buffer::note_freed(self.bytes);
    }
}
