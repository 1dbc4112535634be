//! Messages of ICMP about packets that were sent: which error they mean (`icmp_err_convert`, `icmpv6_err_convert` of Linux), and whom they
//! are told. Who asked for it (`IP_RECVERR`) gets each with the message that it is about, by recvmsg(2) with `MSG_ERRQUEUE`.

use super::super::packet::InboundPacket;
use super::super::stream;
use super::arrive::cost;
use super::{Datagram, MOST_RECEIVERS, PING_PORTS, QueuedMessage, RAW, Receivers, UDP_PORTS};
use abi::Errno;
use abi::inet::{
    IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6,
    SO_EE_ORIGIN_LOCAL, SockExtendedErr,
};
use abi::socket::{AF_INET6, MessageFlags};
use abi::zerocopy::IntoBytes;
use net::ReceivedMessage;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpEndpoint,
    IpProtocol, IpVersion, Ipv4Packet, Ipv6Packet,
};

/// Bytes in front of what an ICMP message says.
const ICMP_HEADER: usize = 8;
/// Bytes of the header of UDP.
const UDP_HEADER: usize = 8;

/// What a message of ICMP says.
struct IcmpError {
    error: Errno,
    /// Trying again is in vain: who is connected is told.
    is_hard: bool,
    /// Whether the destination cannot be reached, of which TCP hears.
    is_unreachable: bool,
    kind: u8,
    code: u8,
    /// The longest packet that the way takes, if that was the reason.
    info: u32,
}

/// An error that waits for who asked for it.
pub(super) struct ErrorReport {
    /// What was sent, as far as it came back, and to whom.
    message: QueuedMessage,
    extended: SockExtendedErr,
    /// Who said so.
    offender: Option<IpAddress>,
}

/// A message of ICMP has come.
pub(super) fn take_error(arrival: &InboundPacket<'_>) {
    let said = match arrival.protocol {
        IpProtocol::Icmp => error_of_ipv4(arrival.payload),
        _ => error_of_ipv6(arrival.payload),
    };
    if let (Some(said), Some(packet)) = (said, arrival.payload.get(ICMP_HEADER..)) {
        tell(arrival, &said, packet);
    }
}

/// The error that a message says.
fn error_of_ipv4(bytes: &[u8]) -> Option<IcmpError> {
    const PROTOCOL: u8 = 2;
    const PORT: u8 = 3;
    const TOO_LONG: u8 = 4;
    let message = Icmpv4Packet::new_checked(bytes).ok()?;
    let (kind, code) = (u8::from(message.msg_type()), message.msg_code());
    let (error, is_hard) = match message.msg_type() {
        Icmpv4Message::TimeExceeded => (Errno::EHOSTUNREACH, false),
        Icmpv4Message::ParamProblem => (Errno::EPROTO, true),
        Icmpv4Message::DstUnreachable => match code {
            0 | 11 => (Errno::ENETUNREACH, false),
            PROTOCOL => (Errno::ENOPROTOOPT, true),
            PORT => (Errno::ECONNREFUSED, true),
            TOO_LONG => (Errno::EMSGSIZE, false),
            5 => (Errno::EOPNOTSUPP, false),
            6 | 9 => (Errno::ENETUNREACH, true),
            7 => (Errno::EHOSTDOWN, true),
            8 => (Errno::ENONET, true),
            1 | 12 => (Errno::EHOSTUNREACH, false),
            _ => (Errno::EHOSTUNREACH, true),
        },
        _ => return None,
    };
    let is_unreachable = message.msg_type() == Icmpv4Message::DstUnreachable;
    let is_too_long = is_unreachable && code == u8::from(Icmpv4DstUnreachable::FragRequired);
    let info = if is_too_long {
        u16::from_be_bytes([bytes[6], bytes[7]])
    } else {
        0
    };
    Some(IcmpError {
        error,
        is_hard,
        is_unreachable,
        kind,
        code,
        info: info.into(),
    })
}

fn error_of_ipv6(bytes: &[u8]) -> Option<IcmpError> {
    let message = Icmpv6Packet::new_checked(bytes).ok()?;
    let (kind, code) = (u8::from(message.msg_type()), message.msg_code());
    let mut info = 0;
    let (error, is_hard) = match message.msg_type() {
        Icmpv6Message::TimeExceeded => (Errno::EHOSTUNREACH, false),
        Icmpv6Message::ParamProblem => (Errno::EPROTO, true),
        Icmpv6Message::PktTooBig => {
            info = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            (Errno::EMSGSIZE, false)
        }
        Icmpv6Message::DstUnreachable => match code {
            0 => (Errno::ENETUNREACH, false),
            1 | 5 | 6 => (Errno::EACCES, true),
            2 | 3 => (Errno::EHOSTUNREACH, false),
            4 => (Errno::ECONNREFUSED, true),
            _ => (Errno::EPROTO, true),
        },
        _ => return None,
    };
    Some(IcmpError {
        error,
        is_hard,
        is_unreachable: message.msg_type() == Icmpv6Message::DstUnreachable,
        kind,
        code,
        info,
    })
}

/// A packet of ours that an error is about. It may be cut behind its ports.
struct SentPacket<'a> {
    protocol: IpProtocol,
    from: IpAddress,
    to: IpAddress,
    whole: &'a [u8],
    /// What follows the header of IP.
    payload: &'a [u8],
}

impl<'a> SentPacket<'a> {
    fn read(packet: &'a [u8]) -> Option<SentPacket<'a>> {
        Some(match IpVersion::of_packet(packet).ok()? {
            IpVersion::Ipv4 => {
                packet.get(..20)?;
                let header = Ipv4Packet::new_unchecked(packet);
                SentPacket {
                    protocol: header.next_header(),
                    from: header.src_addr().into(),
                    to: header.dst_addr().into(),
                    whole: packet,
                    payload: packet.get(usize::from(header.header_len())..)?,
                }
            }
            IpVersion::Ipv6 => {
                let payload = packet.get(40..)?;
                let header = Ipv6Packet::new_unchecked(packet);
                SentPacket {
                    protocol: header.next_header(),
                    from: header.src_addr().into(),
                    to: header.dst_addr().into(),
                    whole: packet,
                    payload,
                }
            }
        })
    }

    /// Its two ports.
    fn ports(&self) -> Option<[u16; 2]> {
        let [a, b, c, d] = *self.payload.first_chunk()?;
        Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
    }
}

/// Tells the sockets that sent `packet`.
fn tell(arrival: &InboundPacket<'_>, said: &IcmpError, packet: &[u8]) {
    let Some(sent) = SentPacket::read(packet) else {
        return;
    };
    tell_raw(arrival, said, &sent);
    match (sent.protocol, sent.ports()) {
        (IpProtocol::Udp, Some([from, to])) => {
            let to = IpEndpoint::new(sent.to, to);
            if let Some(socket) = UDP_PORTS.find(&sent.from, from, 0, |socket| socket.fit(&to)) {
                let bytes = sent.payload.get(UDP_HEADER..).unwrap_or(&[]);
                socket.note_error(arrival, said, to, bytes);
            }
        }
        (IpProtocol::Icmp | IpProtocol::Icmpv6, Some(_)) => {
            // The number of an echo stands behind its checksum.
            let Some(number) = sent.payload.get(4..6) else {
                return;
            };
            let (number, to) = (
                u16::from_be_bytes([number[0], number[1]]),
                IpEndpoint::new(sent.to, 0),
            );
            if let Some(socket) = PING_PORTS.find(&sent.from, number, 0, |socket| socket.fit(&to)) {
                socket.note_error(arrival, said, to, sent.payload);
            }
        }
        // The way may take smaller packets only: no reason to give up.
        (IpProtocol::Tcp, Some([from, to])) if said.is_unreachable && said.error != Errno::EMSGSIZE => {
            let (from, to) = (IpEndpoint::new(sent.from, from), IpEndpoint::new(sent.to, to));
            stream::note_unreachable(from, to, said.error);
        }
        _ => {}
    }
}

/// Raw sockets that may have sent it, of which nobody knows which one did.
fn tell_raw(arrival: &InboundPacket<'_>, said: &IcmpError, sent: &SentPacket<'_>) {
    let receivers: Receivers = {
        let all = RAW.lock();
        if all.is_empty() {
            return;
        }
        let wanting = all.iter().filter(|socket| socket.may_have_sent(sent));
        wanting.take(MOST_RECEIVERS).cloned().collect()
    };
    for socket in &receivers {
        let bytes = if socket.brings_header() {
            sent.whole
        } else {
            sent.payload
        };
        socket.note_error(arrival, said, IpEndpoint::new(sent.to, 0), bytes);
    }
}

impl Datagram {
    fn may_have_sent(&self, sent: &SentPacket<'_>) -> bool {
        if self.protocol != sent.protocol || !self.versions().takes(sent.to.version()) {
            return false;
        }
        let inner = self.inner.lock();
        let bound = inner.bound.and_then(|name| name.address);
        bound.is_none_or(|own| own == sent.from) && inner.peer.is_none_or(|peer| peer.addr == sent.to)
    }

    /// An error has come about a message to `to`, of which `bytes` came back. Those who are connected are told of what is final, and
    /// who asked for it of everything.
    fn note_error(&self, arrival: &InboundPacket<'_>, said: &IcmpError, to: IpEndpoint, bytes: &[u8]) {
        let mut inner = self.inner.lock();
        if !(inner.options.receives_errors || inner.peer.is_some() && said.is_hard) {
            return;
        }
        let is_four = arrival.protocol == IpProtocol::Icmp;
        let origin = if is_four {
            SO_EE_ORIGIN_ICMP
        } else {
            SO_EE_ORIGIN_ICMP6
        };
        let extended = SockExtendedErr {
            error: said.error.number().into(),
            origin,
            kind: said.kind,
            code: said.code,
            pad: 0,
            info: said.info,
            data: 0,
        };
        if inner.options.receives_errors
            && let Ok(message) = QueuedMessage::of(arrival, to, bytes)
        {
            self.add_error(&mut inner, message, extended, Some(arrival.source));
        }
        drop(inner);
        self.base.set_error(said.error);
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// Keeps an error, if there is room in the receive buffer.
    fn add_error(
        &self,
        inner: &mut super::DatagramState,
        message: QueuedMessage,
        extended: SockExtendedErr,
        offender: Option<IpAddress>,
    ) {
        let cost = cost(&message);
        let report = ErrorReport {
            message,
            extended,
            offender,
        };
        let has_room = inner.queued + cost <= self.base.receive_buffer() as usize;
        if has_room && inner.errors.push(report).is_ok() {
            inner.queued += cost;
        }
    }

    /// A message to `to` is longer than the interface's longest packet, of `longest` bytes (`ip_local_error` of Linux).
    pub(super) fn note_too_long(&self, to: IpEndpoint, longest: usize) {
        let mut inner = self.inner.lock();
        if !inner.options.receives_errors {
            return;
        }
        if let Ok(message) = QueuedMessage::local(to) {
            let extended = SockExtendedErr {
                error: Errno::EMSGSIZE.number().into(),
                origin: SO_EE_ORIGIN_LOCAL,
                kind: 0,
                code: 0,
                pad: 0,
                info: longest as u32,
                data: 0,
            };
            self.add_error(&mut inner, message, extended, None);
        }
    }

    /// recvmsg(2) with `MSG_ERRQUEUE`, which never waits.
    ///
    /// # Errors
    /// `EAGAIN`: there is none. `EFAULT`.
    pub(super) fn receive_error(&self, wanted: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        let report = {
            let mut inner = self.inner.lock();
            let report = inner.errors.pop().ok_or(Errno::EAGAIN)?;
            inner.queued -= cost(&report.message);
            let of_icmp = |report: &ErrorReport| report.extended.origin != SO_EE_ORIGIN_LOCAL;
            // The next one is what the next call fails with (`sock_dequeue_err_skb` of Linux).
            match inner.errors.first().filter(|next| of_icmp(next)) {
                Some(next) => self.base.set_error_number(next.extended.error),
                None if of_icmp(&report) => self.base.set_error_number(0),
                None => {}
            }
            report
        };
        let len = self.give(&report.message, wanted)?;
        self.describe_error(&report, wanted);
        wanted.told |= MessageFlags::MSG_ERRQUEUE;
        Ok(len)
    }

    fn describe_error(&self, report: &ErrorReport, wanted: &mut ReceivedMessage<'_>) {
        /// Of `struct sockaddr_in`, and of `struct sockaddr_in6`.
        const LEN: usize = 16;
        const LEN_OF_IPV6: usize = 28;
        const HEAD: usize = size_of::<SockExtendedErr>();
        let mut bytes = [0; HEAD + LEN_OF_IPV6];
        bytes[..HEAD].copy_from_slice(report.extended.as_bytes());
        let is_six = self.base.family == AF_INET6;
        if let Some(offender) = report.offender {
            bytes[HEAD..HEAD + 2].copy_from_slice(&(self.base.family as u16).to_ne_bytes());
            match offender {
                IpAddress::Ipv4(address) if !is_six => {
                    bytes[HEAD + 4..HEAD + 8].copy_from_slice(&address.octets());
                }
                IpAddress::Ipv4(address) => {
                    bytes[HEAD + 8..HEAD + 24].copy_from_slice(&address.to_ipv6_mapped().octets());
                }
                IpAddress::Ipv6(address) => bytes[HEAD + 8..HEAD + 24].copy_from_slice(&address.octets()),
            }
        }
        let (level, kind, len) = if is_six {
            (IPPROTO_IPV6, IPV6_RECVERR, LEN_OF_IPV6)
        } else {
            (IPPROTO_IP, IP_RECVERR, LEN)
        };
        wanted.control.put(level, kind, &bytes[..HEAD + len]);
    }
}

impl super::DatagramState {
    /// Forgets errors that wait: nobody wants them any more.
    pub(super) fn forget_errors(&mut self) {
        while let Some(report) = self.errors.pop() {
            self.queued -= cost(&report.message);
        }
    }
}
