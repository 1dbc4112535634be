//! The way of messages to other machines. A neighbour whose hardware address is not known is asked for it; until it answers the
//! messages of this socket wait, those of others do not.

use super::super::clock;
use super::super::netif::Netif;
use super::super::outbox::Outbox;
use super::super::single;
use super::{Datagram, DatagramState};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::fallible;
use sched::time::{self, Expire, TimerPlace};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::raw::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::{Duration, Instant};

/// Messages that wait at most, and their bytes.
const MOST: usize = 32;
const MOST_BYTES: usize = 32 * 1024;
/// For how long a neighbour is asked for: `ucast_probes` and `retrans_time` of Linux.
const PATIENCE: Duration = Duration::from_secs(3);

/// Messages on their way out through one interface.
pub(super) struct Transmitter {
    netif: &'static Netif,
    set: SocketSet<'static>,
    handle: SocketHandle,
    /// Since when the first one waits.
    waits_since: Option<Instant>,
}

impl Transmitter {
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(netif: &'static Netif) -> Result<Transmitter, Errno> {
        let sent = PacketBuffer::new(
            fallible::filled(MOST, PacketMetadata::EMPTY)?,
            fallible::filled(MOST_BYTES, 0)?,
        );
        let received = PacketBuffer::new(Vec::new(), Vec::new());
        let (set, handle) = single::set_of(Socket::new(None, None, received, sent))?;
        Ok(Transmitter {
            netif,
            set,
            handle,
            waits_since: None,
        })
    }

    /// Whether it leads through that interface.
    pub(super) fn is_for(&self, netif: &Netif) -> bool {
        self.netif.index == netif.index
    }

    /// Whether there is room for a message.
    pub(super) fn has_room(&self) -> bool {
        self.set.get::<Socket<'static>>(self.handle).can_send()
    }

    /// Bytes that wait.
    fn waiting(&self) -> usize {
        self.set.get::<Socket<'static>>(self.handle).send_queue()
    }

    /// Adds a packet of IP; whether there was room.
    pub(super) fn add(&mut self, packet: &[u8]) -> bool {
        let socket = self.set.get_mut::<Socket<'static>>(self.handle);
        socket.send_slice(packet).is_ok()
    }

    /// Sends what can be sent. When it wants to be asked again, if something waits.
    fn run(&mut self, outbox: &mut Outbox) -> Option<Instant> {
        let next = self.netif.poll(&mut self.set, None, outbox, 0);
        if self.set.get::<Socket<'static>>(self.handle).send_queue() == 0 {
            self.waits_since = None;
            return None;
        }
        self.waits_since.get_or_insert_with(clock::now);
        next
    }

    /// Whether the first message has waited for too long.
    fn is_in_vain(&self) -> bool {
        self.waits_since
            .is_some_and(|since| clock::now() >= since + PATIENCE)
    }
}

impl Datagram {
    /// Bytes that wait to be sent: `SIOCOUTQ`.
    pub(super) fn unsent(&self) -> usize {
        let inner = self.inner.lock();
        inner.transmitter.as_ref().map_or(0, Transmitter::waiting)
    }

    /// Sends what waits; a timer looks again if something still does.
    pub(super) fn run(&self, inner: &mut DatagramState, outbox: &mut Outbox) {
        let Some(transmitter) = &mut inner.transmitter else {
            return;
        };
        let next = transmitter.run(outbox);
        if let Some(next) = next
            && let Ok(own) = self.own()
        {
            inner.alarm = Some(time::set(clock::tick_of(next), own));
        }
    }
}

impl Expire for Datagram {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Datagram>) {
        let mut outbox = Outbox::new();
        let mut inner = self.inner.lock();
        inner.alarm = None;
        let is_in_vain = inner.transmitter.as_ref().is_some_and(Transmitter::is_in_vain);
        let dropped = if is_in_vain {
            self.base.set_error(Errno::EHOSTUNREACH);
            inner.transmitter.take()
        } else {
            self.run(&mut inner, &mut outbox);
            None
        };
        drop(inner);
        drop(dropped);
        self.writers.wake_all();
        if is_in_vain {
            self.readers.wake_all();
        }
        super::super::delivery::deliver(outbox);
    }
}
