//! Options of messages: ip(7), ipv6(7), udp(7).

use super::super::options::{self, flag, number};
use super::groups::GroupOptions;
use super::{Datagram, Kind, QueuedMessage};
use abi::Errno;
use abi::inet::{
    ICMP_FILTER, ICMPV6_FILTER, IP_HDRINCL, IP_MTU_DISCOVER, IP_PKTINFO, IP_RECVERR, IP_RECVTOS, IP_RECVTTL,
    IP_TOS, IP_TTL, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_IPV6, IPV6_CHECKSUM, IPV6_HOPLIMIT,
    IPV6_MTU_DISCOVER, IPV6_PKTINFO, IPV6_RECVERR, IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO, IPV6_RECVTCLASS,
    IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_V6ONLY, SOL_RAW,
};
use abi::socket::AF_INET;
use abi::socket::option::{SO_TIMESTAMP, SO_TIMESTAMPNS, SOL_SOCKET};
use abi::time::{TimeSpec, TimeVal};
use abi::zerocopy::IntoBytes;
use core::sync::atomic::Ordering;
use net::{ControlSink, OptionValue};
use sched::time;
use smoltcp::wire::{IpAddress, IpProtocol};

/// Where the checksum of a message of ICMPv6 stands.
const CHECKSUM_OF_ICMPV6: i32 = 2;

/// What a program has said.
#[derive(Clone, Debug, Default)]
pub(super) struct DatagramOptions {
    hop_limit: Option<u8>,
    hop_limit_of_ipv6: Option<u8>,
    traffic_class: u8,
    traffic_class_of_ipv6: u8,
    tells_destination: bool,
    tells_hop_limit: bool,
    tells_traffic_class: bool,
    /// Whether messages say when they came, and in which unit.
    pub(super) stamp: Option<TimeUnit>,
    pub(super) receives_errors: bool,
    pub(super) brings_header: bool,
    pub(super) groups: GroupOptions,
    discovery: u32,
    /// Types of ICMP that are not wanted, a bit for each.
    unwanted: [u32; 8],
}

/// The unit of the time that is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TimeUnit {
    /// `SO_TIMESTAMP`.
    Micros,
    /// `SO_TIMESTAMPNS`.
    Nanos,
}

impl TimeUnit {
    fn of_option(name: u32) -> Option<TimeUnit> {
        match name {
            SO_TIMESTAMP => Some(TimeUnit::Micros),
            SO_TIMESTAMPNS => Some(TimeUnit::Nanos),
            _ => None,
        }
    }

    fn put(self, nanos: u64, control: &mut dyn ControlSink) {
        match self {
            TimeUnit::Micros => {
                control.put(
                    SOL_SOCKET,
                    SO_TIMESTAMP,
                    TimeVal::from_nanoseconds(nanos).as_bytes(),
                );
            }
            TimeUnit::Nanos => {
                control.put(
                    SOL_SOCKET,
                    SO_TIMESTAMPNS,
                    TimeSpec::from_nanoseconds(nanos).as_bytes(),
                );
            }
        }
    }
}

impl DatagramOptions {
    /// How many routers a packet there may pass.
    pub(super) fn hop_limit_for(&self, to: &IpAddress) -> u8 {
        if to.is_multicast() {
            return self.groups.sending(to.version()).hop_limit;
        }
        let said = match to {
            IpAddress::Ipv4(_) => self.hop_limit,
            IpAddress::Ipv6(_) => self.hop_limit_of_ipv6,
        };
        said.unwrap_or(options::HOP_LIMIT)
    }

    /// The traffic class of a packet there.
    pub(super) fn traffic_class_for(&self, to: &IpAddress) -> u8 {
        match to {
            IpAddress::Ipv4(_) => self.traffic_class,
            IpAddress::Ipv6(_) => self.traffic_class_of_ipv6,
        }
    }

    /// Whether a message of ICMP of that type is not wanted. The filter of IPv4 knows the first 32 alone.
    pub(super) fn filters(&self, kind: u8) -> bool {
        self.unwanted[usize::from(kind / 32)] & 1 << (kind % 32) != 0
    }

    /// Control messages about a message that came.
    pub(super) fn describe(&self, message: &QueuedMessage, control: &mut dyn ControlSink) {
        if let Some(stamp) = self.stamp {
            // One that came before anybody wanted to know is said to have come now, as on Linux.
            stamp.put(message.came_at.unwrap_or_else(time::now_realtime_nanos), control);
        }
        match message.to {
            IpAddress::Ipv4(to) => {
                if self.tells_destination {
                    let mut info = [0; 12];
                    info[..4].copy_from_slice(&message.interface.to_ne_bytes());
                    info[4..8].copy_from_slice(&to.octets());
                    info[8..].copy_from_slice(&to.octets());
                    control.put(IPPROTO_IP, IP_PKTINFO, &info);
                }
                if self.tells_hop_limit {
                    control.put(IPPROTO_IP, IP_TTL, &u32::from(message.hop_limit).to_ne_bytes());
                }
                if self.tells_traffic_class {
                    control.put(IPPROTO_IP, IP_TOS, &[message.traffic_class]);
                }
            }
            IpAddress::Ipv6(to) => {
                if self.tells_destination {
                    let mut info = [0; 20];
                    info[..16].copy_from_slice(&to.octets());
                    info[16..].copy_from_slice(&message.interface.to_ne_bytes());
                    control.put(IPPROTO_IPV6, IPV6_PKTINFO, &info);
                }
                if self.tells_hop_limit {
                    control.put(
                        IPPROTO_IPV6,
                        IPV6_HOPLIMIT,
                        &u32::from(message.hop_limit).to_ne_bytes(),
                    );
                }
                if self.tells_traffic_class {
                    let class = u32::from(message.traffic_class).to_ne_bytes();
                    control.put(IPPROTO_IPV6, IPV6_TCLASS, &class);
                }
            }
        }
    }
}

impl Datagram {
    /// getsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub(super) fn get(&self, level: u32, name: u32, value: &mut OptionValue) -> Result<(), Errno> {
        let inner = self.inner.lock();
        let options = &inner.options;
        let answer = match (level, name) {
            (SOL_SOCKET, SO_TIMESTAMP | SO_TIMESTAMPNS) => {
                i32::from(options.stamp.is_some() && options.stamp == TimeUnit::of_option(name))
            }
            (IPPROTO_IP, IP_TTL) => i32::from(options.hop_limit.unwrap_or(options::HOP_LIMIT)),
            (IPPROTO_IP, IP_TOS) => i32::from(options.traffic_class),
            (IPPROTO_IPV6, IPV6_TCLASS) if self.is_six() => i32::from(options.traffic_class_of_ipv6),
            (IPPROTO_IP, IP_RECVTOS) | (IPPROTO_IPV6, IPV6_RECVTCLASS) => {
                i32::from(options.tells_traffic_class)
            }
            (IPPROTO_IP, IP_PKTINFO) | (IPPROTO_IPV6, IPV6_RECVPKTINFO) => {
                i32::from(options.tells_destination)
            }
            (IPPROTO_IP, IP_RECVTTL) | (IPPROTO_IPV6, IPV6_RECVHOPLIMIT) => {
                i32::from(options.tells_hop_limit)
            }
            (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => i32::from(options.receives_errors),
            (IPPROTO_IP, IP_MTU_DISCOVER) | (IPPROTO_IPV6, IPV6_MTU_DISCOVER) => options.discovery as i32,
            (IPPROTO_IP, IP_HDRINCL) if self.kind == Kind::Raw => i32::from(options.brings_header),
            (IPPROTO_IPV6, IPV6_UNICAST_HOPS) if self.is_six() => {
                i32::from(options.hop_limit_of_ipv6.unwrap_or(options::HOP_LIMIT))
            }
            (IPPROTO_IPV6, IPV6_V6ONLY) if self.is_six() => {
                i32::from(self.is_v6_only.load(Ordering::Relaxed))
            }
            (SOL_RAW, ICMP_FILTER) if self.filters(IpProtocol::Icmp) => options.unwanted[0] as i32,
            (IPPROTO_ICMPV6, ICMPV6_FILTER) if self.filters(IpProtocol::Icmpv6) => {
                value.set(&options.unwanted);
                return Ok(());
            }
            (SOL_RAW, IPV6_CHECKSUM) if self.filters(IpProtocol::Icmpv6) => CHECKSUM_OF_ICMPV6,
            _ => {
                drop(inner);
                return self.get_group_option(level, name, value);
            }
        };
        value.set(&answer);
        Ok(())
    }

    /// Whether it gets all messages of that protocol, but for those that it does not want.
    fn filters(&self, protocol: IpProtocol) -> bool {
        self.kind == Kind::Raw && self.protocol == protocol
    }

    pub(super) fn is_six(&self) -> bool {
        self.base.family != AF_INET
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// As [`Datagram::get`]; `EINVAL`.
    pub(super) fn set(&self, level: u32, name: u32, value: &[u8]) -> Result<(), Errno> {
        let bound = self.inner.lock().bound.is_some();
        let mut inner = self.inner.lock();
        let options = &mut inner.options;
        match (level, name) {
            (SOL_SOCKET, SO_TIMESTAMP | SO_TIMESTAMPNS) => {
                options.stamp = TimeUnit::of_option(name).filter(|_| number(value) != Ok(0));
                number(value)?;
            }
            (IPPROTO_IP, IP_TTL) => options.hop_limit = options::hop_limit(number(value)?)?,
            (IPPROTO_IPV6, IPV6_UNICAST_HOPS) if self.is_six() => {
                options.hop_limit_of_ipv6 = options::hop_limit(number(value)?)?;
            }
            (IPPROTO_IP, IP_PKTINFO) | (IPPROTO_IPV6, IPV6_RECVPKTINFO) => {
                options.tells_destination = flag(value)?
            }
            (IPPROTO_IP, IP_RECVTTL) | (IPPROTO_IPV6, IPV6_RECVHOPLIMIT) => {
                options.tells_hop_limit = flag(value)?
            }
            (IPPROTO_IP, IP_TOS) => options.traffic_class = number(value)? as u8,
            (IPPROTO_IPV6, IPV6_TCLASS) if self.is_six() => {
                options.traffic_class_of_ipv6 = options::traffic_class(number(value)?)?;
            }
            (IPPROTO_IP, IP_RECVTOS) | (IPPROTO_IPV6, IPV6_RECVTCLASS) => {
                options.tells_traffic_class = flag(value)?;
            }
            (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => {
                options.receives_errors = flag(value)?;
                if !options.receives_errors {
                    inner.forget_errors();
                }
            }
            (IPPROTO_IP, IP_MTU_DISCOVER) | (IPPROTO_IPV6, IPV6_MTU_DISCOVER) => {
                options.discovery = options::discovery(number(value)?)?;
            }
            (IPPROTO_IP, IP_HDRINCL) if self.kind == Kind::Raw => options.brings_header = flag(value)?,
            (IPPROTO_IPV6, IPV6_V6ONLY) if self.is_six() => {
                if bound {
                    return Err(Errno::EINVAL);
                }
                self.is_v6_only.store(flag(value)?, Ordering::Relaxed);
            }
            (SOL_RAW, ICMP_FILTER) if self.filters(IpProtocol::Icmp) => {
                options.unwanted[0] = number(value)? as u32;
            }
            (IPPROTO_ICMPV6, ICMPV6_FILTER) if self.filters(IpProtocol::Icmpv6) => {
                for (mine, said) in options.unwanted.iter_mut().zip(value.chunks_exact(4)) {
                    *mine = number(said)? as u32;
                }
            }
            // It is there in any case (RFC 3542, 3.1), and nowhere else.
            (SOL_RAW, IPV6_CHECKSUM) if self.filters(IpProtocol::Icmpv6) => {
                if number(value)? != CHECKSUM_OF_ICMPV6 {
                    return Err(Errno::EINVAL);
                }
            }
            _ => {
                drop(inner);
                return self.set_group_option(level, name, value);
            }
        }
        Ok(())
    }
}
