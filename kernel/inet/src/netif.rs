//! Network interfaces: `lo`, and one for each device. An interface keeps what the protocols know of its addresses and routes, and its
//! neighbours (`station`); sockets are not its own: each has a set of its own (`smoltcp::iface::SocketSet`), and whoever holds a socket's lock has
//! the interface work on that one alone. So no packet and no poll goes through all sockets of the machine.

use super::address::may_be_broadcast;
use super::asker::Asker;
use super::clock;
use super::fifo::Fifo;
use super::link::NetworkLink;
use super::neighbours::{self, NeighbourView};
use super::outbox::{MAX_PACKET, Outbox};
use super::port::{Port, Wire};
use super::station::{MOST_ADDRESSES, Station};
use super::tally::Tally;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::{Mutex, rank};
use memory::fallible;
use sched::time;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address};
use spin::Once;

/// Interfaces at most.
const MOST: usize = 4;
/// Packets that one poll of a socket sends at most: what is left is sent a little later.
const MOST_SENT: usize = 32;
/// How much later.
const PAUSE: Duration = Duration::from_micros(200);
/// The longest IP packet in a frame of Ethernet.
pub(crate) const ETHERNET_MTU: usize = 1500;

/// The number of `lo`.
pub const LOOPBACK: u32 = 1;

static NETIFS: [Once<Netif>; MOST] = [const { Once::new() }; MOST];

/// What an interface has sent and received.
#[derive(Default)]
pub struct Traffic {
    /// Bytes received.
    pub bytes_in: AtomicU64,
    /// Packets received.
    pub packets_in: AtomicU64,
    /// Packets received and dropped.
    pub dropped_in: AtomicU64,
    /// Bytes sent.
    pub bytes_out: AtomicU64,
    /// Packets sent.
    pub packets_out: AtomicU64,
    /// Packets that found no room.
    pub dropped_out: AtomicU64,
}

impl Traffic {
    pub(crate) fn note_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        self.packets_in.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        self.packets_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// A network interface.
pub struct Netif {
    /// What programs call it.
    pub name: &'static str,
    /// Its number, from 1 on.
    pub index: u32,
    /// What it has sent and received.
    pub traffic: Traffic,
    link: Option<Arc<dyn NetworkLink>>,
    asker: Once<Arc<Asker>>,
    state: Mutex<NetifState, { rank::NETIF }>,
}

struct NetifState {
    interface: Interface,
    /// Its end of the Ethernet, unless it is `lo`.
    station: Option<Station>,
}

impl Netif {
    /// The loopback interface, with its addresses. It takes whatever comes: only packets for this machine are sent to it.
    pub(crate) fn loopback() -> Result<Netif, Errno> {
        let mut netif = Netif::new("lo", LOOPBACK, None)?;
        let interface = &mut netif.state.get_mut().interface;
        interface.set_any_ip(true);
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8));
            let _ = addresses.push(IpCidr::new(IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 1), 128));
        });
        Ok(netif)
    }

    /// An interface that sends its frames through `link`, and has no address yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn over(name: &'static str, index: u32, link: Arc<dyn NetworkLink>) -> Result<Netif, Errno> {
        Netif::new(name, index, Some(link))
    }

    fn new(name: &'static str, index: u32, link: Option<Arc<dyn NetworkLink>>) -> Result<Netif, Errno> {
        let mut station = link.clone().map(Station::new).transpose()?;
        let mut outbox = Outbox::new();
        let traffic = Traffic::default();
        let mut port = Port::new(wire(&mut station, &mut outbox), &traffic, None);
        let interface = Interface::new(config(HardwareAddress::Ip), &mut port, clock::now());
        Ok(Netif {
            name,
            index,
            traffic,
            link,
            asker: Once::new(),
            state: Mutex::new(NetifState { interface, station }),
        })
    }

    /// Has its neighbours asked again when they do not answer.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn ask_neighbours(&'static self) -> Result<(), Errno> {
        self.asker.try_call_once(|| Asker::make(self)).map(drop)
    }

    /// Whether it is `lo`.
    pub fn is_loopback(&self) -> bool {
        self.link.is_none()
    }

    /// The longest packet, as programs are told: Linux's `lo` says 65,536.
    pub fn mtu(&self) -> u32 {
        if self.is_loopback() {
            MAX_PACKET as u32 + 1
        } else {
            ETHERNET_MTU as u32
        }
    }

    /// The longest packet that it really sends.
    pub(crate) fn longest_packet(&self) -> usize {
        if self.is_loopback() {
            MAX_PACKET
        } else {
            ETHERNET_MTU
        }
    }

    /// The hardware address; zeros of `lo`.
    pub fn hardware_address(&self) -> [u8; 6] {
        self.link.as_ref().map_or([0; 6], |link| link.address())
    }

    /// What its frames go through, unless it is `lo`.
    pub(crate) fn link(&self) -> Option<&Arc<dyn NetworkLink>> {
        self.link.as_ref()
    }

    /// Its addresses with their networks.
    pub fn addresses(&self) -> arrayvec::ArrayVec<IpCidr, MOST_ADDRESSES> {
        let state = self.state.lock();
        let all = state.interface.ip_addrs().iter();
        all.copied().take(MOST_ADDRESSES).collect()
    }

    /// The router for what is not in a network of its own.
    pub fn gateway(&self) -> Option<Ipv4Address> {
        let route = self.state.lock().interface.routes().get_default_ipv4_route()?;
        match route.via_router {
            IpAddress::Ipv4(router) => Some(router),
            IpAddress::Ipv6(_) => None,
        }
    }

    /// Gives it these addresses, instead of those that it had, and this router.
    pub fn configure(&self, addresses: &[IpCidr], gateway: Option<Ipv4Address>) {
        let mut state = self.state.lock();
        state.interface.update_ip_addrs(|list| {
            list.clear();
            for address in addresses {
                let _ = list.push(*address);
            }
        });
        let routes = state.interface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some(router) = gateway {
            // There is room: it is the only one.
            let _ = routes.add_default_ipv4_route(router);
        }
        let station = state.station.as_mut();
        let forgotten = station.map(|station| station.configure(addresses, gateway));
        drop(state);
        drop(forgotten);
    }

    /// Whether that address is the interface's own.
    pub(crate) fn has(&self, address: &IpAddress) -> bool {
        let state = self.state.lock();
        state
            .interface
            .ip_addrs()
            .iter()
            .any(|own| own.address() == *address)
    }

    /// The address that a packet to `to` comes from, if this interface reaches it.
    pub(crate) fn source_for(&self, to: &IpAddress) -> Option<IpAddress> {
        let state = self.state.lock();
        let interface = &state.interface;
        let is_near = interface.ip_addrs().iter().any(|own| own.contains_addr(to));
        let has_router = match to {
            IpAddress::Ipv4(_) => interface.routes().get_default_ipv4_route().is_some(),
            IpAddress::Ipv6(_) => interface.routes().get_default_ipv6_route().is_some(),
        };
        (is_near || has_router || to.is_broadcast()).then(|| interface.get_source_address(to))?
    }

    /// Whether that is the broadcast address of one of its networks, or of all.
    pub(crate) fn is_broadcast(&self, address: &IpAddress) -> bool {
        may_be_broadcast(address) && self.is_its_broadcast(address)
    }

    #[cold]
    fn is_its_broadcast(&self, address: &IpAddress) -> bool {
        let state = self.state.lock();
        address.is_broadcast()
            || state.interface.ip_addrs().iter().any(|own| match (own, address) {
                (IpCidr::Ipv4(own), IpAddress::Ipv4(address)) => own.broadcast() == Some(*address),
                _ => false,
            })
    }

    /// Has `f` work with its end of the Ethernet, if it has one.
    pub(crate) fn with_station<R>(&self, f: impl FnOnce(&mut Station, &Traffic) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let station = state.station.as_mut()?;
        let answer = f(station, &self.traffic);
        self.set_alarm(&mut state.station);
        Some(answer)
    }

    /// Has the neighbours' timer ring when it must.
    fn set_alarm(&self, station: &mut Option<Station>) {
        if let Some(due) = station.as_mut().and_then(Station::new_due)
            && let Some(asker) = self.asker.get()
        {
            time::set(clock::tick_of(due), asker.clone());
        }
    }

    /// Does the next thing that is due for its neighbours: packets that cannot reach one. `None`: nothing is due.
    pub(crate) fn pass_time(&self) -> Option<Fifo<Box<[u8]>>> {
        let mut state = self.state.lock();
        state.station.as_mut()?.pass_time(&self.traffic)
    }

    /// As it says. All that was due is done.
    pub(crate) fn set_alarm_of_neighbours(&self) {
        let state = self.state.lock();
        if let Some(due) = state.station.as_ref().and_then(Station::due)
            && let Some(asker) = self.asker.get()
        {
            time::set(clock::tick_of(due), asker.clone());
        }
    }

    /// What is known of its neighbours.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn neighbours(&self) -> Result<Vec<NeighbourView>, Errno> {
        let mut all = Vec::new();
        if !self.is_loopback() {
            all = fallible::with_room(neighbours::MOST)?;
            if let Some(station) = &self.state.lock().station {
                station.show_neighbours(&mut all);
            }
        }
        Ok(all)
    }

    /// Sends a packet of IP to another machine.
    pub(crate) fn send_packet(&self, packet: &[u8]) {
        self.with_station(|station, traffic| {
            station.send(packet.len(), traffic, |room| room.copy_from_slice(packet));
        });
    }

    /// Gives the sockets of `set` a packet that came for them, and sends what they have to send. Returns when they want to be polled
    /// next; a moment that has passed: as soon as others had a turn.
    pub(crate) fn poll(
        &self,
        set: &mut SocketSet<'static>,
        incoming: Option<&[u8]>,
        outbox: &mut Outbox,
        traffic_class: u8,
        tally: Option<&mut Tally>,
    ) -> Option<Instant> {
        let mut state = self.state.lock();
        let NetifState { interface, station } = &mut *state;
        let mut port = Port::new(wire(station, outbox), &self.traffic, incoming);
        port.set_traffic_class(traffic_class);
        port.set_tally(tally);
        let next = poll_set(interface, &mut port, set);
        self.set_alarm(station);
        next
    }
}

/// As [`Netif::poll`], for any interface.
pub(crate) fn poll_set(
    interface: &mut Interface,
    port: &mut Port<'_>,
    set: &mut SocketSet<'static>,
) -> Option<Instant> {
    let now = clock::now();
    if port.has_incoming() {
        interface.poll_ingress_single(now, port, set);
    }
    for _ in 0..MOST_SENT {
        match interface.poll_at(now, set) {
            Some(at) if at <= now && !port.is_exhausted() => {
                interface.poll_egress(now, port, set);
            }
            at => return at.map(|at| at.max(now + PAUSE)),
        }
    }
    Some(now + PAUSE)
}

fn wire<'a>(station: &'a mut Option<Station>, outbox: &'a mut Outbox) -> Wire<'a> {
    match station {
        Some(station) => Wire::Station(station),
        None => Wire::Loop(outbox),
    }
}

/// Of an interface whose random numbers nobody can foresee.
pub(crate) fn config(hardware: HardwareAddress) -> Config {
    let mut seed = [0; 8];
    platform::random::fill(&mut seed);
    let mut config = Config::new(hardware);
    config.random_seed = u64::from_ne_bytes(seed);
    config
}

/// An interface that keeps nothing and sends nothing: it draws the first sequence number of a connection. Each has one of its own, with
/// a seed of its own, so that no number says anything of another (RFC 6528).
pub(crate) fn with_dice<R>(incoming: Option<&[u8]>, f: impl FnOnce(&mut Interface, &mut Port<'_>) -> R) -> R {
    let traffic = Traffic::default();
    let mut port = Port::new(Wire::Nowhere([0; 128]), &traffic, incoming);
    let mut dice = Interface::new(config(HardwareAddress::Ip), &mut port, clock::now());
    dice.set_any_ip(true);
    f(&mut dice, &mut port)
}

/// There is such an interface from now on.
pub(crate) fn add(netif: Netif) -> Option<&'static Netif> {
    let place = NETIFS.get(netif.index as usize - 1)?;
    Some(place.call_once(|| netif))
}

/// All interfaces.
pub fn all() -> impl Iterator<Item = &'static Netif> {
    NETIFS.iter().filter_map(Once::get)
}

/// The interface of that number.
pub fn by_index(index: u32) -> Option<&'static Netif> {
    NETIFS.get((index as usize).checked_sub(1)?)?.get()
}

/// The interface of that name.
pub fn by_name(name: &[u8]) -> Option<&'static Netif> {
    all().find(|netif| netif.name.as_bytes() == name)
}

/// `lo`.
///
/// # Errors
/// `ENETDOWN`: the network was not started.
pub(crate) fn loopback() -> Result<&'static Netif, Errno> {
    by_index(LOOPBACK).ok_or(Errno::ENETDOWN)
}
