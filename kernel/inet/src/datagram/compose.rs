//! How a message becomes a packet of IP.

use super::super::options;
use super::super::outbox::MAX_PACKET;
use super::{Datagram, Kind};
use abi::Errno;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv4Packet, Icmpv6Packet, IpAddress, IpEndpoint, IpProtocol, IpRepr, UdpPacket};
use uaccess::Source;

/// Bytes of the header of UDP, and of an echo.
const UDP_HEADER: usize = 8;
const ECHO_HEADER: usize = 8;

/// What a packet is to say beside its bytes.
pub(super) struct Envelope {
    pub(super) from: IpEndpoint,
    pub(super) to: IpEndpoint,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    /// Nobody looks at its checksum.
    pub(super) is_trusted: bool,
}

impl Datagram {
    /// Bytes in front of those of a message: of IP, and of the protocol.
    pub(super) fn header_len(&self, to: &IpAddress) -> usize {
        let of_ip = match to {
            IpAddress::Ipv4(_) => 20,
            IpAddress::Ipv6(_) => 40,
        };
        of_ip + if self.kind == Kind::Udp { UDP_HEADER } else { 0 }
    }

    /// Takes the bytes of a message to where they belong in a packet. No lock is held.
    ///
    /// # Errors
    /// `EFAULT`, `ENOMEM`; `EINVAL`: an echo that is none.
    pub(super) fn fill(&self, data: &mut dyn Source, room: &mut [u8]) -> Result<(), Errno> {
        let mut taken = 0;
        while taken < room.len() {
            match data.take(&mut room[taken..])? {
                0 => return Err(Errno::EFAULT),
                more => taken += more,
            }
        }
        if self.kind == Kind::Ping && !self.is_echo(room) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// Whether a program asks for an echo: nothing else goes out by such a socket.
    fn is_echo(&self, message: &[u8]) -> bool {
        const ECHO: [u8; 2] = [8, 0];
        const ECHO_OF_IPV6: [u8; 2] = [128, 0];
        let wanted = if self.protocol == IpProtocol::Icmp {
            ECHO
        } else {
            ECHO_OF_IPV6
        };
        message.len() >= ECHO_HEADER && message.starts_with(&wanted)
    }

    /// Writes the headers of a packet whose message is in its place.
    pub(super) fn seal(&self, packet: &mut [u8], envelope: &Envelope) {
        let (from, to) = (envelope.from, envelope.to);
        let of_ip = self.header_len(&to.addr) - if self.kind == Kind::Udp { UDP_HEADER } else { 0 };
        let payload_len = packet.len() - of_ip;
        let (header, payload) = packet.split_at_mut(of_ip);
        match self.kind {
            Kind::Udp => seal_udp(payload, envelope),
            Kind::Ping => self.seal_echo(payload, envelope),
            Kind::Raw if self.protocol == IpProtocol::Icmpv6 => seal_icmpv6(payload, envelope),
            Kind::Raw => {}
        }
        let header_of = IpRepr::new(from.addr, to.addr, self.protocol, payload_len, envelope.hop_limit);
        header_of.emit(&mut *header, &ChecksumCapabilities::default());
        options::set_traffic_class(header, envelope.traffic_class);
    }

    /// An echo has the number of the socket that asks for it.
    fn seal_echo(&self, message: &mut [u8], envelope: &Envelope) {
        let number = envelope.from.port;
        if self.protocol == IpProtocol::Icmp {
            let mut message = Icmpv4Packet::new_unchecked(message);
            message.set_echo_ident(number);
            message.fill_checksum();
            return;
        }
        Icmpv6Packet::new_unchecked(&mut *message).set_echo_ident(number);
        seal_icmpv6(message, envelope);
    }
}

fn seal_udp(payload: &mut [u8], envelope: &Envelope) {
    let len = payload.len() as u16;
    let mut datagram = UdpPacket::new_unchecked(payload);
    datagram.set_src_port(envelope.from.port);
    datagram.set_dst_port(envelope.to.port);
    datagram.set_len(len);
    datagram.set_checksum(0);
    let is_six = matches!(envelope.to.addr, IpAddress::Ipv6(_));
    if !envelope.is_trusted || is_six {
        datagram.fill_checksum(&envelope.from.addr, &envelope.to.addr);
    }
}

/// The kernel fills in that checksum (RFC 3542, 3.1).
fn seal_icmpv6(message: &mut [u8], envelope: &Envelope) {
    const LEAST: usize = 4;
    if message.len() < LEAST {
        return;
    }
    let plain = |address: IpAddress| match address {
        IpAddress::Ipv6(address) => address,
        IpAddress::Ipv4(address) => address.to_ipv6_mapped(),
    };
    let mut message = Icmpv6Packet::new_unchecked(message);
    message.fill_checksum(&plain(envelope.from.addr), &plain(envelope.to.addr));
}

/// The most bytes of a message behind a header of so many.
pub(super) fn longest(header_len: usize, longest_packet: usize) -> usize {
    longest_packet.min(MAX_PACKET).saturating_sub(header_len)
}
