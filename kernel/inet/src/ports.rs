//! Who has which port: for bind(2), and for packets that come for nobody who is connected. One table for each protocol.
//!
//! A port that connections have, of a listener or of programs that connected, is counted beside those who bound it: it can be bound
//! again only where all of them agreed to that (`SO_REUSEADDR`).

use abi::Errno;
use abi::socket::option::{SO_REUSEADDR, SO_REUSEPORT};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use lock::{Mutex, rank};
use memory::fallible::TryVec;
use memory::fallible::map::Map;
use net::SocketBase;
use sched::scheduler;
use smoltcp::wire::{IpAddress, IpVersion};

/// Ports that are chosen for who asks for none: net.ipv4.ip_local_port_range.
pub(crate) const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;
/// Ports below are for who may: net.ipv4.ip_unprivileged_port_start.
pub(crate) const FIRST_UNPRIVILEGED: u16 = 1024;
/// Ports that are tried before others may run.
const TRIED_AT_ONCE: usize = 64;

/// A socket that can have a port.
pub(crate) trait PortHolder: Send + Sync {
    /// What all sockets have.
    fn base(&self) -> &SocketBase;
    /// Whether it waits for connections.
    fn is_listening(&self) -> bool;
}

/// Which versions of IP a socket that is bound to any address takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Versions {
    /// Those of IPv4.
    Four,
    /// Those of IPv6.
    Six,
    /// Both.
    Both,
}

impl Versions {
    /// Whether it takes packets of that version.
    pub(crate) fn takes(self, version: IpVersion) -> bool {
        match self {
            Versions::Four => version == IpVersion::Ipv4,
            Versions::Six => version == IpVersion::Ipv6,
            Versions::Both => true,
        }
    }

    fn meet(self, other: Versions) -> bool {
        self == other || self == Versions::Both || other == Versions::Both
    }
}

/// Who is bound to a port.
pub(crate) struct Bound<S: ?Sized> {
    pub(crate) holder: Arc<S>,
    address: Option<IpAddress>,
    versions: Versions,
    /// Whose it is: `SO_REUSEPORT` is for sockets of one user.
    user: u32,
}

impl<S: PortHolder + ?Sized> Bound<S> {
    /// How well a packet to `address` fits; `None`: not at all.
    fn fit(&self, address: &IpAddress) -> Option<u8> {
        match self.address {
            Some(own) => (own == *address).then_some(2),
            None if !self.versions.takes(address.version()) => None,
            None => Some(u8::from(self.versions != Versions::Both)),
        }
    }

    /// Whether both would get the same packets.
    fn meets(&self, address: Option<IpAddress>, versions: Versions) -> bool {
        match (self.address, address) {
            (Some(own), Some(other)) => own == other,
            (Some(own), None) => versions.takes(own.version()),
            (None, Some(other)) => self.versions.takes(other.version()),
            (None, None) => self.versions.meet(versions),
        }
    }
}

/// One port.
struct Entry<S: ?Sized> {
    bound: Vec<Bound<S>>,
    /// Connections that have it, those that agreed to its being bound again, and the others.
    sharing: u32,
    exclusive: u32,
}

impl<S: ?Sized> Entry<S> {
    const fn new() -> Self {
        Entry {
            bound: Vec::new(),
            sharing: 0,
            exclusive: 0,
        }
    }

    fn is_unused(&self) -> bool {
        self.bound.is_empty() && self.sharing == 0 && self.exclusive == 0
    }
}

/// What a socket asks for.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) address: Option<IpAddress>,
    pub(crate) versions: Versions,
    pub(crate) user: u32,
}

/// The ports of one protocol.
pub(crate) struct Ports<S: ?Sized + 'static> {
    entries: Mutex<Map<u16, Entry<S>>, { rank::PORTS }>,
    /// Where the next search begins.
    next: AtomicU32,
}

impl<S: PortHolder + ?Sized> Ports<S> {
    pub(crate) const fn new() -> Self {
        Ports {
            entries: Mutex::new(Map::new()),
            next: AtomicU32::new(0),
        }
    }

    /// Binds `holder` to a port.
    ///
    /// # Errors
    /// `EADDRINUSE`; `ENOMEM`.
    pub(crate) fn bind(&self, holder: &Arc<S>, claim: Claim, port: u16) -> Result<(), Errno> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get(&port)
            && !may_bind(entry, &**holder, &claim)
        {
            return Err(Errno::EADDRINUSE);
        }
        let bound = Bound {
            holder: holder.clone(),
            address: claim.address,
            versions: claim.versions,
            user: claim.user,
        };
        let entry = entry(&mut entries, port)?;
        let result = entry.bound.try_push(bound);
        if entry.is_unused() {
            entries.remove(&port);
        }
        result
    }

    /// Binds `holder` to a port that nobody has: which one.
    ///
    /// # Errors
    /// `EADDRINUSE`: there is none. `ENOMEM`. `EINTR`: the process is to end.
    pub(crate) fn bind_any(&self, holder: &Arc<S>, claim: Claim) -> Result<u16, Errno> {
        let (first, count) = (*EPHEMERAL.start(), EPHEMERAL.len());
        let mut random = [0; 4];
        platform::random::fill(&mut random);
        let start = u32::from_ne_bytes(random) ^ self.next.fetch_add(1, Ordering::Relaxed);
        for tried in 0..count {
            let port = first + ((start as usize).wrapping_add(tried) % count) as u16;
            let is_free = !self.entries.lock().contains_key(&port);
            if is_free {
                match self.bind(holder, claim, port) {
                    Err(Errno::EADDRINUSE) => {}
                    result => return result.map(|()| port),
                }
            }
            if tried % TRIED_AT_ONCE == TRIED_AT_ONCE - 1 {
                scheduler::cond_resched_killable()?;
            }
        }
        Err(Errno::EADDRINUSE)
    }

    /// Whether `holder`, which listens from now on, may do so beside the others of its port.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub(crate) fn check_listening(&self, holder: &Arc<S>, claim: Claim, port: u16) -> Result<(), Errno> {
        let entries = self.entries.lock();
        let mut others = entries.get(&port).into_iter().flat_map(|entry| &entry.bound);
        let is_hindered = others.any(|other| {
            !Arc::ptr_eq(&other.holder, holder)
                && other.meets(claim.address, claim.versions)
                && other.holder.is_listening()
                && !share_port(&**holder, other, claim.user)
        });
        if is_hindered {
            Err(Errno::EADDRINUSE)
        } else {
            Ok(())
        }
    }

    /// `holder` is bound to that port no more.
    pub(crate) fn unbind(&self, holder: &S, port: u16) {
        let mut entries = self.entries.lock();
        let mut gone = None;
        if let Some(entry) = entries.get_mut(&port) {
            let at = entry
                .bound
                .iter()
                .position(|bound| core::ptr::addr_eq(&raw const *bound.holder, &raw const *holder));
            gone = at.map(|at| entry.bound.swap_remove(at));
            if entry.is_unused() {
                entries.remove(&port);
            }
        }
        drop(entries);
        drop(gone);
    }

    /// A connection has that port from now on.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn connect(&self, port: u16, sharing: Sharing) -> Result<(), Errno> {
        let mut entries = self.entries.lock();
        *sharing.count(entry(&mut entries, port)?) += 1;
        Ok(())
    }

    /// It has it no more.
    pub(crate) fn disconnect(&self, port: u16, sharing: Sharing) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(&port) {
            *sharing.count(entry) -= 1;
            if entry.is_unused() {
                entries.remove(&port);
            }
        }
    }

    /// The socket that a packet to that address is for, among those that `wants` it: the one that is bound most closely. Where several
    /// share a port, `lot` says which.
    pub(crate) fn find(
        &self,
        address: &IpAddress,
        port: u16,
        lot: usize,
        wants: impl Fn(&S) -> Option<u8>,
    ) -> Option<Arc<S>> {
        let entries = self.entries.lock();
        let bound = &entries.get(&port)?.bound;
        if let [only] = &bound[..] {
            // As nearly always.
            return (only.fit(address).is_some() && wants(&only.holder).is_some())
                .then(|| only.holder.clone());
        }
        let fit = |bound: &Bound<S>| Some((wants(&bound.holder)?, bound.fit(address)?));
        let best = bound.iter().filter_map(fit).max()?;
        let count = bound.iter().filter(|bound| fit(bound) == Some(best)).count();
        let mut fitting = bound.iter().filter(|bound| fit(bound) == Some(best));
        fitting.nth(lot % count).map(|bound| bound.holder.clone())
    }

    /// The sockets that a packet for everybody is for; at most as many as fit.
    pub(crate) fn find_all<const N: usize>(
        &self,
        address: &IpAddress,
        port: u16,
    ) -> arrayvec::ArrayVec<Arc<S>, N> {
        let entries = self.entries.lock();
        let Some(entry) = entries.get(&port) else {
            return arrayvec::ArrayVec::new();
        };
        let version = address.version();
        let takes = |bound: &&Bound<S>| match bound.address {
            Some(own) => own == *address,
            None => bound.versions.takes(version),
        };
        entry
            .bound
            .iter()
            .filter(takes)
            .take(N)
            .map(|bound| bound.holder.clone())
            .collect()
    }

    /// Calls `look` with each socket that is bound, port by port; no lock is held meanwhile. Of those of one port the first few are shown.
    pub(crate) fn visit(&self, mut look: impl FnMut(u16, &Arc<S>)) {
        const MOST: usize = 64;
        let mut from = Some(0);
        while let Some(first) = from {
            let (port, holders) = {
                let entries = self.entries.lock();
                let Some((port, entry)) = entries.range(first..).next() else {
                    return;
                };
                let holders = entry.bound.iter().take(MOST).map(|bound| bound.holder.clone());
                (*port, holders.collect::<arrayvec::ArrayVec<_, MOST>>())
            };
            holders.iter().for_each(|holder| look(port, holder));
            from = port.checked_add(1);
        }
    }
}

/// Whether a connection agrees to its port's being bound again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sharing {
    /// It does: `SO_REUSEADDR`.
    Sharing,
    /// It does not.
    Exclusive,
}

impl Sharing {
    /// As the options of that socket say.
    pub(crate) fn of(base: &SocketBase) -> Sharing {
        if base.is_on(SO_REUSEADDR) {
            Sharing::Sharing
        } else {
            Sharing::Exclusive
        }
    }

    fn count<S: ?Sized>(self, entry: &mut Entry<S>) -> &mut u32 {
        match self {
            Sharing::Sharing => &mut entry.sharing,
            Sharing::Exclusive => &mut entry.exclusive,
        }
    }
}

/// The entry of a port, made if there is none.
fn entry<S: ?Sized>(entries: &mut Map<u16, Entry<S>>, port: u16) -> Result<&mut Entry<S>, Errno> {
    if !entries.contains_key(&port) {
        entries.insert(port, Entry::new())?;
    }
    entries.get_mut(&port).ok_or(Errno::ENOMEM)
}

/// Whether `holder` may have a port beside those who have it (`inet_csk_bind_conflict` of Linux).
fn may_bind<S: PortHolder + ?Sized>(entry: &Entry<S>, holder: &S, claim: &Claim) -> bool {
    let reuses = holder.base().is_on(SO_REUSEADDR);
    let is_connection_ok = if reuses {
        entry.exclusive == 0
    } else {
        entry.exclusive == 0 && entry.sharing == 0
    };
    is_connection_ok
        && entry.bound.iter().all(|other| {
            !other.meets(claim.address, claim.versions)
                || reuses && other.holder.base().is_on(SO_REUSEADDR) && !other.holder.is_listening()
                || share_port(holder, other, claim.user)
        })
}

/// Whether both agreed to share a port, and are one user's: `SO_REUSEPORT`.
fn share_port<S: PortHolder + ?Sized>(holder: &S, other: &Bound<S>, user: u32) -> bool {
    holder.base().is_on(SO_REUSEPORT) && other.holder.base().is_on(SO_REUSEPORT) && other.user == user
}
