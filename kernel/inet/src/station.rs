//! An interface's end of an Ethernet: puts packets of IP into frames for who is next on their way, asks who that is, and answers those
//! who ask (ARP; neighbour discovery of IPv6). The protocols above know nothing of frames.

use super::clock;
use super::fifo::Fifo;
use super::link::{MAX_FRAME, NetworkLink};
use super::neighbours::{Heard, NeighbourView, Neighbours, News, NextStep, Question};
use super::netif::Traffic;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::sync::atomic::Ordering;
use memory::fallible;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv6Packet,
    Icmpv6Repr, IpAddress, IpCidr, IpProtocol, IpVersion, Ipv4Address, Ipv4Packet, Ipv6Address, Ipv6Packet,
    Ipv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};

/// Bytes in front of the packet in a frame.
pub(super) const HEADER: usize = 14;
/// Bytes of a question or an answer of ARP, and of the header of IPv6.
const ARP_LEN: usize = 28;
const IPV6_HEADER: usize = 40;
/// The hop limit of neighbour discovery: a packet that has it was sent in this network (RFC 4861, 7.1).
const NEAR: u8 = 255;

/// Addresses that an interface has at most.
pub(super) const MOST_ADDRESSES: usize = 4;

/// Who sends and receives the frames of one interface.
pub(super) struct Station {
    link: Arc<dyn NetworkLink>,
    own: EthernetAddress,
    /// Where a frame is put together.
    frame: Box<[u8; MAX_FRAME]>,
    neighbours: Neighbours,
    networks: ArrayVec<IpCidr, MOST_ADDRESSES>,
    router: Option<Ipv4Address>,
}

impl Station {
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(link: Arc<dyn NetworkLink>) -> Result<Station, Errno> {
        Ok(Station {
            own: EthernetAddress(link.address()),
            link,
            frame: fallible::boxed_with(|| [0; MAX_FRAME])?,
            neighbours: Neighbours::default(),
            networks: ArrayVec::new(),
            router: None,
        })
    }

    /// It has these addresses from now on, and that router. What it knew of neighbours is for the caller to drop.
    pub(super) fn configure(&mut self, addresses: &[IpCidr], router: Option<Ipv4Address>) -> Neighbours {
        self.networks = addresses.iter().copied().take(MOST_ADDRESSES).collect();
        self.router = router;
        self.neighbours.clear()
    }

    /// Sends a packet of `len` bytes, which `write` writes.
    pub(super) fn send<R>(&mut self, len: usize, traffic: &Traffic, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let packet = &mut self.frame[HEADER..HEADER + len];
        let answer = write(packet);
        match self.way(len) {
            Some((way, protocol)) => self.take_way(way, protocol, len, traffic),
            None => note_dropped(traffic),
        }
        answer
    }

    /// The way of the packet in the frame; `None`: there is none.
    fn way(&mut self, len: usize) -> Option<(NextStep, EthernetProtocol)> {
        let packet = &self.frame[HEADER..HEADER + len];
        let (to, protocol) = match IpVersion::of_packet(packet).ok()? {
            IpVersion::Ipv4 => {
                let to = Ipv4Packet::new_checked(packet).ok()?.dst_addr();
                (IpAddress::from(to), EthernetProtocol::Ipv4)
            }
            IpVersion::Ipv6 => {
                let to = Ipv6Packet::new_checked(packet).ok()?.dst_addr();
                (IpAddress::from(to), EthernetProtocol::Ipv6)
            }
        };
        let way = match group_address(&to, &self.networks) {
            Some(all) => NextStep::Known(all),
            None => self.neighbours.way(&self.next_hop(to)?, packet, clock::now()),
        };
        Some((way, protocol))
    }

    /// Who is to get a packet to `to`.
    fn next_hop(&self, to: IpAddress) -> Option<IpAddress> {
        let is_near = self.networks.iter().any(|network| network.contains_addr(&to));
        match to {
            to if is_near => Some(to),
            IpAddress::Ipv4(_) => self.router.map(IpAddress::from),
            IpAddress::Ipv6(_) => None,
        }
    }

    fn take_way(&mut self, way: NextStep, protocol: EthernetProtocol, len: usize, traffic: &Traffic) {
        match way {
            NextStep::Known(to) => self.transmit(to, protocol, len, traffic),
            NextStep::Waits(Some(question)) => self.ask(question, traffic),
            NextStep::Waits(None) => {}
            NextStep::Lost => note_dropped(traffic),
        }
    }

    /// Sends the frame, in which `len` bytes stand behind its header.
    fn transmit(&mut self, to: EthernetAddress, protocol: EthernetProtocol, len: usize, traffic: &Traffic) {
        let bytes = &mut self.frame[..HEADER + len];
        let mut frame = EthernetFrame::new_unchecked(&mut *bytes);
        frame.set_src_addr(self.own);
        frame.set_dst_addr(to);
        frame.set_ethertype(protocol);
        if self.link.transmit(bytes) {
            traffic.note_out(bytes.len());
        } else {
            note_dropped(traffic);
        }
    }

    /// The address that a question about `about` comes from.
    fn source_for(&self, about: &IpAddress) -> Option<IpAddress> {
        let mut all = self.networks.iter();
        let network = all.find(|network| network.contains_addr(about))?;
        Some(network.address())
    }

    fn ask(&mut self, question: Question, traffic: &Traffic) {
        match (question.about, self.source_for(&question.about)) {
            (IpAddress::Ipv4(about), Some(IpAddress::Ipv4(own))) => {
                let message = ArpRepr::EthernetIpv4 {
                    operation: ArpOperation::Request,
                    source_hardware_addr: self.own,
                    source_protocol_addr: own,
                    target_hardware_addr: question.to.unwrap_or(EthernetAddress([0; 6])),
                    target_protocol_addr: about,
                };
                self.send_arp(
                    question.to.unwrap_or(EthernetAddress::BROADCAST),
                    &message,
                    traffic,
                );
            }
            (IpAddress::Ipv6(about), Some(IpAddress::Ipv6(own))) => {
                let all = solicited_node(&about);
                let target = if question.to.is_some() { about } else { all };
                let hardware = question.to.or_else(|| group_address(&all.into(), &[]));
                let message = NdiscRepr::NeighborSolicit {
                    target_addr: about,
                    lladdr: Some(RawHardwareAddress::from(self.own)),
                };
                if let Some(hardware) = hardware {
                    self.send_discovery(hardware, own, target, message, traffic);
                }
            }
            _ => {}
        }
    }

    fn send_arp(&mut self, to: EthernetAddress, message: &ArpRepr, traffic: &Traffic) {
        message.emit(&mut ArpPacket::new_unchecked(
            &mut self.frame[HEADER..HEADER + ARP_LEN],
        ));
        self.transmit(to, EthernetProtocol::Arp, ARP_LEN, traffic);
    }

    fn send_discovery(
        &mut self,
        hardware: EthernetAddress,
        from: Ipv6Address,
        to: Ipv6Address,
        message: NdiscRepr<'_>,
        traffic: &Traffic,
    ) {
        let message = Icmpv6Repr::Ndisc(message);
        let header = Ipv6Repr {
            src_addr: from,
            dst_addr: to,
            next_header: IpProtocol::Icmpv6,
            payload_len: message.buffer_len(),
            hop_limit: NEAR,
        };
        let len = IPV6_HEADER + message.buffer_len();
        let packet = &mut self.frame[HEADER..HEADER + len];
        header.emit(&mut Ipv6Packet::new_unchecked(&mut *packet));
        let mut body = Icmpv6Packet::new_unchecked(&mut packet[IPV6_HEADER..]);
        message.emit(&from, &to, &mut body, &ChecksumCapabilities::default());
        self.transmit(hardware, EthernetProtocol::Ipv6, len, traffic);
    }

    /// Whether a frame is for this station.
    pub(super) fn is_for_us(&self, frame: &EthernetFrame<&[u8]>) -> bool {
        frame.dst_addr() == self.own || frame.dst_addr().is_multicast()
    }

    /// A message of ARP has come.
    pub(super) fn take_arp(&mut self, payload: &[u8], traffic: &Traffic) {
        let Ok(packet) = ArpPacket::new_checked(payload) else {
            return;
        };
        let Ok(ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: hardware,
            source_protocol_addr: from,
            target_protocol_addr: target,
            ..
        }) = ArpRepr::parse(&packet)
        else {
            return;
        };
        let is_near = self
            .networks
            .iter()
            .any(|network| network.contains_addr(&from.into()));
        if !is_near || !hardware.is_unicast() || self.has(&from.into()) {
            return;
        }
        let is_for_us = self.has(&target.into());
        let how = match operation {
            ArpOperation::Reply if is_for_us => Heard::Answering,
            ArpOperation::Request if is_for_us => Heard::Asking,
            _ => Heard::Speaking,
        };
        self.hear(from.into(), hardware, how, traffic);
        if how == Heard::Asking {
            let answer = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: self.own,
                source_protocol_addr: target,
                target_hardware_addr: hardware,
                target_protocol_addr: from,
            };
            self.send_arp(hardware, &answer, traffic);
        }
    }

    /// A message of neighbour discovery has come, from `from` in this network.
    pub(super) fn take_discovery(
        &mut self,
        from: Ipv6Address,
        hop_limit: u8,
        payload: &[u8],
        traffic: &Traffic,
    ) {
        let Ok(message) = Icmpv6Packet::new_checked(payload) else {
            return;
        };
        if hop_limit != NEAR || message.msg_code() != 0 {
            return;
        }
        match NdiscRepr::parse(&message) {
            Ok(NdiscRepr::NeighborAdvert {
                flags,
                target_addr,
                lladdr: Some(hardware),
            }) => {
                let Some(hardware) = station_of(hardware) else {
                    return;
                };
                let how = if flags.contains(NdiscNeighborFlags::SOLICITED) {
                    Heard::Answering
                } else {
                    Heard::Speaking
                };
                self.hear(target_addr.into(), hardware, how, traffic);
            }
            Ok(NdiscRepr::NeighborSolicit { target_addr, lladdr }) if self.has(&target_addr.into()) => {
                let hardware = lladdr.and_then(station_of);
                if let Some(hardware) = hardware.filter(|_| !from.is_unspecified()) {
                    self.hear(from.into(), hardware, Heard::Asking, traffic);
                    self.advertise(target_addr, from, hardware, traffic);
                }
            }
            _ => {}
        }
    }

    /// Answers who asks for one of our addresses.
    fn advertise(&mut self, own: Ipv6Address, to: Ipv6Address, hardware: EthernetAddress, traffic: &Traffic) {
        let message = NdiscRepr::NeighborAdvert {
            flags: NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE,
            target_addr: own,
            lladdr: Some(RawHardwareAddress::from(self.own)),
        };
        self.send_discovery(hardware, own, to, message, traffic);
    }

    fn has(&self, address: &IpAddress) -> bool {
        self.networks.iter().any(|network| network.address() == *address)
    }

    /// A neighbour was heard: what waited for it goes out.
    fn hear(&mut self, from: IpAddress, hardware: EthernetAddress, how: Heard, traffic: &Traffic) {
        let now = clock::now();
        let Some(mut waiting) = self.neighbours.hear(from, hardware, how, now) else {
            return;
        };
        let protocol = match from {
            IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
            IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
        };
        while let Some(packet) = waiting.pop() {
            self.frame[HEADER..HEADER + packet.len()].copy_from_slice(&packet);
            self.transmit(hardware, protocol, packet.len(), traffic);
        }
    }

    /// Does the next thing that is due: packets that cannot reach their neighbour, if that came out. `None`: nothing is due.
    pub(super) fn pass_time(&mut self, traffic: &Traffic) -> Option<Fifo<Box<[u8]>>> {
        match self.neighbours.next_news(clock::now())? {
            News::Ask(question) => {
                self.ask(question, traffic);
                Some(Fifo::default())
            }
            News::Unreachable(packets) => Some(packets),
        }
    }

    /// When something is due, if that may be sooner than when this was last asked.
    pub(super) fn new_due(&mut self) -> Option<Instant> {
        self.neighbours
            .has_changed()
            .then(|| self.neighbours.due())
            .flatten()
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.neighbours.due()
    }

    /// All neighbours, as far as `to` has room.
    pub(super) fn show_neighbours(&self, to: &mut Vec<NeighbourView>) {
        self.neighbours.show(clock::now(), to);
    }
}

/// The hardware address of many, if `to` means many: everybody of a network, or a group (RFC 1112, 6.4; RFC 2464, 7).
fn group_address(to: &IpAddress, networks: &[IpCidr]) -> Option<EthernetAddress> {
    let is_broadcast = |network: &IpCidr| match (network, to) {
        (IpCidr::Ipv4(network), IpAddress::Ipv4(to)) => network.broadcast() == Some(*to),
        _ => false,
    };
    match to {
        to if to.is_broadcast() || networks.iter().any(is_broadcast) => Some(EthernetAddress::BROADCAST),
        IpAddress::Ipv4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(EthernetAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddress::Ipv6(group) if group.is_multicast() => {
            let [.., a, b, c, d] = group.octets();
            Some(EthernetAddress([0x33, 0x33, a, b, c, d]))
        }
        _ => None,
    }
}

/// The group of all who may have that address (RFC 4291, 2.7.1).
fn solicited_node(about: &Ipv6Address) -> Ipv6Address {
    let [.., f, g] = about.segments();
    Ipv6Address::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | f & 0xff, g)
}

/// A hardware address that is one station's.
fn station_of(raw: RawHardwareAddress) -> Option<EthernetAddress> {
    let bytes: [u8; 6] = raw.as_bytes().try_into().ok()?;
    Some(EthernetAddress(bytes)).filter(EthernetAddress::is_unicast)
}

fn note_dropped(traffic: &Traffic) {
    traffic.dropped_out.fetch_add(1, Ordering::Relaxed);
}
