//! Sockets: there is no family of them, so none can be made, and no descriptor is one. Each call checks its arguments in the
//! order of Linux's `net/socket.c` and then says so: bash asks whether its input is a socket, su whether a daemon listens.

use abi::Errno;
use abi::socket::{
    MSG_CMSG_COMPAT, NPROTO, SOCK_CLOEXEC, SOCK_MAX, SOCK_NONBLOCK, SOCK_TYPE_MASK, STORAGE_LEN,
};
use abi::time::TimeSpec;

use super::lookup::{check_flags, file};
use task::thread::Thread;
use uaccess::{read_bytes, read_value};

/// socket(2), socketpair(2).
///
/// Refused: all families (`EAFNOSUPPORT`).
///
/// # Errors
/// `EINVAL`: unknown flags, or a type that is none. `EAFNOSUPPORT`: every family.
pub fn socket(family: u32, kind: u32) -> Result<usize, Errno> {
    check_flags(kind & !SOCK_TYPE_MASK, SOCK_CLOEXEC | SOCK_NONBLOCK)?;
    if family < NPROTO && kind & SOCK_TYPE_MASK >= SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    Err(Errno::EAFNOSUPPORT)
}

/// bind(2), listen(2), accept(2), getsockname(2), getpeername(2), sendto(2), recvfrom(2), getsockopt(2), shutdown(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// `EBADF`. `ENOTSOCK`: every descriptor.
pub fn refuse(current: &Thread, descriptor: i32) -> Result<usize, Errno> {
    if file(current, descriptor)?.is_path() {
        return Err(Errno::EBADF);
    }
    Err(Errno::ENOTSOCK)
}

/// accept4(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// `EBADF`, then `EINVAL` for unknown flags, then `ENOTSOCK`.
pub fn accept4(current: &Thread, descriptor: i32, flags: u32) -> Result<usize, Errno> {
    let refusal = refuse(current, descriptor);
    if refusal == Err(Errno::ENOTSOCK) {
        check_flags(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)?;
    }
    refusal
}

/// connect(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// `EBADF`, then `EINVAL` or those of user memory for the address, then `ENOTSOCK`.
pub fn connect(current: &Thread, descriptor: i32, address: u64, len: i32) -> Result<usize, Errno> {
    let refusal = refuse(current, descriptor);
    if refusal == Err(Errno::ENOTSOCK) {
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        let mut storage = [0; STORAGE_LEN];
        read_bytes(address, storage.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    }
    refusal
}

/// setsockopt(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// `EINVAL`: a negative length. Then as for [`refuse`].
pub fn setsockopt(current: &Thread, descriptor: i32, len: i32) -> Result<usize, Errno> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    refuse(current, descriptor)
}

/// sendmsg(2), recvmsg(2), sendmmsg(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// `EINVAL`: the flag that only the kernel's 32-bit calls use. Then as for [`refuse`].
pub fn message(current: &Thread, descriptor: i32, flags: u32) -> Result<usize, Errno> {
    check_flags(flags & MSG_CMSG_COMPAT, 0)?;
    refuse(current, descriptor)
}

/// recvmmsg(2).
///
/// Refused: no descriptor is a socket (`ENOTSOCK`).
///
/// # Errors
/// As for [`message`]. `EINVAL`, and those of user memory: the timeout, before the descriptor.
pub fn recvmmsg(current: &Thread, descriptor: i32, flags: u32, timeout: u64) -> Result<usize, Errno> {
    check_flags(flags & MSG_CMSG_COMPAT, 0)?;
    if timeout != 0 {
        read_value::<TimeSpec>(timeout)?
            .to_nanoseconds()
            .ok_or(Errno::EINVAL)?;
    }
    refuse(current, descriptor)
}
