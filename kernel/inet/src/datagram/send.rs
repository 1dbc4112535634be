//! sendmsg(2) and kin.

use super::super::address;
use super::super::counts;
use super::super::delivery;
use super::super::outbox::{MAX_PACKET, Outbox};
use super::super::route::{self, Route};
use super::compose::{Envelope, longest};
use super::control::Said;
use super::{Datagram, Kind, groups};
use abi::Errno;
use abi::socket::MessageFlags;
use net::{Request, SentMessage};
use smoltcp::wire::{IpAddress, IpEndpoint, IpVersion, Ipv4Packet};

/// Whom a message is for, by which way.
struct Course {
    route: Route,
    to: IpEndpoint,
    /// The address that it is to come from, if the socket has one.
    source: Option<IpAddress>,
}

impl Datagram {
    /// Sends a message.
    ///
    /// # Errors
    /// `EDESTADDRREQ`: to nobody. `EMSGSIZE`: too long for one packet. `ENETUNREACH`; `EACCES`; `EPIPE`: shut down. `EAGAIN`; errors
    /// about earlier messages.
    pub(super) fn send_message(
        &self,
        request: &Request<'_>,
        message: &mut SentMessage<'_>,
    ) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::MSG_OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.base.take_error()?;
        let course = self.course(message.name)?;
        self.check_broadcast(&course.to.addr)?;
        let bound = self.bind_if_needed(request.caller.credentials().euid)?;
        let brings_header = self.brings_header();
        let header_len = if brings_header {
            0
        } else {
            self.header_len(&course.to.addr)
        };
        let len = message.data.left();
        let longest_packet = course.route.netif.longest_packet();
        if len > longest(header_len, longest_packet) {
            if header_len + len <= MAX_PACKET {
                self.note_too_long(course.to, longest_packet);
            }
            return Err(Errno::EMSGSIZE);
        }
        let said = Said::read(message.control, course.to.addr.version())?;
        // Who is bound to a group sends from an address of the interface.
        let own = course.source.or(bound.address).filter(|own| !own.is_multicast());
        let source = said.source.or(own).unwrap_or(course.route.source);
        if source.version() != course.to.addr.version() {
            return Err(Errno::EAFNOSUPPORT);
        }
        let mut outbox = Outbox::new();
        if !outbox.add() {
            return Err(Errno::ENOBUFS);
        }
        let packet = outbox.fill_last(header_len + len);
        self.fill(message.data, &mut packet[header_len..])?;
        let (hop_limit, traffic_class) = self.header_options(&course.to.addr);
        let envelope = Envelope {
            from: IpEndpoint::new(source, bound.port),
            to: course.to,
            hop_limit: said.hop_limit.unwrap_or(hop_limit),
            traffic_class: said.traffic_class.unwrap_or(traffic_class),
            is_trusted: course.route.netif.is_loopback(),
        };
        if brings_header {
            complete_header(packet, &source)?;
        } else {
            self.seal(packet, &envelope);
        }
        if self.kind == Kind::Udp {
            counts::UDP_OUT.note();
        }
        if course.route.netif.is_loopback() {
            course.route.netif.traffic.note_out(header_len + len);
            delivery::deliver(&mut outbox);
        } else {
            // One for a neighbour that is not known yet waits there; one that finds no room is lost, as on a wire that is full.
            if let Some(mut packet) = outbox.take_first() {
                course.route.netif.send_packet(packet.bytes());
                if self.loops_back(&course) {
                    packet.come_by(course.route.netif);
                    outbox.push(packet);
                    delivery::deliver(&mut outbox);
                }
            }
        }
        Ok(len)
    }

    /// Whether this machine's own members of a group get a message that leaves the machine.
    fn loops_back(&self, course: &Course) -> bool {
        let to = &course.to.addr;
        to.is_multicast()
            && self.inner.lock().options.groups.sending(to.version()).loops
            && groups::has_member(to, course.route.netif.index)
    }

    pub(super) fn brings_header(&self) -> bool {
        self.kind == Kind::Raw && self.inner.lock().options.brings_header
    }

    /// The hop limit and the traffic class of a packet there, as its options say.
    fn header_options(&self, to: &IpAddress) -> (u8, u8) {
        let options = &self.inner.lock().options;
        (options.hop_limit_for(to), options.traffic_class_for(to))
    }

    /// Whom the message is for.
    fn course(&self, name: Option<&[u8]>) -> Result<Course, Errno> {
        let inner = self.inner.lock();
        if inner.is_send_shut {
            return Err(Errno::EPIPE);
        }
        let (peer, source) = (inner.peer, inner.source);
        let bound = inner.bound.and_then(|name| name.address);
        drop(inner);
        let (to, source) = match name {
            Some(name) => (self.meant_by(address::parse(self.base.family, name)?), None),
            None => (peer.ok_or(Errno::EDESTADDRREQ)?, source),
        };
        if self.kind == Kind::Udp && to.port == 0 {
            return Err(Errno::EINVAL);
        }
        let is_mixed = self.kind != Kind::Udp
            && (to.addr.version() == IpVersion::Ipv4) != (self.base.family == abi::socket::AF_INET);
        if is_mixed {
            return Err(Errno::EAFNOSUPPORT);
        }
        let by_group = to
            .addr
            .is_multicast()
            .then(|| self.route_to_group(&to.addr, source.or(bound)))
            .flatten();
        let route = match by_group {
            Some(route) => route,
            None => route::to(&to.addr)?,
        };
        Ok(Course { route, to, source })
    }
}

/// A program wrote the header of IP itself (`IP_HDRINCL`): lengths, and what it left at 0, are the kernel's (raw(7)).
fn complete_header(bytes: &mut [u8], source: &IpAddress) -> Result<(), Errno> {
    const LEAST: usize = 20;
    let len = bytes.len();
    if len < LEAST
        || bytes[0] >> 4 != 4
        || usize::from(bytes[0] & 0xf) * 4 < LEAST
        || usize::from(bytes[0] & 0xf) * 4 > len
    {
        return Err(Errno::EINVAL);
    }
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    packet.set_total_len(len as u16);
    if let (true, IpAddress::Ipv4(source)) = (packet.src_addr().is_unspecified(), source) {
        packet.set_src_addr(*source);
    }
    packet.fill_checksum();
    Ok(())
}
