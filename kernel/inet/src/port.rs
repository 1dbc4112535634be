//! What the protocols take for their device: one packet that came at most, and a place for what is sent.

use super::link::{MAX_FRAME, NetworkLink};
use super::netif::{ETHERNET_MTU, Traffic};
use super::options;
use super::outbox::{MAX_PACKET, Outbox};
use super::station::{self, Station};
use super::tally::Tally;
use core::sync::atomic::Ordering;
use smoltcp::phy::{self, Checksum, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Where packets go.
pub(crate) enum Wire<'a> {
    /// To other sockets of this machine.
    Loop(&'a mut Outbox),
    /// To other machines.
    Station(&'a mut Station),
    /// As frames through a device, for who makes frames itself. They are put together in `frame`.
    Link {
        link: &'a dyn NetworkLink,
        frame: &'a mut [u8; MAX_FRAME],
    },
    /// Nowhere: only short answers are made, and forgotten.
    Nowhere([u8; 128]),
}

/// The device of one poll.
pub(crate) struct Port<'a> {
    wire: Wire<'a>,
    traffic: &'a Traffic,
    incoming: Option<&'a [u8]>,
    /// What the packets that are sent are to say.
    traffic_class: u8,
    /// Whose packets they are, if that is wanted.
    tally: Option<&'a mut Tally>,
    /// There was no room for a packet.
    is_exhausted: bool,
}

impl<'a> Port<'a> {
    pub(crate) fn new(wire: Wire<'a>, traffic: &'a Traffic, incoming: Option<&'a [u8]>) -> Port<'a> {
        Port {
            wire,
            traffic,
            incoming,
            traffic_class: 0,
            tally: None,
            is_exhausted: false,
        }
    }

    /// What is sent from now on is of that traffic class.
    pub(crate) fn set_traffic_class(&mut self, class: u8) {
        self.traffic_class = class;
    }

    /// What is sent from now on is counted there.
    pub(crate) fn set_tally(&mut self, tally: Option<&'a mut Tally>) {
        self.tally = tally;
    }

    /// Whether a packet has come by it, and was not taken.
    pub(crate) fn has_incoming(&self) -> bool {
        self.incoming.is_some()
    }

    /// Whether there was no room for a packet.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Makes sure that there is room for a packet; whether there is.
    fn make_room(&mut self) -> bool {
        let has_room = match &mut self.wire {
            Wire::Loop(outbox) => outbox.add(),
            Wire::Station(_) | Wire::Link { .. } | Wire::Nowhere(_) => true,
        };
        self.is_exhausted |= !has_room;
        has_room
    }
}

/// A packet that came.
pub(crate) struct Incoming<'a>(&'a [u8]);

impl phy::RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a packet.
pub(crate) struct Outgoing<'p, 'a> {
    wire: &'p mut Wire<'a>,
    traffic: &'a Traffic,
    traffic_class: u8,
    tally: Option<&'p mut Tally>,
    is_used: bool,
}

impl phy::TxToken for Outgoing<'_, '_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, len: usize, f: F) -> R {
        self.is_used = true;
        let (class, tally) = (self.traffic_class, self.tally.take());
        match self.wire {
            Wire::Loop(outbox) => {
                self.traffic.note_out(len);
                write_packet(outbox.fill_last(len), class, tally, &unchecked(), f)
            }
            Wire::Station(station) => {
                let checked = ChecksumCapabilities::default();
                station.send(len, self.traffic, |packet| {
                    write_packet(packet, class, tally, &checked, f)
                })
            }
            Wire::Link { link, frame } => {
                let answer = f(&mut frame[..len]);
                if link.transmit(&frame[..len]) {
                    self.traffic.note_out(len);
                } else {
                    self.traffic.dropped_out.fetch_add(1, Ordering::Relaxed);
                }
                answer
            }
            Wire::Nowhere(forgotten) => f(&mut forgotten[..len]),
        }
    }
}

fn write_packet<R>(
    packet: &mut [u8],
    class: u8,
    tally: Option<&mut Tally>,
    checksums: &ChecksumCapabilities,
    write: impl FnOnce(&mut [u8]) -> R,
) -> R {
    let answer = write(packet);
    options::set_traffic_class(packet, class);
    if let Some(tally) = tally {
        tally.note_sent(packet);
        tally.mark_urgent(packet, checksums);
    }
    answer
}

impl Drop for Outgoing<'_, '_> {
    fn drop(&mut self) {
        if let (false, Wire::Loop(outbox)) = (self.is_used, &mut *self.wire) {
            outbox.withdraw();
        }
    }
}

impl<'a> phy::Device for Port<'a> {
    type RxToken<'t>
        = Incoming<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Outgoing<'t, 'a>
    where
        Self: 't;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let incoming = self.incoming.take()?;
        Some((Incoming(incoming), self.transmit(now)?))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Self::TxToken<'_>> {
        self.make_room().then(|| Outgoing {
            wire: &mut self.wire,
            traffic: self.traffic,
            traffic_class: self.traffic_class,
            tally: self.tally.as_deref_mut(),
            is_used: false,
        })
    }

    /// A packet of the loopback interface is never damaged: nobody computes its checksums.
    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = match self.wire {
            Wire::Loop(_) | Wire::Nowhere(_) => (Medium::Ip, MAX_PACKET),
            Wire::Station(_) => (Medium::Ip, ETHERNET_MTU),
            Wire::Link { .. } => (Medium::Ethernet, ETHERNET_MTU + station::HEADER),
        };
        if !matches!(self.wire, Wire::Link { .. } | Wire::Station(_)) {
            capabilities.checksum = unchecked();
        }
        capabilities
    }
}

/// No checksums.
fn unchecked() -> ChecksumCapabilities {
    let mut checksums = ChecksumCapabilities::ignored();
    // Programs look at those of ICMP.
    (checksums.icmpv4, checksums.icmpv6) = (Checksum::Both, Checksum::Both);
    checksums
}
