//! A packet of IP that has come.

use super::netif::Netif;
use super::outbox::Outbox;
use alloc::vec::Vec;
use smoltcp::iface::SocketSet;
use smoltcp::wire::{IpAddress, IpProtocol};

/// A packet for this machine.
pub(crate) struct InboundPacket<'a> {
    pub(crate) netif: &'static Netif,
    /// The frame of Ethernet, or the packet if it came without one.
    pub(crate) frame: &'a [u8],
    /// The IP packet in it.
    pub(crate) packet: &'a [u8],
    pub(crate) source: IpAddress,
    pub(crate) destination: IpAddress,
    pub(crate) protocol: IpProtocol,
    pub(crate) hop_limit: u8,
    /// What of IPv4 is called type of service.
    pub(crate) traffic_class: u8,
    /// What follows the header of IP.
    pub(crate) payload: &'a [u8],
}

impl InboundPacket<'_> {
    /// Whether nobody can have damaged it: it never left the machine.
    pub(crate) fn is_trusted(&self) -> bool {
        self.netif.is_loopback()
    }

    /// Lets the interface answer.
    pub(crate) fn answer(&self, outbox: &mut Outbox) {
        answer(self.netif, self.packet, outbox);
    }
}

/// Lets an interface answer a packet that no socket wants.
#[cold]
#[inline(never)]
fn answer(netif: &'static Netif, packet: &[u8], outbox: &mut Outbox) {
    netif.poll(&mut SocketSet::new(Vec::new()), Some(packet), outbox, 0, None);
}
