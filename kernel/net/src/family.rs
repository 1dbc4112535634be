//! The families of sockets that there are. Each registers itself at boot; socket(2) finds it here by its number.

use abi::Errno;
use abi::socket::NPROTO;
use alloc::sync::Arc;
use spin::Once;

use super::file::Socket;
use super::request::Request;
use super::socket_ops::SocketOps;

/// A family of sockets (`net_proto_family` of Linux).
pub trait Family: Send + Sync {
    /// `AF_*`.
    fn number(&self) -> u32;

    /// A socket of that `SOCK_*` and protocol, for the caller to close.
    ///
    /// # Errors
    /// `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EPERM` for whom it is not, `ENOMEM`.
    fn create(&self, request: &Request<'_>, kind: u32, protocol: u32) -> Result<Arc<dyn SocketOps>, Errno>;

    /// Two sockets connected with each other: socketpair(2).
    ///
    /// # Errors
    /// As [`Family::create`]; `EOPNOTSUPP`: there are no pairs.
    fn create_pair(
        &self,
        request: &Request<'_>,
        kind: u32,
        protocol: u32,
    ) -> Result<[Arc<dyn SocketOps>; 2], Errno> {
        // What is wrong with the type or the protocol is said first. A family may know the socket already: it is closed.
        drop(Socket::new(self.create(request, kind, protocol)?));
        Err(Errno::EOPNOTSUPP)
    }
}

static FAMILIES: [Once<&'static dyn Family>; NPROTO as usize] = [const { Once::new() }; NPROTO as usize];

/// There is such a family from now on. The first of a number stays.
///
/// # Errors
/// `EAFNOSUPPORT`: no family can have that number.
pub fn register(family: &'static dyn Family) -> Result<(), Errno> {
    let place = FAMILIES
        .get(family.number() as usize)
        .ok_or(Errno::EAFNOSUPPORT)?;
    place.call_once(|| family);
    Ok(())
}

/// The family of that number.
///
/// # Errors
/// `EAFNOSUPPORT`.
pub fn find(number: u32) -> Result<&'static dyn Family, Errno> {
    let place = FAMILIES.get(number as usize).and_then(Once::get);
    place.copied().ok_or(Errno::EAFNOSUPPORT)
}
