//! What time brings for the neighbours of an interface: they are asked again, and who sent something to one that does not answer is told
//! so, by the message of ICMP that a router would send (`arp_error_report` of Linux).

use super::delivery;
use super::fifo::Fifo;
use super::netif::Netif;
use super::outbox::Outbox;
use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use memory::fallible;
use sched::time::{self, Expire, TimerPlace};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpProtocol,
    IpRepr, IpVersion, Ipv4Packet, Ipv6Packet,
};

/// Things that are done at once. When more are due the timer goes on, so that others run in between.
const MOST: usize = 16;
/// How long others have the processor then, in nanoseconds.
const PAUSE: u64 = 50_000;
/// Bytes of a packet that is told back: as much as fits in what everybody must take (RFC 1812, 4.3.2.3).
const MOST_TOLD: usize = 540;
/// Bytes in front of them.
const ICMP_HEADER: usize = 8;
/// The address of a host that cannot be reached (RFC 4443, 3.1).
const ADDRESS_UNREACHABLE: u8 = 3;

/// Who asks for one interface.
pub(crate) struct Asker {
    netif: &'static Netif,
    place: TimerPlace,
}

impl Asker {
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn make(netif: &'static Netif) -> Result<Arc<Asker>, Errno> {
        fallible::arc(Asker {
            netif,
            place: TimerPlace::new(),
        })
    }
}

impl Expire for Asker {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        for _ in 0..MOST {
            match self.netif.pass_time() {
                Some(unreachable) => tell(unreachable),
                None => return self.netif.set_alarm_of_neighbours(),
            }
        }
        time::set(time::deadline_after(PAUSE), self);
    }
}

/// Tells who sent these packets that they did not arrive.
fn tell(mut packets: Fifo<Box<[u8]>>) {
    let mut outbox = Outbox::new();
    while let Some(packet) = packets.pop() {
        // What finds no room is not told.
        let _ = answer(&packet, &mut outbox);
    }
    delivery::deliver(&mut outbox);
}

fn answer(packet: &[u8], outbox: &mut Outbox) -> Option<()> {
    let (source, header_len, protocol): (IpAddress, usize, _) = match IpVersion::of_packet(packet).ok()? {
        IpVersion::Ipv4 => {
            let source = Ipv4Packet::new_checked(packet).ok()?.src_addr();
            (source.into(), 20, IpProtocol::Icmp)
        }
        IpVersion::Ipv6 => {
            let source = Ipv6Packet::new_checked(packet).ok()?.src_addr();
            (source.into(), 40, IpProtocol::Icmpv6)
        }
    };
    let told = &packet[..packet.len().min(MOST_TOLD)];
    let len = ICMP_HEADER + told.len();
    if !outbox.add() {
        return None;
    }
    let (header, message) = outbox.fill_last(header_len + len).split_at_mut(header_len);
    const HOPS: u8 = 64;
    IpRepr::new(source, source, protocol, len, HOPS).emit(header, &ChecksumCapabilities::default());
    message[..ICMP_HEADER].fill(0);
    message[ICMP_HEADER..].copy_from_slice(told);
    match source {
        IpAddress::Ipv4(_) => {
            let mut message = Icmpv4Packet::new_unchecked(message);
            message.set_msg_type(Icmpv4Message::DstUnreachable);
            message.set_msg_code(Icmpv4DstUnreachable::HostUnreachable.into());
            message.fill_checksum();
        }
        IpAddress::Ipv6(source) => {
            let mut message = Icmpv6Packet::new_unchecked(message);
            message.set_msg_type(Icmpv6Message::DstUnreachable);
            message.set_msg_code(ADDRESS_UNREACHABLE);
            message.fill_checksum(&source, &source);
        }
    }
    Some(())
}
