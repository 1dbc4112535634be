//! Messages that come, and ICMP errors about messages that were sent.

use super::super::counts;
use super::super::outbox::Outbox;
use super::super::packet::InboundPacket;
use super::{
    Datagram, DatagramState, Kind, MOST_RECEIVERS, PING_PORTS, QueuedMessage, RAW, Receivers, UDP_PORTS,
    errors, groups,
};
use abi::Errno;
use memory::fallible;
use net::settings::MESSAGE_COST;
use sched::time;
use smoltcp::wire::{
    Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpEndpoint, IpProtocol, IpVersion, UdpPacket,
};
use vfs::file_owner::Event;

/// A datagram of UDP has come. One for nobody is answered by an ICMP error.
#[inline(never)]
pub(crate) fn arrive(arrival: &InboundPacket<'_>, outbox: &mut Outbox) {
    let Ok(datagram) = UdpPacket::new_checked(arrival.payload) else {
        return;
    };
    let (source, destination) = (arrival.source, arrival.destination);
    if !arrival.is_trusted() && !datagram.verify_checksum(&source, &destination) {
        return;
    }
    if super::super::dhcp::take(arrival) {
        return;
    }
    let from = IpEndpoint::new(source, datagram.src_port());
    let port = datagram.dst_port();
    if destination.is_multicast() || arrival.netif.is_broadcast(&destination) {
        let (is_group, interface) = (destination.is_multicast(), arrival.netif.index);
        if is_group && !groups::has_member(&destination, interface) {
            return;
        }
        let all: Receivers = UDP_PORTS.find_all(&destination, port);
        let takers = all.iter().filter(|socket| {
            socket.fit(&from).is_some() && (!is_group || socket.takes_group(&destination, interface))
        });
        takers.for_each(|socket| socket.queue(arrival, from, datagram.payload()));
        return;
    }
    let lot = usize::from(from.port);
    match UDP_PORTS.find(&destination, port, lot, |socket| socket.fit(&from)) {
        Some(socket) => socket.queue(arrival, from, datagram.payload()),
        None => {
            counts::UDP_NO_PORTS.note();
            arrival.answer(outbox);
        }
    }
}

/// Raw sockets get a copy of each packet of their protocol; whether one did.
#[inline(never)]
pub(crate) fn give_to_raw(arrival: &InboundPacket<'_>) -> bool {
    let receivers: Receivers = {
        let all = RAW.lock();
        if all.is_empty() {
            return false;
        }
        let wanting = all.iter().filter(|socket| socket.wants_raw(arrival));
        wanting.take(MOST_RECEIVERS).cloned().collect()
    };
    let from = IpEndpoint::new(arrival.source, 0);
    for socket in &receivers {
        // The header of IPv4 comes along, that of IPv6 does not (raw(7), RFC 3542).
        let bytes = match arrival.source.version() {
            IpVersion::Ipv4 => arrival.packet,
            IpVersion::Ipv6 => arrival.payload,
        };
        socket.queue(arrival, from, bytes);
    }
    !receivers.is_empty()
}

/// A message of ICMP has come: an echo's answer for who asked, or an error for who sent what it is about.
#[inline(never)]
pub(crate) fn give_to_ping(arrival: &InboundPacket<'_>) {
    let echo = match arrival.protocol {
        IpProtocol::Icmp => echo_of_ipv4(arrival.payload),
        _ => echo_of_ipv6(arrival.payload),
    };
    let from = IpEndpoint::new(arrival.source, 0);
    if let Some(number) = echo
        && let Some(socket) = PING_PORTS.find(&arrival.destination, number, 0, |socket| socket.fit(&from))
    {
        socket.queue(arrival, from, arrival.payload);
    }
    errors::take_error(arrival);
}

/// The number of an answer to an echo.
fn echo_of_ipv4(message: &[u8]) -> Option<u16> {
    let message = Icmpv4Packet::new_checked(message).ok()?;
    (message.msg_type() == Icmpv4Message::EchoReply).then(|| message.echo_ident())
}

fn echo_of_ipv6(message: &[u8]) -> Option<u16> {
    let message = Icmpv6Packet::new_checked(message).ok()?;
    (message.msg_type() == Icmpv6Message::EchoReply).then(|| message.echo_ident())
}

impl Datagram {
    /// How well a message from there fits; `None`: it is connected to another.
    pub(super) fn fit(&self, from: &IpEndpoint) -> Option<u8> {
        let peer = self.inner.lock().peer;
        match peer {
            Some(peer) => {
                (peer.addr == from.addr && (self.kind != Kind::Udp || peer.port == from.port)).then_some(1)
            }
            None => Some(0),
        }
    }

    fn wants_raw(&self, arrival: &InboundPacket<'_>) -> bool {
        let is_family = self.versions().takes(arrival.source.version());
        if !is_family || self.protocol != arrival.protocol {
            return false;
        }
        let inner = self.inner.lock();
        let is_icmp = matches!(arrival.protocol, IpProtocol::Icmp | IpProtocol::Icmpv6);
        if is_icmp
            && arrival
                .payload
                .first()
                .is_some_and(|kind| inner.options.filters(*kind))
        {
            return false;
        }
        let bound = inner.bound.and_then(|name| name.address);
        bound.is_none_or(|own| own == arrival.destination)
            && inner.peer.is_none_or(|peer| peer.addr == arrival.source)
    }

    /// Queues a message; one that finds no room, or no memory, is lost, as on any way.
    pub(super) fn queue(&self, arrival: &InboundPacket<'_>, from: IpEndpoint, bytes: &[u8]) {
        let Ok(message) = QueuedMessage::of(arrival, from, bytes) else {
            return;
        };
        let limit = self.base.receive_buffer() as usize;
        let is_added = self.inner.lock().add(message, limit);
        if is_added {
            self.readers.wake_all();
            self.listeners[0].tell(Event::Input, || {});
        } else if self.kind == Kind::Udp {
            counts::UDP_NO_ROOM.note();
        }
    }
}

impl QueuedMessage {
    /// One that came with `arrival`.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn of(
        arrival: &InboundPacket<'_>,
        from: IpEndpoint,
        bytes: &[u8],
    ) -> Result<QueuedMessage, Errno> {
        Ok(QueuedMessage {
            from,
            to: arrival.destination,
            hop_limit: arrival.hop_limit,
            traffic_class: arrival.traffic_class,
            interface: arrival.netif.index,
            came_at: None,
            bytes: fallible::boxed_bytes(bytes)?,
        })
    }

    /// One of no bytes, which never left.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn local(to: IpEndpoint) -> Result<QueuedMessage, Errno> {
        Ok(QueuedMessage {
            from: to,
            to: to.addr,
            hop_limit: 0,
            traffic_class: 0,
            interface: 0,
            came_at: None,
            bytes: fallible::boxed_bytes(&[])?,
        })
    }
}

impl DatagramState {
    /// Adds a message; whether there was room, and memory.
    fn add(&mut self, mut message: QueuedMessage, limit: usize) -> bool {
        message.came_at = self.options.stamp.map(|_| time::now_realtime_nanos());
        let cost = cost(&message);
        let is_full = self.queued + cost > limit && !self.queue.is_empty();
        if self.is_receive_shut || is_full || self.queue.push(message).is_err() {
            return false;
        }
        self.queued += cost;
        true
    }
}

/// What a message counts against the receive buffer.
pub(super) fn cost(message: &QueuedMessage) -> usize {
    message.bytes.len() + MESSAGE_COST as usize
}
