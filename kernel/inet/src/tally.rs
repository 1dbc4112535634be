//! What went over a connection, and how long it took, as its segments tell: of that `smoltcp` says nothing. For `TCP_INFO`.

use abi::inet::{TCPI_OPT_SACK, TCPI_OPT_WSCALE, TcpInfo};
use platform::timer;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, IpVersion, Ipv4Packet, Ipv6Packet, TcpOption, TcpPacket};

/// Bytes of a segment, of whose sender nothing else is known (RFC 9293, 3.7.1).
const USUAL_SEGMENT: u16 = 536;
/// Nanoseconds of a microsecond and of a millisecond.
const MICRO: u64 = 1000;
const MILLI: u64 = 1_000_000;

/// What a side says when the connection opens.
#[derive(Clone, Copy, Default)]
struct Offer {
    segment: Option<u16>,
    scale: Option<u8>,
    knows_sack: bool,
}

impl Offer {
    #[cold]
    #[inline(never)]
    fn of(segment: &TcpPacket<&[u8]>) -> Offer {
        let mut offer = Offer::default();
        let mut rest = segment.options();
        while !rest.is_empty()
            && let Ok((next, option)) = TcpOption::parse(rest)
        {
            match option {
                TcpOption::EndOfList => break,
                TcpOption::MaxSegmentSize(bytes) => offer.segment = Some(bytes),
                TcpOption::WindowScale(scale) => offer.scale = Some(scale),
                TcpOption::SackPermitted => offer.knows_sack = true,
                _ => {}
            }
            rest = next;
        }
        offer
    }
}

/// What has gone one way.
#[derive(Clone, Copy, Default)]
struct SegmentFlow {
    offer: Offer,
    segments: u32,
    data_segments: u32,
    /// Ticks of the timer when the last bytes went.
    last_data: u64,
}

/// Of one connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    sent: SegmentFlow,
    received: SegmentFlow,
    /// The number behind the last byte that was sent, and the first one that is not acknowledged.
    next: u32,
    unacknowledged: u32,
    has_begun: bool,
    bytes_sent: u64,
    bytes_retransmitted: u64,
    retransmitted: u32,
    resets: u32,
    bytes_acknowledged: u64,
    last_acknowledgement: u64,
    /// The peer's window, in units of its scale.
    window: u16,
    /// The acknowledgement that is waited for to learn how long one takes, and the tick since when.
    sample: Option<(u32, u64)>,
    /// Nanoseconds: smoothed, their variation (RFC 6298), the least.
    round_trip: Option<[u64; 3]>,
    /// Bytes that the program has taken, and given to be sent.
    pub(crate) taken: u64,
    pub(crate) given: u64,
    /// The numbers of the first SYNs.
    first_sent: u32,
    first_received: u32,
    /// What was sent with `MSG_OOB` ends before that number.
    urgent: Option<u32>,
}

/// The segment in a packet of IP.
#[inline]
pub(crate) fn segment_of(packet: &[u8]) -> Option<TcpPacket<&[u8]>> {
    let first = packet.first()?;
    let header = if first >> 4 == 4 {
        usize::from(first & 0xf) * 4
    } else {
        40
    };
    TcpPacket::new_checked(packet.get(header..)?).ok()
}

/// Who sends an IP packet to whom, and where what it carries begins.
fn addresses_of(packet: &[u8]) -> Option<(IpAddress, IpAddress, usize)> {
    match IpVersion::of_packet(packet).ok()? {
        IpVersion::Ipv4 => {
            let ip = Ipv4Packet::new_checked(packet).ok()?;
            Some((
                ip.src_addr().into(),
                ip.dst_addr().into(),
                usize::from(ip.header_len()),
            ))
        }
        IpVersion::Ipv6 => {
            let ip = Ipv6Packet::new_checked(packet).ok()?;
            Some((ip.src_addr().into(), ip.dst_addr().into(), ip.header_len()))
        }
    }
}

/// Whether number `a` comes behind `b`.
#[inline]
pub(crate) fn is_behind(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

#[inline]
pub(crate) fn number(of: smoltcp::wire::TcpSeqNumber) -> u32 {
    of.0 as u32
}

impl Tally {
    /// The number of the next byte that the program will take.
    pub(crate) fn next_taken(&self) -> u32 {
        self.first_received
            .wrapping_add(1)
            .wrapping_add(self.taken as u32)
    }

    /// All that was given is urgent from now on: the last byte is.
    pub(crate) fn note_urgent(&mut self) {
        self.urgent = Some(self.first_sent.wrapping_add(1).wrapping_add(self.given as u32));
    }

    /// How far behind the first byte of a segment the urgent bytes end, if it must say so.
    fn urgent_pointer(&self, first: u32) -> Option<u16> {
        let distance = self.urgent?.wrapping_sub(first);
        (distance > 0 && distance <= 1 << 30).then(|| distance.min(u32::from(u16::MAX)) as u16)
    }

    /// Segments received, sent, sent again, and the resets among those that were sent.
    pub(crate) fn segments(&self) -> [u64; 4] {
        [
            self.received.segments,
            self.sent.segments,
            self.retransmitted,
            self.resets,
        ]
        .map(u64::from)
    }

    /// Bytes that were sent and are not acknowledged.
    pub(crate) fn in_flight(&self) -> usize {
        self.next.wrapping_sub(self.unacknowledged) as usize
    }

    /// Writes into a packet that is to be sent that there are urgent bytes, if there are.
    #[inline]
    pub(crate) fn mark_urgent(&self, packet: &mut [u8], checksums: &ChecksumCapabilities) {
        if self.urgent.is_some() {
            self.write_urgent(packet, checksums);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_urgent(&self, packet: &mut [u8], checksums: &ChecksumCapabilities) {
        let Some((source, destination, header)) = addresses_of(packet) else {
            return;
        };
        let Some(bytes) = packet.get_mut(header..) else {
            return;
        };
        let Ok(mut segment) = TcpPacket::new_checked(bytes) else {
            return;
        };
        if let Some(pointer) = self.urgent_pointer(number(segment.seq_number())) {
            segment.set_urg(true);
            segment.set_urgent_at(pointer);
            if checksums.tcp.tx() {
                segment.fill_checksum(&source, &destination);
            }
        }
    }

    /// That packet is sent.
    pub(crate) fn note_sent(&mut self, packet: &[u8]) {
        let Some(segment) = segment_of(packet) else {
            return;
        };
        self.sent.segments += 1;
        self.resets += u32::from(segment.rst());
        let (first, bytes) = (number(segment.seq_number()), segment.payload().len() as u32);
        if segment.syn() {
            self.sent.offer = Offer::of(&segment);
        }
        if !self.has_begun {
            (self.has_begun, self.next, self.unacknowledged) = (true, first, first);
            self.first_sent = first;
        }
        let len = bytes + u32::from(segment.syn()) + u32::from(segment.fin());
        if len == 0 {
            return;
        }
        let now = timer::ticks();
        if bytes > 0 {
            self.sent.data_segments += 1;
            self.sent.last_data = now;
            self.bytes_sent += u64::from(bytes);
        }
        let end = first.wrapping_add(len);
        if is_behind(end, self.next) {
            self.next = end;
            self.sample = self.sample.or(Some((end, now)));
        } else {
            self.retransmitted += 1;
            self.bytes_retransmitted += u64::from(bytes);
            // Nobody knows which of the two an acknowledgement is for (Karn's rule).
            self.sample = None;
        }
    }

    /// That packet has come.
    pub(crate) fn note_received(&mut self, packet: &[u8]) {
        let Some(segment) = segment_of(packet) else {
            return;
        };
        self.received.segments += 1;
        if segment.syn() {
            self.received.offer = Offer::of(&segment);
            self.first_received = number(segment.seq_number());
        }
        self.window = segment.window_len();
        let now = timer::ticks();
        if !segment.payload().is_empty() {
            self.received.data_segments += 1;
            self.received.last_data = now;
        }
        if !segment.ack() {
            return;
        }
        self.last_acknowledgement = now;
        let acknowledged = number(segment.ack_number());
        if is_behind(acknowledged, self.unacknowledged) && !is_behind(acknowledged, self.next) {
            self.bytes_acknowledged += u64::from(acknowledged.wrapping_sub(self.unacknowledged));
            self.unacknowledged = acknowledged;
            self.urgent = self.urgent.filter(|end| is_behind(*end, acknowledged));
        }
        if let Some((end, since)) = self.sample
            && !is_behind(end, acknowledged)
        {
            self.sample = None;
            self.learn(timer::ticks_to_nanos(now.saturating_sub(since)));
        }
    }

    fn learn(&mut self, nanos: u64) {
        self.round_trip = Some(match self.round_trip {
            None => [nanos, nanos / 2, nanos],
            Some([smoothed, variation, least]) => [
                smoothed - smoothed / 8 + nanos / 8,
                variation - variation / 4 + smoothed.abs_diff(nanos) / 4,
                least.min(nanos),
            ],
        });
    }

    /// What `TCP_INFO` says of it. `queued` bytes wait for an acknowledgement, or to be sent; `unread` bytes to be read.
    pub(crate) fn describe(&self, queued: usize, unread: usize, info: &mut TcpInfo) {
        let (ours, theirs) = (self.sent.offer, self.received.offer);
        if ours.knows_sack && theirs.knows_sack {
            info.options |= TCPI_OPT_SACK;
        }
        let scale = match (ours.scale, theirs.scale) {
            (Some(ours), Some(theirs)) => {
                info.options |= TCPI_OPT_WSCALE;
                info.wscale = theirs & 0xf | ours << 4;
                theirs.min(14)
            }
            _ => 0,
        };
        let own_segment = ours.segment.unwrap_or(USUAL_SEGMENT);
        let segment = theirs.segment.unwrap_or(USUAL_SEGMENT).min(own_segment).max(1);
        (info.snd_mss, info.rcv_mss) = (segment.into(), segment.into());
        info.advmss = own_segment.into();
        let in_flight = self.in_flight() as u32;
        info.unacked = in_flight.div_ceil(segment.into());
        info.notsent_bytes = (queued as u32).saturating_sub(in_flight);
        info.snd_wnd = u32::from(self.window) << scale;
        let ago = |tick: u64| {
            let nanos = timer::ticks_to_nanos(timer::ticks().saturating_sub(tick));
            u32::try_from(nanos / MILLI).unwrap_or(u32::MAX)
        };
        info.last_data_sent = ago(self.sent.last_data);
        info.last_data_recv = ago(self.received.last_data);
        info.last_ack_recv = ago(self.last_acknowledgement);
        let [smoothed, variation, least] = self.round_trip.unwrap_or_default();
        let micros = |nanos: u64| u32::try_from(nanos.div_ceil(MICRO)).unwrap_or(u32::MAX);
        (info.rtt, info.rttvar, info.min_rtt) = (micros(smoothed), micros(variation), micros(least));
        info.total_retrans = self.retransmitted;
        info.bytes_retrans = self.bytes_retransmitted;
        (info.bytes_sent, info.bytes_acked) = (self.bytes_sent, self.bytes_acknowledged);
        info.bytes_received = self.taken + unread as u64;
        (info.segs_out, info.segs_in) = (self.sent.segments, self.received.segments);
        (info.data_segs_out, info.data_segs_in) = (self.sent.data_segments, self.received.data_segments);
    }
}
