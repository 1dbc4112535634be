//! Sockets: socket(2), send(2) (`linux/net.h`, `linux/socket.h`). Only what a kernel without any family of them checks.

/// Families that there may be: numbers below it.
pub const NPROTO: u32 = 46;
/// The bits of a type that hold the type; the others are flags.
pub const SOCK_TYPE_MASK: u32 = 0xf;
/// Types are below it.
pub const SOCK_MAX: u32 = 11;
/// socket: close at execve.
pub const SOCK_CLOEXEC: u32 = 0o2000000;
/// socket: do not wait.
pub const SOCK_NONBLOCK: u32 = 0o4000;
/// sendmsg: set by the kernel's 32-bit calls alone.
pub const MSG_CMSG_COMPAT: u32 = 0x8000_0000;
/// Bytes of the longest address (`struct sockaddr_storage`).
pub const STORAGE_LEN: usize = 128;
