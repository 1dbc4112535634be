//! Sockets: socket(2), send(2), recv(2), cmsg(3), unix(7); `linux/net.h`, `linux/socket.h`, `bits/socket.h`.

pub mod option;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

flags! {
    /// What a call may do with a message, and what it says of one: send(2), recv(2).
    pub struct MessageFlags: u32 {
        /// Out-of-band bytes.
        const MSG_OOB = 1;
        /// What is received stays.
        const MSG_PEEK = 2;
        /// No router is asked.
        const MSG_DONTROUTE = 4;
        /// Control messages did not find room.
        const MSG_CTRUNC = 8;
        /// Bytes did not find room; asked for: their whole number.
        const MSG_TRUNC = 0x20;
        /// The call does not wait.
        const MSG_DONTWAIT = 0x40;
        /// A record ends here.
        const MSG_EOR = 0x80;
        /// All bytes that are asked for are waited for.
        const MSG_WAITALL = 0x100;
        /// The path to the peer works.
        const MSG_CONFIRM = 0x800;
        /// Errors are received.
        const MSG_ERRQUEUE = 0x2000;
        /// A broken pipe brings no signal.
        const MSG_NOSIGNAL = 0x4000;
        /// More follows.
        const MSG_MORE = 0x8000;
        /// recvmmsg: only the first message is waited for.
        const MSG_WAITFORONE = 0x10000;
        /// Pages are lent instead of copied.
        const MSG_ZEROCOPY = 0x4000000;
        /// Data goes with the opening of a connection.
        const MSG_FASTOPEN = 0x20000000;
        /// Received descriptors are closed at execve.
        const MSG_CMSG_CLOEXEC = 0x40000000;
        /// Set by the kernel's 32-bit calls alone.
        const MSG_CMSG_COMPAT = 0x80000000;
    }
}

/// Families that there may be: numbers below it.
pub const NPROTO: u32 = 46;
/// No family: an address that ends a connection.
pub const AF_UNSPEC: u32 = 0;
/// Programs of one machine.
pub const AF_UNIX: u32 = 1;
/// IPv4.
pub const AF_INET: u32 = 2;
/// IPv6.
pub const AF_INET6: u32 = 10;
/// The kernel's own messages.
pub const AF_NETLINK: u32 = 16;
/// Frames of a wire.
pub const AF_PACKET: u32 = 17;

/// A stream of bytes.
pub const SOCK_STREAM: u32 = 1;
/// Datagrams.
pub const SOCK_DGRAM: u32 = 2;
/// The protocol's own packets.
pub const SOCK_RAW: u32 = 3;
/// Records in order.
pub const SOCK_SEQPACKET: u32 = 5;
/// Frames of a wire, of the Internet's family: an older name for `AF_PACKET`.
pub const SOCK_PACKET: u32 = 10;
/// The bits of a type that hold the type; the others are flags.
pub const SOCK_TYPE_MASK: u32 = 0xf;
/// Types are below it.
pub const SOCK_MAX: u32 = 11;
/// socket: close at execve.
pub const SOCK_CLOEXEC: u32 = 0o2000000;
/// socket: do not wait.
pub const SOCK_NONBLOCK: u32 = 0o4000;

/// shutdown: nothing more is received.
pub const SHUT_RD: u32 = 0;
/// shutdown: nothing more is sent.
pub const SHUT_WR: u32 = 1;
/// shutdown: neither.
pub const SHUT_RDWR: u32 = 2;

/// Bytes of the longest address (`struct sockaddr_storage`).
pub const STORAGE_LEN: usize = 128;
/// Bytes of the longest path in an address of `AF_UNIX`.
pub const UNIX_PATH_MAX: usize = 108;

/// Control message: descriptors.
pub const SCM_RIGHTS: u32 = 1;
/// Control message: who sends.
pub const SCM_CREDENTIALS: u32 = 2;
/// Descriptors of one control message.
pub const SCM_MAX_FD: usize = 253;

/// Requests of ioctl(2): bytes that wait to be sent.
pub const SIOCOUTQ: u32 = 0x5411;
/// Whether the next byte is the urgent one.
pub const SIOCATMARK: u32 = 0x8905;

/// `struct msghdr`: what sendmsg and recvmsg are about.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MsgHdr {
    /// Address of the address; 0: none.
    pub name: u64,
    /// Its bytes.
    pub namelen: i32,
    /// Padding.
    pub pad: u32,
    /// Address of the list of ranges.
    pub iov: u64,
    /// Ranges in it.
    pub iovlen: u64,
    /// Address of the control messages.
    pub control: u64,
    /// Their bytes.
    pub controllen: u64,
    /// What is said of a received message.
    pub flags: u32,
    /// Padding.
    pub tail: u32,
}
const _: () = assert!(size_of::<MsgHdr>() == 56);

/// `struct mmsghdr`: one message of sendmmsg or recvmmsg.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MMsgHdr {
    /// The message.
    pub header: MsgHdr,
    /// Bytes of it that were sent or received.
    pub len: u32,
    /// Padding.
    pub pad: u32,
}
const _: () = assert!(size_of::<MMsgHdr>() == 64);

/// `struct cmsghdr`: the head of a control message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CMsgHdr {
    /// Bytes with this head.
    pub len: u64,
    /// Whose it is: `SOL_*`.
    pub level: u32,
    /// What it is.
    pub kind: u32,
}
const _: () = assert!(size_of::<CMsgHdr>() == 16);

/// `struct ucred`: who a process acts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UCred {
    /// The process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}
const _: () = assert!(size_of::<UCred>() == 12);
