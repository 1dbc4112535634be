//! What /proc/net shows, as Linux writes it (proc(5)): addresses are words of the machine in base 16, so that those of IPv4 stand backwards.

use super::datagram;
pub use super::datagram::Kind as Datagrams;
use super::netif::{self, Netif};
use super::stream::{self, Stream};
use abi::inet::ARPHRD_ETHER;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering;
use net::SocketBase;
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Address};

/// What is shown of one socket.
pub(crate) struct SocketReport {
    /// This end.
    pub(crate) local: IpEndpoint,
    /// The other one; its port is 0 where there is none.
    pub(crate) remote: IpEndpoint,
    /// The state, as `linux/tcp_states.h` counts them.
    pub(crate) state: u8,
    /// Bytes to be acknowledged; the limit of a listening socket.
    pub(crate) sent: usize,
    /// Bytes to be read; of a listening socket the connections to be accepted.
    pub(crate) received: usize,
    /// `AF_*`.
    pub(crate) family: u32,
    pub(crate) holder: SocketHolder,
}

/// Whose a socket is, and the number of its inode; zeros of one without a descriptor.
#[derive(Clone, Copy, Default)]
pub(crate) struct SocketHolder {
    pub(crate) user: u32,
    pub(crate) inode: u64,
}

impl SocketHolder {
    pub(crate) fn of(base: &SocketBase) -> SocketHolder {
        SocketHolder {
            user: base.user.load(Ordering::Relaxed),
            inode: base.inode.load(Ordering::Relaxed),
        }
    }
}

/// No address of that family.
pub(crate) fn any(family: u32) -> IpAddress {
    if family == abi::socket::AF_INET {
        IpAddress::v4(0, 0, 0, 0)
    } else {
        IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 0)
    }
}

/// `USER_HZ`.
const NANOS_PER_CLOCK_TICK: u64 = 10_000_000;

/// An end of a socket of that family.
struct End(u32, IpEndpoint);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let End(family, end) = self;
        match end.addr {
            IpAddress::Ipv4(address) if *family == abi::socket::AF_INET => words(f, &address.octets())?,
            IpAddress::Ipv4(address) => words(f, &address.to_ipv6_mapped().octets())?,
            IpAddress::Ipv6(address) => words(f, &address.octets())?,
        }
        write!(f, ":{:04X}", end.port)
    }
}

fn words(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let (words, _) = bytes.as_chunks::<4>();
    words
        .iter()
        .try_for_each(|word| write!(f, "{:08X}", u32::from_ne_bytes(*word)))
}

const HEADER: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const HEADER_OF_IPV6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

fn header(family: u32) -> &'static str {
    if family == abi::socket::AF_INET {
        HEADER
    } else {
        HEADER_OF_IPV6
    }
}

fn line(to: &mut dyn Write, number: usize, report: &SocketReport, tail: &str) -> fmt::Result {
    let family = report.family;
    writeln!(
        to,
        "{number:4}: {} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5}        0 {} 1 0000000000000000{tail}",
        End(family, report.local),
        End(family, report.remote),
        report.state,
        report.sent,
        report.received,
        report.holder.user,
        report.holder.inode,
    )
}

/// The streams of that family: those that listen, and connections.
///
/// # Errors
/// As `to`.
pub fn streams(family: u32, to: &mut dyn Write) -> fmt::Result {
    to.write_str(header(family))?;
    let (mut number, mut result) = (0, Ok(()));
    let mut look = |stream: &Arc<Stream>| {
        if let Some(report) = stream
            .report()
            .filter(|report| report.family == family && result.is_ok())
        {
            result = line(to, number, &report, "");
            number += 1;
        }
    };
    stream::visit_listening(&mut look);
    stream::visit(&mut look);
    stream::visit_past(|key, past| {
        if past.family == family && result.is_ok() {
            let (local, remote) = (End(family, key.local()), End(family, key.remote()));
            let rest = past.rest() / NANOS_PER_CLOCK_TICK;
            result = writeln!(
                to,
                "{number:4}: {local} {remote} 06 00000000:00000000 03:{rest:08X} 00000000     0        0 0 3 0000000000000000"
            );
            number += 1;
        }
    });
    result
}

/// The sockets of messages of that family and protocol: those of UDP and for echoes have a port, raw ones the number of their protocol.
///
/// # Errors
/// As `to`.
pub fn datagrams(of: Datagrams, family: u32, to: &mut dyn Write) -> fmt::Result {
    to.write_str(header(family).strip_suffix('\n').unwrap_or_default())?;
    to.write_str(" ref pointer drops\n")?;
    let mut result = Ok(());
    datagram::visit(of, |port, socket| {
        if let Some(report) = socket
            .report()
            .filter(|report| report.family == family && result.is_ok())
        {
            result = line(to, usize::from(port), &report, " 0");
        }
    });
    result
}

/// What each interface has sent and received: /proc/net/dev.
///
/// # Errors
/// As `to`.
pub fn traffic(to: &mut dyn Write) -> fmt::Result {
    to.write_str("Inter-|   Receive                                                |  Transmit\n")?;
    to.write_str(" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")?;
    for netif in netif::all() {
        let of = &netif.traffic;
        let [
            bytes_in,
            packets_in,
            dropped_in,
            bytes_out,
            packets_out,
            dropped_out,
        ] = [
            &of.bytes_in,
            &of.packets_in,
            &of.dropped_in,
            &of.bytes_out,
            &of.packets_out,
            &of.dropped_out,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        writeln!(
            to,
            "{:>6}: {bytes_in:7} {packets_in:7}    0 {dropped_in:4}    0     0          0         0 {bytes_out:8} {packets_out:7}    0 {dropped_out:4}    0     0       0          0",
            netif.name
        )?;
    }
    Ok(())
}

/// The routes of IPv4 but those of `lo`: /proc/net/route.
///
/// # Errors
/// As `to`.
pub fn routes(to: &mut dyn Write) -> fmt::Result {
    to.write_str("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n")?;
    for netif in netif::all().filter(|netif| !netif.is_loopback()) {
        if let Some(router) = netif.gateway() {
            route(
                to,
                netif,
                Ipv4Address::UNSPECIFIED,
                router,
                Ipv4Address::UNSPECIFIED,
            )?;
        }
        for address in &netif.addresses() {
            if let IpCidr::Ipv4(own) = address {
                route(
                    to,
                    netif,
                    own.network().address(),
                    Ipv4Address::UNSPECIFIED,
                    own.netmask(),
                )?;
            }
        }
    }
    Ok(())
}

fn route(
    to: &mut dyn Write,
    netif: &Netif,
    destination: Ipv4Address,
    router: Ipv4Address,
    mask: Ipv4Address,
) -> fmt::Result {
    const UP: u32 = 1;
    const GATEWAY: u32 = 2;
    let flags = if router.is_unspecified() { UP } else { UP | GATEWAY };
    let [destination, router, mask] =
        [destination, router, mask].map(|address| u32::from_ne_bytes(address.octets()));
    writeln!(
        to,
        "{}\t{destination:08X}\t{router:08X}\t{flags:04X}\t0\t0\t0\t{mask:08X}\t0\t0\t0",
        netif.name
    )
}

/// The neighbours by IPv4: /proc/net/arp.
///
/// # Errors
/// As `to`; there was no memory.
pub fn neighbours(to: &mut dyn Write) -> fmt::Result {
    /// Its hardware address is known.
    const ATF_COM: u32 = 2;
    to.write_str("IP address       HW type     Flags       HW address            Mask     Device\n")?;
    for netif in netif::all() {
        for neighbour in netif.neighbours().map_err(|_| fmt::Error)? {
            let IpAddress::Ipv4(address) = neighbour.address else {
                continue;
            };
            let [a, b, c, d, e, f] = neighbour.hardware.0;
            let flags = if neighbour.state.is_known() { ATF_COM } else { 0 };
            writeln!(
                to,
                "{address:<16} 0x{ARPHRD_ETHER:<10x}0x{flags:<10x}{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}     *        {}",
                netif.name
            )?;
        }
    }
    Ok(())
}

/// The addresses of IPv6: /proc/net/if_inet6.
///
/// # Errors
/// As `to`.
pub fn addresses_of_ipv6(to: &mut dyn Write) -> fmt::Result {
    const HOST: u32 = 0x10;
    const PERMANENT: u32 = 0x80;
    for netif in netif::all() {
        for address in &netif.addresses() {
            let IpCidr::Ipv6(own) = address else {
                continue;
            };
            own.address()
                .octets()
                .iter()
                .try_for_each(|byte| write!(to, "{byte:02x}"))?;
            let scope = if own.address().is_loopback() { HOST } else { 0 };
            let prefix = own.prefix_len();
            writeln!(
                to,
                " {:02x} {prefix:02x} {scope:02x} {PERMANENT:02x} {:>8}",
                netif.index, netif.name
            )?;
        }
    }
    Ok(())
}
