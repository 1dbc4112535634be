//! AF_INET and AF_INET6: which socket belongs to a type and a protocol (`inet_create` of Linux).

use super::datagram::{Datagram, Kind};
use super::stream::{IPPROTO_TCP, Stream};
use abi::Errno;
use abi::capability::CAP_NET_RAW;
use abi::inet::{IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_RAW, IPPROTO_UDP};
use abi::socket::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use net::{Family, Request, SocketOps};

/// One of both families.
struct Inet(u32);

static INET: Inet = Inet(AF_INET);
static INET6: Inet = Inet(AF_INET6);

/// The groups whose programs may ask for echoes without rights: net.ipv4.ping_group_range. At first none.
static PING_GROUPS: [AtomicU32; 2] = [AtomicU32::new(1), AtomicU32::new(0)];

/// The first and the last of those groups.
pub fn ping_groups() -> [u32; 2] {
    PING_GROUPS.each_ref().map(|group| group.load(Ordering::Relaxed))
}

/// Changes them.
pub fn set_ping_groups(groups: [u32; 2]) {
    for (place, group) in PING_GROUPS.iter().zip(groups) {
        place.store(group, Ordering::Relaxed);
    }
}

/// There are sockets of these families from now on.
///
/// # Errors
/// None: both numbers can be had.
pub(crate) fn register() -> Result<(), Errno> {
    net::family::register(&INET)?;
    net::family::register(&INET6)
}

impl Family for Inet {
    fn number(&self) -> u32 {
        self.0
    }

    fn create(&self, request: &Request<'_>, kind: u32, protocol: u32) -> Result<Arc<dyn SocketOps>, Errno> {
        let echo = if self.0 == AF_INET {
            IPPROTO_ICMP
        } else {
            IPPROTO_ICMPV6
        };
        match (kind, protocol) {
            (SOCK_STREAM, IPPROTO_IP | IPPROTO_TCP) => Ok(Stream::new(self.0)?),
            (SOCK_DGRAM, IPPROTO_IP | IPPROTO_UDP) => {
                Ok(Datagram::new(self.0, Kind::Udp, IPPROTO_UDP as u8)?)
            }
            (SOCK_DGRAM, protocol) if protocol == echo => {
                check_ping(request)?;
                Ok(Datagram::new(self.0, Kind::Ping, protocol as u8)?)
            }
            (SOCK_RAW, IPPROTO_IP) => Err(Errno::EPROTONOSUPPORT),
            (SOCK_RAW, protocol @ 1..=IPPROTO_RAW) => {
                if !request.caller.credentials().can(CAP_NET_RAW) {
                    return Err(Errno::EPERM);
                }
                let socket = Datagram::new(self.0, Kind::Raw, protocol as u8)?;
                if protocol == IPPROTO_RAW {
                    socket.bring_header();
                }
                Ok(socket)
            }
            (SOCK_STREAM | SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        }
    }
}

/// # Errors
/// `EACCES`: none of the caller's groups is among those who may.
fn check_ping(request: &Request<'_>) -> Result<(), Errno> {
    let [first, last] = ping_groups();
    let credentials = request.caller.credentials();
    let may = |group: u32| (first..=last).contains(&group);
    if may(credentials.egid) || credentials.groups.iter().copied().any(may) {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}
