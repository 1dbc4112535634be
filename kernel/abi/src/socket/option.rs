//! Options of sockets of all families: socket(7), `asm-generic/socket.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The level of these options, and of the control messages of all families.
pub const SOL_SOCKET: u32 = 1;

/// Notes of the protocol are logged.
pub const SO_DEBUG: u32 = 1;
/// An address may be used again.
pub const SO_REUSEADDR: u32 = 2;
/// `SOCK_*`.
pub const SO_TYPE: u32 = 3;
/// The error that waits, which is taken.
pub const SO_ERROR: u32 = 4;
/// No router is asked.
pub const SO_DONTROUTE: u32 = 5;
/// Datagrams may go to everybody.
pub const SO_BROADCAST: u32 = 6;
/// Bytes that may wait to be sent.
pub const SO_SNDBUF: u32 = 7;
/// Bytes that may wait to be received.
pub const SO_RCVBUF: u32 = 8;
/// A silent connection is tried now and then.
pub const SO_KEEPALIVE: u32 = 9;
/// Urgent bytes stay among the others.
pub const SO_OOBINLINE: u32 = 10;
/// No checksums.
pub const SO_NO_CHECK: u32 = 11;
/// Which queue of a device.
pub const SO_PRIORITY: u32 = 12;
/// close(2) waits for what is not sent: [`Linger`].
pub const SO_LINGER: u32 = 13;
/// Several sockets may have one address.
pub const SO_REUSEPORT: u32 = 15;
/// Messages say who sends them.
pub const SO_PASSCRED: u32 = 16;
/// Who the peer was: `UCred`.
pub const SO_PEERCRED: u32 = 17;
/// Bytes for which a receiver waits.
pub const SO_RCVLOWAT: u32 = 18;
/// Bytes of room for which a sender waits.
pub const SO_SNDLOWAT: u32 = 19;
/// For how long a receiver waits.
pub const SO_RCVTIMEO: u32 = 20;
/// For how long a sender waits.
pub const SO_SNDTIMEO: u32 = 21;
/// The one device that is used.
pub const SO_BINDTODEVICE: u32 = 25;
/// Messages say when they came.
pub const SO_TIMESTAMP: u32 = 29;
/// As [`SO_TIMESTAMP`], in nanoseconds.
pub const SO_TIMESTAMPNS: u32 = 35;
/// Whether it listens.
pub const SO_ACCEPTCONN: u32 = 30;
/// As [`SO_SNDBUF`], beyond the limit.
pub const SO_SNDBUFFORCE: u32 = 32;
/// As [`SO_RCVBUF`], beyond the limit.
pub const SO_RCVBUFFORCE: u32 = 33;
/// The protocol.
pub const SO_PROTOCOL: u32 = 38;
/// The family.
pub const SO_DOMAIN: u32 = 39;
/// From which byte on `MSG_PEEK` looks.
pub const SO_PEEK_OFF: u32 = 42;
/// Groups of the peer.
pub const SO_PEERGROUPS: u32 = 59;

/// `struct linger`: what close(2) does with bytes that are not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Linger {
    /// Whether it waits.
    pub on: i32,
    /// For how many seconds.
    pub seconds: i32,
}
const _: () = assert!(size_of::<Linger>() == 8);
