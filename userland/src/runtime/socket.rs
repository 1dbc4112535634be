//! Sockets of one machine: unix(7).

use super::Result;
use super::file::File;
use super::raw::syscall;
use abi::nr;
use abi::socket::{AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, UNIX_PATH_MAX};

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
    let arguments = [AF_UNIX as usize, (SOCK_STREAM | SOCK_CLOEXEC) as usize, 0];
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
    let socket = stream()?;
    Address::new(name).give(nr::BIND, &socket)?;
    // SAFETY: the call takes numbers only.
    unsafe { syscall(nr::LISTEN, [socket.descriptor() as usize, 16]) }?;
    Ok(socket)
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
