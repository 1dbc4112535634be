//! bind(2), connect(2), shutdown(2), close(2).

use super::super::address::{self, SocketName};
use super::super::ports::{Claim, FIRST_UNPRIVILEGED};
use super::super::report::{SocketHolder, SocketReport, any};
use super::super::route;
use super::{Datagram, Kind, PING_PORTS, RAW, UDP_PORTS};
use abi::Errno;
use abi::capability::CAP_NET_BIND_SERVICE;
use abi::socket::AF_INET;
use abi::socket::option::SO_BROADCAST;
use alloc::sync::Arc;
use memory::fallible::TryVec;
use net::{Half, Request};
use smoltcp::wire::{IpAddress, IpEndpoint};

impl Datagram {
    /// It gets the packets of its protocol from now on.
    pub(super) fn enter_raw(&self) -> Result<(), Errno> {
        let own = self.own()?;
        RAW.lock().try_push(own)
    }

    /// bind(2).
    ///
    /// # Errors
    /// `EINVAL`: bound already, or no address. `EAFNOSUPPORT`; `EADDRNOTAVAIL`; `EACCES`: a port of the system. `EADDRINUSE`;
    /// `ENOMEM`.
    pub(super) fn bind_to(&self, request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let name = address::parse(self.base.family, bytes)?;
        if let Some(address) = &name.address
            && !route::is_own(address)
            && !address.is_multicast()
            && !route::is_broadcast(address)
        {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if self.inner.lock().bound.is_some() {
            return Err(Errno::EINVAL);
        }
        let credentials = request.caller.credentials();
        let is_reserved = self.kind == Kind::Udp && (1..FIRST_UNPRIVILEGED).contains(&name.port);
        if is_reserved && !credentials.can(CAP_NET_BIND_SERVICE) {
            return Err(Errno::EACCES);
        }
        self.take_port(name, credentials.euid).map(drop)
    }

    /// Takes the port, any for 0.
    fn take_port(&self, mut name: SocketName, user: u32) -> Result<SocketName, Errno> {
        let claim = Claim {
            address: name.address,
            versions: self.versions(),
            user,
        };
        if let Some(ports) = self.ports() {
            let own = self.own()?;
            match name.port {
                0 => name.port = ports.bind_any(&own, claim)?,
                port => ports.bind(&own, claim, port)?,
            }
        }
        let mut inner = self.inner.lock();
        if inner.bound.is_none() {
            inner.bound = Some(name);
            return Ok(name);
        }
        drop(inner);
        if let Some(ports) = self.ports() {
            // Another thread was quicker.
            ports.unbind(self, name.port);
        }
        Err(Errno::EINVAL)
    }

    /// What it is bound to; a port is taken if it has none.
    ///
    /// # Errors
    /// `EAGAIN`: there is none (`inet_autobind` of Linux). `ENOMEM`.
    pub(super) fn bind_if_needed(&self, user: u32) -> Result<SocketName, Errno> {
        if let Some(name) = self.inner.lock().bound {
            return Ok(name);
        }
        let any = SocketName {
            address: None,
            port: 0,
        };
        match self.take_port(any, user) {
            Err(Errno::EINVAL) => self.inner.lock().bound.ok_or(Errno::EINVAL),
            Err(Errno::EADDRINUSE) => Err(Errno::EAGAIN),
            result => result,
        }
    }

    /// connect(2).
    ///
    /// # Errors
    /// `EINVAL`; `EAFNOSUPPORT`; `ENETUNREACH`; `EACCES`: a broadcast address without `SO_BROADCAST`.
    pub(super) fn connect_to(&self, request: &Request<'_>, bytes: &[u8]) -> Result<(), Errno> {
        if address::is_unspecified(bytes) {
            return self.disconnect();
        }
        let name = address::parse(self.base.family, bytes)?;
        let peer = self.meant_by(name);
        let own = self.inner.lock().bound.and_then(|name| name.address);
        let by_group = peer
            .addr
            .is_multicast()
            .then(|| self.route_to_group(&peer.addr, own))
            .flatten();
        let route = match by_group {
            Some(route) => route,
            None => route::to(&peer.addr)?,
        };
        self.check_broadcast(&peer.addr)?;
        let bound = self.bind_if_needed(request.caller.credentials().euid)?;
        let mut inner = self.inner.lock();
        inner.peer = Some(peer);
        inner.source = Some(bound.address.unwrap_or(route.source));
        Ok(())
    }

    /// Whom that name means: no address means this machine, as on Linux.
    pub(super) fn meant_by(&self, name: SocketName) -> IpEndpoint {
        let here = if self.base.family == AF_INET {
            IpAddress::v4(127, 0, 0, 1)
        } else {
            IpAddress::v6(0, 0, 0, 0, 0, 0, 0, 1)
        };
        IpEndpoint::new(name.address.unwrap_or(here), name.port)
    }

    /// # Errors
    /// `EACCES`.
    pub(super) fn check_broadcast(&self, to: &IpAddress) -> Result<(), Errno> {
        if !self.base.is_on(SO_BROADCAST) && route::is_broadcast(to) {
            return Err(Errno::EACCES);
        }
        Ok(())
    }

    fn disconnect(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        inner.peer = None;
        inner.source = None;
        Ok(())
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub(super) fn shut(&self, half: Half) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        inner.is_receive_shut |= half.receives();
        inner.is_send_shut |= half.sends();
        let is_connected = inner.peer.is_some();
        drop(inner);
        self.readers.wake_all();
        self.writers.wake_all();
        if is_connected {
            Ok(())
        } else {
            Err(Errno::ENOTCONN)
        }
    }

    /// The last descriptor is closed.
    pub(super) fn close_last(&self) {
        let mut inner = self.inner.lock();
        let bound = inner.bound.take();
        inner.queued = 0;
        inner.is_receive_shut = true;
        let queue = core::mem::take(&mut inner.queue);
        let errors = core::mem::take(&mut inner.errors);
        drop(inner);
        if let (Some(ports), Some(name)) = (self.ports(), bound) {
            ports.unbind(self, name.port);
        }
        self.leave_raw();
        self.leave_all();
        drop((queue, errors));
    }

    /// Bytes of its receive and send buffers.
    pub(crate) fn buffers(&self) -> [u32; 2] {
        [self.base.receive_buffer(), self.base.send_buffer()]
    }

    /// What is shown of it.
    pub(crate) fn report(&self) -> Option<SocketReport> {
        const ESTABLISHED: u8 = 1;
        const CLOSED: u8 = 7;
        let family = self.base.family;
        let inner = self.inner.lock();
        let bound = match self.kind {
            // Linux shows the protocol as the port.
            Kind::Raw => SocketName {
                address: inner.bound.and_then(|name| name.address),
                port: u8::from(self.protocol).into(),
            },
            _ => inner.bound?,
        };
        let address = bound.address.or(inner.source).unwrap_or(any(family));
        Some(SocketReport {
            local: IpEndpoint::new(address, bound.port),
            remote: inner.peer.unwrap_or(IpEndpoint::new(any(family), 0)),
            state: if inner.peer.is_some() { ESTABLISHED } else { CLOSED },
            sent: 0,
            received: inner.queued,
            family,
            holder: SocketHolder::of(&self.base),
        })
    }

    fn leave_raw(&self) {
        if self.kind != Kind::Raw {
            return;
        }
        let mut all = RAW.lock();
        let at = all
            .iter()
            .position(|other| core::ptr::eq(&raw const **other, &raw const *self));
        let own = at.map(|at| all.swap_remove(at));
        drop(all);
        drop(own);
    }
}

/// Calls `look` with each socket of that kind that has a port, and with all raw ones; no lock is held meanwhile.
pub(crate) fn visit(kind: Kind, mut look: impl FnMut(u16, &Arc<Datagram>)) {
    match kind {
        Kind::Udp => UDP_PORTS.visit(look),
        Kind::Ping => PING_PORTS.visit(look),
        Kind::Raw => {
            let mut index = 0;
            // Those that come or go meanwhile are shown or not.
            while let Some(socket) = nth_raw(index) {
                look(u8::from(socket.protocol).into(), &socket);
                index += 1;
            }
        }
    }
}

fn nth_raw(index: usize) -> Option<Arc<Datagram>> {
    RAW.lock().get(index).cloned()
}
