//! The kernel's own messages about interfaces, addresses and routes: netlink(7), rtnetlink(7); `linux/netlink.h`, `linux/rtnetlink.h`,
//! `linux/if_link.h`, `linux/if_addr.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Protocol: interfaces, addresses, routes.
pub const NETLINK_ROUTE: u32 = 0;

/// It is a request.
pub const NLM_F_REQUEST: u16 = 1;
/// It has several parts, up to [`NLMSG_DONE`].
pub const NLM_F_MULTI: u16 = 2;
/// An answer is wanted even of what went well.
pub const NLM_F_ACK: u16 = 4;
/// All of them are asked for.
pub const NLM_F_DUMP: u16 = 0x300;

/// An answer: an error, or 0.
pub const NLMSG_ERROR: u16 = 2;
/// The last part.
pub const NLMSG_DONE: u16 = 3;

/// An interface.
pub const RTM_NEWLINK: u16 = 16;
/// Interfaces are asked for.
pub const RTM_GETLINK: u16 = 18;
/// An address.
pub const RTM_NEWADDR: u16 = 20;
/// Addresses are asked for.
pub const RTM_GETADDR: u16 = 22;
/// A route.
pub const RTM_NEWROUTE: u16 = 24;
/// Routes are asked for.
pub const RTM_GETROUTE: u16 = 26;
/// A neighbour.
pub const RTM_NEWNEIGH: u16 = 28;
/// Neighbours are asked for.
pub const RTM_GETNEIGH: u16 = 30;

/// Of a neighbour: its address, and its hardware address.
pub const NDA_DST: u16 = 1;
/// The latter.
pub const NDA_LLADDR: u16 = 2;
/// It is asked for.
pub const NUD_INCOMPLETE: u16 = 0x01;
/// It has answered lately.
pub const NUD_REACHABLE: u16 = 0x02;
/// It has answered once.
pub const NUD_STALE: u16 = 0x04;
/// It will be asked again.
pub const NUD_DELAY: u16 = 0x08;
/// It is asked again.
pub const NUD_PROBE: u16 = 0x10;
/// It does not answer.
pub const NUD_FAILED: u16 = 0x20;

/// Of an interface: its hardware address.
pub const IFLA_ADDRESS: u16 = 1;
/// The one that means everybody.
pub const IFLA_BROADCAST: u16 = 2;
/// Its name.
pub const IFLA_IFNAME: u16 = 3;
/// Its longest packet.
pub const IFLA_MTU: u16 = 4;
/// Packets that may wait.
pub const IFLA_TXQLEN: u16 = 13;
/// Whether it works.
pub const IFLA_OPERSTATE: u16 = 16;

/// Of an address: itself, or that of the other end.
pub const IFA_ADDRESS: u16 = 1;
/// Itself.
pub const IFA_LOCAL: u16 = 2;
/// The name of its interface.
pub const IFA_LABEL: u16 = 3;
/// The one that means everybody.
pub const IFA_BROADCAST: u16 = 4;
/// It stays.
pub const IFA_F_PERMANENT: u8 = 0x80;

/// Of a route: where it leads.
pub const RTA_DST: u16 = 1;
/// The interface.
pub const RTA_OIF: u16 = 4;
/// The router.
pub const RTA_GATEWAY: u16 = 5;
/// The address that packets come from.
pub const RTA_PREFSRC: u16 = 7;

/// Routes to other machines.
pub const RT_TABLE_MAIN: u8 = 254;
/// The kernel made it.
pub const RTPROT_KERNEL: u8 = 2;
/// It was there at boot.
pub const RTPROT_BOOT: u8 = 3;
/// Anywhere.
pub const RT_SCOPE_UNIVERSE: u8 = 0;
/// On the wire.
pub const RT_SCOPE_LINK: u8 = 253;
/// In this machine.
pub const RT_SCOPE_HOST: u8 = 254;
/// To one machine.
pub const RTN_UNICAST: u8 = 1;

/// `struct nlmsghdr`: the head of each message.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NlMsgHdr {
    /// Bytes with this head.
    pub len: u32,
    /// What it is.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// The number of the request.
    pub sequence: u32,
    /// Whose it is.
    pub port: u32,
}
const _: () = assert!(size_of::<NlMsgHdr>() == 16);

/// `struct ifinfomsg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfInfoMsg {
    /// `AF_UNSPEC`.
    pub family: u8,
    /// Padding.
    pub pad: u8,
    /// `ARPHRD_*`.
    pub kind: u16,
    /// Its number.
    pub index: u32,
    /// `IFF_*`.
    pub flags: u32,
    /// Which of them changed.
    pub change: u32,
}
const _: () = assert!(size_of::<IfInfoMsg>() == 16);

/// `struct ifaddrmsg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfAddrMsg {
    /// `AF_*`.
    pub family: u8,
    /// Bits of the network.
    pub prefix: u8,
    /// `IFA_F_*`.
    pub flags: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// The interface.
    pub index: u32,
}
const _: () = assert!(size_of::<IfAddrMsg>() == 8);

/// `struct ndmsg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NdMsg {
    /// `AF_*`.
    pub family: u8,
    /// 0.
    pub pad: [u8; 3],
    /// The interface.
    pub index: u32,
    /// `NUD_*`.
    pub state: u16,
    /// Flags.
    pub flags: u8,
    /// `RTN_*`.
    pub kind: u8,
}
const _: () = assert!(size_of::<NdMsg>() == 12);

/// `struct rtmsg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RtMsg {
    /// `AF_*`.
    pub family: u8,
    /// Bits of where it leads.
    pub destination_len: u8,
    /// Bits of where packets come from.
    pub source_len: u8,
    /// Type of service.
    pub tos: u8,
    /// `RT_TABLE_*`.
    pub table: u8,
    /// `RTPROT_*`.
    pub protocol: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// `RTN_*`.
    pub kind: u8,
    /// Flags.
    pub flags: u32,
}
const _: () = assert!(size_of::<RtMsg>() == 12);
