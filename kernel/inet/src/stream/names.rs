//! getsockname(2), getpeername(2), and what /proc/net shows.

use super::super::address::{self, SocketName};
use super::super::report::{SocketHolder, SocketReport, any};
use super::connections::ConnectionKey;
use super::{PORTS, Stream};
use abi::Errno;
use alloc::sync::Arc;
use net::Address;
use smoltcp::socket::tcp::State;
use smoltcp::wire::IpEndpoint;

impl Stream {
    /// Its address.
    ///
    /// # Errors
    /// None.
    pub(super) fn local_name(&self) -> Result<Address, Errno> {
        let inner = self.inner.lock();
        let name = match (&inner.connection, inner.bound) {
            (Some(connection), _) => connection.key.local().into(),
            (None, Some(name)) => name,
            (None, None) => SocketName {
                address: None,
                port: 0,
            },
        };
        address::show(self.base.family, name)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub(super) fn remote_name(&self) -> Result<Address, Errno> {
        let inner = self.inner.lock();
        let connection = inner.connection.as_ref().ok_or(Errno::ENOTCONN)?;
        if matches!(connection.view().state, State::SynSent | State::Closed) {
            return Err(Errno::ENOTCONN);
        }
        address::show(self.base.family, connection.key.remote().into())
    }

    /// Whether it lives on behind its last descriptor.
    pub(crate) fn is_orphan(&self) -> bool {
        self.inner.lock().is_orphan
    }

    /// Segments of its connection: [`Tally::segments`](super::super::tally::Tally::segments).
    pub(crate) fn segments(&self) -> [u64; 4] {
        let inner = self.inner.lock();
        let connection = inner.connection.as_ref();
        connection.map_or([0; 4], |connection| connection.tally.segments())
    }

    /// What is shown of it.
    pub(crate) fn report(&self) -> Option<SocketReport> {
        let family = self.base.family;
        if let Some(backlog) = &*self.backlog.lock() {
            let (received, sent) = backlog.fill();
            let name = backlog.name();
            return Some(SocketReport {
                local: IpEndpoint::new(name.address.unwrap_or(any(family)), name.port),
                remote: IpEndpoint::new(any(family), 0),
                state: number_of(State::Listen),
                sent,
                received,
                family,
                holder: SocketHolder::of(&self.base),
            });
        }
        let inner = self.inner.lock();
        let connection = inner.connection.as_ref()?;
        let (view, key): (_, &ConnectionKey) = (connection.view(), &connection.key);
        Some(SocketReport {
            local: key.local(),
            remote: key.remote(),
            state: number_of(view.state),
            sent: view.queued,
            received: view.received,
            family,
            holder: SocketHolder::of(&self.base),
        })
    }
}

/// `TCP_*` of `linux/tcp_states.h`.
pub(super) fn number_of(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

/// Calls `look` with each listening socket, a port at a time; no lock is held meanwhile.
pub(crate) fn visit_listening(mut look: impl FnMut(&Arc<Stream>)) {
    PORTS.visit(|_, stream| {
        if super::super::ports::PortHolder::is_listening(&**stream) {
            look(stream);
        }
    });
}
