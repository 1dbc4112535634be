//! How an interface gets its address: what the command line says (`ip=` of Linux), or DHCP (RFC 2131), or, where nobody answers, the one
//! that QEMU's user network has for its guest.

use super::clock;
use super::link::{MAX_FRAME, NetworkLink};
use super::netif::{self, Netif};
use super::packet::InboundPacket;
use super::port::{Port, Wire};
use super::single;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::str::FromStr;
use klog::info;
use lock::{Mutex, rank};
use memory::fallible;
use sched::time::{self, Expire, TimerPlace};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::dhcpv4::{Event, Socket};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, EthernetAddress, EthernetFrame, HardwareAddress, IpCidr, Ipv4Address, Ipv4Cidr,
    UdpPacket,
};
use spin::Once;

/// Ports of both sides.
const SERVER: u16 = 67;
const CLIENT: u16 = 68;
/// For how long it is asked before the usual address is taken, in nanoseconds. An answer that comes later is heeded.
const PATIENCE: u64 = 3 * time::SECOND;
/// What QEMU's user network gives its first guest, and its router.
const USUAL_ADDRESS: Ipv4Cidr = Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24);
const USUAL_ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// What the command line wants of the first interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To be asked for: `ip=dhcp`, `ip=on`, `ip=any`, or nothing.
    Dhcp,
    /// No address: `ip=off`, `ip=none`.
    Nothing,
    /// That one: `ip=10.0.2.15/24`, with a router behind a comma, else the network's first address, its own left out.
    Static(Ipv4Cidr, Option<Ipv4Address>),
}

impl Wish {
    /// Reads the value of `ip=`; what cannot be read is DHCP, as for Linux.
    pub fn parse(text: Option<&str>) -> Wish {
        match text {
            Some("off" | "none") => Wish::Nothing,
            Some(text) => Wish::parse_address(text).unwrap_or(Wish::Dhcp),
            None => Wish::Dhcp,
        }
    }

    fn parse_address(text: &str) -> Option<Wish> {
        let (address, router) = match text.split_once(',') {
            Some((address, router)) => (address, Some(Ipv4Address::from_str(router).ok()?)),
            None => (text, None),
        };
        let (address, prefix) = address.split_once('/').unwrap_or((address, "24"));
        let address = Ipv4Address::from_str(address).ok()?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let is_host = !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
        is_host.then_some(Wish::Static(Ipv4Cidr::new(address, prefix), router))
    }
}

/// Who asks for one interface.
struct Client {
    netif: &'static Netif,
    state: Mutex<ClientState, { rank::STREAM }>,
    place: TimerPlace,
    /// When the usual address is taken.
    gives_up_at: u64,
}

struct ClientState {
    /// It speaks before the interface has an address, so it has one of its own.
    interface: Interface,
    frame: Box<[u8; MAX_FRAME]>,
    set: SocketSet<'static>,
    handle: SocketHandle,
    is_configured: bool,
}

static CLIENT_OF_ETHERNET: Once<Arc<Client>> = Once::new();

/// Gives an interface its address.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn configure(netif: &'static Netif, wish: Wish) -> Result<(), Errno> {
    match wish {
        Wish::Nothing => Ok(()),
        Wish::Static(address, router) => {
            apply(netif, address, router, "from the command line");
            Ok(())
        }
        Wish::Dhcp => {
            let client = CLIENT_OF_ETHERNET.try_call_once(|| Client::make(netif))?;
            client.run(None);
            Ok(())
        }
    }
}

fn apply(netif: &Netif, address: Ipv4Cidr, router: Option<Ipv4Address>, origin: &str) {
    netif.configure(&[IpCidr::Ipv4(address)], router);
    match router {
        Some(router) => info!("{}: {address}, router {router}, {origin}", netif.name),
        None => info!("{}: {address}, {origin}", netif.name),
    }
}

/// Whether a datagram may be an answer to us.
pub(crate) fn is_for_client(arrival: &InboundPacket<'_>) -> bool {
    let is_asked = CLIENT_OF_ETHERNET.get().is_some();
    is_asked
        && UdpPacket::new_checked(arrival.payload)
            .is_ok_and(|datagram| (datagram.src_port(), datagram.dst_port()) == (SERVER, CLIENT))
}

/// Takes a datagram if it is an answer to us; whether it was.
pub(crate) fn take(arrival: &InboundPacket<'_>) -> bool {
    match CLIENT_OF_ETHERNET.get() {
        Some(client) if client.netif.index == arrival.netif.index && is_for_client(arrival) => {
            client.run(Some(arrival.frame));
            true
        }
        _ => false,
    }
}

/// A message of ARP has come: an answer may be for who asks a server that it knows already. Questions are the station's.
pub(crate) fn take_arp(netif: &Netif, frame: &[u8]) {
    if let Some(client) = CLIENT_OF_ETHERNET.get()
        && client.netif.index == netif.index
        && let Ok(packet) =
            EthernetFrame::new_checked(frame).and_then(|frame| ArpPacket::new_checked(frame.payload()))
        && packet.operation() == ArpOperation::Reply
    {
        client.run(Some(frame));
    }
}

impl Client {
    fn make(netif: &'static Netif) -> Result<Arc<Client>, Errno> {
        let (set, handle) = single::set_of(Socket::new())?;
        let mut frame = fallible::boxed_with(|| [0; MAX_FRAME])?;
        let link = netif.link().ok_or(Errno::ENODEV)?;
        let hardware = HardwareAddress::Ethernet(EthernetAddress(link.address()));
        let mut port = Port::new(wire(link, &mut frame), &netif.traffic, None);
        let interface = Interface::new(netif::config(hardware), &mut port, clock::now());
        fallible::arc(Client {
            netif,
            state: Mutex::new(ClientState {
                interface,
                frame,
                set,
                handle,
                is_configured: false,
            }),
            place: TimerPlace::new(),
            gives_up_at: time::deadline_after(PATIENCE),
        })
    }

    /// Goes on asking, after an answer if one came.
    fn run(self: &Arc<Self>, incoming: Option<&[u8]>) {
        let mut state = self.state.lock();
        let next = self.poll(&mut state, incoming);
        let handle = state.handle;
        let event = state.set.get_mut::<Socket<'static>>(handle).poll();
        let news = event.map(|event| match event {
            Event::Configured(answer) => Some((answer.address, answer.router)),
            Event::Deconfigured => None,
        });
        match news {
            Some(Some((address, router))) => {
                state.is_configured = true;
                state.know_own(Some(address), router);
                apply(self.netif, address, router, "by DHCP");
            }
            Some(None) if state.is_configured => {
                state.know_own(None, None);
                self.netif.configure(&[], None);
            }
            _ => {}
        }
        let is_late = platform::timer::ticks() >= self.gives_up_at;
        if is_late && !state.is_configured {
            state.is_configured = true;
            apply(
                self.netif,
                USUAL_ADDRESS,
                Some(USUAL_ROUTER),
                "since nobody answers",
            );
        }
        let next = next.map_or(u64::MAX, clock::tick_of);
        let next = if state.is_configured {
            next
        } else {
            next.min(self.gives_up_at)
        };
        if next != u64::MAX {
            time::set(next, self.clone());
        }
    }
}

impl Client {
    /// Gives the protocol what has come, and sends what it wants to send. When it wants to be asked next.
    fn poll(&self, state: &mut ClientState, incoming: Option<&[u8]>) -> Option<Instant> {
        let ClientState {
            interface,
            frame,
            set,
            ..
        } = state;
        let mut port = Port::new(wire(self.netif.link()?, frame), &self.netif.traffic, incoming);
        netif::poll_set(interface, &mut port, set)
    }
}

impl ClientState {
    /// The address that it speaks from when it asks to keep it.
    fn know_own(&mut self, address: Option<Ipv4Cidr>, router: Option<Ipv4Address>) {
        self.interface.update_ip_addrs(|own| {
            own.clear();
            own.extend(address.map(IpCidr::Ipv4));
        });
        let routes = self.interface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some(router) = router {
            // There is room: it is the only one.
            let _ = routes.add_default_ipv4_route(router);
        }
    }
}

fn wire<'a>(link: &'a Arc<dyn NetworkLink>, frame: &'a mut [u8; MAX_FRAME]) -> Wire<'a> {
    Wire::Link { link: &**link, frame }
}

impl Expire for Client {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        self.run(None);
    }
}
