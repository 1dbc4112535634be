//! NETLINK_SOCK_DIAG: sockets of the Internet and of AF_UNIX, as ss(8) asks for them. All that fit a request are told, some at a time as
//! the answer is read. A filter in a request (`INET_DIAG_REQ_BYTECODE`) is not looked at: ss filters what it gets once more.

use super::super::datagram::{self, Kind};
use super::super::report::{SocketHolder, SocketReport};
use super::super::stream::{self, Stream};
use super::answer::AnswerBuilder;
use abi::Errno;
use abi::diag::{
    INET_DIAG_CONG, INET_DIAG_INFO, INET_DIAG_MEMINFO, INET_DIAG_SKMEMINFO, InetDiagMsg, InetDiagReq,
    InetDiagSockId, MemInfo, SOCK_DESTROY, SOCK_DIAG_BY_FAMILY, UDIAG_SHOW_NAME, UDIAG_SHOW_PEER,
    UDIAG_SHOW_RQLEN, UNIX_DIAG_NAME, UNIX_DIAG_PEER, UNIX_DIAG_RQLEN, UNIX_DIAG_SHUTDOWN, UnixDiagMsg,
    UnixDiagQueues, UnixDiagReq,
};
use abi::inet::{IPPROTO_RAW, IPPROTO_TCP, IPPROTO_UDP, TcpInfo};
use abi::netlink::{NLM_F_DUMP, NLM_F_MULTI, NLMSG_DONE, NlMsgHdr};
use abi::socket::{AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, NPROTO};
use abi::zerocopy::{FromBytes, IntoBytes};
use alloc::sync::Arc;
use alloc::vec::Vec;
use net::unix::{self, UnixReport};
use sched::scheduler;
use smoltcp::wire::{IpAddress, IpEndpoint};

/// Bytes of one part of an answer, about.
const PART: usize = 16_384;
/// Sockets that are looked at before others may run.
const STEP: usize = 32;
const NANOS_PER_MILLI: u64 = 1_000_000;
const TIME_WAIT: u8 = 6;

/// A question of which the answer is being read.
pub(super) struct SocketDump {
    wanted: DiagQuestion,
    sequence: u32,
    /// How many sockets were looked at.
    position: usize,
}

enum DiagQuestion {
    Inet(InetDiagReq),
    Unix(UnixDiagReq),
}

impl SocketDump {
    /// That of a request.
    ///
    /// # Errors
    /// `EINVAL`; `ENOENT`: of such sockets nothing is told. `EOPNOTSUPP`: not one of them by itself.
    pub(super) fn new(head: &NlMsgHdr, body: &[u8]) -> Result<SocketDump, Errno> {
        match head.kind {
            SOCK_DIAG_BY_FAMILY => {}
            SOCK_DESTROY => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        }
        let [family, protocol] = *body.first_chunk().ok_or(Errno::EINVAL)?;
        let wanted = match u32::from(family) {
            AF_INET | AF_INET6 => {
                if !matches!(u32::from(protocol), IPPROTO_TCP | IPPROTO_UDP | IPPROTO_RAW) {
                    return Err(Errno::ENOENT);
                }
                DiagQuestion::Inet(first_of(body)?)
            }
            AF_UNIX => DiagQuestion::Unix(first_of(body)?),
            NPROTO.. => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENOENT),
        };
        if head.flags & NLM_F_DUMP != NLM_F_DUMP {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(SocketDump {
            wanted,
            sequence: head.sequence,
            position: 0,
        })
    }

    /// The next part of the answer, for the socket of that name, and whether it is the last one.
    ///
    /// # Errors
    /// `ENOMEM`; `EINTR`: the process is to end.
    pub(super) fn next_part(&mut self, port: u32) -> Result<(Vec<u8>, bool), Errno> {
        let mut part = Vec::new();
        let mut walk = Walk {
            answer: AnswerBuilder::new(&mut part, self.sequence, port),
            seen: 0,
            told: self.position,
            failed: None,
        };
        match &self.wanted {
            DiagQuestion::Inet(wanted) => walk.inet(wanted),
            DiagQuestion::Unix(wanted) => unix::visit(&mut |report| walk.unix(wanted, report))?,
        }
        if let Some(error) = walk.failed {
            return Err(error);
        }
        let is_last = walk.seen <= walk.told;
        self.position = walk.told;
        if is_last {
            walk.answer.put(NLMSG_DONE, NLM_F_MULTI, &0_u32)?;
        }
        Ok((part, is_last))
    }
}

fn first_of<T: FromBytes>(body: &[u8]) -> Result<T, Errno> {
    let (request, _) = T::read_from_prefix(body).map_err(|_| Errno::EINVAL)?;
    Ok(request)
}

/// One way through all sockets.
struct Walk<'a> {
    answer: AnswerBuilder<'a>,
    /// Sockets met, and how many of them were told, now or before.
    seen: usize,
    told: usize,
    failed: Option<Errno>,
}

/// What is told of a socket of the Internet beside what all have.
#[derive(Default)]
struct Extensions {
    /// Nanoseconds of TIME-WAIT that are left.
    rest: Option<u64>,
    /// Its receive and send buffers.
    buffers: [u32; 2],
    info: Option<TcpInfo>,
}

impl Walk<'_> {
    /// Whether the next socket is to be told in this part.
    fn takes_next(&mut self) -> bool {
        self.seen += 1;
        if self.seen.is_multiple_of(STEP)
            && let Err(error) = scheduler::cond_resched_killable()
        {
            self.failed = Some(error);
        }
        let takes = self.seen > self.told && self.answer.len() < PART && self.failed.is_none();
        // What follows one that is left for the next part is left, too.
        if takes && self.seen == self.told + 1 {
            self.told += 1;
            return true;
        }
        false
    }

    fn note(&mut self, result: Result<(), Errno>) {
        self.failed = self.failed.or(result.err());
    }

    fn inet(&mut self, wanted: &InetDiagReq) {
        match u32::from(wanted.protocol) {
            IPPROTO_TCP => {
                let asks_info = wanted.extensions & 1 << (INET_DIAG_INFO - 1) != 0;
                let mut look = |stream: &Arc<Stream>| {
                    if self.takes_next()
                        && let Some(report) = stream.report()
                    {
                        let extensions = Extensions {
                            buffers: stream.buffers(),
                            info: asks_info.then(|| stream.info()),
                            rest: None,
                        };
                        let told = self.socket(wanted, &report, &extensions);
                        self.note(told);
                    }
                };
                stream::visit_listening(&mut look);
                stream::visit(&mut look);
                stream::visit_past(|key, past| {
                    if self.takes_next() {
                        let report = SocketReport {
                            local: key.local(),
                            remote: key.remote(),
                            state: TIME_WAIT,
                            sent: 0,
                            received: 0,
                            family: past.family,
                            holder: SocketHolder::default(),
                        };
                        let extensions = Extensions {
                            rest: Some(past.rest()),
                            ..Extensions::default()
                        };
                        let told = self.socket(wanted, &report, &extensions);
                        self.note(told);
                    }
                });
            }
            protocol => {
                let kind = if protocol == IPPROTO_UDP {
                    Kind::Udp
                } else {
                    Kind::Raw
                };
                datagram::visit(kind, |_, socket| {
                    if self.takes_next()
                        && let Some(report) = socket.report()
                    {
                        let extensions = Extensions {
                            buffers: socket.buffers(),
                            ..Extensions::default()
                        };
                        let told = self.socket(wanted, &report, &extensions);
                        self.note(told);
                    }
                });
            }
        }
    }

    /// Tells of a socket, if it is wanted.
    fn socket(
        &mut self,
        wanted: &InetDiagReq,
        report: &SocketReport,
        beside: &Extensions,
    ) -> Result<(), Errno> {
        let is_family = u32::from(wanted.family) == AF_UNSPEC || u32::from(wanted.family) == report.family;
        let fits = |number: [u8; 2], port: u16| number == [0; 2] || number == port.to_be_bytes();
        if !is_family
            || wanted.states & 1_u32.unbounded_shl(report.state.into()) == 0
            || !fits(wanted.id.source_port, report.local.port)
            || !fits(wanted.id.destination_port, report.remote.port)
        {
            return Ok(());
        }
        let inode = report.holder.inode;
        let start = self.answer.put(
            SOCK_DIAG_BY_FAMILY,
            NLM_F_MULTI,
            &InetDiagMsg {
                family: report.family as u8,
                state: report.state,
                timer: if beside.rest.is_some() { 3 } else { 0 },
                retransmits: 0,
                id: InetDiagSockId {
                    source_port: report.local.port.to_be_bytes(),
                    destination_port: report.remote.port.to_be_bytes(),
                    source: bytes_of(report.family, &report.local),
                    destination: bytes_of(report.family, &report.remote),
                    interface: 0,
                    cookie: [inode as u32, (inode >> 32) as u32],
                },
                expires: (beside.rest.unwrap_or(0) / NANOS_PER_MILLI) as u32,
                receive_queue: report.received as u32,
                send_queue: report.sent as u32,
                user: report.holder.user,
                inode: inode as u32,
            },
        )?;
        let asks = |extension: u16| wanted.extensions & 1_u8.unbounded_shl(u32::from(extension) - 1) != 0;
        let (received, sent) = (report.received as u32, report.sent as u32);
        if beside.rest.is_none() && asks(INET_DIAG_MEMINFO) {
            let memory = MemInfo {
                received,
                queued: sent,
                forward: 0,
                sent,
            };
            self.answer.attribute(INET_DIAG_MEMINFO, memory.as_bytes())?;
        }
        if beside.rest.is_none() && asks(INET_DIAG_SKMEMINFO) {
            let [receive_buffer, send_buffer] = beside.buffers;
            let memory = [received, receive_buffer, sent, send_buffer, 0, sent, 0, 0, 0];
            self.answer.attribute(INET_DIAG_SKMEMINFO, memory.as_bytes())?;
        }
        if let Some(info) = &beside.info {
            self.answer.attribute(INET_DIAG_INFO, info.as_bytes())?;
            if asks(INET_DIAG_CONG) {
                self.answer.attribute(INET_DIAG_CONG, b"reno\0")?;
            }
        }
        self.answer.close(start);
        Ok(())
    }

    fn unix(&mut self, wanted: &UnixDiagReq, report: &UnixReport<'_>) {
        let is_wanted = wanted.states & 1_u32.unbounded_shl(report.state.into()) != 0
            && (wanted.inode == 0 || wanted.inode == report.inode as u32);
        if self.takes_next() && is_wanted {
            let told = self.unix_socket(wanted.show, report);
            self.note(told);
        }
    }

    fn unix_socket(&mut self, show: u32, report: &UnixReport<'_>) -> Result<(), Errno> {
        let start = self.answer.put(
            SOCK_DIAG_BY_FAMILY,
            NLM_F_MULTI,
            &UnixDiagMsg {
                family: AF_UNIX as u8,
                kind: report.kind as u8,
                state: report.state,
                pad: 0,
                inode: report.inode as u32,
                cookie: [report.inode as u32, (report.inode >> 32) as u32],
            },
        )?;
        if show & UDIAG_SHOW_NAME != 0
            && let Some(name) = report.name
        {
            self.answer.attribute(UNIX_DIAG_NAME, name)?;
        }
        if show & UDIAG_SHOW_PEER != 0
            && let Some(peer) = report.peer
        {
            self.answer
                .attribute(UNIX_DIAG_PEER, &(peer as u32).to_ne_bytes())?;
        }
        if show & UDIAG_SHOW_RQLEN != 0 {
            let [receive, send] = report.queues;
            let queues = UnixDiagQueues { receive, send };
            self.answer.attribute(UNIX_DIAG_RQLEN, queues.as_bytes())?;
        }
        self.answer.attribute(UNIX_DIAG_SHUTDOWN, &[report.shut])?;
        self.answer.close(start);
        Ok(())
    }
}

/// An address as it stands in packets.
fn bytes_of(family: u32, end: &IpEndpoint) -> [u8; 16] {
    match end.addr {
        IpAddress::Ipv6(address) => address.octets(),
        IpAddress::Ipv4(address) if family == AF_INET6 => address.to_ipv6_mapped().octets(),
        IpAddress::Ipv4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}
