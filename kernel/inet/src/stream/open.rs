//! bind(2), connect(2), listen(2), accept(2).

use super::super::address::{self, SocketName};
use super::super::counts;
use super::super::outbox::Outbox;
use super::super::ports::{Claim, FIRST_UNPRIVILEGED, Sharing};
use super::super::route;
use super::backlog::Backlog;
use super::connection::Connection;
use super::connections::{self, ConnectionKey, Origin};
use super::options::TcpOptions;
use super::{PORTS, Stream, StreamState};
use abi::Errno;
use abi::capability::CAP_NET_BIND_SERVICE;
use abi::socket::AF_INET;
use alloc::sync::Arc;
use net::Request;
use smoltcp::socket::tcp::State;
use smoltcp::wire::{IpAddress, IpEndpoint};

/// Bytes of a receive buffer, of `SO_RCVBUF` bytes: the rest is Linux's own (`tcp_adv_win_scale`).
const RECEIVE_PART: usize = 2;
/// The least that is sent at once by who has not said `SO_SNDBUF`: Linux's grows by itself.
const USUAL_SEND_BUFFER: usize = 65_536;

impl Stream {
    /// bind(2).
    ///
    /// # Errors
    /// `EINVAL`: bound already, or no address. `EAFNOSUPPORT`. `EADDRNOTAVAIL`: not this machine's. `EACCES`: a port of the system.
    /// `EADDRINUSE`; `ENOMEM`.
    pub(super) fn bind_to(&self, request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let mut name = address::parse(self.base.family, bytes)?;
        if let Some(address) = &name.address
            && !route::is_own(address)
        {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let credentials = request.caller.credentials();
        if (1..FIRST_UNPRIVILEGED).contains(&name.port) && !credentials.can(CAP_NET_BIND_SERVICE) {
            return Err(Errno::EACCES);
        }
        {
            let inner = self.inner.lock();
            if inner.bound.is_some() || inner.connection.is_some() {
                return Err(Errno::EINVAL);
            }
        }
        let claim = self.claim(name.address, credentials.euid);
        let own = self.own()?;
        match name.port {
            0 => name.port = PORTS.bind_any(&own, claim)?,
            port => PORTS.bind(&own, claim, port)?,
        }
        let mut inner = self.inner.lock();
        if inner.bound.is_some() {
            // Another thread was quicker.
            drop(inner);
            PORTS.unbind(self, name.port);
            return Err(Errno::EINVAL);
        }
        inner.bound = Some(name);
        Ok(())
    }

    fn claim(&self, address: Option<IpAddress>, user: u32) -> Claim {
        Claim {
            address,
            versions: self.versions(),
            user,
        }
    }

    /// A port for who has not bound one.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: there is none. `ENOMEM`.
    fn bind_if_needed(&self, request: &Request<'_>) -> Result<SocketName, Errno> {
        if let Some(name) = self.inner.lock().bound {
            return Ok(name);
        }
        let claim = self.claim(None, request.caller.credentials().euid);
        let port = PORTS.bind_any(&self.own()?, claim).map_err(|error| match error {
            Errno::EADDRINUSE => Errno::EADDRNOTAVAIL,
            other => other,
        })?;
        let mut inner = self.inner.lock();
        let name = *inner.bound.get_or_insert(SocketName { address: None, port });
        drop(inner);
        if name.port != port {
            PORTS.unbind(self, port);
        }
        Ok(name)
    }

    /// connect(2).
    ///
    /// # Errors
    /// `EISCONN`, `EALREADY`, `EINPROGRESS`, `ECONNREFUSED`, `ETIMEDOUT`, `ENETUNREACH`, `EHOSTUNREACH`, `EADDRNOTAVAIL`; as bind(2).
    pub(super) fn connect_to(&self, request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        if address::is_unspecified(bytes) {
            return self.disconnect();
        }
        let name = address::parse(self.base.family, bytes)?;
        self.check_unconnected()?;
        let is_new = !self.inner.lock().is_connecting;
        if is_new {
            self.begin_connect(request, name)?;
        }
        match request.is_nonblocking {
            // Even if the answer has come already, as from this machine it has: programs rely on it, as on Linux.
            true if is_new => Err(Errno::EINPROGRESS),
            true if self.is_opening() => Err(Errno::EALREADY),
            _ => self.wait_until_open(),
        }
    }

    /// `EISCONN` for what cannot be connected (again).
    fn check_unconnected(&self) -> Result<(), Errno> {
        if self.backlog.lock().is_some() {
            return Err(Errno::EISCONN);
        }
        let inner = self.inner.lock();
        if inner.connection.is_some() && !inner.is_connecting {
            return Err(Errno::EISCONN);
        }
        Ok(())
    }

    fn is_opening(&self) -> bool {
        let inner = self.inner.lock();
        let connection = inner.connection.as_ref();
        connection.is_some_and(|connection| !connection.view().is_past_opening())
    }

    /// Sends the first SYN.
    fn begin_connect(&self, request: &Request<'_>, name: SocketName) -> Result<(), Errno> {
        let remote = self.peer(name)?;
        let route = route::to(&remote.addr)?;
        if remote.addr.is_multicast() || route::is_broadcast(&remote.addr) {
            return Err(Errno::ENETUNREACH);
        }
        let bound = self.bind_if_needed(request)?;
        let local = IpEndpoint::new(bound.address.unwrap_or(route.source), bound.port);
        if local.addr.version() != remote.addr.version() {
            return Err(Errno::EINVAL);
        }
        let (key, sharing) = (ConnectionKey::new(local, remote), Sharing::of(&self.base));
        let mut inner = self.inner.lock();
        if inner.connection.is_some() {
            return Err(Errno::EALREADY);
        }
        let (received, sent) = self.buffer_sizes(&inner.options);
        let mut connection = Connection::new(route.netif, key, sharing, received, sent, &inner.options)?;
        connection.connect()?;
        connections::add(key, self.own()?, Origin::Connecting)?;
        if let Err(error) = PORTS.connect(local.port, sharing) {
            let removed = connections::remove(&key, self, None);
            drop(inner);
            drop(removed);
            return Err(error);
        }
        inner.connection = Some(connection);
        inner.is_connecting = true;
        counts::ACTIVE_OPENS.note();
        let mut outbox = Outbox::new();
        let effects = self.run(&mut inner, None, &mut outbox);
        self.finish(inner, effects, &mut outbox);
        Ok(())
    }

    /// Whom that name means: no address means this machine, as on Linux.
    fn peer(&self, name: SocketName) -> Result<IpEndpoint, Errno> {
        let here = if self.base.family == AF_INET {
            IpAddress::v4(127, 0, 0, 1)
        } else {
            IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 1)
        };
        if name.port == 0 {
            return Err(Errno::ECONNREFUSED);
        }
        let address = name.address.unwrap_or(here);
        Ok(IpEndpoint::new(address, name.port))
    }

    /// Waits until the connection stands or will not.
    ///
    /// # Errors
    /// Why it does not. `EINPROGRESS`: `SO_SNDTIMEO` is over.
    fn wait_until_open(&self) -> Result<(), Errno> {
        let deadline = self.base.send_deadline();
        let opened = self
            .writers
            .wait_until_deadline(deadline, || (!self.is_opening()).then_some(()));
        match opened {
            Ok(Some(())) => self.take_connect_result(),
            Ok(None) => Err(Errno::EINPROGRESS),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    fn take_connect_result(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        inner.is_connecting = false;
        let failed = inner
            .connection
            .as_ref()
            .is_none_or(|connection| connection.view().state == State::Closed);
        if !failed {
            return Ok(());
        }
        let removed = self.forget(&mut inner);
        drop(inner);
        drop(removed);
        self.base.take_error()?;
        Err(Errno::ECONNABORTED)
    }

    /// An ICMP error has come for a connection that is being opened.
    pub(super) fn give_up_opening(&self, error: Errno) {
        let mut inner = self.inner.lock();
        let is_opening = inner
            .connection
            .as_ref()
            .is_some_and(|connection| connection.view().state == State::SynSent);
        if is_opening {
            self.base.set_error(error);
            // Not a reset, which nobody there would hear: nothing of it is left.
            let removed = self.forget(&mut inner);
            drop(inner);
            drop(removed);
            self.writers.wake_all();
            self.readers.wake_all();
        }
    }

    /// listen(2).
    ///
    /// # Errors
    /// `EINVAL`: connected. `EADDRINUSE`: another socket listens there, or there is no port.
    pub(super) fn listen_with(&self, request: &Request<'_>, backlog: u32) -> Result<(), Errno> {
        if let Some(old) = &mut *self.backlog.lock() {
            old.set_limit(backlog);
            return Ok(());
        }
        if self.inner.lock().connection.is_some() {
            return Err(Errno::EINVAL);
        }
        let name = self.bind_if_needed(request)?;
        let mut listens = self.backlog.lock();
        match &mut *listens {
            // Another thread was quicker.
            Some(old) => old.set_limit(backlog),
            None => *listens = Some(Backlog::new(backlog, name)),
        }
        drop(listens);
        // Two that share a port by SO_REUSEADDR cannot both listen.
        let (own, claim) = (
            self.own()?,
            self.claim(name.address, request.caller.credentials().euid),
        );
        let result = PORTS.check_listening(&own, claim, name.port);
        if result.is_err() {
            self.stop_listening()?;
        }
        result
    }

    /// accept(2).
    ///
    /// # Errors
    /// `EINVAL`: it does not listen. `EAGAIN`.
    pub(super) fn accept_next(&self, request: &Request<'_>) -> Result<Arc<Stream>, Errno> {
        let take = || match &mut *self.backlog.lock() {
            Some(backlog) => backlog.take().map(Ok),
            None => Some(Err(Errno::EINVAL)),
        };
        if request.is_nonblocking {
            return take().unwrap_or(Err(Errno::EAGAIN));
        }
        let deadline = self.base.receive_deadline();
        match self.readers.wait_until_deadline(deadline, take) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => Err(Errno::EAGAIN),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    /// Bytes of the buffers of a connection.
    pub(super) fn buffer_sizes(&self, options: &TcpOptions) -> (usize, usize) {
        let sent = self.base.send_buffer() as usize;
        let sent = if options.has_send_buffer {
            sent
        } else {
            sent.max(USUAL_SEND_BUFFER)
        };
        (self.base.receive_buffer() as usize / RECEIVE_PART, sent)
    }

    /// Forgets the connection, whatever state it is in; the table's reference.
    pub(super) fn forget(&self, inner: &mut StreamState) -> Option<Arc<Stream>> {
        let removed = self.end(inner);
        // It is dropped here, under the lock: its buffers are two blocks.
        inner.connection = None;
        removed
    }
}
