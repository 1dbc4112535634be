//! Sockets of one machine: unix(7), and those of the loopback interface: tcp(7), udp(7).

use super::Result;
use super::file::File;
use super::raw::syscall;
use abi::inet::{IFF_UP, IfReq, SIOCGIFFLAGS, SIOCSIFFLAGS};
use abi::nr;
use abi::socket::option::{SO_REUSEADDR, SOL_SOCKET};
use abi::socket::{AF_INET, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM, UNIX_PATH_MAX};

/// An address: the family and a name.
struct Address {
    bytes: [u8; 2 + UNIX_PATH_MAX],
    len: usize,
}

impl Address {
    /// Of a name that is cut to what fits.
    fn new(name: &[u8]) -> Address {
        let len = name.len().min(UNIX_PATH_MAX);
        let mut bytes = [0; 2 + UNIX_PATH_MAX];
        bytes[..2].copy_from_slice(&(AF_UNIX as u16).to_ne_bytes());
        bytes[2..2 + len].copy_from_slice(&name[..len]);
        Address { bytes, len: 2 + len }
    }

    /// That port of the loopback interface.
    fn loopback(port: u16) -> Address {
        const LEN: usize = 16;
        let mut bytes = [0; 2 + UNIX_PATH_MAX];
        bytes[..2].copy_from_slice(&(AF_INET as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&[127, 0, 0, 1]);
        Address { bytes, len: LEN }
    }

    /// Gives it to a call.
    fn give(&self, number: usize, socket: &File) -> Result<()> {
        let arguments = [
            socket.descriptor() as usize,
            self.bytes.as_ptr() as usize,
            self.len,
        ];
        // SAFETY: the kernel reads the bytes of the address.
        unsafe { syscall(number, arguments) }.map(drop)
    }
}

fn stream() -> Result<File> {
    make(AF_UNIX, SOCK_STREAM)
}

fn make(family: u32, kind: u32) -> Result<File> {
    let arguments = [family as usize, (kind | SOCK_CLOEXEC) as usize, 0];
    // SAFETY: the call takes numbers only.
    let descriptor = unsafe { syscall(nr::SOCKET, arguments) }?;
    Ok(File::from_descriptor(descriptor as i32))
}

/// Two streams that are connected with each other. Both are closed at exec.
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
pub fn pair() -> Result<(File, File)> {
    let mut ends = [0i32; 2];
    let kind = (SOCK_STREAM | SOCK_CLOEXEC) as usize;
    // SAFETY: the kernel writes two descriptors.
    unsafe {
        syscall(
            nr::SOCKETPAIR,
            [AF_UNIX as usize, kind, 0, ends.as_mut_ptr() as usize],
        )
    }?;
    Ok((File::from_descriptor(ends[0]), File::from_descriptor(ends[1])))
}

/// A stream of that name that waits for connections.
///
/// # Errors
/// `EADDRINUSE`, `EMFILE`, `ENOMEM`.
pub fn listen(name: &[u8]) -> Result<File> {
    listen_at(stream()?, &Address::new(name))
}

fn listen_at(socket: File, address: &Address) -> Result<File> {
    address.give(nr::BIND, &socket)?;
    // SAFETY: the call takes numbers only.
    unsafe { syscall(nr::LISTEN, [socket.descriptor() as usize, 16]) }?;
    Ok(socket)
}

/// A stream that waits for connections to that port of the loopback interface.
///
/// # Errors
/// `EADDRINUSE`, `EMFILE`, `ENOMEM`.
pub fn listen_to(port: u16) -> Result<File> {
    let socket = make(AF_INET, SOCK_STREAM)?;
    let yes = 1_u32;
    let arguments = [
        socket.descriptor() as usize,
        SOL_SOCKET as usize,
        SO_REUSEADDR as usize,
        &raw const yes as usize,
        size_of_val(&yes),
    ];
    // SAFETY: the kernel reads one number. Connections that ended lately do not keep the port.
    unsafe { syscall(nr::SETSOCKOPT, arguments) }?;
    listen_at(socket, &Address::loopback(port))
}

/// A stream connected with that port of the loopback interface.
///
/// # Errors
/// `ECONNREFUSED`, `EMFILE`, `ENOMEM`.
pub fn connect_to(port: u16) -> Result<File> {
    let socket = make(AF_INET, SOCK_STREAM)?;
    Address::loopback(port).give(nr::CONNECT, &socket)?;
    Ok(socket)
}

/// A socket of datagrams with the first port of the loopback interface, connected with the second.
///
/// # Errors
/// `EADDRINUSE`, `EMFILE`, `ENOMEM`.
pub fn datagrams(own: u16, peer: u16) -> Result<File> {
    let socket = make(AF_INET, SOCK_DGRAM)?;
    Address::loopback(own).give(nr::BIND, &socket)?;
    Address::loopback(peer).give(nr::CONNECT, &socket)?;
    Ok(socket)
}

/// Turns the loopback interface on, if it is off: Linux leaves that to programs.
///
/// # Errors
/// `EPERM`.
pub fn turn_loopback_on() -> Result<()> {
    let socket = make(AF_INET, SOCK_DGRAM)?;
    let mut request = IfReq {
        name: [0; 16],
        data: [0; 24],
    };
    request.name[..2].copy_from_slice(b"lo");
    let ask = |request: &mut IfReq, command: u32| {
        let arguments = [
            socket.descriptor() as usize,
            command as usize,
            &raw mut *request as usize,
        ];
        // SAFETY: both requests read and write a `struct ifreq`.
        unsafe { syscall(nr::IOCTL, arguments) }.map(drop)
    };
    ask(&mut request, SIOCGIFFLAGS)?;
    if u32::from(request.data[0]) & IFF_UP != 0 {
        return Ok(());
    }
    request.data[0] |= IFF_UP as u8;
    ask(&mut request, SIOCSIFFLAGS)
}

/// A stream connected with the one of that name.
///
/// # Errors
/// `ECONNREFUSED`, `EMFILE`, `ENOMEM`.
pub fn connect(name: &[u8]) -> Result<File> {
    let socket = stream()?;
    Address::new(name).give(nr::CONNECT, &socket)?;
    Ok(socket)
}

/// The next connection.
///
/// # Errors
/// `EMFILE`, `ENOMEM`.
pub fn accept(socket: &File) -> Result<File> {
    let arguments = [socket.descriptor() as usize, 0, 0, SOCK_CLOEXEC as usize];
    // SAFETY: no address is asked for.
    let descriptor = unsafe { syscall(nr::ACCEPT4, arguments) }?;
    Ok(File::from_descriptor(descriptor as i32))
}
