//! What options of all sockets of these families have in common.

use abi::Errno;
use smoltcp::wire::{IpVersion, Ipv4Packet, Ipv6Packet};

/// Routers that a packet may pass if nobody says otherwise: net.ipv4.ip_default_ttl.
pub(crate) const HOP_LIMIT: u8 = 64;

/// A number of a program; one byte is one, too, as for Linux.
///
/// # Errors
/// `EINVAL`: no bytes.
pub(crate) fn number(value: &[u8]) -> Result<i32, Errno> {
    match (value.first_chunk::<4>(), value.first()) {
        (Some(bytes), _) => Ok(i32::from_ne_bytes(*bytes)),
        (None, Some(byte)) => Ok(i32::from(*byte)),
        (None, None) => Err(Errno::EINVAL),
    }
}

/// A number that means on or off.
///
/// # Errors
/// As [`number`].
pub(crate) fn flag(value: &[u8]) -> Result<bool, Errno> {
    Ok(number(value)? != 0)
}

/// A number of routers; -1: as many as usual.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn hop_limit(value: i32) -> Result<Option<u8>, Errno> {
    match value {
        -1 => Ok(None),
        1..=255 => Ok(Some(value as u8)),
        _ => Err(Errno::EINVAL),
    }
}

/// `IP_PMTUDISC_*`. Packets are never cut into pieces here, so that nothing follows from it.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn discovery(value: i32) -> Result<u32, Errno> {
    u32::try_from(value)
        .ok()
        .filter(|value| *value <= 5)
        .ok_or(Errno::EINVAL)
}

/// A traffic class; -1: the usual one.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn traffic_class(value: i32) -> Result<u8, Errno> {
    match value {
        -1 => Ok(0),
        0..=255 => Ok(value as u8),
        _ => Err(Errno::EINVAL),
    }
}

/// Writes a traffic class into the packet of IP that begins there: `smoltcp` makes them all with none.
pub(crate) fn set_traffic_class(packet: &mut [u8], class: u8) {
    if class == 0 {
        return;
    }
    match IpVersion::of_packet(packet) {
        Ok(IpVersion::Ipv4) => {
            let mut packet = Ipv4Packet::new_unchecked(packet);
            packet.set_dscp(class >> 2);
            packet.set_ecn(class & 3);
            packet.fill_checksum();
        }
        Ok(IpVersion::Ipv6) => Ipv6Packet::new_unchecked(packet).set_traffic_class(class),
        Err(_) => {}
    }
}
