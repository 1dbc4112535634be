//! How many sockets there are and what has gone over all of them together: /proc/net/sockstat, sockstat6 and snmp, of which `ss -s` and
//! `netstat -s` ask. Only what is counted is shown there: readers look for the names in the line above the numbers.

use super::buffer;
use super::counts::{
    ACTIVE_OPENS, ATTEMPT_FAILS, ESTAB_RESETS, NetCount, PASSIVE_OPENS, PAST, STRAY_RESETS, STRAY_SEGMENTS,
    STREAMS, UDP_IN, UDP_NO_PORTS, UDP_NO_ROOM, UDP_OUT,
};
use super::datagram::{self, Kind};
use super::stream::{self, Stream};
use abi::socket::AF_INET;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use mm::PAGE_SIZE;

/// How many there are of one family.
#[derive(Default)]
struct StreamCounts {
    in_use: u64,
    orphans: u64,
    established: u64,
}

/// Those of IPv4, and of IPv6.
fn count_streams() -> ([StreamCounts; 2], [u64; 4]) {
    let mut counts = <[StreamCounts; 2]>::default();
    let mut segments = PAST.each_ref().map(NetCount::get);
    let mut look = |stream: &Arc<Stream>| {
        let Some(report) = stream.report() else {
            return;
        };
        const ESTABLISHED: u8 = 1;
        const CLOSE_WAIT: u8 = 8;
        let of = &mut counts[usize::from(report.family != AF_INET)];
        of.in_use += 1;
        of.orphans += u64::from(stream.is_orphan());
        of.established += u64::from(matches!(report.state, ESTABLISHED | CLOSE_WAIT));
        let live = stream.segments();
        segments.iter_mut().zip(live).for_each(|(all, more)| *all += more);
    };
    stream::visit_listening(&mut look);
    stream::visit(&mut look);
    (counts, segments)
}

/// Sockets of messages of that kind and family, and pages of what waits in them.
fn count_datagrams(kind: Kind, family: u32) -> [u64; 2] {
    let (mut count, mut bytes) = (0, 0);
    datagram::visit(kind, |_, socket| {
        if let Some(report) = socket.report().filter(|report| report.family == family) {
            count += 1;
            bytes += report.received;
        }
    });
    [count, bytes.div_ceil(PAGE_SIZE) as u64]
}

/// /proc/net/sockstat. `sockets`: how many there are of all families.
///
/// # Errors
/// As `to`.
pub fn sockets(sockets: u64, to: &mut dyn Write) -> fmt::Result {
    let ([four, _], _) = count_streams();
    let mut past = 0;
    stream::visit_past(|_, _| past += 1);
    let memory = buffer::used().div_ceil(PAGE_SIZE);
    let [datagrams, pages] = count_datagrams(Kind::Udp, AF_INET);
    let [raw, _] = count_datagrams(Kind::Raw, AF_INET);
    writeln!(to, "sockets: used {sockets}")?;
    writeln!(
        to,
        "TCP: inuse {} orphan {} tw {past} alloc {} mem {memory}",
        four.in_use,
        four.orphans,
        STREAMS.get()
    )?;
    writeln!(to, "UDP: inuse {datagrams} mem {pages}\nUDPLITE: inuse 0")?;
    writeln!(to, "RAW: inuse {raw}\nFRAG: inuse 0 memory 0")
}

/// /proc/net/sockstat6.
///
/// # Errors
/// As `to`.
pub fn sockets_of_ipv6(to: &mut dyn Write) -> fmt::Result {
    use abi::socket::AF_INET6;
    let ([_, six], _) = count_streams();
    let [datagrams, _] = count_datagrams(Kind::Udp, AF_INET6);
    let [raw, _] = count_datagrams(Kind::Raw, AF_INET6);
    writeln!(to, "TCP6: inuse {}\nUDP6: inuse {datagrams}", six.in_use)?;
    writeln!(
        to,
        "UDPLITE6: inuse 0\nRAW6: inuse {raw}\nFRAG6: inuse 0 memory 0"
    )
}

/// /proc/net/snmp.
///
/// # Errors
/// As `to`.
pub fn totals(to: &mut dyn Write) -> fmt::Result {
    let ([four, six], [received, sent, again, resets]) = count_streams();
    let stray = STRAY_RESETS.get();
    to.write_str("Ip: Forwarding DefaultTTL\nIp: 2 64\n")?;
    to.write_str("Tcp: ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs OutRsts\n")?;
    writeln!(
        to,
        "Tcp: {} {} {} {} {} {} {} {again} {}",
        ACTIVE_OPENS.get(),
        PASSIVE_OPENS.get(),
        ATTEMPT_FAILS.get(),
        ESTAB_RESETS.get(),
        four.established + six.established,
        received + STRAY_SEGMENTS.get(),
        // As in Linux: what is sent again is not among what is sent, nor is an answer to what is for nobody.
        (sent - again) + stray,
        resets + stray,
    )?;
    to.write_str("Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\n")?;
    let lost = UDP_NO_ROOM.get();
    writeln!(
        to,
        "Udp: {} {} {lost} {} {lost}",
        UDP_IN.get(),
        UDP_NO_PORTS.get(),
        UDP_OUT.get()
    )
}
