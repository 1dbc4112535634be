//! ioctl(2) of sockets: netdevice(7), as far as it asks.

use super::netif::{self, Netif};
use abi::Errno;
use abi::inet::{
    ARPHRD_ETHER, ARPHRD_LOOPBACK, IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_RUNNING, IFF_UP, IfConf,
    IfReq, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFMTU,
    SIOCGIFNAME, SIOCGIFNETMASK, SIOCGIFTXQLEN,
};
use abi::socket::AF_INET;
use abi::zerocopy::{FromZeros, IntoBytes};
use smoltcp::wire::{IpCidr, Ipv4Address, Ipv4Cidr};

/// Answers with a number of bytes.
///
/// # Errors
/// `EFAULT`.
pub(crate) fn put_count(argument: u64, count: usize) -> Result<usize, Errno> {
    uaccess::write_bytes(argument, &(count as i32).to_ne_bytes())?;
    Ok(0)
}

/// Performs a request about interfaces.
///
/// # Errors
/// `ENOTTY`: it is none that is known. `ENODEV`: there is no such interface. `EADDRNOTAVAIL`: it has no address. `EFAULT`.
pub(crate) fn perform(command: u32, argument: u64) -> Result<usize, Errno> {
    if command == SIOCGIFCONF {
        return list(argument);
    }
    if !is_known(command) {
        return Err(Errno::ENOTTY);
    }
    let mut request = IfReq::new_zeroed();
    uaccess::read_bytes(argument, request.as_mut_bytes())?;
    if command == SIOCGIFNAME {
        let index = u32::from_ne_bytes([request.data[0], request.data[1], request.data[2], request.data[3]]);
        request.name = name_of(netif::by_index(index).ok_or(Errno::ENODEV)?);
    } else {
        let end = request
            .name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(request.name.len());
        let netif = netif::by_name(&request.name[..end]).ok_or(Errno::ENODEV)?;
        answer(command, netif, &mut request.data)?;
    }
    uaccess::write_bytes(argument, request.as_bytes())?;
    Ok(0)
}

fn is_known(command: u32) -> bool {
    matches!(
        command,
        SIOCGIFNAME
            | SIOCGIFFLAGS
            | SIOCGIFADDR
            | SIOCGIFNETMASK
            | SIOCGIFBRDADDR
            | SIOCGIFMTU
            | SIOCGIFHWADDR
            | SIOCGIFINDEX
            | SIOCGIFTXQLEN
    )
}

fn name_of(netif: &Netif) -> [u8; 16] {
    let mut name = [0; 16];
    name[..netif.name.len()].copy_from_slice(netif.name.as_bytes());
    name
}

fn answer(command: u32, netif: &Netif, data: &mut [u8; 24]) -> Result<(), Errno> {
    match command {
        SIOCGIFFLAGS => data[..2].copy_from_slice(&(flags(netif) as u16).to_ne_bytes()),
        SIOCGIFMTU => data[..4].copy_from_slice(&netif.mtu().to_ne_bytes()),
        SIOCGIFINDEX => data[..4].copy_from_slice(&netif.index.to_ne_bytes()),
        SIOCGIFTXQLEN => data[..4].copy_from_slice(&1000_u32.to_ne_bytes()),
        SIOCGIFHWADDR => {
            let kind = if netif.is_loopback() {
                ARPHRD_LOOPBACK
            } else {
                ARPHRD_ETHER
            };
            data[..2].copy_from_slice(&kind.to_ne_bytes());
            data[2..8].copy_from_slice(&netif.hardware_address());
        }
        _ => {
            let own = ipv4_of(netif).ok_or(Errno::EADDRNOTAVAIL)?;
            let address = match command {
                SIOCGIFNETMASK => own.netmask(),
                SIOCGIFBRDADDR => own.broadcast().unwrap_or(Ipv4Address::UNSPECIFIED),
                _ => own.address(),
            };
            put_address(data, address);
        }
    }
    Ok(())
}

/// `IFF_*`.
pub(crate) fn flags(netif: &Netif) -> u32 {
    let kind = if netif.is_loopback() {
        IFF_LOOPBACK
    } else {
        IFF_BROADCAST | IFF_MULTICAST
    };
    IFF_UP | IFF_RUNNING | kind
}

fn ipv4_of(netif: &Netif) -> Option<Ipv4Cidr> {
    netif.addresses().iter().find_map(|address| match address {
        IpCidr::Ipv4(address) => Some(*address),
        IpCidr::Ipv6(_) => None,
    })
}

/// A `struct sockaddr_in`.
fn put_address(data: &mut [u8; 24], address: Ipv4Address) {
    data.fill(0);
    data[..2].copy_from_slice(&(AF_INET as u16).to_ne_bytes());
    data[4..8].copy_from_slice(&address.octets());
}

/// All interfaces that have an address of IPv4, or how many bytes that would be.
fn list(argument: u64) -> Result<usize, Errno> {
    let mut wanted = IfConf::new_zeroed();
    uaccess::read_bytes(argument, wanted.as_mut_bytes())?;
    let room = usize::try_from(wanted.len).unwrap_or(0);
    let mut used = 0;
    for netif in netif::all() {
        let Some(own) = ipv4_of(netif) else {
            continue;
        };
        let mut request = IfReq::new_zeroed();
        request.name = name_of(netif);
        put_address(&mut request.data, own.address());
        let bytes = request.as_bytes();
        if wanted.list != 0 {
            if used + bytes.len() > room {
                break;
            }
            uaccess::write_bytes(wanted.list + used as u64, bytes)?;
        }
        used += bytes.len();
    }
    wanted.len = used as i32;
    uaccess::write_bytes(argument, wanted.as_bytes())?;
    Ok(0)
}
