//! All connections by their four numbers, and which of them, or which listening socket, a packet is for.

use super::super::outbox::Outbox;
use super::super::packet::InboundPacket;
use super::super::ports::PortHolder;
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

static CONNECTIONS: Mutex<Map<ConnectionKey, Arc<Stream>>, { rank::CONNECTIONS }> = Mutex::new(Map::new());

/// That socket has the connection from now on.
///
/// # Errors
/// `EADDRNOTAVAIL`: another one has it. `ENOMEM`.
pub(super) fn add(key: ConnectionKey, stream: Arc<Stream>) -> Result<(), Errno> {
    let mut connections = CONNECTIONS.lock();
    if connections.contains_key(&key) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    connections.insert(key, stream).map(drop)
}

/// That socket's connection is over; another one may have the same numbers by now. The reference is for the caller to drop, behind its
/// locks.
pub(super) fn remove(key: &ConnectionKey, owner: &Stream) -> Option<Arc<Stream>> {
    let mut connections = CONNECTIONS.lock();
    let is_its = |stream: &Arc<Stream>| core::ptr::eq(Arc::as_ptr(stream), owner);
    connections
        .get(key)
        .is_some_and(is_its)
        .then(|| connections.remove(key))?
}

fn find(key: &ConnectionKey) -> Option<Arc<Stream>> {
    CONNECTIONS.lock().get(key).cloned()
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
        None => arrival.answer(outbox),
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
                Some(key) => connections.range(key..),
                None => connections.iter(),
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
