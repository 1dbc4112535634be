//! Sockets: making them, names, connections. What a family does stands below `net::SocketOps`; here are arguments and descriptors,
//! in the order of errors of Linux's `net/socket.c`.

use abi::Errno;
use abi::file::OpenFlags;
use abi::process::Pid;
use abi::socket::{
    AF_INET, AF_PACKET, NPROTO, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_CLOEXEC, SOCK_MAX, SOCK_NONBLOCK,
    SOCK_PACKET, SOCK_TYPE_MASK, STORAGE_LEN,
};
use alloc::sync::Arc;

use super::caller::with_caller;
use super::descriptor::withdraw;
use super::lookup::{check_flags, file};
use super::open::{descriptor_limit, install, on_exec};
use net::family::{self, Family};
use net::file::{self as socket_file, Socket};
use net::settings::SOMAXCONN;
use net::{Address, Half, ProgramContext, Request, SocketOps};
use task::process;
use task::thread::{Thread, ThreadExt};
use uaccess::{read_bytes, read_value, write_bytes, write_value};
use vfs::{FsContext, OpenFile};

/// The running thread, as families know it.
pub(super) struct Asking<'a>(pub(super) &'a Thread);

impl ProgramContext for Asking<'_> {
    fn fs_context(&self) -> Result<Arc<FsContext>, Errno> {
        self.0.fs_context().snapshot()
    }

    fn file(&self, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
        // A mere place may be sent as well.
        file(self.0, descriptor)
    }

    fn descriptor_limit(&self) -> usize {
        descriptor_limit(self.0)
    }

    fn process_exists(&self, id: Pid) -> bool {
        process::find(id).is_some()
    }
}

/// Makes a request for the running thread, of a socket whose file has these flags.
pub(super) fn ask<R>(current: &Thread, flags: OpenFlags, request: impl FnOnce(&Request<'_>) -> R) -> R {
    with_caller(current, |caller| {
        request(&Request {
            caller,
            program: &Asking(current),
            is_nonblocking: flags.contains(OpenFlags::O_NONBLOCK),
        })
    })
}

/// The open file of a descriptor, which is no mere place.
///
/// # Errors
/// `EBADF`.
pub(super) fn open_file(current: &Thread, descriptor: i32) -> Result<Arc<OpenFile>, Errno> {
    let file = file(current, descriptor)?;
    if file.is_path() {
        Err(Errno::EBADF)
    } else {
        Ok(file)
    }
}

/// The family of that number that has such a type.
///
/// # Errors
/// `EAFNOSUPPORT`, `EINVAL`.
fn family_of(number: u32, kind: u32) -> Result<&'static dyn Family, Errno> {
    if number >= NPROTO {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind >= SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    let is_packet = number == AF_INET && kind == SOCK_PACKET;
    family::find(if is_packet { AF_PACKET } else { number })
}

/// The type that socket(2) is asked for, and the flags of the descriptor.
///
/// # Errors
/// `EINVAL`: unknown flags.
fn decode(kind: u32) -> Result<(u32, OpenFlags), Errno> {
    check_flags(kind & !SOCK_TYPE_MASK, SOCK_CLOEXEC | SOCK_NONBLOCK)?;
    Ok((kind & SOCK_TYPE_MASK, descriptor_flags(kind)))
}

/// The flags `SOCK_*` as those of open files, which have the same numbers.
fn descriptor_flags(word: u32) -> OpenFlags {
    OpenFlags::from_bits_retain(word & (SOCK_CLOEXEC | SOCK_NONBLOCK))
}

/// A descriptor of that socket, which is closed if there is none.
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
fn install_socket(current: &Thread, ops: Arc<dyn SocketOps>, flags: OpenFlags) -> Result<usize, Errno> {
    let credentials = current.process().credentials();
    let file = socket_file::open(ops, &credentials, flags - OpenFlags::O_CLOEXEC)?;
    install(current, file, on_exec(flags), 0)
}

/// socket(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or a type that is none. `EAFNOSUPPORT`: no such family. `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: the
/// family has no such type, or protocol. `EMFILE`: no descriptor is free. `EPERM`, `EACCES`: not for this program. `ENOMEM`.
pub fn socket(current: &Thread, family: u32, kind: u32, protocol: u32) -> Result<usize, Errno> {
    let (kind, flags) = decode(kind)?;
    let family = family_of(family, kind)?;
    memory::has_room()?;
    let ops = ask(current, flags, |request| family.create(request, kind, protocol))?;
    install_socket(current, ops, flags)
}

/// socketpair(2).
///
/// # Errors
/// As for [`socket`]. `EOPNOTSUPP`: the family has no pairs. Those of user memory.
pub fn socketpair(
    current: &Thread,
    family: u32,
    kind: u32,
    protocol: u32,
    address: u64,
) -> Result<usize, Errno> {
    let (kind, flags) = decode(kind)?;
    let family = family_of(family, kind)?;
    memory::has_room()?;
    let [first, second] = ask(current, flags, |request| {
        family.create_pair(request, kind, protocol)
    })?;
    let first = install_socket(current, first, flags);
    // Who gets no descriptor is closed all the same.
    let second = install_socket(current, second, flags);
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Ok(alone), Err(error)) | (Err(error), Ok(alone)) => {
            withdraw(current, &[alone]);
            return Err(error);
        }
        (Err(error), Err(_)) => return Err(error),
    };
    let descriptors = [first as i32, second as i32];
    write_value(address, &descriptors).inspect_err(|_| withdraw(current, &[first, second]))?;
    Ok(0)
}

/// An address in user memory.
///
/// # Errors
/// `EINVAL`: a negative length, or one beyond all addresses. Those of user memory.
pub(super) fn read_address(address: u64, len: i32, storage: &mut [u8; STORAGE_LEN]) -> Result<&[u8], Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let bytes = storage.get_mut(..len).ok_or(Errno::EINVAL)?;
    if len > 0 {
        read_bytes(address, bytes)?;
    }
    Ok(bytes)
}

/// Gives a program an address, cut to the room that it says, and its whole length.
///
/// # Errors
/// `EINVAL`: a negative length. Those of user memory.
pub(super) fn write_address(name: &Address, address: u64, len_address: u64) -> Result<(), Errno> {
    let room = usize::try_from(read_value::<i32>(len_address)?).map_err(|_| Errno::EINVAL)?;
    let bytes = name.bytes();
    let cut = &bytes[..bytes.len().min(room)];
    if !cut.is_empty() {
        write_bytes(address, cut)?;
    }
    write_value(len_address, &(bytes.len() as u32))
}

/// bind(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`. `EINVAL`: a length that no address has; it has a name. `EAFNOSUPPORT`: another family's. `EADDRINUSE`:
/// somebody else has it. `EACCES`: not for this program. Those of paths (unix(7)). `ENOMEM`, those of user memory.
pub fn bind(current: &Thread, descriptor: i32, address: u64, len: i32) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let mut storage = [0; STORAGE_LEN];
    let name = read_address(address, len, &mut storage)?;
    memory::has_room()?;
    ask(current, file.flags(), |request| socket.ops().bind(request, name))?;
    Ok(0)
}

/// listen(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`. `EOPNOTSUPP`: not of such a type. `EINVAL`: it has no name, or is connected. `EADDRINUSE`.
pub fn listen(current: &Thread, descriptor: i32, backlog: i32) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    // A negative number is a large one, as in Linux.
    let backlog = (backlog as u32).min(SOMAXCONN.get());
    ask(current, file.flags(), |request| {
        socket.ops().listen(request, backlog)
    })?;
    Ok(0)
}

/// accept(2).
///
/// # Errors
/// As for [`accept4`].
pub fn accept(current: &Thread, descriptor: i32, address: u64, len_address: u64) -> Result<usize, Errno> {
    accept4(current, descriptor, address, len_address, 0)
}

/// accept4(2).
///
/// # Errors
/// `EBADF`, then `EINVAL` for unknown flags, then `EMFILE`, then `ENOTSOCK`. `EINVAL`: it does not listen. `EOPNOTSUPP`: not of such
/// a type. `EAGAIN`: nobody has connected, with `O_NONBLOCK` or after `SO_RCVTIMEO`. `EINTR`: a handler ran. `ECONNABORTED`: the
/// peer has gone. `ENOMEM`, those of user memory.
pub fn accept4(
    current: &Thread,
    descriptor: i32,
    address: u64,
    len_address: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    check_flags(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)?;
    check_free(current)?;
    let socket = socket_file::of(&file)?;
    memory::has_room()?;
    let flags = descriptor_flags(flags);
    let ops = ask(current, file.flags(), |request| socket.ops().accept(request))?;
    let accepted = Socket::new(ops);
    if address != 0 {
        let name = accepted.ops().peer_name().map_err(|_| Errno::ECONNABORTED)?;
        write_address(&name, address, len_address)?;
    }
    let credentials = current.process().credentials();
    let file = socket_file::open_socket(accepted, &credentials, flags - OpenFlags::O_CLOEXEC)?;
    install(current, file, on_exec(flags), 0)
}

/// A connection is not taken for which there is no descriptor.
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
fn check_free(current: &Thread) -> Result<(), Errno> {
    let limit = descriptor_limit(current);
    current.files().change(|files| files.check_free(limit))?
}

/// connect(2).
///
/// # Errors
/// `EBADF`, then `EINVAL` or those of user memory for the address, then `ENOTSOCK`. `ECONNREFUSED`: nobody listens there. `EISCONN`: it
/// is connected. `EPROTOTYPE`: the other one is of another type. `EAGAIN`: too many wait, with `O_NONBLOCK` or after `SO_SNDTIMEO`.
/// `EINPROGRESS`, `EALREADY`: it takes longer. `EPERM`: the other one talks to somebody else. `EINTR`: a handler ran. `EAFNOSUPPORT`,
/// `EACCES`, `ENOENT` and others of paths (unix(7)). `ETIMEDOUT`, `ENETUNREACH`, `EADDRNOTAVAIL`. `ENOMEM`.
pub fn connect(current: &Thread, descriptor: i32, address: u64, len: i32) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let mut storage = [0; STORAGE_LEN];
    let name = read_address(address, len, &mut storage)?;
    let socket = socket_file::of(&file)?;
    memory::has_room()?;
    ask(current, file.flags(), |request| {
        socket.ops().connect(request, name)
    })?;
    Ok(0)
}

/// getsockname(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`. `EINVAL`: a negative length. Those of user memory.
pub fn getsockname(
    current: &Thread,
    descriptor: i32,
    address: u64,
    len_address: u64,
) -> Result<usize, Errno> {
    give_name(current, descriptor, [address, len_address], |socket| {
        socket.name()
    })
}

/// getpeername(2).
///
/// # Errors
/// As for [`getsockname`]. `ENOTCONN`: it is not connected.
pub fn getpeername(
    current: &Thread,
    descriptor: i32,
    address: u64,
    len_address: u64,
) -> Result<usize, Errno> {
    give_name(current, descriptor, [address, len_address], |socket| {
        socket.peer_name()
    })
}

/// Stores the name that `ask` is told, and its length.
fn give_name(
    current: &Thread,
    descriptor: i32,
    [address, len_address]: [u64; 2],
    ask: impl FnOnce(&dyn SocketOps) -> Result<Address, Errno>,
) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let name = ask(&**socket_file::of(&file)?.ops())?;
    write_address(&name, address, len_address)?;
    Ok(0)
}

/// shutdown(2).
///
/// # Errors
/// `EBADF`, `ENOTSOCK`. `EINVAL`: no such half. `ENOTCONN`: it is not connected.
pub fn shutdown(current: &Thread, descriptor: i32, how: u32) -> Result<usize, Errno> {
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let half = match how {
        SHUT_RD => Half::Receive,
        SHUT_WR => Half::Send,
        SHUT_RDWR => Half::Both,
        _ => return Err(Errno::EINVAL),
    };
    socket.ops().shutdown(half)?;
    Ok(0)
}
