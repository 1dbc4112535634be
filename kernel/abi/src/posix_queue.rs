//! POSIX message queues: mq_overview(7); `linux/mqueue.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One more than the highest priority of a message.
pub const MQ_PRIO_MAX: u32 = 32768;
/// The most messages that a privileged process may give a queue: `HARD_MSGMAX`.
pub const HARD_MSGMAX: i64 = 65536;
/// The longest messages that it may give one: `HARD_MSGSIZEMAX`.
pub const HARD_MSGSIZEMAX: i64 = 16 << 20;
/// Bytes of what a thread of libc's is told by: `NOTIFY_COOKIE_LEN`.
pub const NOTIFY_COOKIE_LEN: usize = 32;
/// The last of those bytes: a message has come.
pub const NOTIFY_WOKENUP: u8 = 1;
/// The last of those bytes: nobody will be told any more.
pub const NOTIFY_REMOVED: u8 = 2;

/// What a queue is: `struct mq_attr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MqAttr {
    /// `O_NONBLOCK`, or nothing.
    pub flags: i64,
    /// How many messages it may hold.
    pub maxmsg: i64,
    /// Bytes of the longest of them.
    pub msgsize: i64,
    /// How many it holds.
    pub curmsgs: i64,
    /// Zeros.
    pub reserved: [i64; 4],
}
const _: () = assert!(size_of::<MqAttr>() == 64);
