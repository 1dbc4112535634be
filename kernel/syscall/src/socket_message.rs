//! Messages of sockets: send(2), recv(2).

use abi::Errno;
use abi::file::{IOV_MAX, OpenFlags};
use abi::socket::{MessageFlags, MsgHdr, STORAGE_LEN};
use alloc::vec::Vec;

use super::socket::{ask, open_file, read_address, write_address};
use super::socket_control::UserControl;
use memory::fallible;
use net::control::NoControl;
use net::file::{self as socket_file, Socket};
use net::settings::MOST_CONTROL;
use net::{Address, ReceivedMessage, SentMessage};
use task::thread::Thread;
use uaccess::{UserBuffer, read_bytes, read_value, write_value};
use vfs::OpenFile;

/// Flags that only the kernel sets.
const INTERNAL: u32 = MessageFlags::MSG_CMSG_COMPAT.bits();

/// The flags of a call; `MSG_DONTWAIT` is among them if the file does not wait.
fn message_flags(file: &OpenFile, flags: u32) -> MessageFlags {
    let mut flags = MessageFlags::from_bits_retain(flags & !INTERNAL);
    if file.flags().contains(OpenFlags::O_NONBLOCK) {
        flags |= MessageFlags::MSG_DONTWAIT;
    }
    flags
}

/// A range that leaves the user half is refused before anything is done.
///
/// # Errors
/// `EFAULT`.
fn buffer(at: u64, len: u64) -> Result<UserBuffer, Errno> {
    let len = len.min(uaccess::MOST_BYTES as u64);
    if at.checked_add(len).is_none_or(|end| end > mm::USER_END) {
        return Err(Errno::EFAULT);
    }
    Ok(UserBuffer::new(at, len))
}

/// sendto(2).
///
/// Not supported: `MSG_FASTOPEN`.
///
/// # Errors
/// `EFAULT`, `EBADF`, `ENOTSOCK`. `EINVAL`: a length that no address has. `EPIPE`, and SIGPIPE without `MSG_NOSIGNAL`: the peer
/// receives no more. `EAGAIN`: there is no room, with `O_NONBLOCK`, `MSG_DONTWAIT` or after `SO_SNDTIMEO`. `EMSGSIZE`: too long for
/// one message. `ENOTCONN`, `EDESTADDRREQ`: nobody to send to. `EISCONN`: an address, of a stream. `ECONNREFUSED`, `ECONNRESET`:
/// the other one is gone. `EOPNOTSUPP`: `MSG_OOB`. `EINTR`: a handler ran before a byte went. As for connect(2). `ENOMEM`, those of
/// user memory.
#[inline(never)]
pub fn sendto(
    current: &Thread,
    descriptor: i32,
    [at, len]: [u64; 2],
    flags: u32,
    address: u64,
    address_len: i32,
) -> Result<usize, Errno> {
    let mut data = buffer(at, len)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let mut storage = [0; STORAGE_LEN];
    let name = match address {
        0 => None,
        _ => Some(read_address(address, address_len, &mut storage)?),
    };
    let mut message = SentMessage {
        name,
        data: &mut data,
        control: &[],
        flags: message_flags(&file, flags),
    };
    ask(current, file.flags(), |request| {
        socket.ops().send(request, &mut message)
    })
}

/// recvfrom(2).
///
/// # Errors
/// `EFAULT`, `EBADF`, `ENOTSOCK`. `EAGAIN`: nothing came, with `O_NONBLOCK`, `MSG_DONTWAIT` or after `SO_RCVTIMEO`. `ENOTCONN`: it is
/// not connected. `ECONNREFUSED`, `ECONNRESET`: the other one is gone. `EINVAL`, `EOPNOTSUPP`: `MSG_OOB`. `EINTR`: a handler ran before
/// a byte came. `ENOMEM`, those of user memory.
#[inline(never)]
pub fn recvfrom(
    current: &Thread,
    descriptor: i32,
    [at, len]: [u64; 2],
    flags: u32,
    address: u64,
    len_address: u64,
) -> Result<usize, Errno> {
    let mut data = buffer(at, len)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    let mut name = Address::new();
    let received = socket.ops().receive(&mut ReceivedMessage {
        data: &mut data,
        name: (address != 0).then_some(&mut name),
        control: &mut NoControl,
        flags: message_flags(&file, flags),
        told: MessageFlags::empty(),
    })?;
    if address != 0 {
        write_address(&name, address, len_address)?;
    }
    Ok(received)
}

/// The ranges of a message.
///
/// # Errors
/// `EMSGSIZE`: too many. As [`UserBuffer::from_list`].
fn ranges(header: &MsgHdr) -> Result<UserBuffer, Errno> {
    if header.iovlen > IOV_MAX as u64 {
        return Err(Errno::EMSGSIZE);
    }
    UserBuffer::from_list(header.iov, header.iovlen)
}

/// The length of the address in a header: longer ones are cut.
///
/// # Errors
/// `EINVAL`: it is negative.
fn name_len(header: &MsgHdr) -> Result<i32, Errno> {
    match header.namelen {
        _ if header.name == 0 => Ok(0),
        ..0 => Err(Errno::EINVAL),
        len => Ok(len.min(STORAGE_LEN as i32)),
    }
}

/// Refuses what only the kernel's 32-bit calls use, which it does not have.
///
/// # Errors
/// `EINVAL`.
pub(super) fn check_native(flags: u32) -> Result<(), Errno> {
    if flags & INTERNAL == 0 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// sendmsg(2).
///
/// # Errors
/// As for [`sendto`]. `EINVAL`: the flag that only 32-bit calls use; a negative length; a control message that is longer than what
/// there is. `EMSGSIZE`: too many ranges. `ENOBUFS`: too many control messages. `EBADF`: a descriptor among them. `EPERM`: not who
/// the program says that it is. `ETOOMANYREFS`: its user has sent too many descriptors that nobody has received.
pub fn sendmsg(current: &Thread, descriptor: i32, header: u64, flags: u32) -> Result<usize, Errno> {
    check_native(flags)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    send_message(current, &file, socket, header, flags)
}

pub(super) fn send_message(
    current: &Thread,
    file: &OpenFile,
    socket: &Socket,
    header: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let header = read_value::<MsgHdr>(header)?;
    let mut storage = [0; STORAGE_LEN];
    let len = name_len(&header)?;
    let name = read_address(header.name, len, &mut storage)?;
    let mut data = ranges(&header)?;
    let control = read_control(&header)?;
    let mut message = SentMessage {
        name: (len > 0).then_some(name),
        data: &mut data,
        control: &control,
        flags: message_flags(file, flags),
    };
    ask(current, file.flags(), |request| {
        socket.ops().send(request, &mut message)
    })
}

/// The control messages of a header.
///
/// # Errors
/// `ENOBUFS`: too many bytes, or no memory for them. Those of user memory.
fn read_control(header: &MsgHdr) -> Result<Vec<u8>, Errno> {
    let len = usize::try_from(header.controllen).unwrap_or(usize::MAX);
    if len > MOST_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let mut control = fallible::filled(len, 0).map_err(|_| Errno::ENOBUFS)?;
    if len > 0 {
        read_bytes(header.control, &mut control)?;
    }
    Ok(control)
}

/// recvmsg(2).
///
/// # Errors
/// As for [`recvfrom`]. `EINVAL`: the flag that only 32-bit calls use; a negative length. `EMSGSIZE`: too many ranges.
pub fn recvmsg(current: &Thread, descriptor: i32, header: u64, flags: u32) -> Result<usize, Errno> {
    check_native(flags)?;
    let file = open_file(current, descriptor)?;
    let socket = socket_file::of(&file)?;
    receive_message(current, &file, socket, header, flags)
}

/// Where the kernel writes into a header.
const NAME_LEN_AT: u64 = core::mem::offset_of!(MsgHdr, namelen) as u64;
const CONTROL_LEN_AT: u64 = core::mem::offset_of!(MsgHdr, controllen) as u64;
const FLAGS_AT: u64 = core::mem::offset_of!(MsgHdr, flags) as u64;

pub(super) fn receive_message(
    current: &Thread,
    file: &OpenFile,
    socket: &Socket,
    address: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let header = read_value::<MsgHdr>(address)?;
    name_len(&header)?;
    let mut data = ranges(&header)?;
    let mut name = Address::new();
    let flags = message_flags(file, flags);
    let mut control = UserControl::new(current, &header, flags);
    let mut message = ReceivedMessage {
        data: &mut data,
        name: (header.name != 0).then_some(&mut name),
        control: &mut control,
        flags,
        told: MessageFlags::empty(),
    };
    let received = socket.ops().receive(&mut message)?;
    let told = message.told | control.told | (flags & MessageFlags::MSG_CMSG_CLOEXEC);
    if header.name != 0 {
        write_address(&name, header.name, address + NAME_LEN_AT)?;
    }
    write_value(address + FLAGS_AT, &told.bits())?;
    write_value(address + CONTROL_LEN_AT, &control.used)?;
    Ok(received)
}
