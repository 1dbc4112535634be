//! Questions about sockets: sock_diag(7); `linux/sock_diag.h`, `linux/inet_diag.h`, `linux/unix_diag.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Protocol of netlink.
pub const NETLINK_SOCK_DIAG: u32 = 4;
/// Sockets of a family are asked for; one of them.
pub const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// A socket is to be closed.
pub const SOCK_DESTROY: u16 = 21;

/// Of a socket of the Internet: [`MemInfo`].
pub const INET_DIAG_MEMINFO: u16 = 1;
/// `struct tcp_info`.
pub const INET_DIAG_INFO: u16 = 2;
/// The name of the congestion control.
pub const INET_DIAG_CONG: u16 = 4;
/// Nine words, `SK_MEMINFO_*`.
pub const INET_DIAG_SKMEMINFO: u16 = 7;

/// Of a socket of AF_UNIX: its name.
pub const UNIX_DIAG_NAME: u16 = 0;
/// The inode of its peer.
pub const UNIX_DIAG_PEER: u16 = 2;
/// Its queues: [`UnixDiagQueues`].
pub const UNIX_DIAG_RQLEN: u16 = 4;
/// Which ways it has shut.
pub const UNIX_DIAG_SHUTDOWN: u16 = 6;
/// The name is wanted.
pub const UDIAG_SHOW_NAME: u32 = 1;
/// The peer is.
pub const UDIAG_SHOW_PEER: u32 = 4;
/// The queues are.
pub const UDIAG_SHOW_RQLEN: u32 = 16;

/// `struct inet_diag_sockid`: ports and addresses as they stand in packets.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InetDiagSockId {
    /// This end's port.
    pub source_port: [u8; 2],
    /// The other's.
    pub destination_port: [u8; 2],
    /// This end's address.
    pub source: [u8; 16],
    /// The other's.
    pub destination: [u8; 16],
    /// The interface.
    pub interface: u32,
    /// What distinguishes it from others with the same numbers.
    pub cookie: [u32; 2],
}

/// `struct inet_diag_req_v2`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InetDiagReq {
    /// `AF_*`.
    pub family: u8,
    /// `IPPROTO_*`.
    pub protocol: u8,
    /// A bit for each `INET_DIAG_*`, from 1 on, that is wanted.
    pub extensions: u8,
    /// Of raw sockets: their protocol.
    pub pad: u8,
    /// A bit for each state that is wanted.
    pub states: u32,
    /// Numbers that are not 0 are those wanted.
    pub id: InetDiagSockId,
}
const _: () = assert!(size_of::<InetDiagReq>() == 56);

/// `struct inet_diag_msg`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InetDiagMsg {
    /// `AF_*`.
    pub family: u8,
    /// As `linux/tcp_states.h` counts.
    pub state: u8,
    /// The timer that runs; 3: that of TIME-WAIT.
    pub timer: u8,
    /// Retransmissions in a row.
    pub retransmits: u8,
    /// Its numbers.
    pub id: InetDiagSockId,
    /// Milliseconds until the timer rings.
    pub expires: u32,
    /// Bytes to be read; of a listening socket the connections that wait.
    pub receive_queue: u32,
    /// Bytes to be acknowledged; the most connections that may wait.
    pub send_queue: u32,
    /// Whose it is.
    pub user: u32,
    /// Its inode.
    pub inode: u32,
}
const _: () = assert!(size_of::<InetDiagMsg>() == 72);

/// `struct inet_diag_meminfo`: bytes that wait.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemInfo {
    /// To be read.
    pub received: u32,
    /// To be sent.
    pub queued: u32,
    /// Room at hand.
    pub forward: u32,
    /// Sent.
    pub sent: u32,
}

/// `struct unix_diag_req`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnixDiagReq {
    /// `AF_UNIX`.
    pub family: u8,
    /// 0.
    pub protocol: u8,
    /// Padding.
    pub pad: u16,
    /// A bit for each state that is wanted.
    pub states: u32,
    /// The inode, if one is wanted.
    pub inode: u32,
    /// `UDIAG_SHOW_*`.
    pub show: u32,
    /// What distinguishes it.
    pub cookie: [u32; 2],
}
const _: () = assert!(size_of::<UnixDiagReq>() == 24);

/// `struct unix_diag_msg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnixDiagMsg {
    /// `AF_UNIX`.
    pub family: u8,
    /// `SOCK_*`.
    pub kind: u8,
    /// As `linux/tcp_states.h` counts.
    pub state: u8,
    /// Padding.
    pub pad: u8,
    /// Its inode.
    pub inode: u32,
    /// What distinguishes it.
    pub cookie: [u32; 2],
}
const _: () = assert!(size_of::<UnixDiagMsg>() == 16);

/// `struct unix_diag_rqlen`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnixDiagQueues {
    /// Bytes to be read; of a listening socket the connections that wait.
    pub receive: u32,
    /// Bytes that were sent and not read; the most connections that may wait.
    pub send: u32,
}
