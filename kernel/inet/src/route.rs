//! Which interface leads to an address.

use super::address::{is_loopback, may_be_broadcast};
use super::netif::{self, Netif};
use abi::Errno;
use smoltcp::wire::IpAddress;

/// A way to an address.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) netif: &'static Netif,
    /// The address of this machine that packets on it come from, if nobody names another.
    pub(crate) source: IpAddress,
}

/// The way to `to`: what is this machine's own goes by `lo`.
///
/// # Errors
/// `ENETUNREACH`.
pub(crate) fn to(to: &IpAddress) -> Result<Route, Errno> {
    if is_own(to) {
        return Ok(Route {
            netif: netif::loopback()?,
            source: own_source(to),
        });
    }
    let outward = netif::all().filter(|netif| !netif.is_loopback());
    let mut routes = outward.filter_map(|netif| {
        let source = netif.source_for(to)?;
        Some(Route { netif, source })
    });
    routes.next().ok_or(Errno::ENETUNREACH)
}

/// Whether that is an address of this machine.
pub(crate) fn is_own(address: &IpAddress) -> bool {
    is_loopback(address) || netif::all().any(|netif| netif.has(address))
}

fn own_source(to: &IpAddress) -> IpAddress {
    match to {
        IpAddress::Ipv4(address) if address.is_loopback() => IpAddress::v4(127, 0, 0, 1),
        own => *own,
    }
}

/// Whether everybody on some network is meant.
pub(crate) fn is_broadcast(address: &IpAddress) -> bool {
    may_be_broadcast(address) && netif::all().any(|netif| netif.is_broadcast(address))
}
