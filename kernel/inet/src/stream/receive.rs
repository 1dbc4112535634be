//! recv(2) and kin.

use super::super::outbox::Outbox;
use super::connection::Connection;
use super::urgent::{self, ReadReach, UrgentPlace};
use super::{Stream, StreamState};
use abi::Errno;
use abi::socket::MessageFlags;
use memory::fallible;
use net::ReceivedMessage;
use platform::user_copy::UserFault;
use sched::scheduler;
use uaccess::Sink;

/// Bytes that a look without taking copies at most.
const MOST_PEEKED: usize = 65_536;

/// What came of one look at the socket.
enum ReceiveStep {
    /// So many bytes were taken; what stopped it, if it was a fault.
    Moved(usize, Option<UserFault>),
    /// There are not enough yet.
    Wait,
    /// There will be no more.
    End,
    Failed(Errno),
}

impl Stream {
    /// Receives bytes: how many; 0 at the end.
    ///
    /// # Errors
    /// `ENOTCONN`; `ECONNRESET` and kin; `EAGAIN`; `EFAULT`; `EINVAL`: `MSG_OOB`, and there is no urgent byte.
    pub(super) fn receive_bytes(&self, message: &mut ReceivedMessage<'_>) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::MSG_OOB) {
            return self.receive_urgent(message);
        }
        if message.flags.contains(MessageFlags::MSG_ERRQUEUE) {
            return Err(Errno::EAGAIN);
        }
        let low = self.base.receive_low(message.flags, message.data.room());
        let deadline = self.base.receive_deadline();
        let is_nonblocking = message.flags.contains(MessageFlags::MSG_DONTWAIT);
        let mut taken = 0;
        while taken == 0 || taken < low {
            let failed = match self.take_some(message, taken) {
                ReceiveStep::Moved(moved, fault) => {
                    taken += moved;
                    let served = fault.as_ref().map_or(Ok(()), uaccess::serve);
                    if message.data.room() == 0 || message.flags.contains(MessageFlags::MSG_PEEK) {
                        return Ok(taken);
                    }
                    served.and_then(|()| scheduler::cond_resched_killable()).err()
                }
                ReceiveStep::End => return Ok(taken),
                ReceiveStep::Wait if is_nonblocking => Some(Errno::EAGAIN),
                ReceiveStep::Wait => {
                    let waited = self.wait_for_bytes(deadline, low - taken);
                    if message.data.room() == 0 {
                        // Who wants none has waited once, whatever ended it, as on Linux.
                        return Ok(taken);
                    }
                    waited.err()
                }
                ReceiveStep::Failed(error) => Some(error),
            };
            match failed {
                None => {}
                Some(_) if taken > 0 => break,
                Some(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Takes what there is, for who has `copied` bytes already.
    fn take_some(&self, message: &mut ReceivedMessage<'_>, copied: usize) -> ReceiveStep {
        let place = self.urgent_place();
        if message.flags.contains(MessageFlags::MSG_PEEK) {
            return self.peek(message.data, place);
        }
        let mut inner = self.inner.lock();
        let StreamState {
            connection: Some(connection),
            pace,
            ..
        } = &mut *inner
        else {
            return ReceiveStep::Failed(self.base.take_error().err().unwrap_or(Errno::ENOTCONN));
        };
        let view = connection.view();
        if view.received == 0 || !view.is_past_opening() {
            return self.nothing(&inner);
        }
        let mut most = message.data.room();
        match urgent::reach(connection, copied, place) {
            ReadReach::All => {}
            ReadReach::Up(len) => most = most.min(len),
            ReadReach::Stop => return ReceiveStep::End,
            ReadReach::Skip => urgent::skip(connection),
        }
        let mut fault = None;
        let moved = if message.flags.contains(MessageFlags::MSG_TRUNC) {
            discard(connection, most)
        } else {
            empty(connection, message.data, most, &mut fault)
        };
        if moved > 0 {
            connection.tally.taken += moved as u64;
            connection.urgent.note_read(connection.tally.next_taken());
            pace.note_read();
            connection
                .socket_mut()
                .set_ack_delay(pace.acknowledgement_delay());
            // The other side may have waited for room.
            let mut outbox = Outbox::new();
            let effects = self.run(&mut inner, None, &mut outbox);
            self.finish(inner, effects, &mut outbox);
        }
        ReceiveStep::Moved(moved, fault)
    }

    /// There is nothing to take: why.
    fn nothing(&self, inner: &StreamState) -> ReceiveStep {
        if let Err(error) = self.base.take_error() {
            ReceiveStep::Failed(error)
        } else if inner.is_receive_shut
            || inner
                .connection
                .as_ref()
                .is_none_or(|connection| connection.view().has_ended())
        {
            ReceiveStep::End
        } else {
            ReceiveStep::Wait
        }
    }

    /// Copies what there is without taking it. No lock is held while it is put.
    fn peek(&self, to: &mut dyn Sink, place: UrgentPlace) -> ReceiveStep {
        // One more: an urgent byte may be the first.
        let wanted = to.room().min(MOST_PEEKED) + 1;
        let mut copy = match fallible::filled(wanted, 0) {
            Ok(copy) => copy,
            Err(error) => return ReceiveStep::Failed(error),
        };
        let mut inner = self.inner.lock();
        let Some(connection) = &mut inner.connection else {
            return ReceiveStep::Failed(Errno::ENOTCONN);
        };
        if connection.view().received == 0 {
            return self.nothing(&inner);
        }
        // None if none are wanted: that there are some is an answer, too.
        let len = connection.socket_mut().peek_slice(&mut copy).unwrap_or(0);
        let seen = match urgent::reach(connection, 0, place) {
            ReadReach::All | ReadReach::Stop => 0..len,
            ReadReach::Up(most) => 0..len.min(most),
            ReadReach::Skip => 1.min(len)..len,
        };
        if seen.is_empty() && to.room() > 0 {
            return self.nothing(&inner);
        }
        drop(inner);
        let seen = &copy[seen];
        match to.put(&seen[..seen.len().min(wanted - 1)]) {
            Ok(put) => ReceiveStep::Moved(put, None),
            Err(error) => ReceiveStep::Failed(error),
        }
    }

    /// Waits until `low` bytes have come, as far as the buffer has room for them, or nothing more will.
    fn wait_for_bytes(&self, deadline: Option<u64>, low: usize) -> Result<(), Errno> {
        let place = self.urgent_place();
        let is_there = || {
            let inner = self.inner.lock();
            let is_there = self.base.has_error()
                || inner.is_receive_shut
                || inner.connection.as_ref().is_none_or(|connection| {
                    let view = connection.view();
                    let passed = usize::from(urgent::reach(connection, 0, place) == ReadReach::Skip);
                    view.is_past_opening()
                        && (view.received >= low.min(connection.receive_mark()) + passed || view.has_ended())
                });
            is_there.then_some(())
        };
        match self.readers.wait_until_deadline(deadline, is_there) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(Errno::EAGAIN),
            Err(_) if deadline.is_some() => Err(Errno::EINTR),
            Err(interrupted) => Err(interrupted.into()),
        }
    }

    /// Bytes that can be read: `FIONREAD`.
    pub(super) fn unread(&self) -> usize {
        let inner = self.inner.lock();
        inner.connection.as_ref().map_or(0, |connection| {
            let (next, received) = (connection.tally.next_taken(), connection.view().received);
            let place = self.urgent_place();
            connection.urgent.count_before(next, received, place)
        })
    }
}

/// Copies bytes out of the receive buffer, up to the end of the room or to a fault.
fn empty(
    connection: &mut Connection,
    to: &mut dyn Sink,
    most: usize,
    fault: &mut Option<UserFault>,
) -> usize {
    take(connection, most, |bytes| to.try_put(bytes, fault))
}

/// Drops bytes (`MSG_TRUNC`).
fn discard(connection: &mut Connection, most: usize) -> usize {
    take(connection, most, <[u8]>::len)
}

fn take(connection: &mut Connection, most: usize, mut put: impl FnMut(&[u8]) -> usize) -> usize {
    let socket = connection.socket_mut();
    let mut moved = 0;
    while moved < most {
        let piece = socket.recv(|bytes| {
            let len = bytes.len().min(most - moved);
            let put = put(&bytes[..len]);
            (put, put)
        });
        match piece {
            Ok(0) | Err(_) => break,
            Ok(put) => moved += put,
        }
    }
    moved
}
