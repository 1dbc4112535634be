//! Segments that come for a connection, and SYNs that come for a listening socket.

use super::super::counts;
use super::super::outbox::Outbox;
use super::super::packet::InboundPacket;
use super::super::ports::Sharing;
use super::connection::Connection;
use super::connections::{self, ConnectionKey, Origin};
use super::{PORTS, Stream, StreamState};
use abi::Errno;
use alloc::sync::Arc;
use smoltcp::socket::tcp::State;

impl Stream {
    /// A segment of its connection has come. What it sends in answer is delivered by the caller.
    #[inline(never)]
    pub(super) fn take_segment(&self, packet: &[u8], outbox: &mut Outbox) {
        let mut inner = self.inner.lock();
        let effects = self.run(&mut inner, Some(packet), outbox);
        drop(inner);
        self.perform(effects);
    }

    /// A SYN has come for the numbers of its connection; whether that is over but for the memory of it (TIME-WAIT), and so gives way.
    pub(super) fn give_way(&self) -> bool {
        let mut inner = self.inner.lock();
        let is_past = inner
            .connection
            .as_ref()
            .is_some_and(|connection| connection.socket().state() == State::TimeWait);
        let removed = if is_past {
            inner.past_since = None;
            self.forget(&mut inner)
        } else {
            None
        };
        drop(inner);
        drop(removed);
        is_past
    }

    /// A SYN for this listening socket. It is dropped if there is no room for it: the other side tries again.
    #[inline(never)]
    pub(super) fn admit(&self, arrival: &InboundPacket<'_>, key: ConnectionKey, outbox: &mut Outbox) {
        let has_room = self
            .backlog
            .lock()
            .as_mut()
            .is_some_and(|backlog| backlog.admit());
        if has_room && self.make_child(arrival, key, outbox).is_err() {
            self.withdraw();
        }
    }

    /// A socket for a connection that somebody opens.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOBUFS`; `EINVAL`: it is no SYN. `EADDRNOTAVAIL`: the same one has just come by another processor.
    fn make_child(
        &self,
        arrival: &InboundPacket<'_>,
        key: ConnectionKey,
        outbox: &mut Outbox,
    ) -> Result<(), Errno> {
        let options = self.inner.lock().options.clone();
        let child = Stream::with(
            self.base.family,
            StreamState {
                options,
                is_orphan: true,
                ..StreamState::default()
            },
        )?;
        child.base.inherit(&self.base);
        let sharing = Sharing::of(&self.base);
        let mut connection = self.new_connection(arrival.netif, key, sharing, &child)?;
        if !connection.answer(arrival.packet) {
            return Err(Errno::EINVAL);
        }
        connections::add(key, child.clone(), Origin::Listening)?;
        if let Err(error) = PORTS.connect(key.local().port, sharing) {
            drop(connections::remove(&key, &child, None));
            return Err(error);
        }
        connection.parent = Some(self.own()?);
        counts::PASSIVE_OPENS.note();
        let mut inner = child.inner.lock();
        inner.is_orphan = false;
        inner.bound = Some(key.local().into());
        inner.connection = Some(connection);
        let effects = child.run(&mut inner, None, outbox);
        drop(inner);
        child.perform(effects);
        Ok(())
    }

    fn new_connection(
        &self,
        netif: &'static super::super::netif::Netif,
        key: ConnectionKey,
        sharing: Sharing,
        child: &Arc<Stream>,
    ) -> Result<Connection, Errno> {
        let inner = child.inner.lock();
        let (received, sent) = self.buffer_sizes(&inner.options);
        Connection::new(netif, key, sharing, received, sent, &inner.options)
    }

    /// A connection that was admitted came to nothing.
    pub(super) fn withdraw(&self) {
        if let Some(backlog) = &mut *self.backlog.lock() {
            backlog.withdraw();
        }
    }

    /// A connection that was admitted stands; whether it was queued.
    pub(super) fn queue_accepted(&self, child: Arc<Stream>) -> bool {
        // The table of connections keeps the child, too: it is not dropped here.
        let mut backlog = self.backlog.lock();
        backlog.as_mut().is_some_and(|backlog| backlog.add(child).is_ok())
    }
}
