//! A packet has come: whose is it? What no socket wants is left to the interface, which answers it, by an echo, a reset or an ICMP
//! error, or drops it. What each way needs is not inlined here: it would lie on the stack below all others.

use super::address::is_loopback;
use super::datagram;
use super::netif::Netif;
use super::outbox::Outbox;
use super::packet::InboundPacket;
use super::stream;
use core::sync::atomic::Ordering;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, IpVersion, Ipv4Packet, Ipv6Packet,
};

/// A frame of Ethernet has come.
pub(crate) fn take_frame(netif: &'static Netif, bytes: &[u8], outbox: &mut Outbox) {
    let Ok(frame) = EthernetFrame::new_checked(bytes) else {
        return;
    };
    let is_for_us = netif.with_station(|station, _| station.is_for_us(&frame));
    if is_for_us != Some(true) {
        return drop_packet(netif);
    }
    match frame.ethertype() {
        EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => {
            take_packet(netif, bytes, frame.payload(), outbox);
        }
        EthernetProtocol::Arp => {
            netif.traffic.note_in(bytes.len());
            netif.with_station(|station, traffic| station.take_arp(frame.payload(), traffic));
            super::dhcp::take_arp(netif, bytes);
        }
        EthernetProtocol::Unknown(_) => drop_packet(netif),
    }
}

fn drop_packet(netif: &Netif) {
    netif.traffic.dropped_in.fetch_add(1, Ordering::Relaxed);
}

/// An IP packet has come, in `frame`.
pub(crate) fn take_packet(netif: &'static Netif, frame: &[u8], packet: &[u8], outbox: &mut Outbox) {
    netif.traffic.note_in(frame.len());
    let arrival = match IpVersion::of_packet(packet) {
        Ok(IpVersion::Ipv4) => read_ipv4(netif, frame, packet),
        Ok(IpVersion::Ipv6) => read_ipv6(netif, frame, packet),
        Err(_) => None,
    };
    match arrival {
        Some(arrival) if is_plausible(&arrival) => dispatch(&arrival, outbox),
        _ => drop_packet(netif),
    }
}

/// Fragments are not put together: they are dropped.
fn read_ipv4<'a>(netif: &'static Netif, frame: &'a [u8], packet: &'a [u8]) -> Option<InboundPacket<'a>> {
    let header = Ipv4Packet::new_checked(packet).ok()?;
    let is_fragment = header.more_frags() || header.frag_offset() != 0;
    let is_damaged = !netif.is_loopback() && !header.verify_checksum();
    (!is_fragment && !is_damaged).then(|| InboundPacket {
        netif,
        frame,
        packet,
        source: header.src_addr().into(),
        destination: header.dst_addr().into(),
        protocol: header.next_header(),
        hop_limit: header.hop_limit(),
        traffic_class: header.dscp() << 2 | header.ecn(),
        payload: header.payload(),
    })
}

fn read_ipv6<'a>(netif: &'static Netif, frame: &'a [u8], packet: &'a [u8]) -> Option<InboundPacket<'a>> {
    let header = Ipv6Packet::new_checked(packet).ok()?;
    Some(InboundPacket {
        netif,
        frame,
        packet,
        source: header.src_addr().into(),
        destination: header.dst_addr().into(),
        protocol: header.next_header(),
        hop_limit: header.hop_limit(),
        traffic_class: header.traffic_class(),
        payload: header.payload(),
    })
}

/// Whether a packet can have come that way: nobody outside has an address of this machine's own to itself (RFC 1122, 3.2.1.3), and
/// nobody is spoken to on behalf of another machine.
fn is_plausible(arrival: &InboundPacket<'_>) -> bool {
    if arrival.netif.is_loopback() {
        return true;
    }
    let (source, destination) = (&arrival.source, &arrival.destination);
    !is_loopback(source)
        && !is_loopback(destination)
        && !source.is_multicast()
        && (destination.is_multicast()
            || arrival.netif.has(destination)
            || arrival.netif.is_broadcast(destination))
        || is_for_newcomer(arrival)
}

/// Whether it may be an answer to an interface that asks for an address.
fn is_for_newcomer(arrival: &InboundPacket<'_>) -> bool {
    arrival.protocol == IpProtocol::Udp && super::dhcp::is_for_client(arrival)
}

fn dispatch(arrival: &InboundPacket<'_>, outbox: &mut Outbox) {
    let is_wanted = datagram::give_to_raw(arrival);
    match arrival.protocol {
        IpProtocol::Tcp => stream::arrive(arrival, outbox),
        IpProtocol::Udp => datagram::arrive(arrival, outbox),
        IpProtocol::Icmp | IpProtocol::Icmpv6 => {
            if let (IpProtocol::Icmpv6, IpAddress::Ipv6(source)) = (arrival.protocol, arrival.source) {
                arrival.netif.with_station(|station, traffic| {
                    station.take_discovery(source, arrival.hop_limit, arrival.payload, traffic);
                });
            }
            datagram::give_to_ping(arrival);
            arrival.answer(outbox);
        }
        _ if is_wanted => {}
        _ => arrival.answer(outbox),
    }
}
