//! All connections by their four numbers, and which of them, or which listening socket, a packet is for.

use super::super::address::is_loopback;
use super::super::counts;
use super::super::outbox::Outbox;
use super::super::packet::InboundPacket;
use super::super::ports::PortHolder;
use super::past::{PastConnection, PastConnections};
use super::{PORTS, Stream};
use abi::Errno;
use alloc::sync::Arc;
use lock::{Mutex, rank};
use memory::fallible::map::Map;
use smoltcp::wire::{IpAddress, IpEndpoint, TcpPacket};

/// Two ports and two addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ConnectionKey {
    local_port: u16,
    remote_port: u16,
    remote: IpAddress,
    local: IpAddress,
}

impl ConnectionKey {
    pub(super) fn new(local: IpEndpoint, remote: IpEndpoint) -> ConnectionKey {
        ConnectionKey {
            local_port: local.port,
            remote_port: remote.port,
            remote: remote.addr,
            local: local.addr,
        }
    }

    /// This end.
    pub(crate) fn local(&self) -> IpEndpoint {
        IpEndpoint::new(self.local, self.local_port)
    }

    /// The other end.
    pub(crate) fn remote(&self) -> IpEndpoint {
        IpEndpoint::new(self.remote, self.remote_port)
    }
}

/// All of them.
struct Connections {
    live: Map<ConnectionKey, Arc<Stream>>,
    past: PastConnections,
}

static CONNECTIONS: Mutex<Connections, { rank::CONNECTIONS }> = Mutex::new(Connections {
    live: Map::new(),
    past: PastConnections::new(),
});

/// Which end a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Who connects.
    Connecting,
    /// Who was found listening.
    Listening,
}

/// That socket has the connection from now on. One that is over gives way; to who connects only within this machine, where nothing of it
/// can come late.
///
/// # Errors
/// `EADDRNOTAVAIL`: another one has it. `ENOMEM`.
pub(super) fn add(key: ConnectionKey, stream: Arc<Stream>, origin: Origin) -> Result<(), Errno> {
    let mut connections = CONNECTIONS.lock();
    let may_replace = origin == Origin::Listening || is_loopback(&key.remote);
    if connections.live.contains_key(&key) || !may_replace && connections.past.has(&key) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    if let Some(past) = connections.past.remove(&key) {
        PORTS.disconnect(key.local_port, past.sharing);
    }
    connections.live.insert(key, stream).map(drop)
}

/// That socket's connection is over; another one may have the same numbers by now. The reference is for the caller to drop, behind its
/// locks. Where `past` is kept the port stays the connection's: whether it does.
pub(super) fn remove(
    key: &ConnectionKey,
    owner: &Stream,
    past: Option<PastConnection>,
) -> Option<(Arc<Stream>, bool)> {
    let mut connections = CONNECTIONS.lock();
    let is_its = |stream: &Arc<Stream>| core::ptr::eq(Arc::as_ptr(stream), owner);
    if !connections.live.get(key).is_some_and(is_its) {
        return None;
    }
    let removed = connections.live.remove(key)?;
    let is_kept = past.is_some_and(|past| connections.past.add(*key, past));
    Some((removed, is_kept))
}

/// Has `f` work with those that are over.
pub(super) fn with_past<R>(f: impl FnOnce(&mut PastConnections) -> R) -> R {
    f(&mut CONNECTIONS.lock().past)
}

fn find(key: &ConnectionKey) -> Option<Arc<Stream>> {
    CONNECTIONS.lock().live.get(key).cloned()
}

/// A segment has come: its connection gets it, or a listening socket a SYN. What is for nobody is answered by a reset.
#[inline(never)]
pub(crate) fn arrive(arrival: &InboundPacket<'_>, outbox: &mut Outbox) {
    let Ok(segment) = TcpPacket::new_checked(arrival.payload) else {
        return;
    };
    let local = IpEndpoint::new(arrival.destination, segment.dst_port());
    let remote = IpEndpoint::new(arrival.source, segment.src_port());
    let is_opening = segment.syn() && !segment.ack() && !segment.rst();
    let known = find(&ConnectionKey::new(local, remote));
    // A port may be used again before its last connection is forgotten.
    let known = known.filter(|stream| !is_opening || !stream.give_way());
    if let Some(stream) = known {
        return stream.take_segment(arrival.packet, outbox);
    }
    let is_whole = arrival.is_trusted() || segment.verify_checksum(&local.addr, &remote.addr);
    let lot = usize::from(remote.port);
    let listener = (is_opening && is_whole)
        .then(|| {
            PORTS.find(&local.addr, local.port, lot, |stream| {
                stream.is_listening().then_some(0)
            })
        })
        .flatten();
    match listener {
        Some(listener) => listener.admit(arrival, ConnectionKey::new(local, remote), outbox),
        None => {
            counts::STRAY_SEGMENTS.note();
            if !segment.rst() {
                counts::STRAY_RESETS.note();
            }
            arrival.answer(outbox);
        }
    }
}

/// An ICMP error names a connection that was being opened.
pub(crate) fn note_unreachable(local: IpEndpoint, remote: IpEndpoint, error: Errno) {
    if let Some(stream) = find(&ConnectionKey::new(local, remote)) {
        stream.give_up_opening(error);
    }
}

/// Calls `look` with each connection in turn; no lock is held meanwhile.
pub(crate) fn visit(mut look: impl FnMut(&Arc<Stream>)) {
    let mut from: Option<ConnectionKey> = None;
    loop {
        let next = {
            let connections = CONNECTIONS.lock();
            let mut rest = match from {
                Some(key) => connections.live.range(key..),
                None => connections.live.iter(),
            };
            rest.find(|(key, _)| Some(**key) != from)
                .map(|(key, stream)| (*key, stream.clone()))
        };
        let Some((key, stream)) = next else {
            return;
        };
        look(&stream);
        from = Some(key);
    }
}

/// As [`visit`], of those that are over and not forgotten.
pub(crate) fn visit_past(mut look: impl FnMut(&ConnectionKey, &PastConnection)) {
    let mut from = None;
    while let Some((key, past)) = with_past(|all| all.next(from)) {
        look(&key, &past);
        from = Some(key);
    }
}
