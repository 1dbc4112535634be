//! System V messages: msgget(2), msgsnd(2), msgrcv(2), msgctl(2); `linux/msg.h`, `asm-generic/msgbuf.h`.

use super::ipc::IpcPerm;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

flags! {
    /// How a message is taken: msgrcv(2).
    pub struct MsgReceiveFlags: u32 {
        /// `ENOMSG` instead of waiting.
        const IPC_NOWAIT = 0o4000;
        /// What is too long is cut off.
        const MSG_NOERROR = 0o10000;
        /// Of any type but that one.
        const MSG_EXCEPT = 0o20000;
        /// A copy of the one with that number.
        const MSG_COPY = 0o40000;
    }
}

/// msgctl: `IPC_STAT` of what stands at an index.
pub const MSG_STAT: u32 = 11;
/// msgctl: how much there is.
pub const MSG_INFO: u32 = 12;
/// msgctl: `MSG_STAT` for everybody.
pub const MSG_STAT_ANY: u32 = 13;

/// How many queues there may be.
pub const MSGMNI: u32 = 32000;
/// Bytes of a message.
pub const MSGMAX: u32 = 8192;
/// Bytes of a queue.
pub const MSGMNB: u32 = 16384;

/// What is known of a queue: `msqid64_ds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MsqIdDs {
    /// Whose it is.
    pub msg_perm: IpcPerm,
    /// When a message was sent last.
    pub msg_stime: i64,
    /// When one was received last.
    pub msg_rtime: i64,
    /// When it was made, or changed by `IPC_SET`.
    pub msg_ctime: i64,
    /// Bytes of all messages.
    pub msg_cbytes: u64,
    /// Messages.
    pub msg_qnum: u64,
    /// Bytes that it may have.
    pub msg_qbytes: u64,
    /// The process that sent last.
    pub msg_lspid: i32,
    /// The process that received last.
    pub msg_lrpid: i32,
    /// Not used.
    pub unused: [u64; 2],
}
const _: () = assert!(size_of::<MsqIdDs>() == 120);

/// The limits, or how much there is: `struct msginfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MsgInfo {
    /// `MSG_INFO`: queues that there are.
    pub msgpool: u32,
    /// `MSG_INFO`: messages that there are.
    pub msgmap: u32,
    /// Bytes of a message.
    pub msgmax: u32,
    /// Bytes of a queue.
    pub msgmnb: u32,
    /// Queues.
    pub msgmni: u32,
    /// Not used.
    pub msgssz: u32,
    /// `MSG_INFO`: bytes of all messages.
    pub msgtql: u32,
    /// Not used.
    pub msgseg: u16,
    /// Padding.
    pub pad: u16,
}
const _: () = assert!(size_of::<MsgInfo>() == 32);
