//! Urgent bytes: `MSG_OOB` (send(2), recv(2)), SIGURG, `SIOCATMARK`, `SO_OOBINLINE`. Of them `smoltcp` knows nothing: what a segment says of
//! one is read here and written by the `Tally`, which knows the numbers of bytes. As on Linux the pointer says the byte behind it
//! (net.ipv4.tcp_stdurg is 0), there is one at a time, and a later one makes an ordinary byte of it.

use super::super::tally;
use super::connection::Connection;
use super::{Stream, StreamState};
use abi::Errno;
use abi::socket::MessageFlags;
use abi::socket::option::SO_OOBINLINE;
use net::ReceivedMessage;
use smoltcp::socket::tcp::State;

/// What is known of the urgent byte of the peer (`urg_data` of Linux).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum UrgentState {
    /// There is none.
    #[default]
    None,
    /// It was announced.
    Announced,
    /// It is there.
    Here(u8),
    /// It was received, and not passed.
    Taken,
}

/// The urgent byte of the peer.
#[derive(Clone, Copy, Default)]
pub(super) struct UrgentMark {
    state: UrgentState,
    /// Its number.
    number: u32,
}

/// Where the urgent byte is to be had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UrgentPlace {
    /// By `MSG_OOB` alone.
    Apart,
    /// Among the others (`SO_OOBINLINE`).
    Inline,
}

/// How far a reader gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadReach {
    /// As far as it likes.
    All,
    /// So many bytes.
    Up(usize),
    /// Not a byte: it has read up to the mark.
    Stop,
    /// The first byte is not for it.
    Skip,
}

impl UrgentMark {
    /// Whether a reader must look.
    #[inline]
    pub(super) fn is_known(self) -> bool {
        self.state != UrgentState::None
    }

    /// Whether the byte of that number, the next one to be read, is it.
    pub(super) fn is_at(self, next: u32) -> bool {
        self.is_known() && self.number == next
    }

    /// Whether it can be received.
    pub(super) fn is_here(self) -> bool {
        matches!(self.state, UrgentState::Here(_))
    }

    /// How far a reader gets who has `copied` bytes and comes to the byte `next`.
    pub(super) fn reach(self, next: u32, copied: usize, place: UrgentPlace) -> ReadReach {
        if !self.is_known() || tally::is_behind(next, self.number) {
            return ReadReach::All;
        }
        match self.number.wrapping_sub(next) {
            0 if copied > 0 => ReadReach::Stop,
            0 if place == UrgentPlace::Inline => ReadReach::All,
            0 => ReadReach::Skip,
            distance => ReadReach::Up(distance as usize),
        }
    }

    /// The program has come to the byte `next`: what lies before it is forgotten.
    pub(super) fn note_read(&mut self, next: u32) {
        if self.is_known() && tally::is_behind(next, self.number) {
            self.state = UrgentState::None;
        }
    }

    /// So many of the `received` bytes from `next` on can be read before it: `FIONREAD`.
    pub(super) fn count_before(self, next: u32, received: usize, place: UrgentPlace) -> usize {
        let distance = self.number.wrapping_sub(next) as usize;
        let stops = self.is_known() && place == UrgentPlace::Apart && !tally::is_behind(next, self.number);
        if stops && distance < received {
            distance
        } else {
            received
        }
    }
}

/// A packet has come, of `before` bytes that could be read then; whether it announced an urgent byte, and whether that is there now.
#[inline]
pub(super) fn note_packet(
    connection: &mut Connection,
    packet: &[u8],
    before: usize,
    place: UrgentPlace,
) -> [bool; 2] {
    let is_marked = tally::segment_of(packet).is_some_and(|segment| segment.urg());
    if !is_marked && connection.urgent.state != UrgentState::Announced {
        return [false; 2];
    }
    look(connection, packet, before, place)
}

/// `tcp_urg` of Linux.
#[cold]
#[inline(never)]
fn look(connection: &mut Connection, packet: &[u8], before: usize, place: UrgentPlace) -> [bool; 2] {
    let Some(segment) = tally::segment_of(packet) else {
        return [false; 2];
    };
    if segment.syn() || segment.rst() {
        return [false; 2];
    }
    let first = tally::number(segment.seq_number());
    let is_news = segment.urg() && {
        let number = first.wrapping_add(u32::from(segment.urgent_at().saturating_sub(1)));
        announce(connection, number, before, place)
    };
    let mut is_here = false;
    let urgent = &mut connection.urgent;
    if urgent.state == UrgentState::Announced
        && let Some(byte) = segment.payload().get(urgent.number.wrapping_sub(first) as usize)
    {
        urgent.state = UrgentState::Here(*byte);
        is_here = true;
    }
    [is_news, is_here]
}

/// `tcp_check_urg` of Linux; whether it is one that was not known.
fn announce(connection: &mut Connection, number: u32, before: usize, place: UrgentPlace) -> bool {
    let next = connection.tally.next_taken();
    let end = next.wrapping_add(before as u32);
    let urgent = connection.urgent;
    let is_old =
        tally::is_behind(end, number) || urgent.is_known() && !tally::is_behind(number, urgent.number);
    if is_old {
        return false;
    }
    if urgent.is_at(next) && place == UrgentPlace::Apart && before > 0 {
        // The last one is passed: it is no part of what others read.
        skip(connection);
    }
    connection.urgent = UrgentMark {
        state: UrgentState::Announced,
        number,
    };
    true
}

/// Drops the next byte.
pub(super) fn skip(connection: &mut Connection) {
    let dropped = connection.socket_mut().recv(|bytes| {
        let len = bytes.len().min(1);
        (len, len)
    });
    connection.tally.taken += dropped.unwrap_or(0) as u64;
    let next = connection.tally.next_taken();
    connection.urgent.note_read(next);
}

impl Stream {
    /// As the program wants it.
    #[inline]
    pub(super) fn urgent_place(&self) -> UrgentPlace {
        if self.base.is_on(SO_OOBINLINE) {
            UrgentPlace::Inline
        } else {
            UrgentPlace::Apart
        }
    }

    /// recv(2) with `MSG_OOB` (`tcp_recv_urg` of Linux).
    ///
    /// # Errors
    /// `EINVAL`: there is none, or it is among the others. `EAGAIN`: it was announced, and is on its way. `ENOTCONN`. Those of user memory.
    pub(super) fn receive_urgent(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        if net::SocketOps::is_listening(self) {
            return Err(Errno::ENOTCONN);
        }
        let place = self.urgent_place();
        let byte = {
            let mut inner = self.inner.lock();
            let StreamState {
                connection: Some(connection),
                is_receive_shut,
                ..
            } = &mut *inner
            else {
                return Err(Errno::EINVAL);
            };
            match connection.urgent.state {
                _ if place == UrgentPlace::Inline => return Err(Errno::EINVAL),
                UrgentState::None | UrgentState::Taken => return Err(Errno::EINVAL),
                UrgentState::Announced if *is_receive_shut || connection.view().state == State::Closed => {
                    return Ok(0);
                }
                UrgentState::Announced => return Err(Errno::EAGAIN),
                UrgentState::Here(byte) => {
                    if !message.flags.contains(MessageFlags::MSG_PEEK) {
                        connection.urgent.state = UrgentState::Taken;
                    }
                    byte
                }
            }
        };
        message.told |= MessageFlags::MSG_OOB;
        if message.data.room() == 0 {
            message.told |= MessageFlags::MSG_TRUNC;
            return Ok(0);
        }
        if !message.flags.contains(MessageFlags::MSG_TRUNC) && message.data.put(&[byte])? == 0 {
            return Err(Errno::EFAULT);
        }
        Ok(1)
    }

    /// Whether the next byte is the urgent one: `SIOCATMARK`.
    pub(super) fn is_at_mark(&self) -> bool {
        let inner = self.inner.lock();
        let connection = inner.connection.as_ref();
        connection.is_some_and(|connection| connection.urgent.is_at(connection.tally.next_taken()))
    }
}

/// What a reader of that connection may do who has `copied` bytes.
#[inline]
pub(super) fn reach(connection: &Connection, copied: usize, place: UrgentPlace) -> ReadReach {
    if connection.urgent.is_known() {
        let next = connection.tally.next_taken();
        connection.urgent.reach(next, copied, place)
    } else {
        ReadReach::All
    }
}
