//! Addresses as programs write them: ip(7), ipv6(7). Inside, an address of IPv4 is one of IPv4 whichever family its socket has: a
//! socket of `AF_INET6` writes it as `::ffff:a.b.c.d`.

use abi::Errno;
use abi::socket::{AF_INET, AF_INET6, AF_UNSPEC};
use net::Address;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address, Ipv6Address};

/// Bytes of `struct sockaddr_in`, and the least of `struct sockaddr_in6` that are taken.
const IPV4_LEN: usize = 16;
const IPV6_LEN: usize = 24;

/// Where something is bound: an address, or every one of the socket's family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SocketName {
    /// `None`: any.
    pub(crate) address: Option<IpAddress>,
    pub(crate) port: u16,
}

/// The family that an address says; `None` of one that is too short to say any.
pub(crate) fn family(bytes: &[u8]) -> Option<u32> {
    Address::family_of(bytes)
}

/// Whether connect(2) with that address ends a connection.
pub(crate) fn is_unspecified(bytes: &[u8]) -> bool {
    family(bytes) == Some(AF_UNSPEC)
}

/// Reads an address for a socket of that family.
///
/// # Errors
/// `EINVAL`: too short. `EAFNOSUPPORT`: of another family.
pub(crate) fn parse(socket_family: u32, bytes: &[u8]) -> Result<SocketName, Errno> {
    let family = family(bytes).ok_or(Errno::EINVAL)?;
    let least = if socket_family == AF_INET {
        IPV4_LEN
    } else {
        IPV6_LEN
    };
    if bytes.len() < least {
        return Err(Errno::EINVAL);
    }
    if family != socket_family {
        return Err(Errno::EAFNOSUPPORT);
    }
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let address = match family {
        AF_INET => IpAddress::Ipv4(Ipv4Address::from(chunk(&bytes[4..]))),
        _ => plain(Ipv6Address::from(chunk(&bytes[8..]))),
    };
    let address = Some(address).filter(|address| !address.is_unspecified());
    Ok(SocketName { address, port })
}

fn chunk<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the length was looked at")
}

/// An address that may be one of IPv4 in disguise.
fn plain(address: Ipv6Address) -> IpAddress {
    match address.to_ipv4_mapped() {
        Some(address) => IpAddress::Ipv4(address),
        None => IpAddress::Ipv6(address),
    }
}

/// The address, as a socket of that family shows it. `None` is the one that means any.
///
/// # Errors
/// None: an address of these families always fits.
pub(crate) fn show(socket_family: u32, name: SocketName) -> Result<Address, Errno> {
    let family = (socket_family as u16).to_ne_bytes();
    let port = name.port.to_be_bytes();
    match socket_family {
        AF_INET6 => Address::of(&[
            &family,
            &port,
            &[0; 4],
            &disguised(name.address).octets(),
            &[0; 4],
        ]),
        _ => Address::of(&[&family, &port, &ipv4(name.address).octets(), &[0; 8]]),
    }
}

fn disguised(address: Option<IpAddress>) -> Ipv6Address {
    match address {
        Some(IpAddress::Ipv6(address)) => address,
        Some(IpAddress::Ipv4(address)) => address.to_ipv6_mapped(),
        None => Ipv6Address::UNSPECIFIED,
    }
}

fn ipv4(address: Option<IpAddress>) -> Ipv4Address {
    match address {
        Some(IpAddress::Ipv4(address)) => address,
        _ => Ipv4Address::UNSPECIFIED,
    }
}

impl From<IpEndpoint> for SocketName {
    fn from(endpoint: IpEndpoint) -> SocketName {
        SocketName {
            address: Some(endpoint.addr),
            port: endpoint.port,
        }
    }
}

/// Whether the address is one of the machine's to itself.
pub(crate) fn is_loopback(address: &IpAddress) -> bool {
    match address {
        IpAddress::Ipv4(address) => address.is_loopback(),
        IpAddress::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether some network may have that broadcast address: it ends in two ones at least, for networks of 31 and 32 bits have none. Asked
/// first, without a lock.
pub(crate) fn may_be_broadcast(address: &IpAddress) -> bool {
    match address {
        IpAddress::Ipv4(address) => address.octets()[3] & 3 == 3,
        IpAddress::Ipv6(_) => false,
    }
}
