//! `AF_UNIX`: unix(7). Sockets of programs on one machine, with names in the file tree or beside it, or in connected pairs.
//!
//! A message is made of the sender's memory before anything is locked, and put behind the others of the receiver (`message`,
//! `ring`); for as long as it waits, the sender's room is less by it. Streams (`stream`, `stream_receive`, `urgent`) read across
//! messages, datagrams and records (`datagram`) one at a time. Descriptors go along (`scm`, `rights`), and sockets that are in
//! nothing but messages are collected (`collect`).
//!
//! Locks: a socket's, a second one in the order of addresses; then that of what is in flight; names are a leaf.
//!
//! Where to read on: `socket`, then `connection`.

mod close;
mod collect;
pub mod collector;
mod connection;
mod datagram;
mod handle;
mod list;
mod message;
mod name;
mod poll;
mod rights;
mod ring;
mod scm;
mod socket;
mod stream;
mod stream_receive;
#[cfg(test)]
mod tests;
mod urgent;

use abi::Errno;
use abi::socket::{AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use alloc::sync::Arc;
use memory::fallible;

use crate::family::{self, Family};
use crate::request::Request;
use crate::socket_ops::SocketOps;
pub use list::{UnixReport, show, visit};
pub use socket::MOST_DATAGRAMS;
use socket::{UnixHandle, UnixSocket};

/// The family.
struct UnixFamily;

/// Registers the family.
///
/// # Errors
/// None.
pub fn register() -> Result<(), Errno> {
    family::register(&UnixFamily)
}

/// The type that a program gets for the one that it asks for.
///
/// # Errors
/// `EPROTONOSUPPORT`: there is no such protocol. `ESOCKTNOSUPPORT`: no such type.
fn decode(kind: u32, protocol: u32) -> Result<u32, Errno> {
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        SOCK_STREAM | SOCK_SEQPACKET | SOCK_DGRAM => Ok(kind),
        // An old name of datagrams.
        SOCK_RAW => Ok(SOCK_DGRAM),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

impl Family for UnixFamily {
    fn number(&self) -> u32 {
        AF_UNIX
    }

    fn create(&self, _request: &Request<'_>, kind: u32, protocol: u32) -> Result<Arc<dyn SocketOps>, Errno> {
        let place = fallible::arc_place()?;
        let socket = UnixSocket::new(decode(kind, protocol)?)?;
        list::enter(&socket)?;
        Ok(place.fill(|| UnixHandle(socket)))
    }

    fn create_pair(
        &self,
        request: &Request<'_>,
        kind: u32,
        protocol: u32,
    ) -> Result<[Arc<dyn SocketOps>; 2], Errno> {
        let kind = decode(kind, protocol)?;
        let places = [fallible::arc_place()?, fallible::arc_place()?];
        let [first, second] = UnixSocket::pair(request, kind)?;
        let entered = list::enter(&first).and_then(|()| list::enter(&second));
        // Each holds the other until it is closed.
        entered.inspect_err(|_| {
            [&first, &second]
                .into_iter()
                .for_each(|socket| close::close(socket))
        })?;
        let [place, other] = places;
        Ok([
            place.fill(|| UnixHandle(first)),
            other.fill(|| UnixHandle(second)),
        ])
    }
}
