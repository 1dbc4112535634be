//! The Internet protocols: ip(7), ipv6(7), tcp(7), udp(7), raw(7), netdevice(7); `linux/in.h`, `linux/in6.h`, `linux/tcp.h`, `linux/if.h`,
//! `linux/if_arp.h`, `linux/sockios.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Protocol, and level of options: that of IP; of a socket: the usual one.
pub const IPPROTO_IP: u32 = 0;
/// Control messages.
pub const IPPROTO_ICMP: u32 = 1;
/// Streams.
pub const IPPROTO_TCP: u32 = 6;
/// Datagrams.
pub const IPPROTO_UDP: u32 = 17;
/// Level of options: IPv6.
pub const IPPROTO_IPV6: u32 = 41;
/// Control messages of IPv6.
pub const IPPROTO_ICMPV6: u32 = 58;
/// Packets that bring their header along.
pub const IPPROTO_RAW: u32 = 255;

/// Options of raw sockets: of ICMP the types that a socket does not want, and where the kernel puts a checksum.
pub const SOL_RAW: u32 = 255;
/// A bit of four bytes for each type of ICMP.
pub const ICMP_FILTER: u32 = 1;
/// A bit of 32 bytes for each type of ICMPv6: `IPPROTO_ICMPV6`.
pub const ICMPV6_FILTER: u32 = 1;
/// Where a checksum stands.
pub const IPV6_CHECKSUM: u32 = 7;

/// Type of service.
pub const IP_TOS: u32 = 1;
/// Routers that a packet may pass.
pub const IP_TTL: u32 = 2;
/// The program writes the header.
pub const IP_HDRINCL: u32 = 3;
/// Messages say by which interface, and to which address, they came.
pub const IP_PKTINFO: u32 = 8;
/// Whether packets may be cut: `IP_PMTUDISC_*`.
pub const IP_MTU_DISCOVER: u32 = 10;
/// Errors are told.
pub const IP_RECVERR: u32 = 11;
/// Messages say how many routers they might still have passed.
pub const IP_RECVTTL: u32 = 12;
/// Messages say their type of service.
pub const IP_RECVTOS: u32 = 13;

/// The interface by which messages to groups go.
pub const IP_MULTICAST_IF: u32 = 32;
/// Routers that they may pass.
pub const IP_MULTICAST_TTL: u32 = 33;
/// This machine's own members get them, too.
pub const IP_MULTICAST_LOOP: u32 = 34;
/// The socket joins a group.
pub const IP_ADD_MEMBERSHIP: u32 = 35;
/// It leaves it.
pub const IP_DROP_MEMBERSHIP: u32 = 36;
/// Messages to groups that others joined come, too.
pub const IP_MULTICAST_ALL: u32 = 49;

/// The interface by which messages to groups go.
pub const IPV6_MULTICAST_IF: u32 = 17;
/// Routers that they may pass.
pub const IPV6_MULTICAST_HOPS: u32 = 18;
/// This machine's own members get them, too.
pub const IPV6_MULTICAST_LOOP: u32 = 19;
/// The socket joins a group.
pub const IPV6_ADD_MEMBERSHIP: u32 = 20;
/// It leaves it.
pub const IPV6_DROP_MEMBERSHIP: u32 = 21;
/// Routers that a packet may pass.
pub const IPV6_UNICAST_HOPS: u32 = 16;
/// Whether packets may be cut.
pub const IPV6_MTU_DISCOVER: u32 = 23;
/// Errors are told.
pub const IPV6_RECVERR: u32 = 25;
/// Only IPv6, not IPv4 as well.
pub const IPV6_V6ONLY: u32 = 26;
/// Messages say by which interface, and to which address, they came.
pub const IPV6_RECVPKTINFO: u32 = 49;
/// Control message: that.
pub const IPV6_PKTINFO: u32 = 50;
/// Messages say how many routers they might still have passed.
pub const IPV6_RECVHOPLIMIT: u32 = 51;
/// Control message: that.
pub const IPV6_HOPLIMIT: u32 = 52;
/// Messages say their traffic class.
pub const IPV6_RECVTCLASS: u32 = 66;
/// Traffic class; control message: that.
pub const IPV6_TCLASS: u32 = 67;

/// An error of the machine's own.
pub const SO_EE_ORIGIN_LOCAL: u8 = 1;
/// One that ICMP told.
pub const SO_EE_ORIGIN_ICMP: u8 = 2;
/// One that ICMPv6 told.
pub const SO_EE_ORIGIN_ICMP6: u8 = 3;

/// `struct sock_extended_err`: the control message of an error, before the address of who told it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockExtendedErr {
    /// The number of the error.
    pub error: u32,
    /// `SO_EE_ORIGIN_*`.
    pub origin: u8,
    /// Type of the message of ICMP.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Padding.
    pub pad: u8,
    /// The longest packet, if that is the reason.
    pub info: u32,
    /// Nothing.
    pub data: u32,
}
const _: () = assert!(size_of::<SockExtendedErr>() == 16);

/// Small segments do not wait for acknowledgements.
pub const TCP_NODELAY: u32 = 1;
/// Bytes of the longest segment.
pub const TCP_MAXSEG: u32 = 2;
/// Seconds of silence before a connection is tried.
pub const TCP_KEEPIDLE: u32 = 4;
/// Seconds between two tries.
pub const TCP_KEEPINTVL: u32 = 5;
/// Tries.
pub const TCP_KEEPCNT: u32 = 6;
/// Segments that are not full wait for more bytes.
pub const TCP_CORK: u32 = 3;
/// Seconds for which a connection without bytes is not given to who accepts.
pub const TCP_DEFER_ACCEPT: u32 = 9;
/// Connections that may be opened with bytes in their SYN, of who listens.
pub const TCP_FASTOPEN: u32 = 23;
/// connect(2) waits for bytes to go with its SYN.
pub const TCP_FASTOPEN_CONNECT: u32 = 30;
/// Acknowledgements do not wait for bytes.
pub const TCP_QUICKACK: u32 = 12;
/// How the connection fares: [`TcpInfo`].
pub const TCP_INFO: u32 = 11;
/// The name of the congestion control.
pub const TCP_CONGESTION: u32 = 13;
/// Milliseconds that bytes may stay without an acknowledgement.
pub const TCP_USER_TIMEOUT: u32 = 18;

/// Of [`TcpInfo::options`]: both sides know selective acknowledgements.
pub const TCPI_OPT_SACK: u8 = 2;
/// Both sides scale their windows.
pub const TCPI_OPT_WSCALE: u8 = 4;

/// `struct tcp_info`, as long as that of Linux 6.1. Times are microseconds where nothing else is said.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TcpInfo {
    /// As `linux/tcp_states.h` counts.
    pub state: u8,
    /// State of the congestion control.
    pub ca_state: u8,
    /// Retransmissions in a row.
    pub retransmits: u8,
    /// Probes of an empty window.
    pub probes: u8,
    /// How often the timeout was doubled.
    pub backoff: u8,
    /// `TCPI_OPT_*`.
    pub options: u8,
    /// Of what is sent, and above that, of what is received.
    pub wscale: u8,
    /// Whether the sender has too little to send.
    pub limits: u8,
    /// Timeout of a retransmission.
    pub rto: u32,
    /// Delay of acknowledgements.
    pub ato: u32,
    /// Longest segment that is sent.
    pub snd_mss: u32,
    /// Longest segment that comes.
    pub rcv_mss: u32,
    /// Segments; of a listening socket the connections that wait.
    pub unacked: u32,
    /// Segments; of a listening socket the most connections that may wait.
    pub sacked: u32,
    /// Segments held for lost.
    pub lost: u32,
    /// Segments sent again that are not acknowledged.
    pub retrans: u32,
    /// Not used any more.
    pub fackets: u32,
    /// Milliseconds ago, as the three next ones.
    pub last_data_sent: u32,
    /// Not kept by Linux.
    pub last_ack_sent: u32,
    /// When bytes came.
    pub last_data_recv: u32,
    /// When an acknowledgement came.
    pub last_ack_recv: u32,
    /// The longest packet.
    pub pmtu: u32,
    /// Where the window of what is received stops growing.
    pub rcv_ssthresh: u32,
    /// Smoothed time of a round trip.
    pub rtt: u32,
    /// Its variation.
    pub rttvar: u32,
    /// Where slow start ends.
    pub snd_ssthresh: u32,
    /// Segments that the congestion control allows.
    pub snd_cwnd: u32,
    /// Longest segment that this side asked for.
    pub advmss: u32,
    /// Segments that may overtake each other.
    pub reordering: u32,
    /// Time of a round trip, as the receiver sees it.
    pub rcv_rtt: u32,
    /// Bytes of the receive buffer.
    pub rcv_space: u32,
    /// Segments sent again.
    pub total_retrans: u32,
    /// Bytes a second.
    pub pacing_rate: u64,
    /// The most.
    pub max_pacing_rate: u64,
    /// Bytes of this side that were acknowledged, and its SYN.
    pub bytes_acked: u64,
    /// Bytes of the peer.
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Bytes that wait to be sent.
    pub notsent_bytes: u32,
    /// Least time of a round trip.
    pub min_rtt: u32,
    /// Segments with bytes received.
    pub data_segs_in: u32,
    /// Segments with bytes sent.
    pub data_segs_out: u32,
    /// Bytes a second.
    pub delivery_rate: u64,
    /// While something was to be acknowledged.
    pub busy_time: u64,
    /// While the window was too small.
    pub rwnd_limited: u64,
    /// While the buffer was too small.
    pub sndbuf_limited: u64,
    /// Segments that arrived.
    pub delivered: u32,
    /// Those with a mark of congestion.
    pub delivered_ce: u32,
    /// Bytes sent, with those sent again.
    pub bytes_sent: u64,
    /// Bytes sent again.
    pub bytes_retrans: u64,
    /// Segments that came twice.
    pub dsack_dups: u32,
    /// Segments that were overtaken.
    pub reord_seen: u32,
    /// Segments that came out of order.
    pub rcv_ooopack: u32,
    /// The peer's window.
    pub snd_wnd: u32,
}
const _: () = assert!(size_of::<TcpInfo>() == 232);

/// The name of the interface of a number.
pub const SIOCGIFNAME: u32 = 0x8910;
/// All interfaces with an address of IPv4: [`IfConf`].
pub const SIOCGIFCONF: u32 = 0x8912;
/// `IFF_*`.
pub const SIOCGIFFLAGS: u32 = 0x8913;
/// Changes them.
pub const SIOCSIFFLAGS: u32 = 0x8914;
/// The address.
pub const SIOCGIFADDR: u32 = 0x8915;
/// The address that means everybody.
pub const SIOCGIFBRDADDR: u32 = 0x8919;
/// The mask of the network.
pub const SIOCGIFNETMASK: u32 = 0x891b;
/// The longest packet.
pub const SIOCGIFMTU: u32 = 0x8921;
/// The hardware address.
pub const SIOCGIFHWADDR: u32 = 0x8927;
/// The number.
pub const SIOCGIFINDEX: u32 = 0x8933;
/// Packets that may wait to be sent.
pub const SIOCGIFTXQLEN: u32 = 0x8942;

/// It is on.
pub const IFF_UP: u32 = 0x1;
/// Everybody can be spoken to at once.
pub const IFF_BROADCAST: u32 = 0x2;
/// It leads to this machine itself.
pub const IFF_LOOPBACK: u32 = 0x8;
/// It works.
pub const IFF_RUNNING: u32 = 0x40;
/// Groups can be spoken to.
pub const IFF_MULTICAST: u32 = 0x1000;

/// A hardware address of Ethernet.
pub const ARPHRD_ETHER: u16 = 1;
/// That of the loopback interface.
pub const ARPHRD_LOOPBACK: u16 = 772;

/// `struct ifreq`: a request about an interface.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfReq {
    /// The name, up to a NUL.
    pub name: [u8; 16],
    /// What is asked or answered.
    pub data: [u8; 24],
}
const _: () = assert!(size_of::<IfReq>() == 40);

/// `struct ifconf`: where the list of interfaces goes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfConf {
    /// Bytes of room, then of the list.
    pub len: i32,
    /// Padding.
    pub pad: u32,
    /// Address of the list; 0: only its length is asked for.
    pub list: u64,
}
const _: () = assert!(size_of::<IfConf>() == 16);
