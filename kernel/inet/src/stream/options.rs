//! Options of TCP and of IP: tcp(7), ip(7), ipv6(7).

use super::super::options::{self, flag, number};
use super::super::outbox::Outbox;
use super::{IPPROTO_TCP, Stream, StreamState};
use abi::Errno;
use abi::inet::{
    IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_V6ONLY, TCP_CONGESTION,
    TCP_CORK, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_INFO, TCP_KEEPCNT, TCP_KEEPIDLE,
    TCP_KEEPINTVL, TCP_MAXSEG, TCP_NODELAY, TCP_QUICKACK, TCP_USER_TIMEOUT,
};
use abi::socket::AF_INET;
use abi::socket::option::{SO_KEEPALIVE, SO_SNDBUF, SO_SNDBUFFORCE};
use core::sync::atomic::Ordering;
use net::settings::SOMAXCONN;
use net::{OptionValue, SocketBase};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Duration;

/// For how long a connection is tried, and one that stands when nothing is heard: net.ipv4.tcp_syn_retries and tcp_retries2.
const OPENING_TIMEOUT: Duration = Duration::from_secs(127);
const TIMEOUT: Duration = Duration::from_secs(924);
/// For how long the answer to a SYN is tried: net.ipv4.tcp_synack_retries.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(63);
/// For how long a connection that nobody has any more waits for its peer's end: net.ipv4.tcp_fin_timeout.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(60);

/// Seconds between two answers to a SYN at most.
const LONGEST_PAUSE: u32 = 120;

/// The bits of a traffic class that tell of congestion (RFC 3168).
const CONGESTION: u8 = 3;

/// The name of what is done about congestion, as [`Connection`](super::connection::Connection) asks for.
const CONGESTION_CONTROL: [u8; 16] = *b"reno\0\0\0\0\0\0\0\0\0\0\0\0";

/// Who has a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionHolder {
    /// A program, by a descriptor.
    Program,
    /// Nobody any more.
    Nobody,
}

/// What a program has said.
#[derive(Clone, Debug)]
pub(super) struct TcpOptions {
    no_delay: bool,
    pub(super) is_corked: bool,
    /// `TCP_DEFER_ACCEPT`, as Linux counts: the answer to a SYN is sent so often at most.
    pub(super) defer_accept: u8,
    /// `TCP_FASTOPEN`.
    fast_opens: u32,
    hop_limit: Option<u8>,
    pub(super) traffic_class: u8,
    /// Seconds, and a number.
    keep_idle: u32,
    keep_interval: u32,
    keep_count: u32,
    /// Milliseconds; 0: as usual.
    user_timeout: u32,
    /// `SO_SNDBUF` was said.
    pub(super) has_send_buffer: bool,
}

impl Default for TcpOptions {
    fn default() -> TcpOptions {
        TcpOptions {
            no_delay: false,
            is_corked: false,
            defer_accept: 0,
            fast_opens: 0,
            hop_limit: None,
            traffic_class: 0,
            keep_idle: 7200,
            keep_interval: 75,
            keep_count: 9,
            user_timeout: 0,
            has_send_buffer: false,
        }
    }
}

impl TcpOptions {
    /// Tells the protocol what does not depend on the state.
    pub(super) fn apply(&self, socket: &mut Socket<'static>) {
        socket.set_nagle_enabled(!self.no_delay);
        socket.set_hop_limit(self.hop_limit);
    }

    /// Tells the protocol for how long it is to wait in the state that it is in. It ends a connection of which nothing was heard for so
    /// long, whether something is to be heard or not: so a silent one that has nothing to send has no limit.
    pub(super) fn set_timers(
        &self,
        socket: &mut Socket<'static>,
        base: &SocketBase,
        holder: ConnectionHolder,
    ) {
        let keeps_alive = base.is_on(SO_KEEPALIVE);
        let interval = keeps_alive.then(|| Duration::from_secs(self.keep_idle.into()));
        if socket.keep_alive() != interval {
            socket.set_keep_alive(interval);
        }
        let usual = match self.user_timeout {
            0 => TIMEOUT,
            millis => Duration::from_millis(millis.into()),
        };
        let of_silence = match socket.state() {
            State::SynSent if self.user_timeout == 0 => Some(OPENING_TIMEOUT),
            State::SynSent => Some(usual),
            State::SynReceived => Some(ADMISSION_TIMEOUT),
            _ if holder == ConnectionHolder::Nobody => Some(ORPHAN_TIMEOUT),
            _ if socket.send_queue() > 0 => Some(usual),
            _ if keeps_alive => {
                let probes = u64::from(self.keep_interval) * u64::from(self.keep_count);
                Some(Duration::from_secs(u64::from(self.keep_idle) + probes))
            }
            _ => None,
        };
        socket.set_timeout(of_silence);
    }
}

impl Stream {
    /// getsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`.
    pub(super) fn get(&self, level: u32, name: u32, value: &mut OptionValue) -> Result<(), Errno> {
        const USUAL_SEGMENT: i32 = 536;
        match (level, name) {
            (IPPROTO_TCP, TCP_INFO) => {
                value.set(&self.info());
                return Ok(());
            }
            (IPPROTO_TCP, TCP_CONGESTION) => {
                value.set(&CONGESTION_CONTROL);
                return Ok(());
            }
            _ => {}
        }
        let inner = self.inner.lock();
        let options = &inner.options;
        let is_six = self.base.family != AF_INET;
        let answer = match (level, name) {
            (IPPROTO_TCP, TCP_NODELAY) => i32::from(options.no_delay),
            (IPPROTO_TCP, TCP_CORK) => i32::from(options.is_corked),
            (IPPROTO_TCP, TCP_DEFER_ACCEPT) => seconds_of_tries(options.defer_accept) as i32,
            (IPPROTO_TCP, TCP_FASTOPEN) => options.fast_opens as i32,
            (IPPROTO_TCP, TCP_FASTOPEN_CONNECT) => 0,
            (IPPROTO_TCP, TCP_QUICKACK) => i32::from(!inner.pace.is_conversation),
            (IPPROTO_TCP, TCP_KEEPIDLE) => options.keep_idle as i32,
            (IPPROTO_TCP, TCP_KEEPINTVL) => options.keep_interval as i32,
            (IPPROTO_TCP, TCP_KEEPCNT) => options.keep_count as i32,
            (IPPROTO_TCP, TCP_USER_TIMEOUT) => options.user_timeout as i32,
            (IPPROTO_TCP, TCP_MAXSEG) => inner
                .connection
                .as_ref()
                .map_or(USUAL_SEGMENT, |connection| connection.longest_segment() as i32),
            (IPPROTO_IP, IP_TTL) => i32::from(options.hop_limit.unwrap_or(options::HOP_LIMIT)),
            (IPPROTO_IP, IP_TOS) => i32::from(options.traffic_class),
            (IPPROTO_IPV6, IPV6_TCLASS) if is_six => i32::from(options.traffic_class),
            (IPPROTO_IPV6, IPV6_UNICAST_HOPS) if is_six => {
                i32::from(options.hop_limit.unwrap_or(options::HOP_LIMIT))
            }
            (IPPROTO_IPV6, IPV6_V6ONLY) if is_six => i32::from(self.is_v6_only.load(Ordering::Relaxed)),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        value.set(&answer);
        Ok(())
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `ENOPROTOOPT`; `EINVAL`.
    pub(super) fn set(&self, level: u32, name: u32, value: &[u8]) -> Result<(), Errno> {
        let is_six = self.base.family != AF_INET;
        if (level, name) == (IPPROTO_IPV6, IPV6_V6ONLY) && is_six {
            return self.set_v6_only(value);
        }
        if (level, name) == (IPPROTO_TCP, TCP_CONGESTION) {
            if value.is_empty() {
                return Err(Errno::EINVAL);
            }
            let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            let is_it = CONGESTION_CONTROL.starts_with(&value[..end]) && CONGESTION_CONTROL[end] == 0;
            return is_it.then_some(()).ok_or(Errno::ENOENT);
        }
        let mut inner = self.inner.lock();
        let is_free = inner
            .connection
            .as_ref()
            .is_none_or(|connection| connection.view().state == State::Closed);
        let StreamState { options, pace, .. } = &mut *inner;
        match (level, name) {
            (IPPROTO_TCP, TCP_NODELAY) => options.no_delay = whole(value).map(|number| number != 0)?,
            (IPPROTO_TCP, TCP_CORK) => options.is_corked = whole(value)? != 0,
            (IPPROTO_TCP, TCP_DEFER_ACCEPT) => options.defer_accept = tries_of_seconds(whole(value)?),
            (IPPROTO_TCP, TCP_FASTOPEN) => match u32::try_from(whole(value)?) {
                Ok(most) if is_free => options.fast_opens = most.min(SOMAXCONN.get()),
                _ => return Err(Errno::EINVAL),
            },
            (IPPROTO_TCP, TCP_FASTOPEN_CONNECT) => {
                within_or_none(value, 1)?;
                return Err(Errno::EOPNOTSUPP);
            }
            (IPPROTO_TCP, TCP_QUICKACK) => pace.is_conversation = whole(value)? == 0,
            (IPPROTO_TCP, TCP_KEEPIDLE) => options.keep_idle = within(value, 32_767)?,
            (IPPROTO_TCP, TCP_KEEPINTVL) => options.keep_interval = within(value, 32_767)?,
            (IPPROTO_TCP, TCP_KEEPCNT) => options.keep_count = within(value, 127)?,
            (IPPROTO_TCP, TCP_USER_TIMEOUT) => {
                options.user_timeout = u32::try_from(whole(value)?).map_err(|_| Errno::EINVAL)?;
            }
            (IPPROTO_IP, IP_TTL) => options.hop_limit = options::hop_limit(number(value)?)?,
            // The two bits of congestion belong to TCP.
            (IPPROTO_IP, IP_TOS) => options.traffic_class = number(value)? as u8 & !CONGESTION,
            (IPPROTO_IPV6, IPV6_TCLASS) if is_six => {
                options.traffic_class = options::traffic_class(number(value)?)? & !CONGESTION;
            }
            (IPPROTO_IPV6, IPV6_UNICAST_HOPS) if is_six => {
                options.hop_limit = options::hop_limit(number(value)?)?
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        let (options, delay) = (options.clone(), pace.acknowledgement_delay());
        if let Some(connection) = &mut inner.connection {
            options.apply(connection.socket_mut());
            connection.socket_mut().set_ack_delay(delay);
        }
        self.run_now(inner);
        Ok(())
    }

    fn set_v6_only(&self, value: &[u8]) -> Result<(), Errno> {
        let inner = self.inner.lock();
        if inner.bound.is_some() {
            return Err(Errno::EINVAL);
        }
        self.is_v6_only.store(flag(value)?, Ordering::Relaxed);
        Ok(())
    }

    /// An option of all sockets was set.
    pub(super) fn note_set(&self, name: u32) {
        let mut inner = self.inner.lock();
        inner.options.has_send_buffer |= matches!(name, SO_SNDBUF | SO_SNDBUFFORCE);
        if name == SO_KEEPALIVE {
            self.run_now(inner);
        }
    }

    fn run_now(&self, mut inner: super::poll::Guard<'_>) {
        let mut outbox = Outbox::new();
        let effects = self.run(&mut inner, None, &mut outbox);
        self.finish(inner, effects, &mut outbox);
    }
}

/// TCP takes four bytes only.
fn whole(value: &[u8]) -> Result<i32, Errno> {
    let bytes = value.first_chunk::<4>().ok_or(Errno::EINVAL)?;
    Ok(i32::from_ne_bytes(*bytes))
}

/// A number from 0 on.
fn within_or_none(value: &[u8], most: u32) -> Result<u32, Errno> {
    let number = u32::try_from(whole(value)?).ok();
    number.filter(|number| *number <= most).ok_or(Errno::EINVAL)
}

/// Seconds until the answer to a SYN was sent so often: after one, two more, four more, and so on up to 120 (`retrans_to_secs` of Linux).
pub(super) fn seconds_of_tries(tries: u8) -> u32 {
    let pauses =
        (0..u32::from(tries)).map(|tried| 1_u32.checked_shl(tried).unwrap_or(u32::MAX).min(LONGEST_PAUSE));
    pauses.sum()
}

/// As often it is sent in `seconds` (`secs_to_retrans`).
fn tries_of_seconds(seconds: i32) -> u8 {
    let wanted = u32::try_from(seconds).unwrap_or(0);
    let is_long_enough = |tries: &u8| seconds_of_tries(*tries) >= wanted;
    (0..u8::MAX).find(is_long_enough).unwrap_or(u8::MAX)
}

/// A number from 1 on.
fn within(value: &[u8], most: u32) -> Result<u32, Errno> {
    let number = u32::try_from(whole(value)?).map_err(|_| Errno::EINVAL)?;
    if (1..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Errno::EINVAL)
    }
}
