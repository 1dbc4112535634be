//! Groups (multicast): which ones a socket belongs to, by which interface, and how it sends to them: ip(7), ipv6(7). A packet to a group
//! that comes by an interface is for this machine if some socket joined the group there; then it goes to the sockets of its port, but for
//! those that joined it elsewhere alone, or want none but their own (`ip_mc_sf_allow` of Linux). Routers and switches are not told (no
//! IGMP, no MLD).

use super::super::netif::{self, Netif};
use super::super::options::{flag, number};
use super::super::route::{self, Route};
use super::Datagram;
use abi::Errno;
use abi::inet::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_ALL, IP_MULTICAST_IF, IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP,
};
use lock::{Mutex, rank};
use memory::fallible::TryVec;
use memory::fallible::map::Map;
use net::OptionValue;
use smoltcp::wire::{IpAddress, IpVersion, Ipv4Address, Ipv6Address};

/// Groups that one socket may belong to: net.ipv4.igmp_max_memberships.
const MOST: usize = 20;

/// A group, on the interface of that number.
pub(super) type Membership = (IpAddress, u32);

/// How many sockets belong to each group.
static MEMBERS: Mutex<Map<Membership, usize>, { rank::PORTS }> = Mutex::new(Map::new());

/// How a socket sends to groups of one version of IP.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupSending {
    pub(super) hop_limit: u8,
    /// Whether this machine's own members get it, too.
    pub(super) loops: bool,
    /// The interface; 0: that of the route.
    pub(super) interface: u32,
}

impl Default for GroupSending {
    fn default() -> Self {
        GroupSending {
            hop_limit: 1,
            loops: true,
            interface: 0,
        }
    }
}

/// What a socket has said about groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupOptions {
    of_ipv4: GroupSending,
    of_ipv6: GroupSending,
    /// What `IP_MULTICAST_IF` was said to be.
    shown_interface: [u8; 4],
    /// `IP_MULTICAST_ALL`: messages to groups that others joined are wanted, too.
    takes_all: bool,
}

impl Default for GroupOptions {
    fn default() -> Self {
        GroupOptions {
            of_ipv4: GroupSending::default(),
            of_ipv6: GroupSending::default(),
            shown_interface: [0; 4],
            takes_all: true,
        }
    }
}

impl GroupOptions {
    pub(super) fn sending(&self, version: IpVersion) -> &GroupSending {
        match version {
            IpVersion::Ipv4 => &self.of_ipv4,
            IpVersion::Ipv6 => &self.of_ipv6,
        }
    }
}

/// Whether packets to `group` that come by that interface are for this machine.
pub(super) fn has_member(group: &IpAddress, interface: u32) -> bool {
    let is_for_all = match group {
        IpAddress::Ipv4(group) => group.octets() == [224, 0, 0, 1],
        IpAddress::Ipv6(group) => matches!(group.segments(), [0xff01 | 0xff02, 0, 0, 0, 0, 0, 0, 1]),
    };
    is_for_all || MEMBERS.lock().contains_key(&(*group, interface))
}

/// The group and the interface of a request: `struct ip_mreq`, `struct ip_mreqn`.
///
/// # Errors
/// `EINVAL`: too short, or no group. `ENODEV`: there is no such interface.
fn membership(value: &[u8]) -> Result<Membership, Errno> {
    let [a, b, c, d, e, f, g, h] = *value.first_chunk().ok_or(Errno::EINVAL)?;
    let group = IpAddress::from(Ipv4Address::new(a, b, c, d));
    if !group.is_multicast() {
        return Err(Errno::EINVAL);
    }
    let index = value
        .get(8..12)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |index| u32::from_ne_bytes(*index));
    let own = Ipv4Address::new(e, f, g, h);
    let netif = match index {
        0 if own.is_unspecified() => Some(route::to(&group).map_err(|_| Errno::ENODEV)?.netif),
        0 => of_address(&own.into()),
        index => netif::by_index(index),
    };
    Ok((group, netif.ok_or(Errno::ENODEV)?.index))
}

/// As [`membership`], of `struct ipv6_mreq`.
fn membership_of_ipv6(value: &[u8]) -> Result<Membership, Errno> {
    let (address, rest) = value.split_first_chunk::<16>().ok_or(Errno::EINVAL)?;
    let index = u32::from_ne_bytes(*rest.first_chunk().ok_or(Errno::EINVAL)?);
    let group = IpAddress::from(Ipv6Address::from(*address));
    if !group.is_multicast() {
        return Err(Errno::EINVAL);
    }
    let netif = match index {
        0 => Some(route::to(&group).map_err(|_| Errno::ENODEV)?.netif),
        index => netif::by_index(index),
    };
    Ok((group, netif.ok_or(Errno::ENODEV)?.index))
}

/// The interface that has that address.
fn of_address(own: &IpAddress) -> Option<&'static Netif> {
    if super::super::address::is_loopback(own) {
        return netif::loopback().ok();
    }
    netif::all().find(|netif| netif.has(own))
}

impl Datagram {
    /// Whether it wants a packet to `group` that came by that interface.
    pub(super) fn takes_group(&self, group: &IpAddress, interface: u32) -> bool {
        let inner = self.inner.lock();
        inner.options.groups.takes_all || inner.memberships.contains(&(*group, interface))
    }

    /// The way to `group`: by the interface that the socket has named, or whose address it has; `None`: as the routes say.
    pub(super) fn route_to_group(&self, group: &IpAddress, source: Option<IpAddress>) -> Option<Route> {
        let index = self
            .inner
            .lock()
            .options
            .groups
            .sending(group.version())
            .interface;
        let netif = match (index, source) {
            (0, source) => of_address(&source?)?,
            (index, _) => netif::by_index(index)?,
        };
        let source = if netif.is_loopback() {
            match group.version() {
                IpVersion::Ipv4 => IpAddress::v4(127, 0, 0, 1),
                IpVersion::Ipv6 => IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 1),
            }
        } else {
            let own = netif.addresses();
            let mut fitting = own
                .iter()
                .map(|own| own.address())
                .filter(|own| own.version() == group.version());
            fitting.next()?
        };
        Some(Route { netif, source })
    }

    fn join(&self, membership: Membership) -> Result<(), Errno> {
        let mut members = MEMBERS.lock();
        let mut inner = self.inner.lock();
        if inner.memberships.contains(&membership) {
            return Err(Errno::EADDRINUSE);
        }
        if inner.memberships.len() >= MOST {
            return Err(Errno::ENOBUFS);
        }
        inner.memberships.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        match members.get_mut(&membership) {
            Some(count) => *count += 1,
            None => members.insert_new(membership, 1)?,
        }
        inner.memberships.try_push(membership)
    }

    fn leave(&self, membership: Membership) -> Result<(), Errno> {
        let mut members = MEMBERS.lock();
        let mut inner = self.inner.lock();
        let at = inner.memberships.iter().position(|own| *own == membership);
        inner.memberships.swap_remove(at.ok_or(Errno::EADDRNOTAVAIL)?);
        take_out(&mut members, &membership);
        Ok(())
    }

    /// It belongs to none any more.
    pub(super) fn leave_all(&self) {
        let mut members = MEMBERS.lock();
        let left = core::mem::take(&mut self.inner.lock().memberships);
        left.iter()
            .for_each(|membership| take_out(&mut members, membership));
        drop(members);
        drop(left);
    }

    /// getsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub(super) fn get_group_option(
        &self,
        level: u32,
        name: u32,
        value: &mut OptionValue,
    ) -> Result<(), Errno> {
        let groups = self.inner.lock().options.groups;
        let answer = match (level, name) {
            (IPPROTO_IP, IP_MULTICAST_TTL) => groups.of_ipv4.hop_limit.into(),
            (IPPROTO_IP, IP_MULTICAST_LOOP) => i32::from(groups.of_ipv4.loops),
            (IPPROTO_IP, IP_MULTICAST_ALL) => i32::from(groups.takes_all),
            (IPPROTO_IP, IP_MULTICAST_IF) => {
                value.set(&groups.shown_interface);
                return Ok(());
            }
            (IPPROTO_IPV6, IPV6_MULTICAST_HOPS) if self.is_six() => groups.of_ipv6.hop_limit.into(),
            (IPPROTO_IPV6, IPV6_MULTICAST_LOOP) if self.is_six() => i32::from(groups.of_ipv6.loops),
            (IPPROTO_IPV6, IPV6_MULTICAST_IF) if self.is_six() => groups.of_ipv6.interface as i32,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        value.set(&answer);
        Ok(())
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`; `EINVAL`; `ENODEV`, `EADDRNOTAVAIL`: no such interface, or group. `EADDRINUSE`: it belongs to it. `ENOBUFS`: to
    /// too many. `ENOMEM`.
    pub(super) fn set_group_option(&self, level: u32, name: u32, value: &[u8]) -> Result<(), Errno> {
        let hops = |value: i32| match value {
            -1 => Ok(1),
            0..=255 => Ok(value as u8),
            _ => Err(Errno::EINVAL),
        };
        match (level, name) {
            (IPPROTO_IP, IP_ADD_MEMBERSHIP) => return self.join(membership(value)?),
            (IPPROTO_IP, IP_DROP_MEMBERSHIP) => return self.leave(membership(value)?),
            (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP) if self.is_six() => {
                return self.join(membership_of_ipv6(value)?);
            }
            (IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP) if self.is_six() => {
                return self.leave(membership_of_ipv6(value)?);
            }
            _ => {}
        }
        let mut inner = self.inner.lock();
        let groups = &mut inner.options.groups;
        match (level, name) {
            (IPPROTO_IP, IP_MULTICAST_TTL) => groups.of_ipv4.hop_limit = hops(number(value)?)?,
            (IPPROTO_IP, IP_MULTICAST_LOOP) => groups.of_ipv4.loops = flag(value)?,
            (IPPROTO_IP, IP_MULTICAST_ALL) => match number(value)? {
                said @ 0..=1 => groups.takes_all = said == 1,
                _ => return Err(Errno::EINVAL),
            },
            (IPPROTO_IP, IP_MULTICAST_IF) => {
                (groups.of_ipv4.interface, groups.shown_interface) = interface_of(value)?;
            }
            (IPPROTO_IPV6, IPV6_MULTICAST_HOPS) if self.is_six() => {
                groups.of_ipv6.hop_limit = hops(number(value)?)?;
            }
            (IPPROTO_IPV6, IPV6_MULTICAST_LOOP) if self.is_six() => match number(value)? {
                said @ 0..=1 => groups.of_ipv6.loops = said == 1,
                _ => return Err(Errno::EINVAL),
            },
            (IPPROTO_IPV6, IPV6_MULTICAST_IF) if self.is_six() => {
                let index = number(value)? as u32;
                if index != 0 && netif::by_index(index).is_none() {
                    return Err(Errno::ENODEV);
                }
                groups.of_ipv6.interface = index;
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }
}

/// The interface that `IP_MULTICAST_IF` names, by its address or by its number, and the address that is shown of it.
fn interface_of(value: &[u8]) -> Result<(u32, [u8; 4]), Errno> {
    let (address, index) = match value.len() {
        0..4 => return Err(Errno::EINVAL),
        4..8 => (value.first_chunk(), None),
        8..12 => (value[4..].first_chunk(), None),
        _ => (value[4..].first_chunk(), value[8..].first_chunk()),
    };
    let address: [u8; 4] = *address.ok_or(Errno::EINVAL)?;
    let index = index.map_or(0, |index| u32::from_ne_bytes(*index));
    let own = Ipv4Address::from(address);
    let netif = match index {
        0 if own.is_unspecified() => return Ok((0, [0; 4])),
        0 => of_address(&own.into()),
        index => netif::by_index(index),
    };
    Ok((netif.ok_or(Errno::EADDRNOTAVAIL)?.index, address))
}

fn take_out(members: &mut Map<Membership, usize>, membership: &Membership) {
    let is_last = members.get_mut(membership).is_some_and(|count| {
        *count -= 1;
        *count == 0
    });
    if is_last {
        members.remove(membership);
    }
}
